using System.Text.Json.Nodes;
using AdaEagle.Generation;
using AdaEagle.Speculation;
using AdaEagle.Speculation.Drafting;
using AdaEagle.Speculation.Oracle;
using AdaEagle.Speculation.Policies;

namespace AdaEagle.Cli.Bench.Tune;

/// <summary>Answers prompts once, records what the drafter proposes at every root, measures what rounds cost, and plays rules over what was recorded.</summary>
internal sealed class Tuner : IDisposable
{
    private const int CalibrationTokens = 96, CalibrationRounds = 12, CalibrationPrompts = 12;

    /// <summary>Children of a node: a path of ranks has one digit each.</summary>
    private const int MostChildren = 10;

    // Nodes that all settings together may have expanded at one root.
    private const int MaxExpanded = 1024;

    private readonly LanguageModel _model;
    private readonly GenerationSession _session;
    private readonly List<RecordedAnswer> _answers = [];

    /// <summary>Makes it for drafts of at most <paramref name="maxDraft"/> tokens.</summary>
    public Tuner(LanguageModel model, int maxDraft)
    {
        _model = model;
        _session = new GenerationSession(model);
        MaxDraft = maxDraft;
    }

    /// <summary>k_max of every rule.</summary>
    public int MaxDraft { get; }

    /// <summary>Outputs recorded.</summary>
    public int Outputs => _answers.Count;

    /// <summary>Tokens in them.</summary>
    public long Tokens => _answers.Sum(answer => (long)answer.Output.Count);

    /// <summary>Measures what rounds cost over ordinary prompts: chains of every length, and trees, prompt by prompt in turn.</summary>
    public TuneCosts Calibrate(IReadOnlyList<IReadOnlyList<int>> prompts, CancellationToken cancellation)
    {
        CostCalibration chains = new(MaxDraft), reading = new(MaxDraft, needs: TuneCosts.Needs);
        var trees = new TreeCalibration(GenerationSession.MaxNodes);
        var options = new GenerationOptions { MaxTokens = CalibrationTokens, StopAtEndToken = false };
        // A drafter that knows few tokens never makes the largest trees: then some prompts have to do.
        int count = Math.Min(CalibrationPrompts, prompts.Count);
        foreach (IReadOnlyList<int> prompt in Enumerable.Range(0, count).Select(i => prompts[i * prompts.Count / count]))
        {
            _session.Generate(prompt, options, chains, null, cancellation);
            chains.EndSequence();
            _session.Generate(prompt, options, reading, null, cancellation);
            _session.Generate(prompt, options, trees, null, cancellation);
            if (Math.Min(Math.Min(chains.Fewest, reading.Fewest), trees.Fewest) >= CalibrationRounds)
            {
                break;
            }
        }

        RoundCosts bare = chains.Result();
        return new TuneCosts(trees.Result(bare), trees.Result(bare with { DraftSeconds = reading.Result().DraftSeconds }));
    }

    /// <summary>Answers a prompt plainly, and records its chains and ranks.</summary>
    public void Record(RunRecorder recorder, IReadOnlyList<int> prompt, GenerationOptions options, CancellationToken cancellation)
    {
        GenerationResult result = _session.Generate(prompt, options, (IDraftPolicy?)null, null, cancellation);
        int most = Math.Min(options.MaxTokens, _model.Target.Config.MaxPositions - prompt.Count);
        bool endToken = options.StopAtEndToken && _model.EndTokens.Contains(result.Tokens[^1]);
        _answers.Add(new RecordedAnswer(
            prompt, result.Tokens, options.Sampling.Temperature, recorder.RecordChains(prompt, result.Tokens, most, endToken, cancellation), recorder.Record(prompt, result.Tokens, most, endToken, cancellation: cancellation)));
    }

    /// <summary>A recorder of what the model's drafter proposes.</summary>
    public RunRecorder Recorder() => new(_model.Target, _session.Drafter(null)!, _model.Pool, MaxDraft, MostChildren);

    /// <summary>The fixed trees that are best for the recorded answers.</summary>
    public FittedTrees FitTrees() => new(_answers.Select(answer => answer.Ranks), MaxDraft);

    /// <summary>Tokens per second of one who knows every run length, or the rank of every token too.</summary>
    public double Oracle(RoundCosts costs, bool knowsRanks) => OraclePlan.Find([.. _answers.Select(answer => answer.Ranks)], costs, MaxDraft, knowsRanks).TokensPerSecond;

    /// <summary>
    /// Plays settings over the recorded answers. Those that can't be made here are left out: rules that the model lacks the parts for, lengths beyond k_max.
    /// </summary>
    public IEnumerable<SettingJson> Replay(IReadOnlyList<string> names, TuneCosts costs, Action replayed, CancellationToken cancellation)
    {
        (string Name, IDraftPolicy Policy)[] policies = [.. names.Select(name => (name, Policy: Create(name, costs)!)).Where(item => item.Policy is not null)];
        (string Name, IDraftPolicy Policy)[] chains = [.. policies.Where(item => IsReplayed(item.Policy))], others = [.. policies.Where(item => !IsReplayed(item.Policy))];
        var totals = new (int Rounds, int Tokens, int Drafted, double Seconds)[chains.Length];
        ChainReplay[] replays = [.. chains.Select(item => new ChainReplay(costs.Of(item.Policy).Chains))];
        using IDrafter drafter = Drafters.Create(
            _model.DefaultDrafter!, new DrafterResources(_model.Target, _model.Head, _model.DraftModel, _model.EndTokens, _model.Pool, MaxExpanded));
        using var rehearsal = new Rehearsal(_model.Target, drafter, _model.Pool, others.Select(item => item.Policy), costs.Of, MostChildren);
        foreach (RecordedAnswer answer in _answers)
        {
            cancellation.ThrowIfCancellationRequested();
            for (int i = 0; i < chains.Length; i++)
            {
                PricedReplay played = replays[i].Play(answer.Chains, (ChainPolicy)chains[i].Policy);
                totals[i] = (
                    totals[i].Rounds + played.Rounds.Passes - 1, totals[i].Tokens + played.Rounds.Emitted - 1, totals[i].Drafted + played.Rounds.Drafted, totals[i].Seconds + played.Seconds);
            }

            rehearsal.Play(answer.Prompt, answer.Output, answer.Chains.MaxTokens, answer.Chains.EndsWithEndToken, answer.Temperature, cancellation);
            replayed();
        }

        return
        [
            .. chains.Select((item, i) => Figures(item.Name, totals[i].Rounds, totals[i].Tokens, totals[i].Drafted, totals[i].Seconds, costs)),
            .. others.Zip(rehearsal.Policies, (item, played) => Figures(item.Name, played.Rounds, played.Tokens, played.Drafted, played.Seconds, costs)),
        ];
    }

    /// <inheritdoc/>
    public void Dispose() => _session.Dispose();

    // Recorded chains are quick to replay, but hold no output of the head; everything else is rehearsed.
    private static bool IsReplayed(IDraftPolicy policy) => policy is ChainPolicy && (policy.Needs & DraftNeeds.Hidden) == 0;

    private IDraftPolicy? Create(string name, TuneCosts costs)
    {
        try
        {
            // auto goes by the very costs that rounds are priced with. Rules that measure do so: what one setting observes is none of another's business.
            return DraftPolicies.Create(name, _session.PolicyResources with { MaxDraft = MaxDraft, Costs = AutoPolicy.IsName(name) ? Frozen(costs.Reading) : null });
        }
        catch (ArgumentException)
        {
            return null;
        }
    }

    // Costs are frozen by being read from a file. A draft step costs its share of the longest draft.
    private static DraftCosts Frozen(TreeCosts costs)
    {
        string file = Path.GetTempFileName();
        try
        {
            File.WriteAllText(file, new JsonObject
            {
                ["draft_step_seconds"] = costs.Chains.DraftSeconds[^1] / Math.Max(costs.Chains.MaxDraft, 1),
                ["verify_seconds"] = new JsonArray([.. Enumerable.Range(0, GenerationSession.MaxNodes + 1).Select(nodes => (JsonNode)costs.Verify(nodes, nodes))]),
                ["overhead_seconds"] = costs.Chains.OverheadSeconds,
            }.ToJsonString());
            return DraftCosts.Read(file, GenerationSession.MaxNodes + 1);
        }
        finally
        {
            File.Delete(file);
        }
    }

    private SettingJson Figures(string name, int rounds, int tokens, int drafted, double seconds, TuneCosts costs)
    {
        double rate = tokens / Math.Max(seconds, 1e-12);
        int passes = rounds + Outputs;
        return new SettingJson(name, rate, rate * costs.Bare.Chains.Round(0), (double)(tokens + Outputs) / passes, (double)drafted / Math.Max(rounds, 1));
    }
}
