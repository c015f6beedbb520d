namespace AdaEagle.Speculation.Policies;

/// <summary>
/// <c>tree:PATHS</c>, <c>tree:eagle1</c>, <c>comb:K,S</c>: the same tree every round. A path is the ranks of its nodes among their siblings, from the
/// root on: 0 is the best child, 01 the best child's second best.
/// </summary>
public sealed class StaticTreePolicy : IDraftPolicy
{
    // EAGLE-1's tree for every model: SafeAILab/EAGLE, branch v1, choices.py. 25 nodes, five levels.
    private const string Eagle1Paths = "0,1,2,3,00,01,02,10,11,20,21,30,000,001,002,010,011,020,021,100,0000,0001,0002,00000,00001";

    // By node of the shape + 1, the root having a place: its children by rank, -1 where a rank is not in the shape.
    private readonly int[][] _children;
    private readonly int[] _shapeOf;

    /// <summary>Makes the policy of a shape.</summary>
    /// <param name="name">The name it is asked for by.</param>
    /// <param name="paths">Ranks from the root down, each path's own beginning being among the paths too.</param>
    /// <exception cref="ArgumentException">A path comes twice, or its beginning is missing.</exception>
    public StaticTreePolicy(string name, IEnumerable<int[]> paths)
    {
        ArgumentNullException.ThrowIfNull(paths);
        Name = name;
        int[][] ordered = [.. paths.OrderBy(path => path.Length)];
        MaxDraft = ordered.Length;
        _children = new int[ordered.Length + 1][];
        Array.Fill(_children, []);
        for (int node = 0; node < ordered.Length; node++)
        {
            int[] path = ordered[node];
            int parent = path.Length == 0 ? throw new ArgumentException("A path has one rank at least.", nameof(paths)) : Find(path.AsSpan(0, path.Length - 1));
            if (parent < -1)
            {
                throw new ArgumentException($"Path {string.Join('-', path)} is there without the one it continues.", nameof(paths));
            }

            int rank = path[^1], known = _children[parent + 1].Length;
            if (rank < known && _children[parent + 1][rank] >= 0)
            {
                throw new ArgumentException($"Path {string.Join('-', path)} is there twice.", nameof(paths));
            }

            if (rank >= known)
            {
                Array.Resize(ref _children[parent + 1], rank + 1);
                Array.Fill(_children[parent + 1], -1, known, rank + 1 - known);
            }

            _children[parent + 1][rank] = node;
        }

        // A rank that is left out is drafted all the same, since the drafter gives the best ones.
        MaxPool = _children.Sum(children => children.Length);
        LongestPath = ordered.Length == 0 ? 0 : ordered[^1].Length;
        _shapeOf = new int[MaxPool];
    }

    /// <inheritdoc/>
    public string Name { get; }

    /// <inheritdoc/>
    public int MaxDraft { get; }

    /// <inheritdoc/>
    public int MaxPool { get; }

    /// <summary>Length of the longest path.</summary>
    public int LongestPath { get; }

    /// <inheritdoc/>
    public DraftNeeds Needs => DraftNeeds.None;

    /// <summary>The policy of <c>tree:</c> and what follows: a name, or paths of one digit a rank, with commas between them.</summary>
    /// <exception cref="ArgumentException">The paths make no tree.</exception>
    public static StaticTreePolicy Parse(string name, string shape)
    {
        string[] paths = (shape == "eagle1" ? Eagle1Paths : shape).Split(',');
        return paths.Any(path => path.Length == 0 || !path.All(char.IsAsciiDigit))
            ? throw new ArgumentException("Paths are digits with commas between them, such as 0,1,00,01; or eagle1.", nameof(shape))
            : new StaticTreePolicy(name, paths.Select(path => path.Select(digit => digit - '0').ToArray()));
    }

    /// <summary>The policy of <c>comb:K,S</c>: a chain of K tokens, with S siblings beside each.</summary>
    public static StaticTreePolicy Comb(string name, int length, int siblings) =>
        new(name, Enumerable.Range(0, length).SelectMany(depth => Enumerable.Range(0, siblings + 1).Select(rank => (int[])[.. Enumerable.Repeat(0, depth), rank])));

    /// <inheritdoc/>
    public int Plan(in PlanContext context) => MaxDraft;

    /// <inheritdoc/>
    public int NextNodes(DraftTree pool, int planned, Span<Expansion> nodes)
    {
        ArgumentNullException.ThrowIfNull(pool);
        Map(pool);
        int count = 0;
        for (int node = -1; node < pool.Count && count < nodes.Length; node++)
        {
            int shape = node < 0 ? -1 : _shapeOf[node];
            if (shape >= -1 && _children[shape + 1].Length > 0 && pool.CanExpand(node))
            {
                nodes[count++] = new Expansion(node, _children[shape + 1].Length);
            }
        }

        return count;
    }

    /// <inheritdoc/>
    public int SelectNodes(DraftTree pool, int planned, Span<int> keep)
    {
        ArgumentNullException.ThrowIfNull(pool);
        Map(pool);
        int count = 0;
        for (int node = 0; node < pool.Count && count < keep.Length; node++)
        {
            if (_shapeOf[node] >= 0)
            {
                keep[count++] = node;
            }
        }

        return count;
    }

    /// <inheritdoc/>
    public void Observe(in RoundObservation round)
    {
    }

    // Which node of the shape a candidate is; -2 for one that is none. Parents come before their children.
    private void Map(DraftTree pool)
    {
        for (int node = 0; node < pool.Count; node++)
        {
            int parent = pool.Parent(node) < 0 ? -1 : _shapeOf[pool.Parent(node)];
            int shape = parent < -1 || pool.Rank(node) >= _children[parent + 1].Length ? -1 : _children[parent + 1][pool.Rank(node)];
            _shapeOf[node] = shape < 0 ? -2 : shape;
        }
    }

    private int Find(ReadOnlySpan<int> path)
    {
        int node = -1;
        foreach (int rank in path)
        {
            int[] children = _children[node + 1];
            node = rank < children.Length ? children[rank] : -1;
            if (node < 0)
            {
                return -2;
            }
        }

        return node;
    }
}
