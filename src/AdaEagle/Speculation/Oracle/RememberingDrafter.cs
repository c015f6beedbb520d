using AdaEagle.Models;
using AdaEagle.Speculation.Drafting;

namespace AdaEagle.Speculation.Oracle;

/// <summary>
/// Lets many policies draft from the same root while another drafter runs every node once: what it said of a path is kept until the next token is committed, and handed out
/// again. A policy sees what it would see of that drafter alone.
/// </summary>
/// <param name="drafter">Who drafts; it stays the caller's, and expands as many nodes of a root as all policies together want.</param>
/// <param name="mostChildren">The most children of a node that a policy asks for: as many are made of each.</param>
/// <param name="maxExpanded">The most nodes that a policy may expand in a round.</param>
/// <param name="allNeeds">What the policies read, all of them together.</param>
internal sealed class RememberingDrafter(IDrafter drafter, int mostChildren, int maxExpanded, DraftNeeds allNeeds) : IDrafter
{
    private readonly DraftTree _known = new(checked(drafter.MaxExpanded * mostChildren));
    private readonly int[] _firstChildren = new int[(drafter.MaxExpanded * mostChildren) + 1];
    private readonly Expansion[] _missing = new Expansion[maxExpanded];
    private readonly List<int> _passes = [];

    /// <inheritdoc/>
    public string Name => drafter.Name;

    /// <inheritdoc/>
    public int MaxExpanded => maxExpanded;

    /// <inheritdoc/>
    public DrafterInputs Inputs => drafter.Inputs;

    /// <summary>The draft passes of the round: nodes expanded in each. <see cref="EndRound"/> begins anew.</summary>
    public IReadOnlyList<int> Passes => _passes;

    /// <inheritdoc/>
    public void Reset(int capacity, int firstToken)
    {
        Forget();
        drafter.Reset(capacity, firstToken);
    }

    /// <inheritdoc/>
    public void Commit(ReadOnlySpan<float> state, int nextToken)
    {
        Forget();
        drafter.Commit(state, nextToken);
    }

    /// <inheritdoc/>
    public void Expand(DraftTree draft, ReadOnlySpan<Expansion> nodes, DraftNeeds needs)
    {
        int missing = 0;
        foreach (Expansion expansion in nodes)
        {
            if (expansion.Children > mostChildren)
            {
                throw new InvalidOperationException($"A policy wants {expansion.Children} children of a node, and {mostChildren} are made.");
            }

            int node = Known(draft, expansion.Node);
            if (_known.Expansion(node) < 0)
            {
                _missing[missing++] = new Expansion(node, mostChildren);
            }
        }

        if (missing > 0)
        {
            Make(_missing.AsSpan(0, missing));
        }

        foreach (Expansion expansion in nodes)
        {
            Copy(draft, expansion, Known(draft, expansion.Node), needs);
        }

        _passes.Add(nodes.Length);
    }

    /// <inheritdoc/>
    public void EndRound() => _passes.Clear();

    /// <inheritdoc/>
    public void CheckIntegrity(int positions) => drafter.CheckIntegrity(positions);

    /// <inheritdoc/>
    public void Dispose()
    {
    }

    private void Forget()
    {
        _passes.Clear();
        if (_known.Expanded > 0)
        {
            drafter.EndRound();
            _known.Clear();
        }
    }

    private void Make(ReadOnlySpan<Expansion> nodes)
    {
        int before = _known.Count;
        foreach (Expansion expansion in nodes)
        {
            _firstChildren[expansion.Node + 1] = -1;
        }

        drafter.Expand(_known, nodes, allNeeds);
        for (int child = before; child < _known.Count; child++)
        {
            if (_known.Rank(child) == 0)
            {
                _firstChildren[_known.Parent(child) + 1] = child;
            }
        }
    }

    private void Copy(DraftTree draft, Expansion expansion, int node, DraftNeeds needs)
    {
        draft.Expand(expansion.Node);
        if ((needs & DraftNeeds.Signals) != 0)
        {
            draft.SetSignals(expansion.Node, _known.Signals(node));
        }

        if ((needs & DraftNeeds.Hidden) != 0)
        {
            draft.SetHidden(expansion.Node, _known.Hidden(node));
        }

        int first = _firstChildren[node + 1];
        for (int child = first; first >= 0 && child < first + expansion.Children && child < _known.Count && _known.Parent(child) == node; child++)
        {
            draft.Add(_known.Token(child), expansion.Node, (needs & DraftNeeds.LogProbabilities) != 0 ? _known.LogProbability(child) : 0);
        }
    }

    // The node of a policy's draft among all that were made: the same ranks from the root down.
    private int Known(DraftTree draft, int node) => node < 0 ? -1 : _firstChildren[Known(draft, draft.Parent(node)) + 1] + draft.Rank(node);
}
