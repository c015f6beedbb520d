using AdaEagle.Speculation.Policies;

namespace AdaEagle.Speculation.Oracle;

/// <summary>
/// <c>oracle:tree</c>: the oracle where drafts are trees. It knows at which rank the right candidate stands, and so has no use for others: its draft is
/// the right path alone, as long as an <see cref="OraclePlan"/> says. A bound for tree policies, of no use by itself.
/// </summary>
internal sealed class TreeOraclePolicy(int maxDraft, int candidates) : IDraftPolicy
{
    /// <summary>The name it is asked for by.</summary>
    public const string PolicyName = "oracle:tree";

    private IReadOnlyList<int> _ranks = [];

    /// <summary>Draft length by root of the output that is generated next.</summary>
    public IReadOnlyList<int> Lengths { get; set; } = [];

    /// <summary>The roots of that output.</summary>
    public IReadOnlyList<RecordedRoot> Roots { get; set; } = [];

    /// <inheritdoc/>
    public string Name => PolicyName;

    /// <inheritdoc/>
    public int MaxDraft => maxDraft;

    /// <inheritdoc/>
    public int MaxPool => maxDraft * candidates;

    /// <inheritdoc/>
    public DraftNeeds Needs => DraftNeeds.None;

    /// <inheritdoc/>
    public int Plan(in PlanContext context)
    {
        if (context.RootIndex >= Lengths.Count)
        {
            return 0;
        }

        _ranks = Roots[context.RootIndex].Ranks;
        return Math.Min(Lengths[context.RootIndex], _ranks.Count);
    }

    /// <inheritdoc/>
    public int NextNodes(DraftTree pool, int planned, Span<Expansion> nodes)
    {
        int depth = pool.LongestPath;
        if (depth == planned)
        {
            return 0;
        }

        nodes[0] = new Expansion(Right(pool, depth), _ranks[depth] + 1);
        return 1;
    }

    /// <inheritdoc/>
    public int SelectNodes(DraftTree pool, int planned, Span<int> keep)
    {
        int length = Math.Min(pool.LongestPath, keep.Length);
        for (int depth = 1; depth <= length; depth++)
        {
            keep[depth - 1] = Right(pool, depth);
        }

        return length;
    }

    /// <inheritdoc/>
    public void Observe(in RoundObservation round)
    {
    }

    // The right node of a depth: every level but the root's holds the candidates up to it, and so it is the level's last.
    private static int Right(DraftTree pool, int depth)
    {
        int node = pool.Count - 1;
        while (node >= 0 && pool.Depth(node) > depth)
        {
            node--;
        }

        return node;
    }
}
