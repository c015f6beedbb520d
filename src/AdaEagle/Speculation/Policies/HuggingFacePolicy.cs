using System.Globalization;

namespace AdaEagle.Speculation.Policies;

/// <summary>How <see cref="HuggingFacePolicy"/> chooses.</summary>
public sealed record HuggingFaceRules
{
    /// <summary><c>num_assistant_tokens</c>: the length of drafts, the first one's where it changes.</summary>
    public required int Tokens { get; init; }

    /// <summary>The schedule "heuristic": the length grows by 2 after a draft that was accepted in full, else falls by 1.</summary>
    public bool Heuristic { get; init; }

    /// <summary>"heuristic_transient": the length begins anew with each output.</summary>
    public bool Transient { get; init; }

    /// <summary><c>assistant_confidence_threshold</c>: a draft ends with a token of less probability; 0: no such rule.</summary>
    public float Confidence { get; init; }

    /// <summary>Whether that threshold is fitted to what was accepted (see <see cref="ConfidenceThreshold"/>).</summary>
    public bool Adaptive { get; init; }
}

/// <summary>
/// The draft-length rules of Hugging Face's assisted generation: <c>hf-heuristic:N:P</c> (+2/-1 from N, with confidence threshold P, none where left out), <c>hf-confidence:P:N</c>
/// (threshold P, at most N tokens), <c>hf-adaptive:P:N</c> (the same with the threshold fitted as it goes). A draft also ends with an end token.
/// </summary>
/// <remarks>
/// Source: transformers, <c>AssistedCandidateGenerator</c> (generation/candidate_generator.py). There the length may grow without end; here it is held within k_max. A round that drafts
/// nothing counts as a full success.
/// </remarks>
public sealed class HuggingFacePolicy : ChainPolicy
{
    private const int UsualTokens = 20;
    private const float UsualConfidence = 0.4f;

    private readonly HuggingFaceRules _rules;
    private readonly IReadOnlyList<int> _endTokens;
    private readonly ConfidenceThreshold? _fitted;
    private DraftTree? _draft;

    /// <summary>Makes it.</summary>
    public HuggingFacePolicy(string name, HuggingFaceRules rules, int maxDraft, IReadOnlyList<int>? endTokens = null)
    {
        ArgumentNullException.ThrowIfNull(rules);
        (Name, _rules, MaxDraft) = (name, rules, maxDraft);
        _endTokens = endTokens ?? [];
        Tokens = Math.Min(rules.Tokens, maxDraft);
        _fitted = rules.Adaptive && rules.Confidence > 0 ? new ConfidenceThreshold(rules.Confidence) : null;
    }

    /// <inheritdoc/>
    public override string Name { get; }

    /// <inheritdoc/>
    public override int MaxDraft { get; }

    /// <inheritdoc/>
    public override DraftNeeds Needs => _rules.Confidence > 0 ? DraftNeeds.LogProbabilities : DraftNeeds.None;

    /// <summary>The length of the next draft, if nothing ends it before.</summary>
    public int Tokens { get; private set; }

    /// <summary>The confidence threshold now; infinite where each draft is to have one token.</summary>
    public float Threshold => _fitted?.Value ?? _rules.Confidence;

    internal static HuggingFacePolicy? Make(string name, PolicyResources resources)
    {
        int longest = resources.MaxDraft, usual = Math.Min(UsualTokens, longest);
        if (PolicyArguments.Of(name, "hf-heuristic") is { } heuristic)
        {
            PolicyArguments.RequireAtMost(name, heuristic, 2);
            (int tokens, float confidence) = (PolicyArguments.Whole(name, heuristic, 0, "N", 1, longest, usual: Math.Min(5, longest)), PolicyArguments.Number(name, heuristic, 1, "P", 0, 1, usual: 0));
            return new HuggingFacePolicy(
                confidence > 0 ? string.Create(CultureInfo.InvariantCulture, $"hf-heuristic:{tokens}:{confidence}") : string.Create(CultureInfo.InvariantCulture, $"hf-heuristic:{tokens}"),
                new HuggingFaceRules { Tokens = tokens, Heuristic = true, Confidence = confidence }, longest, resources.EndTokens);
        }

        bool adaptive = PolicyArguments.Of(name, "hf-adaptive") is not null;
        string kind = adaptive ? "hf-adaptive" : "hf-confidence";
        if (PolicyArguments.Of(name, kind) is not { } parts)
        {
            return null;
        }

        PolicyArguments.RequireAtMost(name, parts, 2);
        (float threshold, int most) = (PolicyArguments.Number(name, parts, 0, "P", 0, 1, usual: UsualConfidence), PolicyArguments.Whole(name, parts, 1, "N", 1, longest, usual: usual));
        return new HuggingFacePolicy(
            string.Create(CultureInfo.InvariantCulture, $"{kind}:{threshold}:{most}"), new HuggingFaceRules { Tokens = most, Confidence = threshold, Adaptive = adaptive }, longest, resources.EndTokens);
    }

    /// <inheritdoc/>
    public override int Plan(in PlanContext context)
    {
        if (context.RootIndex == 0)
        {
            _fitted?.Begin();
            Tokens = _rules.Transient ? Math.Min(_rules.Tokens, MaxDraft) : Tokens;
        }

        _draft = null;
        return Tokens;
    }

    /// <inheritdoc/>
    public override bool Extends(DraftTree draft, int planned)
    {
        ArgumentNullException.ThrowIfNull(draft);
        // Kept until it is observed: the draft stays as it is until the next round.
        _draft = draft;
        int last = draft.Count - 1;
        return draft.Count < planned
            && (last < 0 || (!_endTokens.Contains(draft.Token(last)) && (_rules.Confidence == 0 || MathF.Exp(draft.LogProbability(last)) >= Threshold)));
    }

    /// <inheritdoc/>
    public override void Observe(in RoundObservation round)
    {
        if (_rules.Heuristic)
        {
            Tokens = round.Accepted == round.Drafted ? Math.Min(Tokens + 2, MaxDraft) : Math.Max(Tokens - 1, 1);
        }

        if (_fitted is null || _draft is null)
        {
            return;
        }

        for (int i = 0; i < Math.Min(round.Accepted + 1, round.Drafted); i++)
        {
            _fitted.Add(MathF.Exp(_draft.LogProbability(i)), i < round.Accepted);
        }

        _fitted.Fit();
    }
}

/// <summary>
/// A confidence threshold fitted to drafted tokens that were accepted or rejected: of the probabilities seen, the one with the least cost
/// f + 3 (1 - t), where f and t are the shares of the rejected and of the accepted tokens that are at least as probable.
/// </summary>
/// <remarks>Source: transformers' <c>update_candidate_strategy</c>, which takes the points from scikit-learn's <c>roc_curve</c>.</remarks>
internal sealed class ConfidenceThreshold(float first)
{
    private const int FewestTokens = 6, UsualRoom = 1024;
    private const double MissCost = 3;

    private readonly float _first = first;

    // By probability, falling.
    private readonly List<(float Probability, bool Accepted)> _tokens = new(UsualRoom);
    private readonly List<(float Probability, int Rejected, int Accepted)> _points = new(UsualRoom);

    /// <summary>The threshold.</summary>
    public float Value { get; private set; } = first;

    /// <summary>Forgets what was seen.</summary>
    public void Begin()
    {
        Value = _first;
        _tokens.Clear();
    }

    /// <summary>Takes a drafted token.</summary>
    public void Add(float probability, bool accepted)
    {
        int at = _tokens.Count;
        while (at > 0 && _tokens[at - 1].Probability < probability)
        {
            at--;
        }

        _tokens.Insert(at, (probability, accepted));
    }

    /// <summary>Sets the threshold, if enough was seen.</summary>
    public void Fit()
    {
        CountPoints();
        (int rejected, int accepted) = _points.Count > 0 ? (_points[^1].Rejected, _points[^1].Accepted) : (0, 0);
        if (_tokens.Count < FewestTokens || rejected == 0 || accepted == 0)
        {
            return;
        }

        // Before the points stands one that accepts nothing: f = t = 0.
        (float best, double least) = (float.PositiveInfinity, MissCost);
        for (int i = 0; i < _points.Count; i++)
        {
            if (LiesOnALine(i))
            {
                continue;
            }

            double cost = ((double)_points[i].Rejected / rejected) + (MissCost * (1 - ((double)_points[i].Accepted / accepted)));
            if (cost < least)
            {
                (best, least) = (_points[i].Probability, cost);
            }
        }

        Value = best;
    }

    private void CountPoints()
    {
        _points.Clear();
        (int rejected, int accepted) = (0, 0);
        for (int i = 0; i < _tokens.Count; i++)
        {
            rejected += _tokens[i].Accepted ? 0 : 1;
            accepted += _tokens[i].Accepted ? 1 : 0;
            if (i == _tokens.Count - 1 || _tokens[i + 1].Probability != _tokens[i].Probability)
            {
                _points.Add((_tokens[i].Probability, rejected, accepted));
            }
        }
    }

    // The same step before and after it: it is no better than its neighbours.
    private bool LiesOnALine(int i) =>
        i > 0 && i < _points.Count - 1
        && _points[i + 1].Rejected - _points[i].Rejected == _points[i].Rejected - _points[i - 1].Rejected
        && _points[i + 1].Accepted - _points[i].Accepted == _points[i].Accepted - _points[i - 1].Accepted;
}
