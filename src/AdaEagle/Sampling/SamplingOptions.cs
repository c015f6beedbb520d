namespace AdaEagle.Sampling;

/// <summary>
/// How a token is chosen from logits. Order: temperature, then top-k, then top-p, then min-p (Hugging Face's order); the rest is renormalised.
/// </summary>
public sealed record SamplingOptions
{
    /// <summary>
    /// Divides the logits; 0 is greedy, the largest logit, the lowest id of equals. So is all below 1e-5, where the quotients leave the range of floats.
    /// </summary>
    public float Temperature { get; init; }

    /// <summary>Keeps the k most probable tokens; 0 keeps all.</summary>
    public int TopK { get; init; }

    /// <summary>Keeps the fewest most probable tokens whose probabilities add up to this; 1 keeps all.</summary>
    public float TopP { get; init; } = 1;

    /// <summary>Keeps tokens at least this times as probable as the most probable one; 0 keeps all.</summary>
    public float MinP { get; init; }

    /// <summary>Seeds the random numbers; each is a function of (seed, sequence, token index).</summary>
    public ulong Seed { get; init; }

    /// <summary>The number of the sequence, the caller's: runs that are to be compared give a prompt the same one.</summary>
    public long Sequence { get; init; }

    /// <summary>Greedy decoding.</summary>
    public static SamplingOptions Greedy { get; } = new();

    /// <summary>Throws if a value is out of range.</summary>
    /// <exception cref="ArgumentOutOfRangeException">A value is out of range; the message says which is allowed.</exception>
    public void Validate()
    {
        Require(float.IsFinite(Temperature) && Temperature >= 0, nameof(Temperature), Temperature, "0 (greedy) or more");
        Require(TopK >= 0, nameof(TopK), TopK, "0 (all) or more");
        Require(TopP is > 0 and <= 1, nameof(TopP), TopP, "above 0, at most 1");
        Require(MinP is >= 0 and <= 1, nameof(MinP), MinP, "0 to 1");

        static void Require(bool holds, string name, object value, string allowed)
        {
            if (!holds)
            {
                throw new ArgumentOutOfRangeException(name, value, $"{name} must be {allowed}.");
            }
        }
    }
}
