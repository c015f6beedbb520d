namespace AdaEagle.Speculation.Policies;

/// <summary>The order of candidates by path probability.</summary>
internal static class TreeRanking
{
    /// <summary>
    /// Writes the nodes from <paramref name="first"/> on whose paths are likeliest, likeliest first, the lower number of equals first; returns how many.
    /// Since no child is likelier than its parent, and parents have lower numbers, the best of a whole pool are closed under parents.
    /// </summary>
    public static int Best(DraftTree pool, int first, Span<int> best)
    {
        int found = 0;
        for (int node = first; node < pool.Count && best.Length > 0; node++)
        {
            float score = pool.CumulativeLogProbability(node);
            if (found == best.Length && score <= pool.CumulativeLogProbability(best[^1]))
            {
                continue;
            }

            int at = found < best.Length ? found++ : found - 1;
            for (; at > 0 && pool.CumulativeLogProbability(best[at - 1]) < score; at--)
            {
                best[at] = best[at - 1];
            }

            best[at] = node;
        }

        return found;
    }
}
