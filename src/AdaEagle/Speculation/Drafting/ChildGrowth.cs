using AdaEagle.Kernels;

namespace AdaEagle.Speculation.Drafting;

/// <summary>Gives a node of a draft its children from a row of logits: the best tokens, with what the policy asks to know of the distribution. Not thread-safe.</summary>
internal sealed unsafe class ChildGrowth(VectorKernels vector)
{
    private readonly TopTokens _top = new();

    /// <summary>Expands nothing itself: the node is an expanded one of <paramref name="draft"/>.</summary>
    /// <param name="draft">Gets the children.</param>
    /// <param name="node">Whose children, and how many.</param>
    /// <param name="logits">The whole distribution.</param>
    /// <param name="known">Only so many of the first tokens are proposed.</param>
    /// <param name="targetTokens">The target's token for each, where the drafter has a vocabulary of its own; else empty.</param>
    /// <param name="needs">What the policy asks for.</param>
    public void Grow(DraftTree draft, Expansion node, ReadOnlySpan<float> logits, int known, ReadOnlySpan<int> targetTokens, DraftNeeds needs)
    {
        bool signals = (needs & DraftNeeds.Signals) != 0, probabilities = (needs & DraftNeeds.LogProbabilities) != 0;
        float normalizer = 0;
        if (signals)
        {
            draft.SetSignals(node.Node, DraftSignals.Of(logits, vector, out normalizer));
        }

        fixed (float* values = logits)
        {
            int best = node.Children == 1 ? vector.ArgMax(values, known) : 0;
            ReadOnlySpan<int> tokens = node.Children == 1 ? new ReadOnlySpan<int>(in best) : _top.Of(logits[..known], node.Children);
            if (probabilities && !signals && tokens.Length > 0)
            {
                normalizer = vector.LogSumExp(values, logits.Length, logits[tokens[0]]);
            }

            foreach (int token in tokens)
            {
                draft.Add(targetTokens.IsEmpty ? token : targetTokens[token], node.Node, probabilities ? logits[token] - normalizer : 0);
            }
        }
    }
}
