using System.CommandLine;
using System.Text.Json;
using AdaEagle.Cli.Arguments;
using AdaEagle.Cli.Bench.Engine;
using AdaEagle.Cli.Bench.Text;
using AdaEagle.Cli.Bench.Tune;
using AdaEagle.Generation;
using AdaEagle.Speculation.Oracle;
using AdaEagle.Speculation.Policies;

namespace AdaEagle.Cli.Bench;

/// <summary><c>adaeagle bench</c>: measures draft policies against plain decoding, and that they say the same.</summary>
internal sealed class BenchCommand
{
    /// <summary>Exit code if a policy's output differed.</summary>
    public const int Differs = 2;

    private const int UsualTokens = 128;
    private const int MostDifferences = 20;

    private readonly Terminal _terminal;
    private readonly ModelArguments _model;
    private readonly GenerationArguments _generation;

    private readonly Option<string> _prompts = new("--prompts")
    {
        Description = "Questions in Spec-Bench's format: .jsonl lines with question_id, category, turns, and raw where the chat template is to be left out.", HelpName = "FILE", Required = true,
    };

    private readonly Option<string?> _policies = new("--policies")
    {
        Description = $"Policies, with commas between; {OraclePolicy.PolicyName} is one more: it knows every run length; {TreeOraclePolicy.PolicyName} also knows which candidate is right. {DraftPolicies.Plain} always runs. Default: what --policy says, or {string.Join(',', PolicyList.Usual(true))}.",
        HelpName = "LIST",
    };

    private readonly Option<int> _limit = Values.Whole("--limit", "At most N prompts in all, evenly over the suites, the first of each; 0 takes all.", 0, 0);
    private readonly Option<int> _repeat = Values.Whole("--repeat", "Runs everything N times and takes the median time of each prompt.", 1, 1, 1000);
    private readonly Option<string?> _json = new("--json") { Description = "Also writes environment and figures to a file, as JSON.", HelpName = "OUT" };

    private BenchCommand(Terminal terminal, Command command)
    {
        _terminal = terminal;
        foreach (Option option in (Option[])[_prompts, _policies, _limit, _repeat, _json])
        {
            command.Options.Add(option);
        }

        _model = new ModelArguments(command);
        _generation = new GenerationArguments(command, UsualTokens);
        command.SetAction(Run);
    }

    public static Command Create(Terminal terminal)
    {
        var command = new CommandWithExamples("bench", "Measures draft policies against plain decoding, and checks that their output is the same.")
        {
            Remarks =
            [
                GenerationArguments.Remark,
                $"Every policy's tokens are compared with plain decoding's; exit code {Differs} if any differ. Speedups are against {DraftPolicies.Plain} of the same run.",
                "A question of several turns is a dialogue with the model's own answers; its figures are summed. --show-draft changes nothing here.",
            ],
            Examples =
            [
                "adaeagle bench --prompts bench.jsonl --policies ar,fixed:2,fixed:4,ldlp,ldlp+threshold:-0.6,oracle --json out.json",
                "adaeagle bench --prompts bench.jsonl --limit 20 --repeat 3 --temperature 0.8 --seed 7",
            ],
        };
        _ = new BenchCommand(terminal, command);
        command.Subcommands.Add(EngineBenchCommand.Create(terminal));
        command.Subcommands.Add(PerplexityCommand.Create(terminal));
        command.Subcommands.Add(TuneCommand.Create(terminal));
        return command;
    }

    private int Run(ParseResult arguments)
    {
        string prompts = arguments.GetRequiredValue(_prompts);
        string? output = arguments.GetValue(_json);
        RequireWritable(output);
        GenerationOptions options = _generation.Read(arguments, _terminal);
        IReadOnlyList<Question> questions = QuestionFile.Limit(QuestionFile.Read(prompts), arguments.GetValue(_limit));
        IReadOnlyList<string>? policies = (arguments.GetValue(_policies) ?? options.Policy) is { } list ? PolicyList.Parse(list) : null;
        using LanguageModel model = _model.Load(arguments, _terminal);
        var settings = new BenchSettings(questions, policies ?? PolicyList.Usual(model.DefaultDrafter is not null), options, arguments.GetValue(_repeat));
        ModelArguments.NoteLearning(model, _terminal, settings.Policies);
        using var runner = new BenchRunner(model, settings);
        IReadOnlyList<PolicyResult> results = _terminal.Interrupts.Run(cancellation => Measure(runner, settings, cancellation));

        var figures = new BenchFigures(results);
        Show(figures, runner);
        if (output is not null)
        {
            BenchEnvironment environment = BenchEnvironment.Of(model, settings, runner, prompts, arguments.Tokens.Select(token => token.Value).Prepend("adaeagle"));
            File.WriteAllText(output, JsonSerializer.Serialize(BenchJson.Of(environment, figures), Json.Page.BenchJson) + "\n");
        }

        _model.KeepCosts(arguments, model);
        return ExitCode(results);
    }

    internal static int ExitCode(IReadOnlyList<PolicyResult> results) =>
        results.All(result => result.IdenticalCount == result.Prompts.Count) ? CommandLine.Done : Differs;

    private IReadOnlyList<PolicyResult> Measure(BenchRunner runner, BenchSettings settings, CancellationToken cancellation) => BenchProgress.Run(_terminal, stage =>
    {
        Action warmedUp = stage("warm-up and costs", 2);
        runner.WarmUp(cancellation);
        warmedUp();
        runner.Calibrate(cancellation);
        warmedUp();
        if (runner.HasOracle)
        {
            Action recorded = stage("run lengths for the oracles", settings.Questions.Count);
            runner.Record(_ => recorded(), cancellation);
        }

        Action measured = stage($"{settings.Policies.Count} policies", settings.Questions.Count * settings.Repeat);
        return runner.Run(_ => measured(), cancellation);
    });

    private void Show(BenchFigures figures, BenchRunner runner)
    {
        new BenchTable(_terminal.Out).All(figures, runner.Costs);
        foreach (string difference in runner.Differences.Take(MostDifferences))
        {
            _terminal.Note(difference);
        }

        if (runner.Differences.Count > MostDifferences)
        {
            _terminal.Note($"… and {runner.Differences.Count - MostDifferences} more");
        }
    }

    // Said before the work, not after it.
    internal static void RequireWritable(string? file)
    {
        if (file is null)
        {
            return;
        }

        string folder = Path.GetDirectoryName(Path.GetFullPath(file)) ?? "";
        if (Directory.Exists(file) || !Directory.Exists(folder))
        {
            throw new ArgumentException($"--json {file}: {(Directory.Exists(file) ? "that is a folder; name a file in it" : $"there is no folder {folder}; make it first")}.");
        }
    }
}
