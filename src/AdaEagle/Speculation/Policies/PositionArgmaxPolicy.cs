using System.Globalization;

namespace AdaEagle.Speculation.Policies;

/// <summary>
/// <c>position-argmax:S</c>: the draft length with the most expected tokens per second, (1 + sum over i of a_1 … a_i) / seconds, where a_i is a moving average of how often the token at
/// position i was right after the ones before it, and the seconds of a round are measured. 0 is among the lengths; then every 32nd round drafts one token, so that it can come back.
/// </summary>
/// <remarks>
/// Source: the controllers of MTPLX and mlx-serve (per-position acceptance and measured cost, depth 0 with a bounded probe). Their constants are not published; ours: a_i begins at 0.7,
/// S (0.05) of it is renewed by an observation; seconds are moving averages by length (0.1 renewed), a length not met yet lies on the line through the nearest met. It begins by
/// trying k_max, 0, 1 and k_max / 2. It goes on over outputs.
/// </remarks>
public sealed class PositionArgmaxPolicy : ChainPolicy
{
    private const double FirstAcceptance = 0.7, SecondsRenewed = 0.1;
    private const int RoundsPerProbe = 32;

    private readonly double _renewed;
    private readonly double[] _acceptance;
    private readonly double[] _seconds;
    private readonly int[] _first;
    private int _tried;
    private int _idleRounds;

    /// <summary>Makes it for lengths from 0 to <paramref name="maxDraft"/>.</summary>
    public PositionArgmaxPolicy(float renewed, int maxDraft)
    {
        ArgumentOutOfRangeException.ThrowIfNegativeOrZero(maxDraft);
        _renewed = renewed;
        MaxDraft = maxDraft;
        _acceptance = new double[maxDraft];
        Array.Fill(_acceptance, FirstAcceptance);
        _seconds = new double[maxDraft + 1];
        Array.Fill(_seconds, double.NaN);
        _first = [.. new[] { maxDraft, 0, 1, (maxDraft + 1) / 2 }.Distinct()];
        Name = string.Create(CultureInfo.InvariantCulture, $"position-argmax:{renewed}");
    }

    /// <inheritdoc/>
    public override string Name { get; }

    /// <inheritdoc/>
    public override int MaxDraft { get; }

    /// <summary>a_i of position i, from 1.</summary>
    public double Acceptance(int position) => _acceptance[position - 1];

    internal static PositionArgmaxPolicy? Make(string name, PolicyResources resources)
    {
        if (PolicyArguments.Of(name, "position-argmax") is not { } parts)
        {
            return null;
        }

        PolicyArguments.RequireAtMost(name, parts, 1);
        return new PositionArgmaxPolicy(PolicyArguments.Number(name, parts, 0, "S", 0.0001f, 1, usual: 0.05f), resources.MaxDraft);
    }

    /// <inheritdoc/>
    public override int Plan(in PlanContext context)
    {
        if (_tried < _first.Length)
        {
            return _first[_tried++];
        }

        int best = Best();
        _idleRounds = best == 0 ? _idleRounds + 1 : 0;
        if (_idleRounds < RoundsPerProbe)
        {
            return best;
        }

        _idleRounds = 0;
        return 1;
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
        for (int i = 0; i < Math.Min(round.Matched + 1, round.Drafted); i++)
        {
            _acceptance[i] += _renewed * ((i < round.Matched ? 1 : 0) - _acceptance[i]);
        }

        double seconds = round.DraftSeconds + round.VerifySeconds;
        ref double known = ref _seconds[round.Drafted];
        known = double.IsNaN(known) ? seconds : known + (SecondsRenewed * (seconds - known));
    }

    private int Best()
    {
        int best = 0;
        double highest = double.NegativeInfinity, tokens = 1, reaches = 1;
        for (int length = 0; length <= MaxDraft; length++)
        {
            reaches *= length == 0 ? 1 : _acceptance[length - 1];
            tokens += length == 0 ? 0 : reaches;
            double rate = tokens / Math.Max(Seconds(length), 1e-12);
            if (rate > highest)
            {
                (best, highest) = (length, rate);
            }
        }

        return best;
    }

    private double Seconds(int length)
    {
        if (!double.IsNaN(_seconds[length]))
        {
            return _seconds[length];
        }

        (int below, int above) = (length, length);
        while (below >= 0 && double.IsNaN(_seconds[below]))
        {
            below--;
        }

        while (above <= MaxDraft && double.IsNaN(_seconds[above]))
        {
            above++;
        }

        return below < 0 ? above > MaxDraft ? 1 : _seconds[above]
            : above > MaxDraft ? _seconds[below] * (length + 1) / (below + 1)
            : _seconds[below] + ((_seconds[above] - _seconds[below]) * (length - below) / (above - below));
    }
}
