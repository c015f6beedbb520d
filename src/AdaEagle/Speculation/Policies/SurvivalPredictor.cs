namespace AdaEagle.Speculation.Policies;

/// <summary>Runs <see cref="SurvivalWeights"/> for one session, on the calling thread. Not thread-safe.</summary>
public sealed unsafe class SurvivalPredictor : IDisposable
{
    // A logit that is no number, from a feature that is none, means no hope.
    private const float Hopeless = -20;

    private readonly SurvivalWeights _weights;
    private readonly ResidualMlp _plan;
    private readonly ResidualMlp _step;

    /// <summary>Makes the workspace.</summary>
    public SurvivalPredictor(SurvivalWeights weights)
    {
        ArgumentNullException.ThrowIfNull(weights);
        _weights = weights;
        _plan = new ResidualMlp(weights.Plan, weights.Target.Path);
        _step = new ResidualMlp(weights.Step, weights.Target.Path);
    }

    /// <summary>k_max.</summary>
    public int MaxDraft => _weights.MaxDraft;

    /// <summary>See <see cref="SurvivalWeights.Resolved"/>.</summary>
    public double Resolved => _weights.Resolved;

    /// <summary>Before a draft: the logits of the hazards, P(accepted length >= i | it is >= i - 1), i = 1 … k_max.</summary>
    /// <param name="root">t_(j+1), the token that was sampled last.</param>
    /// <param name="feature">f_j, the target's feature at the position before it. [hidden]</param>
    /// <param name="rootSignals">The target's distribution at position j, which the root was taken from.</param>
    /// <param name="temperature">Of sampling; 0 is greedy.</param>
    /// <param name="hazards">Filled. What is beyond k_max is taken to be as likely as the token at k_max.</param>
    public void Plan(int root, ReadOnlySpan<float> feature, in DraftSignals rootSignals, float temperature, Span<float> hazards)
    {
        int hidden = _weights.Target.Config.HiddenSize;
        ArgumentOutOfRangeException.ThrowIfNotEqual(feature.Length, hidden, nameof(feature));
        Span<float> input = _plan.InputValues;
        _weights.Target.Embedding.UnpackRow(root, _plan.Input);
        feature.CopyTo(input[hidden..]);
        WriteRoot(rootSignals, temperature, input[(2 * hidden)..]);
        ReadOnlySpan<float> outputs = _plan.Run();
        for (int i = 0; i < hazards.Length; i++)
        {
            hazards[i] = Number(outputs[Math.Min(i, MaxDraft - 1)]);
        }
    }

    /// <summary>After a draft step: what is to be thought of the token, and of the next. One deeper than k_max is estimated as if it were there.</summary>
    /// <param name="hidden">The head's output row whose distribution the token was taken from. [hidden]</param>
    /// <param name="signals">The rest.</param>
    public StepEstimate Estimate(ReadOnlySpan<float> hidden, in StepSignals signals)
    {
        Span<float> input = _step.InputValues;
        ArgumentOutOfRangeException.ThrowIfNotEqual(hidden.Length, input.Length - StepSignals.Count, nameof(hidden));
        hidden.CopyTo(input);
        (signals with { Depth = Math.Min(signals.Depth, MaxDraft) }).Write(input[hidden.Length..]);
        ReadOnlySpan<float> outputs = _step.Run();
        return new StepEstimate(Number(outputs[0]), Number(outputs[1]));
    }

    /// <summary>Where the best child is wrong: the logit that the child of another rank is right.</summary>
    /// <param name="rank">1 for the second best.</param>
    /// <param name="logProbability">The head's ln p of that child.</param>
    /// <param name="top">The head's probability of the best child.</param>
    public float Sibling(int rank, float logProbability, float top)
    {
        ArgumentOutOfRangeException.ThrowIfLessThan(rank, 1);
        ArgumentOutOfRangeException.ThrowIfGreaterThan(rank, SurvivalWeights.Siblings);
        (float share, float best) = SiblingInputs(logProbability, top);
        ReadOnlySpan<float> weights = _weights.SiblingWeights.AsSpan((rank - 1) * SurvivalWeights.SiblingInputs, SurvivalWeights.SiblingInputs);
        return Number((weights[0] * share) + (weights[1] * best) + _weights.SiblingBiases[rank - 1]);
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        _plan.Dispose();
        _step.Dispose();
    }

    /// <summary>The plan's inputs behind embedding and feature.</summary>
    internal static void WriteRoot(in DraftSignals rootSignals, float temperature, Span<float> values)
    {
        values[0] = rootSignals.Entropy;
        values[1] = rootSignals.Margin;
        values[2] = temperature;
    }

    /// <summary>What a sibling's logistic reads: ln of its share of what the best child leaves, and ln p of the best child.</summary>
    internal static (float Share, float Best) SiblingInputs(float logProbability, float top) =>
        (Math.Clamp(logProbability - MathF.Log(MathF.Max(1 - top, 1e-6f)), -12, 0), MathF.Log(MathF.Max(top, 1e-6f)));

    private static float Number(float logit) => float.IsNaN(logit) ? Hopeless : Math.Clamp(logit, Hopeless, -Hopeless);
}
