using System.Globalization;

namespace AdaEagle.Speculation.Policies;

/// <summary>
/// <c>eagle2:TOTAL,DEPTH,TOPK</c>: EAGLE-2's dynamic tree. Expand: the root gets its K best children; then, DEPTH times, the K likeliest paths of the
/// last level get K children each, all of which stay candidates. Rerank: of all candidates the TOTAL - 1 likeliest paths are verified (the root makes
/// TOTAL), ties going to the shallower, the lower number in the pool.
/// </summary>
/// <remarks>
/// Source: EAGLE-2 (arXiv 2406.16858) 4.1 and 4.2; the numbers mean what they mean in SafeAILab/EAGLE's <c>topK_genrate</c>: total_tokens, depth,
/// top_k. A path's score is the sum of ln p in float32, without temperature.
/// </remarks>
public sealed class Eagle2Policy : IDraftPolicy
{
    private readonly int _depth;
    private readonly int _width;
    private readonly int[] _beam;

    /// <summary>A tree of at most <paramref name="total"/> nodes, the root among them, of depth + 1 levels, grown <paramref name="width"/> wide.</summary>
    public Eagle2Policy(int total, int depth, int width)
    {
        ArgumentOutOfRangeException.ThrowIfLessThan(total, 1);
        ArgumentOutOfRangeException.ThrowIfNegative(depth);
        ArgumentOutOfRangeException.ThrowIfLessThan(width, 1);
        (_depth, _width) = (depth, width);
        MaxPool = checked(width + (depth * width * width));
        MaxDraft = Math.Min(total - 1, MaxPool);
        Name = string.Create(CultureInfo.InvariantCulture, $"eagle2:{total},{depth},{width}");
        _beam = new int[width];
    }

    /// <inheritdoc/>
    public string Name { get; }

    /// <inheritdoc/>
    public int MaxDraft { get; }

    /// <inheritdoc/>
    public int MaxPool { get; }

    /// <inheritdoc/>
    public DraftNeeds Needs => DraftNeeds.LogProbabilities;

    /// <inheritdoc/>
    public int Plan(in PlanContext context) => MaxDraft;

    /// <inheritdoc/>
    public int NextNodes(DraftTree pool, int planned, Span<Expansion> nodes)
    {
        ArgumentNullException.ThrowIfNull(pool);
        if (pool.Count == 0)
        {
            nodes[0] = new Expansion(-1, _width);
            return 1;
        }

        if (pool.LongestPath > _depth)
        {
            return 0;
        }

        int level = pool.Count;
        while (level > 0 && pool.Depth(level - 1) == pool.LongestPath)
        {
            level--;
        }

        int count = TreeRanking.Best(pool, level, _beam.AsSpan(0, Math.Min(_width, nodes.Length)));
        for (int i = 0; i < count; i++)
        {
            nodes[i] = new Expansion(_beam[i], _width);
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
