using AdaEagle.Kernels;
using AdaEagle.Models;

namespace AdaEagle.Generation;

/// <summary>How to load a model folder.</summary>
public sealed record LoadOptions
{
    /// <summary>How weights are kept.</summary>
    public WeightChoice Weights { get; init; }

    /// <summary>A format of blocks that all matrices are brought to, of the target, its LM head and the draft head; null: none.</summary>
    public WeightFormat? Quantize { get; init; }

    /// <summary>A format of blocks for the draft head and its copy of the LM head alone; null takes <see cref="Quantize"/>. It changes drafts, never the output.</summary>
    public WeightFormat? QuantizeDraft { get; init; }

    /// <summary>
    /// What drafts where a generation names nothing else: <c>eagle</c>, <c>ngram</c>, <c>ngram:N,M</c> (prompt lookup) or <c>model</c> (a second model).
    /// Null takes the draft head, if there is one. It changes speed, never output.
    /// </summary>
    public string? Drafter { get; init; }

    /// <summary>
    /// The draft head's folder; null takes <c>eagle/</c> in the model's folder, if it is there. With <see cref="Drafter"/> <c>model</c> the draft model's folder or
    /// GGUF file: any model with the same vocabulary.
    /// </summary>
    public string? DraftFolder { get; init; }

    /// <summary>The draft length predictor's folder; null takes <c>ldlp/</c> in the model's folder, if it is there.</summary>
    public string? PredictorFolder { get; init; }

    /// <summary>The survival predictor's folder; null takes <c>survival/</c> in the model's folder, if it is there.</summary>
    public string? SurvivalFolder { get; init; }

    /// <summary>The stop head's folder, for the policy <c>specdec++</c>; null takes <c>stop/</c> in the model's folder, if it is there.</summary>
    public string? StopFolder { get; init; }

    /// <summary>A file of frozen costs for the policy <c>auto</c>; null: they are measured.</summary>
    public string? CostsFile { get; init; }

    /// <summary>How keys and values are kept, the draft head's too: half precision halves what a long context costs in memory and in time.</summary>
    public CacheFormat Cache { get; init; }

    /// <summary>Threads; 0 takes all processors.</summary>
    public int Threads { get; init; }

    /// <summary>The instruction set; null takes the best.</summary>
    public KernelPath? Path { get; init; }
}
