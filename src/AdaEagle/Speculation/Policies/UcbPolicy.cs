using System.Globalization;

namespace AdaEagle.Speculation.Policies;

/// <summary>
/// <c>ucb:W</c>: a bandit over the draft lengths 1 … k_max. Each length is tried once; then the one with the highest mean reward + sqrt(2 ln n / n_k) is drafted, n rounds in all,
/// n_k of them with that length. The reward of a round is W x accepted / k_max + (1 - W) x accepted / drafted.
/// </summary>
/// <remarks>
/// Source: UCB1 (Auer et al., 2002) over configurations as in BanditSpec's UCBSpec (arXiv 2505.15141), with the reward of TapOut (arXiv 2511.02017), which blends length and rate of
/// acceptance; its weight is not published, 0.5 is our choice. It goes on over outputs. A round that the end of the output cut shorter than its length teaches nothing.
/// </remarks>
public sealed class UcbPolicy : ChainPolicy
{
    private readonly float _weight;
    private readonly double[] _rewards;
    private readonly int[] _rounds;
    private int _total;

    /// <summary>Makes it for lengths from 1 to <paramref name="maxDraft"/>.</summary>
    public UcbPolicy(float weight, int maxDraft)
    {
        ArgumentOutOfRangeException.ThrowIfNegativeOrZero(maxDraft);
        _weight = weight;
        MaxDraft = maxDraft;
        _rewards = new double[maxDraft];
        _rounds = new int[maxDraft];
        Name = string.Create(CultureInfo.InvariantCulture, $"ucb:{weight}");
    }

    /// <inheritdoc/>
    public override string Name { get; }

    /// <inheritdoc/>
    public override int MaxDraft { get; }

    internal static UcbPolicy? Make(string name, PolicyResources resources)
    {
        if (PolicyArguments.Of(name, "ucb") is not { } parts)
        {
            return null;
        }

        PolicyArguments.RequireAtMost(name, parts, 1);
        return new UcbPolicy(PolicyArguments.Number(name, parts, 0, "W", 0, 1, usual: 0.5f), resources.MaxDraft);
    }

    /// <inheritdoc/>
    public override int Plan(in PlanContext context)
    {
        int best = 0;
        double highest = double.NegativeInfinity;
        for (int arm = 0; arm < _rounds.Length; arm++)
        {
            if (_rounds[arm] == 0)
            {
                return arm + 1;
            }

            double index = (_rewards[arm] / _rounds[arm]) + Math.Sqrt(2 * Math.Log(_total) / _rounds[arm]);
            if (index > highest)
            {
                (best, highest) = (arm, index);
            }
        }

        return best + 1;
    }

    /// <inheritdoc/>
    public override bool Extends(DraftTree draft, int planned)
    {
        ArgumentNullException.ThrowIfNull(draft);
        return draft.Count < planned;
    }

    /// <inheritdoc/>
    public override void Observe(in RoundObservation round)
    {
        // Any length but the planned one was the end's or the drafter's choice.
        if (round.Drafted == 0 || round.Drafted != round.Planned)
        {
            return;
        }

        int arm = round.Planned - 1;
        _rewards[arm] += (_weight * round.Accepted / MaxDraft) + ((1 - _weight) * round.Accepted / round.Drafted);
        _rounds[arm]++;
        _total++;
    }
}
