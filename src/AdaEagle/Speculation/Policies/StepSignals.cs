namespace AdaEagle.Speculation.Policies;

/// <summary>What the step estimator reads beside the head's output row, after a draft step: the token d_i was taken from the distribution described.</summary>
/// <param name="Draft">The distribution: softmax of the head's raw logits.</param>
/// <param name="Sum">S_i: the running sum of ln p over d_1 … d_i.</param>
/// <param name="Depth">i, 1 for the root's child.</param>
/// <param name="Planned">The plan's logit that d_i is right.</param>
/// <param name="PlannedNext">The plan's logit that d_(i+1) is right; that of d_i at k_max.</param>
/// <param name="Temperature">Of sampling; 0 is greedy.</param>
public readonly record struct StepSignals(DraftSignals Draft, float Sum, int Depth, float Planned, float PlannedNext, float Temperature)
{
    /// <summary>Numbers that <see cref="Write"/> writes.</summary>
    public const int Count = 8;

    /// <summary>Logits and sums are held within this, so that one step that was certain does not drown the rest.</summary>
    private const float Most = 12;

    /// <summary>Writes them in the order in which the estimator's first matrix has its columns, behind the head's output row.</summary>
    public void Write(Span<float> values)
    {
        values[0] = Logit(Draft.Top);
        values[1] = MathF.Max(MathF.Log(MathF.Max(Draft.Second, float.Epsilon)), -Most);
        values[2] = Draft.Entropy;
        values[3] = MathF.Max(Sum, -2 * Most);
        values[4] = Depth;
        values[5] = Math.Clamp(Planned, -Most, Most);
        values[6] = Math.Clamp(PlannedNext, -Most, Most);
        values[7] = Temperature;
    }

    /// <summary>ln(p / (1 - p)), held within ±12.</summary>
    internal static float Logit(float probability) => Math.Clamp(MathF.Log(probability / MathF.Max(1 - probability, float.Epsilon)), -Most, Most);
}

/// <summary>What the step estimator says, as logits.</summary>
/// <param name="Right">That this token is right, given that those before it are.</param>
/// <param name="Next">That the next one would be, given that this one and those before it are.</param>
public readonly record struct StepEstimate(float Right, float Next);
