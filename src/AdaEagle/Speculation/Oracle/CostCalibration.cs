using AdaEagle.Speculation.Policies;

namespace AdaEagle.Speculation.Oracle;

/// <summary>
/// A policy that measures: it goes through all draft lengths in a shuffled order, again and again, so that each meets the same contexts and the
/// same slow moments of the machine, and takes the medians of what it observes. Run it over ordinary prompts.
/// </summary>
internal sealed class CostCalibration : ChainPolicy
{
    private const int ShuffleSeed = 1;

    private readonly TimeProvider _clock;
    private readonly Random _random = new(ShuffleSeed);
    private readonly int[] _order;
    private readonly List<double>[] _draft;
    private readonly List<double>[] _verify;
    private readonly List<double> _overhead = [];
    private int _next;
    private long _lastRound;

    /// <summary>Measures lengths from 0 to <paramref name="maxDraft"/>, of policies that read <paramref name="needs"/> of the drafter.</summary>
    public CostCalibration(int maxDraft, TimeProvider? clock = null, DraftNeeds needs = DraftNeeds.None)
    {
        MaxDraft = maxDraft;
        Needs = needs;
        _clock = clock ?? TimeProvider.System;
        _order = [.. Enumerable.Range(0, maxDraft + 1)];
        _draft = [.. _order.Select(_ => new List<double>())];
        _verify = [.. _order.Select(_ => new List<double>())];
    }

    /// <inheritdoc/>
    public override string Name => "calibration";

    /// <inheritdoc/>
    public override int MaxDraft { get; }

    /// <inheritdoc/>
    public override DraftNeeds Needs { get; }

    /// <summary>Rounds measured of the length that was met least.</summary>
    public int Fewest => _verify.Min(times => times.Count);

    /// <summary>Call between sequences: the time between them belongs to no round.</summary>
    public void EndSequence() => _lastRound = 0;

    /// <inheritdoc/>
    public override int Plan(in PlanContext context)
    {
        if (_next == 0)
        {
            _random.Shuffle(_order);
        }

        int length = _order[_next];
        _next = (_next + 1) % _order.Length;
        return length;
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
        _draft[round.Drafted].Add(round.DraftSeconds);
        _verify[round.Drafted].Add(round.VerifySeconds);
        long now = _clock.GetTimestamp();
        if (_lastRound != 0)
        {
            _overhead.Add(Math.Max(_clock.GetElapsedTime(_lastRound, now).TotalSeconds - round.DraftSeconds - round.VerifySeconds, 0));
        }

        _lastRound = now;
    }

    /// <summary>The medians; a length that was never met lies on the line between its neighbours.</summary>
    /// <exception cref="InvalidOperationException">No round was observed.</exception>
    public RoundCosts Result()
    {
        double[] draft = [.. _draft.Select(Median)];
        double[] verify = [.. _verify.Select(Median)];
        if (verify.All(double.IsNaN))
        {
            throw new InvalidOperationException("No round was measured: the calibration's prompts leave no room for an answer.");
        }

        Fill(draft);
        Fill(verify);
        double overhead = Median(_overhead);
        return new RoundCosts(draft, verify, double.IsNaN(overhead) ? 0 : overhead, [.. _verify.Select(times => times.Count)]);
    }

    /// <summary>The middle one, or the mean of the two in the middle; NaN of nothing.</summary>
    public static double Median(IReadOnlyCollection<double> values)
    {
        double[] sorted = [.. values.Order()];
        return sorted.Length == 0 ? double.NaN : (sorted[(sorted.Length - 1) / 2] + sorted[sorted.Length / 2]) / 2;
    }

    private static void Fill(double[] values)
    {
        int[] known = [.. Enumerable.Range(0, values.Length).Where(i => !double.IsNaN(values[i]))];
        for (int i = 0; i < values.Length; i++)
        {
            if (double.IsNaN(values[i]))
            {
                int below = known.LastOrDefault(k => k < i, known[0]);
                int above = known.FirstOrDefault(k => k > i, known[^1]);
                values[i] = below == above ? values[below] : values[below] + ((values[above] - values[below]) * (i - below) / (above - below));
            }
        }
    }
}
