using AdaEagle.Speculation;
using AdaEagle.Speculation.Drafting;

namespace AdaEagle.Tests.Speculation;

/// <summary>
/// A drafter that proposes what a function says: the token for an index of the sequence (prompt and output), counted from 0.
/// It can be right or wrong to order. It checks that it is told of every committed position once, with the token that followed.
/// </summary>
internal sealed class ScriptedDrafter(int[] prompt, Func<int, int> propose) : IDrafter
{
    private readonly List<int> _next = [];
    private bool _rootExpanded;

    public string Name => "scripted";

    public int MaxExpanded => int.MaxValue;

    /// <summary>Tokens that followed the committed positions 0, 1, …</summary>
    public IReadOnlyList<int> Next => _next;

    public void Reset(int capacity, int firstToken)
    {
        Assert.Equal(prompt[0], firstToken);
        _next.Clear();
    }

    public void Commit(ReadOnlySpan<float> state, int nextToken)
    {
        _next.Add(nextToken);
        if (_next.Count < prompt.Length)
        {
            Assert.Equal(prompt[_next.Count], nextToken);
        }
    }

    public void Expand(DraftTree draft, ReadOnlySpan<Expansion> nodes, DraftNeeds needs)
    {
        foreach ((int node, int children) in nodes)
        {
            Assert.Equal(node < 0, !_rootExpanded);
            Assert.Equal(1, children);
            _rootExpanded = true;
            draft.Expand(node);
            // The root has index _next.Count: it followed the last committed position.
            draft.Add(propose(_next.Count + draft.Depth(node) + 1), node, (needs & DraftNeeds.LogProbabilities) != 0 ? -0.25f : 0);
        }
    }

    public void EndRound() => _rootExpanded = false;

    public void Dispose()
    {
    }

    /// <summary>
    /// Proposes the tokens of a recorded output with probability <paramref name="share"/>, and else one that is <paramref name="off"/> ids away.
    /// </summary>
    public static ScriptedDrafter Recorded(int[] prompt, int[] output, int vocabulary, double share, int off, Random random) =>
        new(prompt, index =>
        {
            int at = index - prompt.Length;
            int right = at >= 0 && at < output.Length ? output[at] : 0;
            return random.NextDouble() < share ? right : (right + off) % vocabulary;
        });

    /// <summary>Proposes anything.</summary>
    public static ScriptedDrafter Random(int[] prompt, int vocabulary, Random random) => new(prompt, _ => random.Next(vocabulary));
}
