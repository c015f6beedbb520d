using AdaEagle.Models;

namespace AdaEagle.Speculation.Drafting;

/// <summary>
/// Proposes tokens. It is told what was committed, and grows a draft node by node; what it computed for a draft is scratch of that round.
/// </summary>
public interface IDrafter : IDisposable
{
    /// <summary>A short name for tables.</summary>
    string Name { get; }

    /// <summary>The most nodes that it expands in a round, the root among them.</summary>
    int MaxExpanded { get; }

    /// <summary>What it reads of the target at every committed position.</summary>
    DrafterInputs Inputs => DrafterInputs.Feature;

    /// <summary>
    /// Forgets everything: the start of a sequence of at most <paramref name="capacity"/> positions, whose token at position 0 is
    /// <paramref name="firstToken"/>. <see cref="Commit"/> tells of all the others, the prompt's too.
    /// </summary>
    void Reset(int capacity, int firstToken);

    /// <summary>
    /// Tells of a committed position: the target's state there, which is what <see cref="Inputs"/> says, and the token that followed. Queued; the work
    /// is done with the next draft, so a round that drafts nothing costs a plain pass.
    /// </summary>
    void Commit(ReadOnlySpan<float> state, int nextToken);

    /// <summary>
    /// A draft pass: expands nodes (<see cref="DraftTree.Expand"/>) and adds the best continuations of each to the draft, best first, one node's after
    /// the other's. A drafter that has fewer continuations adds fewer. Nodes are expanded after their parents, in an earlier call, each at most once in a
    /// round; the root is expanded first, alone.
    /// </summary>
    /// <param name="draft">The pool of the round; it has room for all that is wanted.</param>
    /// <param name="nodes">The nodes to expand.</param>
    /// <param name="needs">What the policy reads; the rest may be left out, which is cheaper.</param>
    void Expand(DraftTree draft, ReadOnlySpan<Expansion> nodes, DraftNeeds needs);

    /// <summary>Ends the round: drops what was computed for the draft.</summary>
    void EndRound();

    /// <summary>Throws if its state contradicts itself, or <paramref name="positions"/>, which the target's cache holds. For tests, between rounds.</summary>
    void CheckIntegrity(int positions)
    {
    }
}

/// <summary>What chains ask of a drafter.</summary>
public static class DrafterExtensions
{
    /// <summary>Adds the best continuation of the last node, or of the root, and returns its token; -1 if the drafter has none.</summary>
    public static int Extend(this IDrafter drafter, DraftTree draft, DraftNeeds needs)
    {
        ArgumentNullException.ThrowIfNull(drafter);
        ArgumentNullException.ThrowIfNull(draft);
        int before = draft.Count;
        drafter.Expand(draft, [new Expansion(before - 1, 1)], needs);
        return draft.Count > before ? draft.Token(before) : -1;
    }
}
