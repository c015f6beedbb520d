using System.CommandLine;
using System.Globalization;
using System.Text.Json;
using AdaEagle.Cli.Arguments;
using AdaEagle.Generation;
using AdaEagle.Speculation.Oracle;

namespace AdaEagle.Cli.Bench.Tune;

/// <summary><c>adaeagle bench tune</c>: the best setting of every rule, by replay.</summary>
internal sealed class TuneCommand
{
    private readonly Terminal _terminal;
    private readonly ModelArguments _model;
    private readonly GenerationArguments _generation;
    private readonly Option<string> _prompts = new("--prompts")
    {
        Description = "Prompts: questions in Spec-Bench's format, or a corpus of dialogues (.jsonl, .jsonl.gz). Take others than those that will be reported.", HelpName = "FILE", Required = true,
    };

    private readonly Option<int> _limit = Values.Whole("--limit", "At most N prompts, evenly over the file; 0 takes all.", 0, 0);
    private readonly Option<int> _maxDraft = Values.Whole("--max-draft", "The longest draft of every rule; the most by default.", GenerationSession.MaxDraft, 1, GenerationSession.MaxDraft);
    private readonly Option<string?> _costsOf = new("--costs-of")
    {
        Description = "Prices rounds with the costs that another run measured (its --json): that of a model which computes the same, such as this one inflated.", HelpName = "FILE",
    };

    private readonly Option<string?> _json = new("--json") { Description = "Also writes all settings to a file, as JSON.", HelpName = "OUT" };

    private TuneCommand(Terminal terminal, Command command)
    {
        _terminal = terminal;
        foreach (Option option in (Option[])[_prompts, _limit, _maxDraft, _costsOf, _json])
        {
            command.Options.Add(option);
        }

        _model = new ModelArguments(command);
        _generation = new GenerationArguments(command, maxTokens: 128, raw: false);
        command.SetAction(Run);
    }

    public static Command Create(Terminal terminal)
    {
        var command = new CommandWithExamples("tune", "Finds the best setting of every draft rule, chains and trees: answers are recorded once, and replayed.")
        {
            Remarks =
            [
                $"Every rule has at most {RuleSettings.Most} settings. A replay plays the very rounds that decoding would have, with the costs of rounds that were measured here; of trees too."
                + " Of fixed trees those are tried that are best for the recorded answers, by number of nodes. --policy and --show-draft change nothing.",
            ],
            Examples = ["adaeagle bench tune --prompts dev.jsonl.gz --limit 500 --json tuned.json", "adaeagle bench tune --prompts dev.jsonl.gz --drafter ngram --limit 100",
                "adaeagle bench tune --model inflated-110m --prompts dev.jsonl.gz --limit 20 --json 110m.json", "adaeagle bench tune --prompts dev.jsonl.gz --limit 500 --costs-of 110m.json"],
        };
        _ = new TuneCommand(terminal, command);
        return command;
    }

    private int Run(ParseResult arguments)
    {
        string prompts = arguments.GetRequiredValue(_prompts);
        string? output = arguments.GetValue(_json);
        BenchCommand.RequireWritable(output);
        GenerationOptions options = _generation.Read(arguments, _terminal);
        using LanguageModel model = _model.Load(arguments, _terminal);
        string drafter = model.DefaultDrafter ?? throw new ArgumentException("The model has no draft head, and there is nothing to tune without a drafter: name the head with --draft, or another with --drafter.");
        int maxDraft = arguments.GetValue(_maxDraft);
        TuneCosts? costs = arguments.GetValue(_costsOf) is { } other ? TuneCosts.Read(other, maxDraft) : null;
        using var tuner = new Tuner(model, maxDraft);
        TuneJson result = _terminal.Interrupts.Run(cancellation => BenchProgress.Run(_terminal, stage => Tune(model, drafter, tuner, prompts, arguments.GetValue(_limit), costs, options, stage, cancellation)));
        Show(result);
        if (output is not null)
        {
            File.WriteAllText(output, JsonSerializer.Serialize(result, Json.Page.TuneJson) + "\n");
        }

        return CommandLine.Done;
    }

    private static TuneJson Tune(
        LanguageModel model, string drafter, Tuner tuner, string file, int limit, TuneCosts? known, GenerationOptions options, Func<string, int, Action> stage, CancellationToken cancellation)
    {
        IReadOnlyList<IReadOnlyList<int>> prompts = TunePrompts.Read(model, file, limit);
        if (prompts.Count == 0)
        {
            throw new ArgumentException($"{file} holds no prompt that leaves room for an answer.");
        }

        Action calibrated = stage("costs", 1);
        TuneCosts costs = known ?? tuner.Calibrate(prompts, cancellation);
        calibrated();
        Action recorded = stage("answers and chains", prompts.Count);
        using (RunRecorder recorder = tuner.Recorder())
        {
            for (int i = 0; i < prompts.Count; i++)
            {
                tuner.Record(recorder, prompts[i], options with { Sampling = options.Sampling with { Sequence = i } }, cancellation);
                recorded();
            }
        }

        FittedTrees trees = tuner.FitTrees();
        IReadOnlyList<(string Rule, IReadOnlyList<string> Settings)> rules = RuleSettings.For(tuner.MaxDraft, nodes => trees.Best(nodes, costs.Bare));
        Action replayed = stage("answers replayed", prompts.Count);
        ILookup<string, SettingJson> figures = tuner.Replay([.. rules.SelectMany(rule => rule.Settings)], costs, replayed, cancellation).ToLookup(figure => figure.Policy);
        (string Rule, SettingJson[] Settings)[] tried =
        [
            .. rules.Select(rule => (rule.Rule, Settings: rule.Settings.SelectMany(setting => figures[setting]).OrderByDescending(figure => figure.TokensPerSecond).ToArray()))
                .Where(rule => rule.Settings.Length > 0),
        ];
        double oracle = tuner.Oracle(costs.Bare.Chains, knowsRanks: false), fixedRate = tried.First(rule => rule.Rule == "fixed").Settings[0].TokensPerSecond;
        return new TuneJson(
            model.Folder, drafter, file, tuner.Outputs, tuner.Tokens, tuner.MaxDraft, CostsJson.Of(costs.Bare.Chains)!, costs.Reading.Chains.DraftSeconds,
            new TreeCostsJson(costs.Bare.Sizes, costs.Bare.DraftSeconds, costs.Bare.VerifySeconds),
            oracle, tuner.Oracle(costs.Bare.Chains, knowsRanks: true),
            [.. tried.Select(rule => new RuleJson(rule.Rule, (rule.Settings[0].TokensPerSecond / fixedRate) - 1, Share(rule.Settings[0].TokensPerSecond, fixedRate, oracle), rule.Settings))
                .OrderByDescending(rule => rule.Settings[0].TokensPerSecond)]);
    }

    private static double Share(double rate, double fixedRate, double oracle) => oracle > fixedRate ? (rate - fixedRate) / (oracle - fixedRate) : 0;

    private void Show(TuneJson result)
    {
        var table = new MarkdownTable("rule", "best setting", "tokens/s", "over plain", "over best fixed", "of the oracle's gain", "tau", "drafted a round", "tried");
        foreach (RuleJson rule in result.Rules)
        {
            SettingJson best = rule.Settings[0];
            table.Add(
                rule.Rule, best.Policy, Text($"{best.TokensPerSecond:0.0}"), Text($"{best.Speedup:0.000}"), Text($"{rule.OverBestFixed:+0.0%;-0.0%;0.0%}"), Text($"{rule.OracleShare:0%}"),
                Text($"{best.AcceptanceLength:0.00}"), Text($"{best.DraftedPerRound:0.00}"), Text($"{rule.Settings.Count}"));
        }

        table.Write(_terminal.Out);
        _terminal.Out.WriteLine(Text($"{result.Outputs} outputs, {result.Tokens} tokens, drafts of at most {result.MaxDraft}; the oracle: {result.OracleTokensPerSecond:0.0} tokens/s, with trees {result.TreeOracleTokensPerSecond:0.0}"));
        static string Text(FormattableString text) => text.ToString(CultureInfo.InvariantCulture);
    }
}
