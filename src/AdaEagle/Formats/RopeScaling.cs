namespace AdaEagle.Formats;

/// <summary>How RoPE is stretched beyond the positions a model was first trained on.</summary>
public sealed record RopeScaling
{
    /// <summary><c>rope_type</c> (or <c>type</c>): <c>linear</c>, <c>llama3</c>, <c>yarn</c>, or <c>default</c> with <see cref="FrequencyFactors"/>; others as they are.</summary>
    public required string Kind { get; init; }

    /// <summary><c>factor</c>; if absent, 1, and for yarn the maximum positions by the original ones.</summary>
    public double Factor { get; init; } = 1;

    /// <summary><c>low_freq_factor</c> of llama3; 1 if absent.</summary>
    public double LowFrequencyFactor { get; init; } = 1;

    /// <summary><c>high_freq_factor</c> of llama3; 1 if absent in other kinds.</summary>
    public double HighFrequencyFactor { get; init; } = 1;

    /// <summary><c>original_max_position_embeddings</c>; the model's own maximum if absent.</summary>
    public int OriginalMaxPositions { get; init; }

    /// <summary><c>attention_factor</c> of yarn, by which queries and keys grow; null if absent: it follows from the factor.</summary>
    public double? AttentionFactor { get; init; }

    /// <summary><c>beta_fast</c> of yarn: dimensions that turn more often than this within the original positions are kept; 32 if absent.</summary>
    public double BetaFast { get; init; } = 32;

    /// <summary><c>beta_slow</c> of yarn: dimensions that turn less often than this are stretched by the whole factor; 1 if absent.</summary>
    public double BetaSlow { get; init; } = 1;

    /// <summary><c>mscale</c> of yarn (DeepSeek's spelling of the attention factor, with <see cref="MscaleAllDim"/>); 0 if absent.</summary>
    public double Mscale { get; init; }

    /// <summary><c>mscale_all_dim</c> of yarn; 0 if absent.</summary>
    public double MscaleAllDim { get; init; }

    /// <summary><c>truncate</c> of yarn: the bounds between kept and stretched dimensions are whole numbers; true if absent.</summary>
    public bool Truncate { get; init; } = true;

    /// <summary>
    /// Divisors of the frequencies, one per pair (head dimension / 2), before <see cref="Kind"/> acts: what a GGUF file holds as <c>rope_freqs.weight</c>.
    /// Empty for none. Our own key <c>frequency_factors</c>.
    /// </summary>
    public float[] FrequencyFactors { get; init; } = [];

    /// <inheritdoc/>
    public bool Equals(RopeScaling? other) =>
        other is not null && Numbers == other.Numbers && Yarn == other.Yarn && FrequencyFactors.AsSpan().SequenceEqual(other.FrequencyFactors);

    /// <inheritdoc/>
    public override int GetHashCode() => HashCode.Combine(Numbers, Yarn, FrequencyFactors.Length);

    private (string, double, double, double, int) Numbers => (Kind, Factor, LowFrequencyFactor, HighFrequencyFactor, OriginalMaxPositions);

    private (double?, double, double, double, double, bool) Yarn => (AttentionFactor, BetaFast, BetaSlow, Mscale, MscaleAllDim, Truncate);
}
