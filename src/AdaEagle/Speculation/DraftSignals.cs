using System.Runtime.Intrinsics;

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
    /// <summary>Top - second.</summary>
    public float Margin => Top - Second;

    /// <summary>Of a row of logits: two walks, one for the largest two, one for the sums.</summary>
    /// <remarks>With m the largest logit, Z = sum e^(x - m): entropy = ln Z - (sum e^(x - m) (x - m)) / Z.</remarks>
    public static DraftSignals Of(ReadOnlySpan<float> logits)
    {
        (float first, float second) = LargestTwo(logits);
        int width = Vector512<float>.Count, whole = logits.Length - (logits.Length % width);
        Vector512<float> most = Vector512.Create(first), sums = default, weighted = default;
        for (int i = 0; i < whole; i += width)
        {
            // Held where e^x is still a number: -infinity times 0 would be none.
            Vector512<float> x = Vector512.Max(Vector512.Create(logits[i..]) - most, Vector512.Create(-100f));
            Vector512<float> e = Vector512.Exp(x);
            sums += e;
            weighted += e * x;
        }

        float sum = Vector512.Sum(sums), products = Vector512.Sum(weighted);
        foreach (float logit in logits[whole..])
        {
            float x = MathF.Max(logit - first, -100f), e = MathF.Exp(x);
            sum += e;
            products += e * x;
        }

        return new DraftSignals(1 / sum, MathF.Exp(second - first) / sum, MathF.Max(MathF.Log(sum) - (products / sum), 0));
    }

    private static (float First, float Second) LargestTwo(ReadOnlySpan<float> logits)
    {
        int width = Vector512<float>.Count, whole = logits.Length - (logits.Length % width);
        Vector512<float> firsts = Vector512.Create(float.NegativeInfinity), seconds = firsts;
        for (int i = 0; i < whole; i += width)
        {
            var x = Vector512.Create(logits[i..]);
            seconds = Vector512.Max(seconds, Vector512.Min(firsts, x));
            firsts = Vector512.Max(firsts, x);
        }

        float first = float.NegativeInfinity, second = float.NegativeInfinity;
        for (int lane = 0; lane < width; lane++)
        {
            Take(firsts[lane]);
            Take(seconds[lane]);
        }

        foreach (float logit in logits[whole..])
        {
            Take(logit);
        }

        return (first, second);

        void Take(float logit)
        {
            second = MathF.Max(second, MathF.Min(first, logit));
            first = MathF.Max(first, logit);
        }
    }
}
