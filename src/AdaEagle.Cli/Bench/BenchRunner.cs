using AdaEagle.Cli.Bench.Levels;
using AdaEagle.Generation;
using AdaEagle.Speculation;
using AdaEagle.Speculation.Drafting;
using AdaEagle.Speculation.Oracle;
using AdaEagle.Speculation.Policies;

namespace AdaEagle.Cli.Bench;

/// <summary>Runs policies over questions, prompt by prompt in turn, and compares what they say with plain decoding. One session does it all.</summary>
internal sealed class BenchRunner : IDisposable
{
    private const int CalibrationTokens = 96;
    private const int CalibrationRounds = 12;
    private const int CalibrationPrompts = 8;
    private const int WarmUpPrompts = 2;
    private const int WarmUpLengthTokens = 12;
    private const int WarmUpTokens = 64;
    private const int TreeOracleCandidates = 10;

    private readonly LanguageModel _model;
    private readonly BenchSettings _settings;
    private readonly GenerationSession _session;
    private readonly IDraftPolicy?[] _policies;
    private readonly OraclePolicy? _oracle;
    private readonly TreeOraclePolicy? _treeOracle;
    private readonly OverriddenDrafter? _overridden;
    private readonly List<RecordedOutput> _recorded = [];

    /// <summary>Makes the policies.</summary>
    /// <exception cref="ArgumentException">A policy is unknown, or the model has not what it needs.</exception>
    public BenchRunner(LanguageModel model, BenchSettings settings)
    {
        _model = model;
        _settings = settings;
        _session = new GenerationSession(model) { Override = settings.RightPercent is { } right ? drafter => Overridden(drafter, right) : null };
        if (_session.Drafter(settings.Options.Drafter) is null && settings.Policies.Any(name => name != DraftPolicies.Plain))
        {
            throw new ArgumentException($"The model has no draft head, and every policy but '{DraftPolicies.Plain}' needs a drafter: name the head with --draft, or another with --drafter.");
        }

        _overridden = _session.Drafter(settings.Options.Drafter) as OverriddenDrafter;
        _oracle = settings.Policies.Contains(OraclePolicy.PolicyName) ? new OraclePolicy(GenerationSession.MaxDraft) : null;
        _treeOracle = settings.Policies.Contains(TreeOraclePolicy.PolicyName) ? new TreeOraclePolicy(GenerationSession.MaxDraft, TreeOracleCandidates) : null;
        _policies = Make(_session.PolicyResources);
    }

    /// <summary>What rounds cost here; null without a drafter, or before <see cref="Calibrate"/>. Another run's of the same drafter will do.</summary>
    public RoundCosts? Costs { get; set; }

    /// <summary>What plain decoding says, if somebody has to know (<see cref="NeedsAnswers"/>); null before <see cref="Answer"/>. Another run's over the same questions will do.</summary>
    public PlainAnswers? Answers { get; set; }

    /// <summary>The oracle's plan, if it runs.</summary>
    public OraclePlan? Plan { get; private set; }

    /// <summary>The tree oracle's plan, if it runs.</summary>
    public OraclePlan? TreePlan { get; private set; }

    /// <summary>True if a policy has to know the outputs beforehand.</summary>
    public bool HasOracle => _oracle is not null || _treeOracle is not null;

    /// <summary>True if somebody has to know what plain decoding says.</summary>
    public bool NeedsAnswers => HasOracle || _overridden is not null;

    /// <summary>Where outputs differed from plain decoding's, for the user.</summary>
    public List<string> Differences { get; } = [];

    /// <summary>Answers every question plainly, untimed.</summary>
    public void Answer(Action<Question> done, CancellationToken cancellation)
    {
        var answers = new PlainAnswers();
        foreach (Question question in _settings.Questions)
        {
            var conversation = new Conversation(_model, question.Raw || _settings.Options.Raw);
            for (int turn = 0; turn < question.Turns.Count; turn++)
            {
                IReadOnlyList<int> prompt = conversation.Ask(question.Turns[turn]);
                GenerationResult result = _session.Generate(prompt, _settings.OptionsFor(question, turn), (IDraftPolicy?)null, null, cancellation);
                answers.Add(new PlainAnswer(question, turn, prompt, [.. result.Tokens]));
                conversation.Answer(result.Text);
            }

            done(question);
        }

        Answers = answers;
    }

    /// <summary>
    /// Runs every policy a little, so that none pays for the compiler: policies of their own, since what is learnt beside it, costs above all, would stay. And drafts of every length, since
    /// passes of different heights run different code, which a policy that seldom takes one would pay for later.
    /// </summary>
    public void WarmUp(CancellationToken cancellation)
    {
        PolicyResources resources = _session.PolicyResources;
        IDraftPolicy?[] policies = Make(resources.Costs is { IsFrozen: true } ? resources : resources with { Costs = null });
        int longest = Array.TrueForAll(policies, policy => policy is null) ? 0 : GenerationSession.MaxDraft;
        foreach (Question question in QuestionFile.Limit(_settings.Questions, WarmUpPrompts))
        {
            GenerationOptions options = _settings.OptionsFor(question, 0) with { MaxTokens = Math.Min(WarmUpTokens, _settings.Options.MaxTokens) };
            foreach (IDraftPolicy? policy in policies)
            {
                Generate(question, 0, Ask(question), options, policy, cancellation);
            }

            for (int length = 1; length <= longest; length++)
            {
                Generate(question, 0, Ask(question), options with { MaxTokens = Math.Min(WarmUpLengthTokens, options.MaxTokens) }, new FixedLengthPolicy(length), cancellation);
            }
        }
    }

    /// <summary>Measures what rounds of every draft length cost, on the first prompts of the suites.</summary>
    public void Calibrate(CancellationToken cancellation)
    {
        if (_session.Drafter(_settings.Options.Drafter) is null)
        {
            return;
        }

        var calibration = new CostCalibration(GenerationSession.MaxDraft);
        foreach (Question question in QuestionFile.Limit(_settings.Questions, CalibrationPrompts))
        {
            GenerationOptions options = _settings.OptionsFor(question, 0) with { MaxTokens = CalibrationTokens, StopAtEndToken = false, StopStrings = [] };
            Generate(question, 0, Ask(question), options, calibration, cancellation);
            calibration.EndSequence();
            if (calibration.Fewest >= CalibrationRounds)
            {
                break;
            }
        }

        Costs = calibration.Result();
    }

    /// <summary>For the oracles: records the run lengths of the answers, and plans.</summary>
    public void Record(Action done, CancellationToken cancellation)
    {
        if (!HasOracle)
        {
            return;
        }

        using var recorder = new RunRecorder(
            _model.Target, _session.Drafter(_settings.Options.Drafter)!, _model.Pool, GenerationSession.MaxDraft, _treeOracle is null ? 1 : TreeOracleCandidates);
        foreach (PlainAnswer answer in Answers!.All)
        {
            GenerationOptions options = _settings.OptionsFor(answer.Question, answer.Turn);
            int most = Math.Min(options.MaxTokens, _model.Target.Config.MaxPositions - answer.Prompt.Count);
            bool endToken = options.StopAtEndToken && _model.EndTokens.Contains(answer.Tokens[^1]);
            _overridden?.Begin(options.Sampling.Sequence, answer.Prompt.Count, answer.Tokens);
            _recorded.Add(recorder.Record(answer.Prompt, answer.Tokens, most, endToken, null, cancellation));
            done();
        }

        Plan = _oracle is null ? null : OraclePlan.Find(_recorded, Costs!, GenerationSession.MaxDraft);
        TreePlan = _treeOracle is null ? null : OraclePlan.Find(_recorded, Costs!, GenerationSession.MaxDraft, knowsRanks: true);
    }

    /// <summary>The timed runs. The policies take turns prompt by prompt, and none is always first.</summary>
    public IReadOnlyList<PolicyResult> Run(Action<Question> done, CancellationToken cancellation)
    {
        int count = _settings.Questions.Count;
        var runs = new List<PromptRun>[_policies.Length, count];
        var plain = new PromptRun[count];
        List<DraftForecast>[] forecasts = [.. _policies.Select(KeepForecasts)];
        for (int repeat = 0; repeat < _settings.Repeat; repeat++)
        {
            for (int q = 0; q < count; q++)
            {
                for (int i = 0; i < _policies.Length; i++)
                {
                    int policy = (q + repeat + i) % _policies.Length;
                    (runs[policy, q] ??= []).Add(RunPrompt(_settings.Questions[q], _policies[policy], cancellation));
                }

                plain[q] ??= runs[Array.IndexOf(_policies, null), q][0];
                done(_settings.Questions[q]);
            }
        }

        return [.. _settings.Policies.Select((name, policy) => new PolicyResult(
            name, [.. _settings.Questions.Select((question, q) => Result(name, question, runs[policy, q], plain[q]))])
        {
            Forecasts = forecasts[policy],
        })];
    }

    /// <inheritdoc/>
    public void Dispose() => _session.Dispose();

    private IDraftPolicy?[] Make(PolicyResources resources) => [.. _settings.Policies.Select(name => name switch
    {
        DraftPolicies.Plain => null,
        OraclePolicy.PolicyName => _oracle,
        TreeOraclePolicy.PolicyName => _treeOracle,
        _ => DraftPolicies.Create(name, resources),
    })];

    private List<DraftForecast> KeepForecasts(IDraftPolicy? policy)
    {
        var forecasts = new List<DraftForecast>();
        if (_settings.KeepForecasts && policy is AutoPolicy auto)
        {
            auto.Forecasts = forecasts.Add;
        }

        return forecasts;
    }

    private OverriddenDrafter Overridden(IDrafter drafter, int rightPercent) =>
        new(drafter, rightPercent / 100.0, _settings.Options.Sampling.Seed, _model.Target.Config.VocabularySize);

    private GenerationResult Generate(Question question, int turn, IReadOnlyList<int> prompt, GenerationOptions options, IDraftPolicy? policy, CancellationToken cancellation)
    {
        _overridden?.Begin(options.Sampling.Sequence, prompt.Count, Answers!.All[Answers.Place(question, turn)].Tokens);
        return _session.Generate(prompt, options, policy, null, cancellation);
    }

    private IReadOnlyList<int> Ask(Question question) => new Conversation(_model, question.Raw || _settings.Options.Raw).Ask(question.Turns[0]);

    private PromptRun RunPrompt(Question question, IDraftPolicy? policy, CancellationToken cancellation)
    {
        var conversation = new Conversation(_model, question.Raw || _settings.Options.Raw);
        var results = new List<GenerationResult>();
        for (int turn = 0; turn < question.Turns.Count; turn++)
        {
            if (policy is OraclePolicy oracle)
            {
                oracle.Lengths = Plan!.Lengths[Answers!.Place(question, turn)];
            }
            else if (policy is TreeOraclePolicy treeOracle)
            {
                int output = Answers!.Place(question, turn);
                (treeOracle.Lengths, treeOracle.Roots) = (TreePlan!.Lengths[output], _recorded[output].Roots);
            }

            IReadOnlyList<int> prompt = conversation.Ask(question.Turns[turn]);
            GenerationResult result = Generate(question, turn, prompt, _settings.OptionsFor(question, turn), policy, cancellation);
            conversation.Answer(result.Text);
            results.Add(result);
        }

        return new PromptRun(
            Measurement.Sum(results.Select(result => Measurement.Of(result.Statistics))),
            [.. results.Select(result => result.Tokens)],
            [.. results.SelectMany(result => result.Statistics.Rounds)],
            [.. results.Select(Turn)]);
    }

    private PromptResult Result(string name, Question question, IReadOnlyList<PromptRun> repeats, PromptRun plain)
    {
        string? difference = repeats.Select(run => Difference(run, plain)).FirstOrDefault(text => text is not null);
        if (difference is not null)
        {
            Differences.Add($"{name} differs from {DraftPolicies.Plain} on question {question.Id} ({question.Category}): {difference}");
        }

        return new PromptResult(
            question, Measurement.Median([.. repeats.Select(run => run.Measurement)]), difference is null, repeats[0].Tokens.Any(Loops.In), repeats[0].Rounds)
        {
            Turns = repeats.OrderBy(run => run.Measurement.Total).ElementAt((repeats.Count - 1) / 2).Turns,
        };
    }

    private static TurnResult Turn(GenerationResult result)
    {
        GenerationStatistics stats = result.Statistics;
        return new TurnResult(result.Text, stats.EmittedTokens, stats.TotalTime.TotalSeconds, [1, .. stats.Rounds.Select(round => round.Emitted)]);
    }

    private static string? Difference(PromptRun run, PromptRun plain)
    {
        for (int turn = 0; turn < plain.Tokens.Count; turn++)
        {
            if (!run.Tokens[turn].SequenceEqual(plain.Tokens[turn]))
            {
                int same = run.Tokens[turn].Zip(plain.Tokens[turn]).TakeWhile(pair => pair.First == pair.Second).Count();
                return $"turn {turn + 1}, token {same + 1}";
            }
        }

        return null;
    }

    private sealed record PromptRun(Measurement Measurement, IReadOnlyList<IReadOnlyList<int>> Tokens, IReadOnlyList<RoundRecord> Rounds, IReadOnlyList<TurnResult> Turns);
}
