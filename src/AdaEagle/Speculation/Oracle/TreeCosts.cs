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

    /// <summary>
    /// A pass over the root and so many nodes. Branches cost more than a chain's rows: where chains of as many nodes were measured, the share of the nodes that are off the longest path says
    /// how far the costs are from theirs to those of the trees that were measured, which are nothing but branches.
    /// </summary>
    public double Verify(int nodes, int longestPath)
    {
        double branches = nodes > 1 ? (double)(nodes - longestPath) / (nodes - 1) : 0, tree = OfTree(nodes);
        return nodes > Chains.MaxDraft ? tree : Chains.VerifySeconds[nodes] + (branches * Math.Max(tree - Chains.VerifySeconds[nodes], 0));
    }

    // The root's children as leaves; beyond the longest chain no less than that.
    private double OfTree(int nodes)
    {
        List<(int Size, double Seconds)> known = [(0, Chains.VerifySeconds[0]), .. Sizes.Select((size, index) => (size, VerifySeconds[index]))];
        double seconds = known.Count == 1 ? OfChain(Chains.VerifySeconds, nodes) : Between(known, nodes);
        return nodes > Chains.MaxDraft ? Math.Max(seconds, Chains.VerifySeconds[Chains.MaxDraft]) : seconds;
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
