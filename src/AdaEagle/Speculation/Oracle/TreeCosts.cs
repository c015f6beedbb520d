namespace AdaEagle.Speculation.Oracle;

/// <summary>
/// What rounds cost whose drafts are trees, in seconds, measured (law 4): what chains cost, and beyond that what a draft pass over more nodes adds, and verifying more rows. Between measured
/// sizes costs lie on a line, beyond the last two on the line through them.
/// </summary>
/// <param name="Chains">Rounds whose drafts are chains.</param>
/// <param name="Sizes">Numbers of nodes n that were measured, ascending.</param>
/// <param name="DraftSeconds">By size: a draft of the root's n children and one child of each, in two passes.</param>
/// <param name="VerifySeconds">By size: a pass over the root and n nodes.</param>
internal sealed record TreeCosts(RoundCosts Chains, IReadOnlyList<int> Sizes, IReadOnlyList<double> DraftSeconds, IReadOnlyList<double> VerifySeconds)
{
    /// <summary>A draft in passes over so many nodes each; the root's is the first, and alone.</summary>
    public double Draft(IReadOnlyList<int> passes)
    {
        double seconds = OfChain(Chains.DraftSeconds, passes.Count);
        for (int i = 1; i < passes.Count; i++)
        {
            seconds += Wider(passes[i]);
        }

        return seconds;
    }

    /// <summary>A pass over the root and so many nodes.</summary>
    public double Verify(int nodes)
    {
        if (nodes <= Chains.MaxDraft)
        {
            return Chains.VerifySeconds[nodes];
        }

        // Chains and trees were measured in the same rounds of the machine, but the longest chain is known best.
        List<(int Size, double Seconds)> known = [(Chains.MaxDraft, Chains.VerifySeconds[Chains.MaxDraft])];
        known.AddRange(Sizes.Select((size, index) => (size, VerifySeconds[index])).Where(point => point.size > Chains.MaxDraft));
        return known.Count == 1 ? OfChain(Chains.VerifySeconds, nodes) : Math.Max(Between(known, nodes), known[0].Seconds);
    }

    // What a pass over so many nodes takes beyond one over a single node.
    private double Wider(int nodes)
    {
        if (nodes <= 1 || Sizes.Count < 2)
        {
            return 0;
        }

        List<(int Size, double Seconds)> known = [.. Sizes.Select((size, index) => (size, DraftSeconds[index]))];
        return Math.Max(Between(known, nodes) - Between(known, 1), 0);
    }

    // By length; beyond the longest as much more a step as those before it.
    private static double OfChain(IReadOnlyList<double> seconds, int length)
    {
        int last = seconds.Count - 1;
        double slope = last < 1 ? 0 : Math.Max(seconds[last] - seconds[Math.Min(1, last - 1)], 0) / Math.Max(last - 1, 1);
        return length <= last ? seconds[length] : seconds[last] + ((length - last) * slope);
    }

    private static double Between(List<(int Size, double Seconds)> known, int size)
    {
        int above = Math.Clamp(known.FindIndex(point => point.Size >= size), 1, known.Count - 1);
        above = size > known[^1].Size ? known.Count - 1 : above;
        ((int from, double low), (int to, double high)) = (known[above - 1], known[above]);
        return low + ((high - low) * (size - from) / (to - from));
    }
}
