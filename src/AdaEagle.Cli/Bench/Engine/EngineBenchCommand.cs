using System.CommandLine;
using System.Globalization;
using System.Text.Json;
using AdaEagle.Cli.Arguments;
using AdaEagle.Generation;
using AdaEagle.Kernels;
using AdaEagle.Models;

namespace AdaEagle.Cli.Bench.Engine;

/// <summary><c>adaeagle bench engine</c>: the speed of plain passes, how far it is from the machine's limit, and where the time goes.</summary>
internal sealed class EngineBenchCommand
{
    private static readonly int[] s_rows = [1, 2, 3, 4, 5, 6, 8, 12, 16];
    private static readonly int[] s_profiledRows = [1, 4, 8];

    private readonly Terminal _terminal;
    private readonly ModelArguments _model;
    private readonly Option<int> _context = Values.Whole("--context", "Committed positions before the passes.", 128, 0);
    private readonly Option<int> _repeat = Values.Whole("--repeat", "Measurements of each figure; the median counts.", 51, 1, 100_000);
    private readonly Option<string?> _json = new("--json") { Description = "Also writes the figures to a file, as JSON.", HelpName = "OUT" };

    private EngineBenchCommand(Terminal terminal, Command command)
    {
        _terminal = terminal;
        foreach (Option option in (Option[])[_context, _repeat, _json])
        {
            command.Options.Add(option);
        }

        _model = new ModelArguments(command);
        command.SetAction(Run);
    }

    public static Command Create(Terminal terminal)
    {
        var command = new CommandWithExamples("engine", "Measures plain passes: tokens/s, bytes/s against what this machine streams, the cost of verifying k rows, the time by part.")
        {
            Remarks =
            [
                "The stream is the median of many plain reads of as many bytes as a pass reads, with the same threads. A pass of k rows gets logits and the greedy choice of every row.",
                "Measurements of different row counts are interleaved; figures are medians. Run it on a quiet machine: a busy core makes them worthless.",
            ],
            Examples = ["adaeagle bench engine", "adaeagle bench engine --model DIR --weights f32 --threads 2 --context 1024 --json out.json"],
        };
        _ = new EngineBenchCommand(terminal, command);
        return command;
    }

    private int Run(ParseResult arguments)
    {
        int context = arguments.GetValue(_context);
        string? output = arguments.GetValue(_json);
        BenchCommand.RequireWritable(output);
        using LanguageModel model = _model.Load(arguments, _terminal);
        EngineJson figures = Measure(model, context, arguments.GetValue(_repeat), arguments.Tokens.Select(token => token.Value).Prepend("adaeagle"));
        Show(figures);
        if (output is not null)
        {
            File.WriteAllText(output, JsonSerializer.Serialize(figures, Json.Page.EngineJson) + "\n");
        }

        return CommandLine.Done;
    }

    private static EngineJson Measure(LanguageModel model, int context, int repeat, IEnumerable<string> commandLine)
    {
        const int DecodedTokens = 16;
        long bytes = model.Target.PassBytes;
        double stream = StreamBandwidth.Measure(model.Pool, bytes);
        using var probe = new EngineProbe(model, s_rows[^1]);
        using KvCache cache = probe.Context(context, s_rows[^1]);
        int runs = Math.Max(1, repeat / 5);
        var passes = s_rows.ToDictionary(rows => rows, _ => new double[repeat]);
        double[] decode = new double[runs], choice = new double[repeat];
        for (int i = -1; i < repeat; i++)
        {
            foreach (int rows in s_rows)
            {
                double seconds = probe.Pass(cache, rows);
                if (i >= 0)
                {
                    passes[rows][i] = seconds;
                }
            }

            // The first round warms up.
            if (i >= 0)
            {
                choice[i] = probe.Choice();
                if (i < runs)
                {
                    using KvCache decoded = probe.Context(context, DecodedTokens); // anew: every run begins at the same depth
                    decode[i] = probe.Decode(decoded, DecodedTokens) / DecodedTokens;
                }
            }
        }

        double one = Spread.Of(passes[1]).Median;
        double perToken = Spread.Of(decode).Median;
        double[]? draftSteps = probe.DraftSteps(context, repeat);
        return new EngineJson(
            EngineEnvironment.Of(model, commandLine), context, repeat, bytes, stream, 1 / perToken, bytes / perToken, bytes / perToken / stream,
            [.. s_rows.Select(rows => PassJson.Of(rows, passes[rows], one, bytes, stream))],
            [.. s_profiledRows.Select(rows => PartsJson.Of(rows, probe.Profile(cache, rows, repeat), repeat, rows * Spread.Of(choice).Median))],
            draftSteps is null ? null : DraftStepJson.Of(draftSteps, one, model.Head!.StepBytes));
    }

    private void Show(EngineJson figures)
    {
        TextWriter output = _terminal.Out;
        EngineEnvironment environment = figures.Environment;
        Line($"{environment.Processor}, {environment.Threads} threads, {environment.Kernels}; {environment.Model}, {environment.Weights}, {figures.PassBytes / 1e6:0.0} MB a pass, context {figures.Context}");
        Line($"decode {figures.DecodeTokensPerSecond:0.0} tokens/s, {figures.DecodeBytesPerSecond / 1e9:0.0} GB/s: {figures.DecodeShare:P0} of the {figures.StreamBytesPerSecond / 1e9:0.0} GB/s that this machine streams over as many bytes");
        output.WriteLine();

        var passes = new MarkdownTable("rows", "ms", "spread", "c(k)/c(1)", "GB/s", "share of stream");
        foreach (PassJson pass in figures.Passes)
        {
            passes.Add(
                $"{pass.Rows}", Text($"{pass.Seconds * 1e3:0.000}"), Text($"{pass.Low * 1e3:0.000}-{pass.High * 1e3:0.000}"), Text($"{pass.Cost:0.00}"),
                Text($"{pass.BytesPerSecond / 1e9:0.0}"), Text($"{pass.Share:P0}"));
        }

        passes.Write(output);
        output.WriteLine();
        var parts = new MarkdownTable("rows", "products", "attention", "norms", "synchronisation", "greedy choice", "pass, measured so");
        foreach (PartsJson part in figures.Parts)
        {
            parts.Add(
                $"{part.Rows}", Text($"{part.Products * 1e6:0} us"), Text($"{part.Attention * 1e6:0} us"), Text($"{part.Norms * 1e6:0} us"),
                Text($"{part.Synchronisation * 1e6:0} us"), Text($"{part.Choice * 1e6:0} us"), Text($"{part.Total * 1e6:0} us"));
        }

        parts.Write(output);
        if (figures.DraftStep is { } step)
        {
            output.WriteLine();
            Line($"draft step {step.Seconds * 1e6:0} us, {step.Bytes / 1e6:0.0} MB: {step.Cost:0.000} of a one-row pass");
        }

        void Line(FormattableString text) => output.WriteLine(Text(text));
        static string Text(FormattableString text) => text.ToString(CultureInfo.InvariantCulture);
    }
}
