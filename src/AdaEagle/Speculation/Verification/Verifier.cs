using AdaEagle.Models;
using AdaEagle.Sampling;

namespace AdaEagle.Speculation.Verification;

/// <summary>
/// Verification of a draft of fixed tokens: at each node the next token is chosen by the ordinary sampler from the target's logits; if it is a child of
/// the node, descend, else stop. Lossless for every drafter that proposes fixed tokens, greedy or sampling: the output is by construction what
/// plain decoding gives, since each token is the same function of (logits, index). Source: eagle-checkpoints facts 4.2.
/// </summary>
internal static class Verifier
{
    /// <summary>Puts the root and the draft into a pass: row 0 is the root, row n + 1 the draft's node n.</summary>
    public static void AddRows(PassRows rows, KvCache cache, int root, DraftTree draft)
    {
        rows.Clear();
        rows.Add(cache, root);
        for (int node = 0; node < draft.Count; node++)
        {
            rows.Add(cache, draft.Token(node), draft.Parent(node) + 1);
        }
    }

    /// <summary>
    /// Walks down from the root. Writes the path's rows (the root's row 0 first) and returns the accepted length; the last token sampled, which
    /// is no child, is <paramref name="next"/>.
    /// </summary>
    /// <param name="target">Holds the logits of the pass.</param>
    /// <param name="sampler">Chooses each token.</param>
    /// <param name="draft">The draft that was verified.</param>
    /// <param name="firstIndex">Index of the first token to be chosen among the generated ones.</param>
    /// <param name="ends">Tells tokens that end the output: nothing follows them.</param>
    /// <param name="path">Receives accepted + 1 rows.</param>
    /// <param name="next">The token sampled last.</param>
    public static int Accept(ITarget target, ISampler sampler, DraftTree draft, int firstIndex, Func<int, bool> ends, Span<int> path, out int next)
    {
        int accepted = 0;
        int node = -1;
        path[0] = 0;
        while (true)
        {
            int row = node + 1;
            next = sampler.IsGreedy ? target.ArgMax(row) : sampler.Sample(target.Logits(row), firstIndex + accepted);
            int child = draft.FindChild(node, next);
            if (child < 0 || ends(next))
            {
                return accepted;
            }

            path[++accepted] = child + 1;
            node = child;
        }
    }
}
