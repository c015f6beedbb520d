using AdaEagle.Kernels;

namespace AdaEagle.Speculation;

/// <summary>
/// What a policy may know of a distribution over tokens: softmax of raw logits, without temperature. Of the drafter's it tells how sure the draft is; of
/// the target's, where the root came from, how sure the output is.
/// </summary>
/// <param name="Top">The largest probability.</param>
/// <param name="Second">The second largest; 0 where there is one token.</param>
/// <param name="Entropy">-sum p ln p, in nats.</param>
public readonly record struct DraftSignals(float Top, float Second, float Entropy)
{
    private static readonly VectorKernels s_vector = VectorKernels.For(KernelPaths.Best);

    /// <summary>Top - second.</summary>
    public float Margin => Top - Second;

    /// <summary>Of a row of logits, as the policies read it.</summary>
    public static DraftSignals Of(ReadOnlySpan<float> logits) => Of(logits, s_vector, out _);

    /// <summary>Of a row of logits: two walks, one for the largest two, one for the sums. Gives ln Z too: a logit minus it is a log-probability.</summary>
    /// <remarks>With m the largest logit, Z = sum e^x: ln Z = m + ln sum e^(x - m); entropy = ln sum e^(x - m) - (sum e^(x - m) (x - m)) / sum e^(x - m).</remarks>
    internal static unsafe DraftSignals Of(ReadOnlySpan<float> logits, VectorKernels vector, out float normalizer)
    {
        fixed (float* values = logits)
        {
            vector.LargestTwo(values, logits.Length, out float first, out float second);
            vector.ExponentialSums(values, logits.Length, first, out float sum, out float weighted);
            float log = MathF.Log(sum);
            normalizer = first + log;
            return new DraftSignals(1 / sum, MathF.Exp(second - first) / sum, MathF.Max(log - (weighted / sum), 0));
        }
    }
}
