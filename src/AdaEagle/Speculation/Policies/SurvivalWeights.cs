using AdaEagle.Formats;
using AdaEagle.Models;

namespace AdaEagle.Speculation.Policies;

/// <summary>
/// The LDLP as a distribution, and the step estimator that revises it: the weights of a <c>survival/</c> folder. Three small networks in one file:
/// <list type="bullet">
/// <item><c>plan.*</c>, before the draft: [E(t_(j+1)) ; f_j ; entropy, margin, temperature] to k_max logits of hazards, z_i with
/// sigmoid(z_i) = P(accepted length >= i | it is >= i - 1);</item>
/// <item><c>step.*</c>, after each draft step: [the head's output row ; <see cref="StepSignals"/>] to two logits: this token is right, and the next one
/// would be, both given that what came before is right;</item>
/// <item><c>siblings.*</c>: where the best child is wrong, whether the child of rank 2 … 4 is right, a logistic of two numbers for each rank.</item>
/// </list>
/// Immutable and shared; <see cref="SurvivalPredictor"/> runs it.
/// </summary>
public sealed class SurvivalWeights : IDisposable
{
    /// <summary>Residual blocks of the plan's network.</summary>
    public const int PlanBlocks = 2;

    /// <summary>Residual blocks of the step estimator.</summary>
    public const int StepBlocks = 1;

    /// <summary>What the plan reads beside embedding and feature: entropy and margin of the distribution that gave the root, and the temperature.</summary>
    public const int RootInputs = 3;

    /// <summary>Ranks whose probabilities are calibrated: 2, 3 and 4.</summary>
    public const int Siblings = 3;

    /// <summary>Where the best child is wrong, how often ranks 2 to 4 are right: what a plan expects of siblings that are not drafted yet (EAGLE-1 head, docs/adaeagle.md).</summary>
    public static ReadOnlySpan<double> UsualSiblings => [0.36, 0.15, 0.09];

    /// <summary>Inputs of a sibling's logistic.</summary>
    public const int SiblingInputs = 2;

    private SurvivalWeights(LlamaModel target, int maxDraft, double resolved, string? vocabulary, ResidualMlpWeights plan, ResidualMlpWeights step, float[] siblingWeights, float[] siblingBiases)
    {
        Target = target;
        MaxDraft = maxDraft;
        Resolved = resolved;
        VocabularyFingerprint = vocabulary;
        Plan = plan;
        Step = step;
        SiblingWeights = siblingWeights;
        SiblingBiases = siblingBiases;
    }

    /// <summary>The target it predicts for.</summary>
    public LlamaModel Target { get; }

    /// <summary>k_max: hazards are predicted for this many positions.</summary>
    public int MaxDraft { get; }

    /// <summary>
    /// What the step estimator is expected to find out: the share of the variance of "this token is right", given the probability before the step, that
    /// its estimate after the step explains; 0 nothing, 1 all. Measured in training on answers kept aside.
    /// </summary>
    public double Resolved { get; }

    /// <summary>Fingerprint of the vocabulary it was trained with; null where the file has none.</summary>
    public string? VocabularyFingerprint { get; }

    /// <summary>Bytes of weights that a plan streams.</summary>
    public long PlanBytes => Plan.ByteLength;

    /// <summary>Bytes of weights that an estimate after a draft step streams.</summary>
    public long StepBytes => Step.ByteLength;

    internal ResidualMlpWeights Plan { get; }

    internal ResidualMlpWeights Step { get; }

    /// <summary>[<see cref="Siblings"/>, <see cref="SiblingInputs"/>]</summary>
    internal float[] SiblingWeights { get; }

    /// <summary>[<see cref="Siblings"/>]</summary>
    internal float[] SiblingBiases { get; }

    /// <summary>Loads a predictor's folder (<c>config.json</c>, <c>model.safetensors</c>) for a target.</summary>
    /// <exception cref="ModelFormatException">The folder holds no such predictor for this target; the message says why.</exception>
    public static SurvivalWeights Load(string folder, LlamaModel target)
    {
        ArgumentNullException.ThrowIfNull(target);
        using PredictorConfig config = PredictorConfig.Open(folder, "survival");
        int hidden = config.HiddenSizeOf(target), width = config.Number("width", 1 << 16), stepWidth = config.Number("step_width", 1 << 16), maxDraft = config.Number("k_max", 64);
        double resolved = config.Share("resolved", 0);
        using ITensorSource source = Checkpoint.Open(folder);
        var loader = new WeightLoader(source, WeightChoice.Auto, target.Path);
        var plan = ResidualMlpWeights.Load(loader, "plan.", (2 * hidden) + RootInputs, width, PlanBlocks, maxDraft);
        var step = ResidualMlpWeights.Load(loader, "step.", hidden + StepSignals.Count, stepWidth, StepBlocks, 2);
        float[] siblingWeights = source.ReadF32("siblings.weight", Siblings, SiblingInputs), siblingBiases = source.ReadF32("siblings.bias", Siblings);
        loader.RequireAllUsed(name => name is "siblings.weight" or "siblings.bias");
        return new SurvivalWeights(target, maxDraft, resolved, config.Text("target_vocabulary"), plan, step, siblingWeights, siblingBiases);
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        Plan.Dispose();
        Step.Dispose();
    }
}
