using AdaEagle.Models;
using AdaEagle.Speculation.Drafting;
using AdaEagle.Speculation.Policies;

namespace AdaEagle.Speculation.Oracle;

/// <summary>Told of a root, n among the generated tokens, with what a policy may know there; the drafter has seen what is committed in that round, and nothing else.</summary>
internal delegate void RootHandler(int root, in PlanContext context);

/// <summary>
/// Walks through a known output root by root: the target's features come from passes over prompt and output, and by law 1 they are the very bits of decoding.
/// </summary>
internal sealed class OutputWalk(LlamaTarget target, IDrafter drafter)
{
    private readonly PassRows _rows = new(target.MaxRows);
    private readonly float[] _state = new float[drafter.Inputs.Width(target.HiddenSize)];

    /// <summary>Walks.</summary>
    /// <param name="prompt">The prompt's tokens.</param>
    /// <param name="output">All tokens that were generated, an end token included.</param>
    /// <param name="needs">Of those at the roots: <see cref="DraftNeeds.RootSignals"/> costs logits of every position.</param>
    /// <param name="atRoot">Told of every root but the last, which nothing follows.</param>
    /// <param name="cancellation">Observed between passes.</param>
    public void Run(IReadOnlyList<int> prompt, IReadOnlyList<int> output, DraftNeeds needs, RootHandler atRoot, CancellationToken cancellation)
    {
        int[] tokens = [.. prompt, .. output];
        bool signals = (needs & DraftNeeds.RootSignals) != 0;
        drafter.Reset(tokens.Length, tokens[0]);
        using KvCache cache = target.CreateCache(tokens.Length);
        for (int done = 0; done < tokens.Length - 1;)
        {
            cancellation.ThrowIfCancellationRequested();
            int count = Math.Min(signals ? target.MaxLogitRows : target.MaxRows, tokens.Length - 1 - done);
            _rows.Clear();
            for (int i = 0; i < count; i++)
            {
                _rows.Add(cache, tokens[done + i], i - 1);
            }

            target.Forward(_rows, drafter.Inputs.In(signals ? PassRequest.AllLogits : PassRequest.FeaturesOnly));
            cache.CommitFirst(count);
            for (int i = 0; i < count; i++)
            {
                int position = done + i, root = position + 1 - prompt.Count;
                drafter.Commit(drafter.Inputs.At(target, i, _state), tokens[position + 1]);
                if (root >= 0 && root < output.Count - 1)
                {
                    atRoot(root, new PlanContext
                    {
                        Feature = target.Feature(i), Token = tokens[position], Root = tokens[position + 1], RootIndex = root, Committed = tokens.AsSpan(0, position + 2),
                        RootSignals = signals ? DraftSignals.Of(target.Logits(i)) : default,
                    });
                }
            }

            done += count;
        }
    }

    /// <summary>How many tokens behind a root a draft has on the output's path.</summary>
    public static int Matched(DraftTree draft, IReadOnlyList<int> output, int root)
    {
        int depth = 0;
        for (int node = -1; root + depth + 1 < output.Count; depth++)
        {
            node = draft.FindChild(node, output[root + depth + 1]);
            if (node < 0)
            {
                break;
            }
        }

        return depth;
    }
}
