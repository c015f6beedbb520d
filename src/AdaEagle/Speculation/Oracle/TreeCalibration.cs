using AdaEagle.Speculation.Policies;

namespace AdaEagle.Speculation.Oracle;

/// <summary>
/// A policy that measures what trees cost: the root's n best children, all of which are verified, and in a second draft pass one child of each. It goes through the sizes in a shuffled
/// order, again and again, and takes medians. Run it over ordinary prompts, between those of <see cref="CostCalibration"/>.
/// </summary>
internal sealed class TreeCalibration : IDraftPolicy
{
    private const int ShuffleSeed = 2;

    private static readonly int[] s_sizes = [1, 2, 4, 8, 12, 16, 24, 32, 48, 63];

    private readonly Random _random = new(ShuffleSeed);
    private readonly int[] _sizes;
    private readonly int[] _order;
    private readonly List<double>[] _draft;
    private readonly List<double>[] _verify;
    private int _next;

    /// <summary>Measures sizes up to <paramref name="maxNodes"/>.</summary>
    public TreeCalibration(int maxNodes)
    {
        ArgumentOutOfRangeException.ThrowIfNegativeOrZero(maxNodes);
        _sizes = [.. s_sizes.Where(size => size <= maxNodes)];
        _order = [.. Enumerable.Range(0, _sizes.Length)];
        _draft = [.. _order.Select(_ => new List<double>())];
        _verify = [.. _order.Select(_ => new List<double>())];
    }

    /// <inheritdoc/>
    public string Name => "tree calibration";

    /// <inheritdoc/>
    public int MaxDraft => _sizes[^1];

    /// <inheritdoc/>
    public int MaxPool => 2 * MaxDraft;

    /// <inheritdoc/>
    public DraftNeeds Needs => DraftNeeds.LogProbabilities;

    /// <summary>Rounds measured of the size that was met least.</summary>
    public int Fewest => _verify.Min(times => times.Count);

    /// <inheritdoc/>
    public int Plan(in PlanContext context)
    {
        if (_next == 0)
        {
            _random.Shuffle(_order);
        }

        int size = _order[_next];
        _next = (_next + 1) % _order.Length;
        return size;
    }

    /// <inheritdoc/>
    public int NextNodes(DraftTree pool, int planned, Span<Expansion> nodes)
    {
        if (pool.LongestPath > 1)
        {
            return 0;
        }

        if (pool.Count == 0)
        {
            nodes[0] = new Expansion(-1, _sizes[planned]);
            return 1;
        }

        for (int node = 0; node < pool.Count; node++)
        {
            nodes[node] = new Expansion(node, 1);
        }

        return pool.Count;
    }

    /// <inheritdoc/>
    public int SelectNodes(DraftTree pool, int planned, Span<int> keep) => Math.Min(_sizes[planned], keep.Length);

    /// <inheritdoc/>
    public void Observe(in RoundObservation round)
    {
        // Rounds that were cut, by the output's end or a drafter that knows no more, are of no size.
        int size = _sizes[round.Planned];
        if (round.Drafted == size && round.Pool == 2 * size)
        {
            _draft[round.Planned].Add(round.DraftSeconds);
            _verify[round.Planned].Add(round.VerifySeconds);
        }
    }

    /// <summary>The medians of the sizes that were met.</summary>
    public TreeCosts Result(RoundCosts chains)
    {
        int[] met = [.. Enumerable.Range(0, _sizes.Length).Where(size => _draft[size].Count > 0)];
        return new TreeCosts(
            chains, [.. met.Select(size => _sizes[size])], [.. met.Select(size => CostCalibration.Median(_draft[size]))], [.. met.Select(size => CostCalibration.Median(_verify[size]))]);
    }
}
