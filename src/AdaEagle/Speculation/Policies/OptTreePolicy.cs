using System.Globalization;

namespace AdaEagle.Speculation.Policies;

/// <summary>
/// <c>opt-tree:N,D,K:DELTA</c>: the tree of N nodes with the most expected accepted tokens, which is the sum of its path probabilities. Level by level the N likeliest paths get K children each;
/// deepening ends where the sum over the N likeliest of all candidates grows by DELTA or less, or at D levels. Those N are verified.
/// </summary>
/// <remarks>
/// Source: OPT-Tree (arXiv 2406.17276) and its code: N 50 to 60, D 10, DELTA 0.5. There K is N; no path that is left out by a smaller K is likelier than the K siblings before it,
/// so that a K of 4 or more changes little and costs far less.
/// </remarks>
public sealed class OptTreePolicy : IDraftPolicy
{
    private readonly int _depth;
    private readonly int _width;
    private readonly float _least;
    private readonly int[] _best;
    private double _sum;

    /// <summary>A tree of at most <paramref name="nodes"/> nodes beside the root and <paramref name="depth"/> levels.</summary>
    /// <param name="nodes">N.</param>
    /// <param name="depth">D.</param>
    /// <param name="width">K.</param>
    /// <param name="least">DELTA: the growth of expected accepted tokens that a level must bring to be followed by another.</param>
    public OptTreePolicy(int nodes, int depth, int width, float least)
    {
        ArgumentOutOfRangeException.ThrowIfLessThan(nodes, 1);
        ArgumentOutOfRangeException.ThrowIfLessThan(depth, 1);
        ArgumentOutOfRangeException.ThrowIfLessThan(width, 1);
        (_depth, _width, _least) = (depth, width, least);
        MaxDraft = nodes;
        MaxPool = Math.Max(nodes, checked(width + ((depth - 1) * nodes * width)));
        Name = string.Create(CultureInfo.InvariantCulture, $"opt-tree:{nodes},{depth},{width}:{least}");
        _best = new int[nodes];
    }

    /// <inheritdoc/>
    public string Name { get; }

    /// <inheritdoc/>
    public int MaxDraft { get; }

    /// <inheritdoc/>
    public int MaxPool { get; }

    /// <inheritdoc/>
    public DraftNeeds Needs => DraftNeeds.LogProbabilities;

    internal static OptTreePolicy? Make(string name, PolicyResources resources)
    {
        if (PolicyArguments.Of(name, "opt-tree") is not { } parts)
        {
            return null;
        }

        PolicyArguments.RequireAtMost(name, parts, 2);
        string[] sizes = parts.Length == 0 ? [] : parts[0].Split(',');
        int nodes = PolicyArguments.Whole(name, sizes, 0, "N", 1, resources.MaxNodes, usual: Math.Min(50, resources.MaxNodes));
        int depth = PolicyArguments.Whole(name, sizes, 1, "D", 1, resources.MaxDraft, usual: Math.Min(5, resources.MaxDraft));
        int width = PolicyArguments.Whole(name, sizes, 2, "K", 1, resources.MaxPool, usual: 4);
        PolicyArguments.RequireAtMost(name, sizes, 3);
        return width + ((long)(depth - 1) * nodes * width) <= resources.MaxPool
            ? new OptTreePolicy(nodes, depth, width, PolicyArguments.Number(name, parts, 1, "DELTA", 0, 100, usual: 0.5f))
            : throw new ArgumentException($"'{name}': K + (D - 1) x N x K must be at most {resources.MaxPool}, as in opt-tree:50,5,4:0.5.", nameof(name));
    }

    /// <inheritdoc/>
    public int Plan(in PlanContext context) => MaxDraft;

    /// <inheritdoc/>
    public int NextNodes(DraftTree pool, int planned, Span<Expansion> nodes)
    {
        ArgumentNullException.ThrowIfNull(pool);
        if (pool.Count == 0)
        {
            _sum = 0;
            nodes[0] = new Expansion(-1, _width);
            return 1;
        }

        double sum = 0;
        foreach (int node in _best.AsSpan(0, TreeRanking.Best(pool, 0, _best)))
        {
            sum += Math.Exp(pool.CumulativeLogProbability(node));
        }

        bool grew = sum - _sum > _least;
        _sum = sum;
        if (!grew || pool.LongestPath >= _depth)
        {
            return 0;
        }

        int level = pool.Count;
        while (level > 0 && pool.Depth(level - 1) == pool.LongestPath)
        {
            level--;
        }

        int count = TreeRanking.Best(pool, level, _best.AsSpan(0, Math.Min(_best.Length, nodes.Length)));
        for (int i = 0; i < count; i++)
        {
            nodes[i] = new Expansion(_best[i], _width);
        }

        return count;
    }

    /// <inheritdoc/>
    public int SelectNodes(DraftTree pool, int planned, Span<int> keep)
    {
        int count = TreeRanking.Best(pool, 0, keep);
        keep[..count].Sort();
        return count;
    }

    /// <inheritdoc/>
    public void Observe(in RoundObservation round)
    {
    }
}
