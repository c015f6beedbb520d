using AdaEagle.Formats;
using AdaEagle.Models;

namespace AdaEagle.Speculation.Policies;

/// <summary>
/// The weights of a stop head, a <c>stop/</c> folder: from the draft head's output row that a token was taken from, one logit z with sigmoid(z) = P(the target accepts the token | it accepts
/// those before it). The row is projected down first, y = W x + b; then y = y + silu(W_i y + b_i) for every block; then z. Immutable and shared; <see cref="StopHead"/> runs it.
/// </summary>
/// <remarks>
/// Source: the acceptance prediction head of SpecDec++ (arXiv 2405.19715): residual blocks with SiLU on the draft model's hidden state, three as published, and a linear layer. There the blocks are as wide as
/// the state and two numbers come out, whose softmax is this sigmoid.
/// </remarks>
public sealed class StopWeights : IDisposable
{
    /// <summary>Residual blocks of a head that is trained here.</summary>
    public const int UsualBlocks = 3;

    private const int MostBlocks = 64;

    private StopWeights(LlamaModel target, int maxDraft, string? vocabulary, ResidualMlpWeights network)
    {
        Target = target;
        MaxDraft = maxDraft;
        VocabularyFingerprint = vocabulary;
        Network = network;
    }

    /// <summary>The target whose acceptance it predicts.</summary>
    public LlamaModel Target { get; }

    /// <summary>k_max: the longest drafts that it was trained on.</summary>
    public int MaxDraft { get; }

    /// <summary>Fingerprint of the vocabulary it was trained with; null where the file has none.</summary>
    public string? VocabularyFingerprint { get; }

    /// <summary>Bytes of weights that a prediction streams.</summary>
    public long ByteLength => Network.ByteLength;

    internal ResidualMlpWeights Network { get; }

    /// <summary>Loads a stop head's folder (<c>config.json</c>, <c>model.safetensors</c>) for a target.</summary>
    /// <exception cref="ModelFormatException">The folder holds no stop head for this target; the message says why.</exception>
    public static StopWeights Load(string folder, LlamaModel target)
    {
        ArgumentNullException.ThrowIfNull(target);
        using PredictorConfig config = PredictorConfig.Open(folder, "stop");
        int hidden = config.HiddenSizeOf(target), width = config.Number("width", 1 << 16), blocks = config.Number("layers", MostBlocks), maxDraft = config.Number("k_max", 64);
        using ITensorSource source = Checkpoint.Open(folder);
        var loader = new WeightLoader(source, WeightChoice.Auto, target.Path);
        var network = ResidualMlpWeights.Load(loader, "", hidden, width, blocks, 1);
        loader.RequireAllUsed(_ => false);
        return new StopWeights(target, maxDraft, config.Text("target_vocabulary"), network);
    }

    /// <inheritdoc/>
    public void Dispose() => Network.Dispose();
}

/// <summary>Runs <see cref="StopWeights"/> for one session, on the calling thread. Not thread-safe.</summary>
public sealed class StopHead : IDisposable
{
    private readonly StopWeights _weights;
    private readonly ResidualMlp _network;

    /// <summary>Makes the workspace.</summary>
    public StopHead(StopWeights weights)
    {
        ArgumentNullException.ThrowIfNull(weights);
        _weights = weights;
        _network = new ResidualMlp(weights.Network, weights.Target.Path);
    }

    /// <summary>k_max.</summary>
    public int MaxDraft => _weights.MaxDraft;

    /// <summary>P(the token that was taken from this output row is accepted | those before it are); 0 where the row is no number.</summary>
    /// <param name="output">The draft head's output row. [hidden]</param>
    public double Acceptance(ReadOnlySpan<float> output)
    {
        ArgumentOutOfRangeException.ThrowIfNotEqual(output.Length, _network.InputValues.Length, nameof(output));
        output.CopyTo(_network.InputValues);
        float logit = _network.Run()[0];
        return float.IsNaN(logit) ? 0 : 1 / (1 + Math.Exp(-logit));
    }

    /// <inheritdoc/>
    public void Dispose() => _network.Dispose();
}
