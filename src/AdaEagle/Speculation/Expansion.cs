namespace AdaEagle.Speculation;

/// <summary>A node that is to be expanded, -1 for the root, and how many of its best continuations are wanted, at least one.</summary>
public readonly record struct Expansion(int Node, int Children);

/// <summary>What every drafter that runs a network asks of the nodes it is to expand.</summary>
internal static class Expansions
{
    /// <exception cref="InvalidOperationException">They are more than are left of <paramref name="most"/> a round, or the draft's first are not the root alone.</exception>
    public static void Check(DraftTree draft, ReadOnlySpan<Expansion> nodes, int most)
    {
        if (draft.Expanded + nodes.Length > most)
        {
            throw new InvalidOperationException($"The drafter expands at most {most} nodes a round.");
        }

        if (draft.Expanded == 0 && (nodes.Length != 1 || nodes[0].Node >= 0))
        {
            throw new InvalidOperationException("The root is expanded first, and alone.");
        }
    }
}
