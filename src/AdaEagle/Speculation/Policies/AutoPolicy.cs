using AdaEagle.Speculation.Drafting;

namespace AdaEagle.Speculation.Policies;

/// <summary>
/// <c>auto</c>, the cost-aware policy: in every round the draft with the most expected tokens minus rho x expected time, rho being the run's own long-run
/// tokens per second (<see cref="DraftObjective"/>, docs/adaeagle.md). Chances come from a <see cref="SurvivalPredictor"/>, before the draft and after
/// every step, where what the text said before is heard too (<see cref="RepetitionSignal"/>); without one they are learnt while it runs. Costs are measured, or frozen in a file. It may draft nothing, verify less than it drafted, and
/// verify siblings of the chain's tokens beside them; <c>auto:chain</c> does without siblings. Keep it for as long as the run: it learns.
/// </summary>
/// <remarks>
/// A few rounds of set lengths at the start measure what costs are; later one in <see cref="ProbeEvery"/> drafts one token more or fewer than it would, so that a length that once
/// looked dear is tried again, at little loss. With frozen costs there are no such rounds, and decisions depend on the decoded tokens alone. The very first rounds count for
/// nothing: code is still being compiled in them.
/// </remarks>
public sealed class AutoPolicy : IDraftPolicy
{
    /// <summary>The name it is asked for by.</summary>
    public const string PolicyName = "auto";

    /// <summary>The name of its restriction to chains.</summary>
    public const string ChainName = "auto:chain";

    /// <summary>The name of its restriction to the drafter's tokens.</summary>
    public const string HeadName = "auto:head";

    private const int ProbeEvery = 128;
    private const int EarlyProbeEvery = 16;
    private const int EarlyRounds = 256;

    /// <summary>rho is a mean over about so many rounds.</summary>
    private const double RateMemory = 1000;

    private static readonly int[] s_start = [4, 0, int.MaxValue];

    private readonly SurvivalPredictor? _predictor;
    private readonly TimeProvider _clock;
    private readonly DraftObjective _objective;
    private readonly LearnedSurvival _learned;
    private readonly OnlineCalibration _planCalibration = new();
    private readonly OnlineCalibration _rightCalibration = new();
    private readonly OnlineCalibration _nextCalibration = new();
    private readonly RepetitionSignal _repetition;
    private readonly bool _mayCopy;
    private readonly int _longest;
    private readonly int _mostChildren;
    private readonly float[] _planned;
    private readonly double[] _hazards;
    private readonly double[] _right;
    private readonly double[] _confirmed;
    private readonly float[] _rightLogits;
    private readonly float[] _nextLogits;
    private readonly double[] _headProbabilities;
    private readonly int[] _nodes;
    private readonly int[] _tokens;
    private readonly int[] _siblingTokens;
    private readonly double[] _siblingShares = [.. SurvivalWeights.UsualSiblings];
    private readonly DraftLeaf[] _leaves;
    private double _next;
    private double _emitted;
    private double _seconds;
    private float _temperature;
    private long _lastRound;
    private long _rounds;
    private int _beginnings;
    private int _forced;
    private int _drafted;
    private int _chain;
    private int _seen;
    private int _kept;
    private int _committed;
    private int _accepted = -1;

    /// <summary>Makes the policy.</summary>
    /// <param name="predictor">The survival predictor; null to learn while running.</param>
    /// <param name="costs">Measured costs, which it goes on measuring, or frozen ones.</param>
    /// <param name="maxDraft">The longest chain. It may be longer than the predictor's k_max: what is beyond is as likely as the predictor's last token.</param>
    /// <param name="maxNodes">The most tokens that are ever verified.</param>
    /// <param name="siblings">True to verify siblings where that pays.</param>
    /// <param name="copies">True to draft what the text said before, without the drafter, where that pays.</param>
    /// <param name="clock">Measures what is not drafting or verifying; the round's times come with its observations.</param>
    public AutoPolicy(SurvivalPredictor? predictor, DraftCosts costs, int maxDraft, int maxNodes, bool siblings = true, bool copies = true, TimeProvider? clock = null)
    {
        ArgumentNullException.ThrowIfNull(costs);
        _predictor = predictor;
        Costs = costs;
        _clock = clock ?? TimeProvider.System;
        Name = !siblings ? ChainName : copies ? PolicyName : HeadName;
        _mayCopy = copies;
        _longest = Math.Min(maxDraft, maxNodes);
        _mostChildren = siblings ? SurvivalWeights.Siblings + 1 : 1;
        MaxPool = _longest * (_mostChildren + (copies ? 1 : 0));
        MaxDraft = Math.Min(maxNodes, MaxPool);
        _objective = new DraftObjective(_longest, MaxDraft + 1);
        _learned = new LearnedSurvival(_longest);
        _repetition = new RepetitionSignal(_longest);
        _planned = new float[_longest];
        _hazards = new double[_longest];
        _right = new double[_longest];
        _confirmed = new double[_longest];
        _rightLogits = new float[_longest];
        _nextLogits = new float[_longest];
        _headProbabilities = new double[_longest];
        _nodes = new int[_longest];
        _tokens = new int[_longest];
        _siblingTokens = new int[_longest * SurvivalWeights.Siblings];
        _leaves = new DraftLeaf[_longest * SurvivalWeights.Siblings];
    }

    /// <inheritdoc/>
    public string Name { get; }

    /// <inheritdoc/>
    public int MaxDraft { get; }

    /// <inheritdoc/>
    public int MaxPool { get; }

    /// <inheritdoc/>
    public DraftNeeds Needs => _predictor is null
        ? DraftNeeds.LogProbabilities
        : DraftNeeds.LogProbabilities | DraftNeeds.Signals | DraftNeeds.Hidden | DraftNeeds.RootSignals;

    /// <summary>What it takes parts of a round to cost.</summary>
    public DraftCosts Costs { get; }

    /// <summary>Told of every verified token of a chain whose fate became known; null, as usual: nobody.</summary>
    public Action<DraftForecast>? Forecasts { get; set; }

    /// <summary>rho: tokens per second of the last thousand rounds or so, of the rounds as they are costed; that of plain decoding at first.</summary>
    public double Rate => _seconds > 0 ? _emitted / _seconds : 1 / Math.Max(Costs.Round(0, 1), 1e-9);

    /// <summary>True for a name of any of its forms.</summary>
    public static bool IsName(string name) => name is PolicyName or ChainName or HeadName;

    /// <summary>Before a generation: the temperature at which it samples, 0 for greedy.</summary>
    public void Begin(float temperature)
    {
        _temperature = temperature;
        _lastRound = 0;
        _accepted = -1;
        _committed = 0;
    }

    /// <inheritdoc/>
    public int Plan(in PlanContext context)
    {
        Learn(context);
        (_drafted, _chain, _seen, _kept) = (0, 0, 0, 0);
        _predictor?.Plan(context.Root, context.Feature, context.RootSignals, _temperature, _planned);
        if (_predictor is not null || _mayCopy)
        {
            _repetition.Find(context.Committed);
        }

        for (int i = 0; i < _longest; i++)
        {
            if (_predictor is null)
            {
                _hazards[i] = _learned.Hazard(i + 1);
                _planned[i] = (float)Math.Log(_hazards[i] / (1 - _hazards[i]));
            }
            else
            {
                _hazards[i] = _planCalibration.Probability(_planned[i]);
            }
        }

        for (int rank = 1; rank <= _siblingShares.Length && _predictor is null; rank++)
        {
            _siblingShares[rank - 1] = _learned.Sibling(rank);
        }

        if (_beginnings != Costs.Beginnings)
        {
            // All was forgotten, it may be in another policy's round: lengths are measured anew, once, and so is rho, which was of another pace.
            (_beginnings, _rounds, _emitted, _seconds) = (Costs.Beginnings, s_start.Length, 0, 0);
        }

        _next = _hazards[0];
        _objective.SetCosts(Rate, Costs.StepSeconds, Costs.VerifySeconds);
        int length = _objective.Plan(_hazards, _predictor?.Resolved ?? _learned.Resolved, _mostChildren > 1 ? _siblingShares : []);
        _forced = ForcedLength(length);
        _rounds++;
        return _forced >= 0 ? _forced : length;
    }

    /// <inheritdoc/>
    public int NextNodes(DraftTree pool, int planned, Span<Expansion> nodes)
    {
        ArgumentNullException.ThrowIfNull(pool);
        Step(pool);
        if (_drafted == _longest || !(_forced >= 0 ? _drafted < _forced : _objective.GoesOn(_right.AsSpan(0, Copies(_longest)), _drafted, _next, ConfirmedCopies())))
        {
            return 0;
        }

        nodes[0] = new Expansion(_drafted == 0 ? -1 : _nodes[_drafted - 1], _mostChildren);
        return 1;
    }

    /// <inheritdoc/>
    public void AddNodes(DraftTree pool, int longest)
    {
        ArgumentNullException.ThrowIfNull(pool);
        Step(pool);
        int kept = _forced >= 0 ? 0 : _objective.Keep(_right.AsSpan(0, Math.Min(Copies(Math.Min(longest, _longest)), _drafted + pool.Capacity - pool.Count)));
        for (; _chain < kept; _chain++)
        {
            _tokens[_chain] = _repetition.Continuation[_chain];
            _nodes[_chain] = pool.Add(_tokens[_chain], _chain == 0 ? -1 : _nodes[_chain - 1], (float)Math.Log(_right[_chain]));
        }

        _seen = pool.Count;
    }

    /// <inheritdoc/>
    public int SelectNodes(DraftTree pool, int planned, Span<int> keep)
    {
        ArgumentNullException.ThrowIfNull(pool);
        Step(pool);
        int added = 0;
        if (_forced >= 0)
        {
            _kept = Math.Min(_drafted, keep.Length);
        }
        else
        {
            _kept = _objective.Select(_right.AsSpan(0, _chain), _leaves.AsSpan(0, Leaves(pool)), out added);
        }

        int count = 0;
        for (int depth = 1; depth <= _chain && count < keep.Length; depth++)
        {
            if (depth <= _kept)
            {
                keep[count++] = _nodes[depth - 1];
            }

            for (int rank = 1; rank < _mostChildren && count < keep.Length; rank++)
            {
                if (IsChosen(depth, rank, added))
                {
                    keep[count++] = _nodes[depth - 1] + rank;
                }
            }
        }

        return count;
    }

    /// <inheritdoc/>
    public void Observe(in RoundObservation round)
    {
        long now = _clock.GetTimestamp();
        double overhead = _lastRound == 0 ? double.NaN : _clock.GetElapsedTime(_lastRound, now).TotalSeconds - round.DraftSeconds - round.VerifySeconds;
        _lastRound = now;
        Costs.Observe(round.DraftPasses, round.DraftSeconds, round.Drafted + 1, round.VerifySeconds, overhead, round.FirstPassSeconds);
        if (_rounds > s_start.Length || Costs.IsFrozen)
        {
            const double Kept = 1 - (1 / RateMemory);
            _emitted = (_emitted * Kept) + round.Accepted + 1;
            _seconds = (_seconds * Kept) + Costs.Round(round.DraftPasses, round.Drafted + 1);
        }

        _accepted = round.Accepted;
        if (_predictor is null)
        {
            _learned.Fade();
        }

        _planCalibration.Fade();
        _rightCalibration.Fade();
        _nextCalibration.Fade();
    }

    /// <summary>The length that this round is to measure; -1: it decides itself.</summary>
    private int ForcedLength(int planned)
    {
        if (Costs.IsFrozen)
        {
            return -1;
        }

        // Twice the start: unmeasured, then measured.
        if (_rounds < 2 * s_start.Length)
        {
            return Math.Min(s_start[_rounds % s_start.Length], _longest);
        }

        int every = _rounds < EarlyRounds ? EarlyProbeEvery : ProbeEvery;
        if (_rounds % every != 0)
        {
            return -1;
        }

        // A single step would tell nothing: it catches up with all that was committed since the last.
        int more = planned == 0 ? 2 : planned + 1;
        return Math.Clamp(_rounds / every % 2 == 0 ? more : planned - 1, 0, _longest);
    }

    /// <summary>Takes in a draft step, if one was made.</summary>
    private void Step(DraftTree pool)
    {
        if (pool.Count == _seen || _drafted == _longest)
        {
            return;
        }

        int i = _drafted++, node = _seen, parent = pool.Parent(node);
        _chain = _drafted;
        (float rightShift, float nextShift) = _repetition.Follow(i, pool.Token(node));
        (_nodes[i], _tokens[i], _seen) = (node, pool.Token(node), pool.Count);
        _headProbabilities[i] = Math.Exp(pool.LogProbability(node));
        if (_predictor is null)
        {
            for (int rank = 1; rank <= SurvivalWeights.Siblings; rank++)
            {
                _siblingTokens[(i * SurvivalWeights.Siblings) + rank - 1] = node + rank < pool.Count && pool.Parent(node + rank) == parent ? pool.Token(node + rank) : -1;
            }

            _right[i] = _learned.Right(i + 1, _headProbabilities[i]);
            _next = _drafted < _longest ? _hazards[_drafted] : 0;
            return;
        }

        StepEstimate estimate = _predictor.Estimate(
            pool.Hidden(parent),
            new StepSignals(pool.Signals(parent), pool.CumulativeLogProbability(node), _drafted, _planned[i], _planned[Math.Min(_drafted, _longest - 1)], _temperature));
        (_rightLogits[i], _nextLogits[i]) = (estimate.Right + rightShift, estimate.Next + nextShift);
        _right[i] = _rightCalibration.Probability(_rightLogits[i]);
        _next = _nextCalibration.Probability(_nextLogits[i]);
    }

    /// <summary>Writes behind the chances of what was drafted those of what the text says it goes on with, if it does; returns how many there are with them.</summary>
    private int Copies(int most) => _drafted + Chances(_drafted, most, _drafted > 0, _right.AsSpan(_drafted));

    /// <summary>The chances of what the text says behind the next token, where the drafter proposes that too.</summary>
    private ReadOnlySpan<double> ConfirmedCopies() => _confirmed.AsSpan(0, Chances(_drafted + 1, _longest, true, _confirmed));

    /// <summary>Writes the chances of what the text says in these places, if the draft so far is what it said; returns how many.</summary>
    private int Chances(int from, int to, bool isConfirmed, Span<double> chances)
    {
        int count = _mayCopy && _repetition.Continues(_drafted) ? Math.Max(to - from, 0) : 0;
        for (int i = 0; i < count; i++)
        {
            chances[i] = _repetition.Copy(from + i, _planned[from + i], isConfirmed);
        }

        return count;
    }

    /// <summary>The siblings of the chain's tokens, with their shares.</summary>
    private int Leaves(DraftTree pool)
    {
        int count = 0;
        for (int i = 0; i < _drafted && _mostChildren > 1; i++)
        {
            for (int rank = 1; rank < _mostChildren && _nodes[i] + rank < pool.Count && pool.Parent(_nodes[i] + rank) == pool.Parent(_nodes[i]); rank++)
            {
                double share = _predictor is null
                    ? _siblingShares[rank - 1]
                    : 1 / (1 + Math.Exp(-_predictor.Sibling(rank, pool.LogProbability(_nodes[i] + rank), (float)_headProbabilities[i])));
                _leaves[count++] = new DraftLeaf(i + 1, rank, share);
            }
        }

        return count;
    }

    private bool IsChosen(int depth, int rank, int added)
    {
        foreach (ref readonly DraftLeaf leaf in _leaves.AsSpan(0, added))
        {
            if (leaf.Depth == depth && leaf.Rank == rank)
            {
                return true;
            }
        }

        return false;
    }

    /// <summary>
    /// Learns from the last round. The context's token, the last one that was accepted, tells whether it was the chain's or a sibling; its root followed it.
    /// </summary>
    private void Learn(in PlanContext context)
    {
        (int token, int root) = (context.Token, context.Root);
        int before = Math.Min(_committed, context.Committed.Length);
        _committed = context.Committed.Length;
        if (_accepted < 0)
        {
            return;
        }

        _repetition.Learn(context.Committed[before..], _planned, _drafted > 0 && _repetition.Continues(1));

        bool isSibling = _accepted > 0 && _accepted <= _chain && (_accepted > _kept || _tokens[_accepted - 1] != token);
        int right = isSibling ? _accepted - 1 : Math.Min(_accepted, _kept), known = Math.Min(right + 1, isSibling ? _chain : _kept);
        for (int i = 0; i < known; i++)
        {
            bool isRight = i < right;
            Forecasts?.Invoke(new DraftForecast(i + 1, _hazards[i], _right[i], isRight));
            if (i >= _drafted)
            {
                // What was copied is learnt of where the text is.
                continue;
            }

            if (_predictor is null)
            {
                _learned.Observe(i + 1, _headProbabilities[i], isRight);
            }
            else
            {
                _planCalibration.Observe(_planned[i], isRight);
                _repetition.LearnRight(i, _rightCalibration.Observe(_rightLogits[i], isRight));
                if (i > 0)
                {
                    _repetition.LearnNext(i, _nextCalibration.Observe(_nextLogits[i - 1], isRight));
                }
            }
        }

        if (_predictor is null && right < _drafted)
        {
            LearnPlace(right, isSibling ? token : root);
        }
    }

    /// <summary>
    /// Learns from the first place that the chain was not seen to be right in, where <paramref name="truth"/> was said: also of what was drafted and not verified, or nobody would ever know.
    /// </summary>
    private void LearnPlace(int place, int truth)
    {
        bool isRight = _tokens[place] == truth;
        if (place >= _kept)
        {
            _learned.Observe(place + 1, _headProbabilities[place], isRight);
        }

        for (int rank = 1; rank < _mostChildren && !isRight; rank++)
        {
            if (_siblingTokens[(place * SurvivalWeights.Siblings) + rank - 1] is >= 0 and int sibling)
            {
                _learned.ObserveSibling(rank, sibling == truth);
            }
        }
    }
}
