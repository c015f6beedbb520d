using System.Globalization;

namespace AdaEagle.Speculation.Policies;

/// <summary>
/// <c>ema-tiers:A-B-C</c>: the draft length is one of few tiers, chosen by a moving average of accepted lengths. It climbs to the next tier while the average is above
/// this tier - 0.5, and falls to the one before while it is at or below that tier - 0.75.
/// </summary>
/// <remarks>
/// Source: SGLang's adaptive speculation (<c>--speculative-adaptive</c>, adaptive_spec_params.py): tiers 1, 3, 7; average from tier - 1, 0.8 of it kept; 10 rounds of warm-up,
/// then a look every 5 rounds; hysteresis -0.25 down, 0 up. It begins at the middle tier. A server's average: it goes on over outputs.
/// </remarks>
public sealed class EmaTiersPolicy : ChainPolicy
{
    private const double Kept = 0.8, DownHysteresis = -0.25, UpHysteresis = 0;
    private const int WarmUpRounds = 10, RoundsPerLook = 5;

    private readonly int[] _tiers;
    private int _tier;
    private int _rounds;

    /// <summary>Makes it with two tiers or more, ascending.</summary>
    public EmaTiersPolicy(IReadOnlyList<int> tiers)
    {
        ArgumentNullException.ThrowIfNull(tiers);
        _tiers = [.. tiers];
        if (_tiers.Length < 2 || _tiers[0] < 1 || _tiers.Zip(_tiers.Skip(1)).Any(pair => pair.First >= pair.Second))
        {
            throw new ArgumentException("Tiers are two or more lengths, ascending.", nameof(tiers));
        }

        _tier = (_tiers.Length - 1) / 2;
        Average = _tiers[_tier] - 1;
        Name = $"ema-tiers:{string.Join('-', _tiers.Select(tier => tier.ToString(CultureInfo.InvariantCulture)))}";
    }

    /// <inheritdoc/>
    public override string Name { get; }

    /// <inheritdoc/>
    public override int MaxDraft => _tiers[^1];

    /// <summary>The draft length now.</summary>
    public int Length => _tiers[_tier];

    /// <summary>The moving average of accepted lengths.</summary>
    public double Average { get; private set; }

    internal static EmaTiersPolicy? Make(string name, PolicyResources resources)
    {
        if (PolicyArguments.Of(name, "ema-tiers") is not { } parts)
        {
            return null;
        }

        PolicyArguments.RequireAtMost(name, parts, 1);
        string[] words = parts.Length == 0 ? ["1", "3", "7"] : parts[0].Split('-');
        int[] tiers = [.. words.Select((_, index) => PolicyArguments.Whole(name, words, index, "a tier", 1, resources.MaxDraft))];
        return tiers.Length >= 2 && tiers.Zip(tiers.Skip(1)).All(pair => pair.First < pair.Second)
            ? new EmaTiersPolicy(tiers)
            : throw new ArgumentException($"'{name}': tiers are two or more lengths, ascending, such as 1-3-7.", nameof(name));
    }

    /// <inheritdoc/>
    public override int Plan(in PlanContext context) => Length;

    /// <inheritdoc/>
    public override bool Extends(DraftTree draft, int planned)
    {
        ArgumentNullException.ThrowIfNull(draft);
        return draft.Count < planned;
    }

    /// <inheritdoc/>
    public override void Observe(in RoundObservation round)
    {
        Average = (Kept * Average) + ((1 - Kept) * round.Accepted);
        _rounds++;
        if (_rounds <= WarmUpRounds || (_rounds - WarmUpRounds) % RoundsPerLook != 0)
        {
            return;
        }

        while (_tier > 0 && Average <= _tiers[_tier - 1] - 0.5 + DownHysteresis)
        {
            _tier--;
        }

        while (_tier < _tiers.Length - 1 && Average > _tiers[_tier] - 0.5 + UpHysteresis)
        {
            _tier++;
        }
    }
}
