using System.Globalization;

namespace AdaEagle.Speculation.Policies;

/// <summary>
/// <c>survival-rank:K</c>: drafts K tokens, and verifies as many of them as give the most expected tokens per second of the round. Candidates are ranked by the chance that the draft survives them, the running
/// product of acceptances, and admitted in that order; in a chain that is the order of the draft. Acceptances are the drafter's own probabilities, brought to what is observed by a logistic for each position that is
/// fitted while it runs.
/// </summary>
/// <remarks>
/// Source: adaptive verification in vLLM, from DSpark (arXiv 2607.05147): positions of all requests ranked by survival, admitted until a budget that is the argmax of expected accepted tokens over the
/// profiled time of a step; here there is one request. DSpark's confidences have a temperature for each position, fitted from left to right on the survival of the prefix; so are these: position i follows
/// the cross-entropy of a_1 … a_i against "i tokens were accepted", those before it being held. Constants are ours: steps as <see cref="OnlineCalibration"/> takes them, K 7, DSpark's block. Times are
/// measured: in eight rounds at the start set numbers are verified, of which the first four, in which code is still being compiled, are not measured. It goes on over outputs.
/// </remarks>
public sealed class SurvivalRankPolicy : ChainPolicy
{
    private const int UsualLength = 7;

    private readonly OnlineCalibration[] _calibrations;
    private readonly float[] _logits;
    private readonly double[] _survivals;
    private readonly DraftCosts _costs;
    private readonly int[] _start;
    private int _rounds;

    /// <summary>Drafts <paramref name="length"/> tokens.</summary>
    /// <param name="length">K.</param>
    /// <param name="costs">What rounds cost: measured on, or frozen.</param>
    public SurvivalRankPolicy(int length, DraftCosts costs)
    {
        ArgumentOutOfRangeException.ThrowIfNegative(length);
        ArgumentNullException.ThrowIfNull(costs);
        MaxDraft = length;
        Name = string.Create(CultureInfo.InvariantCulture, $"survival-rank:{length}");
        _costs = costs;
        _calibrations = [.. Enumerable.Range(0, length).Select(_ => new OnlineCalibration())];
        _logits = new float[length];
        _survivals = new double[length + 1];
        _start = [.. new[] { length, 0, Math.Min(1, length), (length + 1) / 2 }.Distinct()];
    }

    /// <inheritdoc/>
    public override string Name { get; }

    /// <inheritdoc/>
    public override int MaxDraft { get; }

    /// <inheritdoc/>
    public override DraftNeeds Needs => DraftNeeds.LogProbabilities;

    internal static SurvivalRankPolicy? Make(string name, PolicyResources resources)
    {
        if (PolicyArguments.Of(name, "survival-rank") is not { } parts)
        {
            return null;
        }

        PolicyArguments.RequireAtMost(name, parts, 1);
        int most = resources.MaxDraft;

        // What another policy measures is none of its business, unless it is what all are to go by.
        DraftCosts costs = resources.Costs is { IsFrozen: true } frozen ? frozen : new DraftCosts(most + 1);
        return new SurvivalRankPolicy(PolicyArguments.Whole(name, parts, 0, "K", 0, most, usual: Math.Min(UsualLength, most)), costs);
    }

    /// <summary>a_i: the chance that the token at a position, from 1, is accepted if those before it are, where the drafter gives it this probability.</summary>
    public double Acceptance(int position, double probability) => _calibrations[position - 1].Probability(StepSignals.Logit((float)probability));

    /// <inheritdoc/>
    public override int Plan(in PlanContext context) => MaxDraft;

    /// <inheritdoc/>
    public override bool Extends(DraftTree draft, int planned)
    {
        ArgumentNullException.ThrowIfNull(draft);
        return draft.Count < MaxDraft;
    }

    /// <inheritdoc/>
    public override int Keep(DraftTree draft, int planned)
    {
        ArgumentNullException.ThrowIfNull(draft);
        int count = draft.Count, best = 0;
        double tokens = 1, highest = double.NegativeInfinity;
        _survivals[0] = 1;
        for (int kept = 0; kept <= count; kept++)
        {
            if (kept > 0)
            {
                _logits[kept - 1] = StepSignals.Logit(MathF.Exp(draft.LogProbability(kept - 1)));
                tokens += _survivals[kept] = _survivals[kept - 1] * _calibrations[kept - 1].Probability(_logits[kept - 1]);
            }

            double rate = tokens / Math.Max(_costs.Round(count, kept + 1), 1e-12);
            if (rate > highest)
            {
                (best, highest) = (kept, rate);
            }
        }

        return !_costs.IsFrozen && _rounds < 2 * _start.Length ? Math.Min(_start[_rounds % _start.Length], count) : best;
    }

    /// <inheritdoc/>
    public override void Observe(in RoundObservation round)
    {
        _rounds++;
        _costs.Observe(round.DraftPasses, round.DraftSeconds, round.Drafted + 1, round.VerifySeconds, double.NaN);

        for (int i = 0; i < round.Drafted; i++)
        {
            _calibrations[i].Observe(_logits[i], i < round.Matched, _survivals[i]);
        }
    }
}
