using System.Runtime.Intrinsics;

namespace AdaEagle.Speculation.Drafting;

/// <summary>The few best of many logits, by insertion into a short sorted list: most blocks of logits hold none, which one comparison tells.</summary>
internal sealed class TopTokens
{
    private int[] _tokens = new int[16];
    private float[] _logits = new float[16];

    /// <summary>
    /// At most <paramref name="count"/> tokens of the largest logits, best first, the lower id of equals first; valid until the next call. Tokens that are
    /// ruled out (logit -infinity, or no number) are not among them.
    /// </summary>
    public ReadOnlySpan<int> Of(ReadOnlySpan<float> logits, int count)
    {
        if (count > _tokens.Length)
        {
            (_tokens, _logits) = (new int[count], new float[count]);
        }

        int found = 0, width = Vector512<float>.Count;
        float bar = float.NegativeInfinity;
        for (int block = 0; block < logits.Length; block += width)
        {
            if (block + width <= logits.Length && !Vector512.GreaterThanAny(Vector512.Create(logits[block..]), Vector512.Create(bar)))
            {
                continue;
            }

            int end = Math.Min(block + width, logits.Length);
            for (int token = block; token < end; token++)
            {
                if (logits[token] > bar)
                {
                    found = Insert(token, logits[token], found, count);
                    bar = found == count ? _logits[count - 1] : float.NegativeInfinity;
                }
            }
        }

        return _tokens.AsSpan(0, found);
    }

    private int Insert(int token, float logit, int found, int count)
    {
        int at = found < count ? found : count - 1;
        for (; at > 0 && _logits[at - 1] < logit; at--)
        {
            (_tokens[at], _logits[at]) = (_tokens[at - 1], _logits[at - 1]);
        }

        (_tokens[at], _logits[at]) = (token, logit);
        return Math.Min(found + 1, count);
    }
}
