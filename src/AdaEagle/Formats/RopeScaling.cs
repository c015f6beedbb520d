namespace AdaEagle.Formats;

/// <summary>How RoPE is stretched beyond the positions a model was first trained on.</summary>
public sealed record RopeScaling
{
    /// <summary><c>rope_type</c> (or <c>type</c>): <c>linear</c>, <c>llama3</c>; others as they are.</summary>
    public required string Kind { get; init; }

    /// <summary><c>factor</c>; 1 if absent.</summary>
    public double Factor { get; init; } = 1;

    /// <summary><c>low_freq_factor</c> of llama3; 1 if absent.</summary>
    public double LowFrequencyFactor { get; init; } = 1;

    /// <summary><c>high_freq_factor</c> of llama3; 1 if absent in other kinds.</summary>
    public double HighFrequencyFactor { get; init; } = 1;

    /// <summary><c>original_max_position_embeddings</c>; the model's own maximum if absent.</summary>
    public int OriginalMaxPositions { get; init; }
}
