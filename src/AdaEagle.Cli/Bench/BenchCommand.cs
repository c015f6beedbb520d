using System.CommandLine;
using System.Text.Json;
using AdaEagle.Cli.Arguments;
using AdaEagle.Cli.Bench.Engine;
using AdaEagle.Cli.Bench.Levels;
using AdaEagle.Cli.Bench.Matrix;
using AdaEagle.Cli.Bench.Report;
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

    private readonly Option<string?> _matrix = new("--matrix")
    {
        Description = "Runs every drafter at every temperature: a JSON file of the lists drafters, policies, temperatures; a list that is not in it is as the command line says.", HelpName = "FILE",
    };

    private readonly Option<IReadOnlyList<int>?> _right = Values.Percents(
        "--right", "Overrides what the drafter says: so many percent of its best children are right, the others wrong, at what drafting costs. One run for each level.");

    private readonly Option<int> _limit = Values.Whole("--limit", "At most N prompts in all, evenly over the suites, the first of each; 0 takes all.", 0, 0);
    private readonly Option<int> _repeat = Values.Whole("--repeat", "Runs everything N times and takes the median time of each prompt.", 1, 1, 1000);
    private readonly Option<string?> _json = new("--json") { Description = "Also writes environment and figures to a file, as JSON.", HelpName = "OUT" };

    private readonly Option<string?> _report = new("--report")
    {
        Description = $"Also writes a report into a folder: {BenchReport.Page}, pictures, and the answers in Spec-Bench's format.", HelpName = "DIR",
    };

    private BenchCommand(Terminal terminal, Command command)
    {
        _terminal = terminal;
        foreach (Option option in (Option[])[_prompts, _policies, _matrix, _right, _limit, _repeat, _json, _report])
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
                "adaeagle bench --prompts bench.jsonl --policies fixed:3,fixed:5,comb:5,1,auto,oracle --report report",
                "adaeagle bench --prompts bench.jsonl --matrix matrix.json --json out.json --report report",
                "adaeagle bench --prompts bench.jsonl --right 0,25,50,75,95 --policies ar,fixed:2,fixed:4,auto --limit 20 --json levels.json",
            ],
        };
        _ = new BenchCommand(terminal, command);
        command.Subcommands.Add(EngineBenchCommand.Create(terminal));
        command.Subcommands.Add(PerplexityCommand.Create(terminal));
        command.Subcommands.Add(TuneCommand.Create(terminal));
        return command;
    }

    internal static int ExitCode(IReadOnlyList<PolicyResult> results) =>
        results.All(result => result.IdenticalCount == result.Prompts.Count) ? CommandLine.Done : Differs;

    private int Run(ParseResult arguments)
    {
        string prompts = arguments.GetRequiredValue(_prompts);
        (string? output, string? report) = (arguments.GetValue(_json), arguments.GetValue(_report));
        RequireWritable(output);
        RequireFolder(report);
        GenerationOptions options = _generation.Read(arguments, _terminal);
        IReadOnlyList<Question> questions = QuestionFile.Limit(QuestionFile.Read(prompts), arguments.GetValue(_limit));
        BenchMatrix? matrix = arguments.GetValue(_matrix) is { } file ? BenchMatrix.Read(file) : null;
        RequireOnePlace(arguments, matrix);
        IReadOnlyList<string>? policies = matrix?.Policies ?? ((arguments.GetValue(_policies) ?? options.Policy) is { } list ? PolicyList.Parse(list) : null);

        IReadOnlyList<int?> levels = arguments.GetValue(_right) is { } right ? [.. right.Select(level => (int?)level)] : [null];
        bool isOneOfSeveral = matrix is not null || levels[0] is not null;
        var runs = new List<BenchRun>();
        foreach (MatrixDrafter? drafter in matrix?.Drafters ?? (IReadOnlyList<MatrixDrafter?>)[null])
        {
            using LanguageModel model = _model.Load(arguments, _terminal, drafter?.Name, drafter?.Draft);
            IReadOnlyList<string> names = policies ?? PolicyList.Usual(model.DefaultDrafter is not null);
            ModelArguments.NoteLearning(model, _terminal, names);
            foreach (float temperature in matrix?.Temperatures ?? [options.Sampling.Temperature])
            {
                // Neither depends on how often the drafter is right.
                (PlainAnswers? answers, RoundCosts? costs) = (null, null);
                foreach (int? level in levels)
                {
                    var settings = new BenchSettings(questions, names, options with { Sampling = options.Sampling with { Temperature = temperature } }, arguments.GetValue(_repeat))
                    {
                        KeepForecasts = report is not null, RightPercent = level,
                    };
                    using var runner = new BenchRunner(model, settings) { Answers = answers, Costs = costs };
                    IReadOnlyList<PolicyResult> results = _terminal.Interrupts.Run(cancellation => Measure(runner, settings, cancellation));
                    (answers, costs) = (runner.Answers, runner.Costs);
                    BenchEnvironment environment = BenchEnvironment.Of(model, settings, runner, prompts, arguments.Tokens.Select(token => token.Value).Prepend("adaeagle"));
                    runs.Add(new BenchRun(environment, new BenchFigures(results), runner.Costs, runner.Differences) { RightPercent = level });
                    Show(runs[^1], isOneOfSeveral);
                    Write(runs, isOneOfSeveral, output);
                }
            }

            _model.KeepCosts(arguments, model);
        }

        if (levels[0] is not null)
        {
            _terminal.Out.WriteLine();
            LevelTable.Write(_terminal.Out, runs);
        }

        if (report is not null)
        {
            BenchReport.Write(report, runs);
        }

        return runs.Max(run => ExitCode(run.Figures.Results));
    }

    private IReadOnlyList<PolicyResult> Measure(BenchRunner runner, BenchSettings settings, CancellationToken cancellation) => BenchProgress.Run(_terminal, stage =>
    {
        if (runner.NeedsAnswers && runner.Answers is null)
        {
            Action answered = stage("answers of plain decoding", settings.Questions.Count);
            runner.Answer(_ => answered(), cancellation);
        }

        Action warmedUp = stage("warm-up and costs", 2);
        runner.WarmUp(cancellation);
        warmedUp();
        if (runner.Costs is null)
        {
            runner.Calibrate(cancellation);
        }

        warmedUp();
        if (runner.HasOracle)
        {
            Action recorded = stage("run lengths for the oracles", runner.Answers!.All.Count);
            runner.Record(recorded, cancellation);
        }

        string level = settings.RightPercent is { } right ? $", {right}% right" : "";
        Action measured = stage($"{settings.Policies.Count} policies{level}", settings.Questions.Count * settings.Repeat);
        return runner.Run(_ => measured(), cancellation);
    });

    private void Show(BenchRun run, bool isOneOfSeveral)
    {
        if (isOneOfSeveral)
        {
            _terminal.Out.WriteLine($"## {run.Title}");
            _terminal.Out.WriteLine();
        }

        new BenchTable(_terminal.Out).All(run.Figures, run.Costs);
        foreach (string difference in run.Differences.Take(MostDifferences))
        {
            _terminal.Note(difference);
        }

        if (run.Differences.Count > MostDifferences)
        {
            _terminal.Note($"… and {run.Differences.Count - MostDifferences} more");
        }
    }

    // After every run of several: what is measured is kept, whatever happens to the rest.
    private static void Write(List<BenchRun> runs, bool areSeveral, string? output)
    {
        if (output is not null)
        {
            string text = areSeveral
                ? JsonSerializer.Serialize(MatrixJson.Of(runs), Json.Page.MatrixJson)
                : JsonSerializer.Serialize(BenchJson.Of(runs[0].Environment, runs[0].Figures), Json.Page.BenchJson);
            File.WriteAllText(output, text + "\n");
        }
    }

    // Two places that say the same thing differently would leave one of them unheard.
    private void RequireOnePlace(ParseResult arguments, BenchMatrix? matrix)
    {
        if (matrix is null)
        {
            return;
        }

        (string List, bool InMatrix, Option[] Options)[] pairs =
        [
            ("policies", matrix.Policies is not null, [_policies, _generation.Policy]), ("drafters", matrix.Drafters is not null, [_model.Drafter]),
            ("temperatures", matrix.Temperatures is not null, [_generation.Temperature]),
        ];
        foreach ((string list, bool inMatrix, Option[] options) in pairs)
        {
            if (inMatrix && Array.Find(options, option => arguments.GetResult(option) is { Implicit: false }) is { } option)
            {
                throw new ArgumentException($"The matrix has a list of {list}, and {option.Name} is given too: leave one of them out.");
            }
        }

        _model.RequireCosts(arguments, "with --matrix, since each drafter costs something else");
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

    private static void RequireFolder(string? folder)
    {
        if (folder is null)
        {
            return;
        }

        if (File.Exists(folder))
        {
            throw new ArgumentException($"--report {folder}: that is a file; name a folder.");
        }

        Directory.CreateDirectory(folder);
    }
}
