using System.Globalization;

namespace AdaEagle.Speculation.Policies;

/// <summary>
/// <c>cape:K</c>: a greedy chain of K tokens; beside each, siblings that are leaves, more where the drafter is less sure. With its largest probability below 0.3 there are 8 candidates, the
/// chain's token among them, below 0.6 six, below 0.8 four, else two.
/// </summary>
/// <remarks>Source: CaPE, confidence-aware proposal expansion, of GliDe (arXiv 2402.02082); the counts are its code's table by tenths.</remarks>
public sealed class CapePolicy : IDraftPolicy
{
    /// <summary>The most candidates of a position.</summary>
    public const int MostCandidates = 8;

    private readonly int _length;

    /// <summary>Chains of <paramref name="length"/> tokens.</summary>
    public CapePolicy(int length)
    {
        ArgumentOutOfRangeException.ThrowIfNegative(length);
        _length = length;
        MaxDraft = checked(length * MostCandidates);
        Name = string.Create(CultureInfo.InvariantCulture, $"cape:{length}");
    }

    /// <inheritdoc/>
    public string Name { get; }

    /// <inheritdoc/>
    public int MaxDraft { get; }

    /// <inheritdoc/>
    public int MaxPool => MaxDraft;

    /// <inheritdoc/>
    public DraftNeeds Needs => DraftNeeds.Signals;

    /// <summary>Candidates of a position whose most probable token has this probability.</summary>
    public static int Candidates(float top) => top switch { < 0.3f => 8, < 0.6f => 6, < 0.8f => 4, _ => 2 };

    internal static CapePolicy? Make(string name, PolicyResources resources)
    {
        if (PolicyArguments.Of(name, "cape") is not { } parts)
        {
            return null;
        }

        PolicyArguments.RequireAtMost(name, parts, 1);
        int most = Math.Min(resources.MaxDraft, resources.MaxNodes / MostCandidates);
        return new CapePolicy(PolicyArguments.Whole(name, parts, 0, "K", 0, most, usual: Math.Min(5, most)));
    }

    /// <inheritdoc/>
    public int Plan(in PlanContext context) => _length;

    /// <inheritdoc/>
    public int NextNodes(DraftTree pool, int planned, Span<Expansion> nodes)
    {
        ArgumentNullException.ThrowIfNull(pool);
        if (pool.LongestPath >= _length)
        {
            return 0;
        }

        // How many are wanted is known once they are there: all are drafted, which costs no more, and the rest is left out of the draft.
        nodes[0] = new Expansion(ChainEnd(pool), MostCandidates);
        return 1;
    }

    /// <inheritdoc/>
    public int SelectNodes(DraftTree pool, int planned, Span<int> keep)
    {
        ArgumentNullException.ThrowIfNull(pool);
        int count = 0;
        for (int node = 0; node < pool.Count && count < keep.Length; node++)
        {
            if (pool.Rank(node) < Candidates(pool.Signals(pool.Parent(node)).Top))
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

    // The best child of the deepest level; -1 where there is none yet.
    private static int ChainEnd(DraftTree pool)
    {
        int node = pool.Count - 1;
        return node < 0 ? -1 : node - pool.Rank(node);
    }
}
