namespace AdaEagle.Sampling;

/// <summary>
/// Chooses a token from logits. The choice is a function of the logits and the token's index alone (and of the sampler's options):
/// it does not matter how a round got there, so speculation samples exactly what plain decoding does.
/// </summary>
public interface ISampler
{
    /// <summary>True if the choice is the largest logit, so that nothing but its index is needed.</summary>
    bool IsGreedy { get; }

    /// <summary>Chooses the token with index <paramref name="index"/> of the output (0 is the first generated token).</summary>
    int Sample(ReadOnlySpan<float> logits, int index);
}
