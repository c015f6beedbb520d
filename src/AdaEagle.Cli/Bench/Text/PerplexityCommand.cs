using System.CommandLine;
using System.Globalization;
using System.Text.Json;
using AdaEagle.Generation;
using AdaEagle.Kernels;
using AdaEagle.Models;

namespace AdaEagle.Cli.Bench.Text;

/// <summary><c>adaeagle bench perplexity</c>: what number formats cost in quality.</summary>
internal sealed class PerplexityCommand
{
    private const string AsItIs = "file";

    private readonly Terminal _terminal;
    private readonly Option<string?> _model = new("--model") { Description = "Model folder or .gguf file. Default: models/default.", HelpName = "DIR" };
    private readonly Option<string> _text = new("--text")
    {
        Description = "Texts: .jsonl or .jsonl.gz with \"messages\" or \"text\" a line; any other file is one text.", HelpName = "FILE", Required = true,
    };

    private readonly Option<string> _formats = new("--formats")
    {
        Description = $"Formats of the weights, with commas between: {AsItIs} (as the file has them), f32, {string.Join(", ", WeightFormats.Quantized.Select(Name))}.",
        HelpName = "LIST",
        DefaultValueFactory = _ => string.Join(',', ["f32", AsItIs, .. WeightFormats.Quantized.Select(Name)]),
    };

    private readonly Option<int> _limit = Arguments.Values.Whole("--limit", "At most N texts, evenly over the file; 0 takes all.", 0, 0);
    private readonly Option<int> _threads = Arguments.Values.Whole("--threads", "Threads; 0 is one for each processor.", 0, 0, 1024);
    private readonly Option<string?> _json = new("--json") { Description = "Also writes the figures to a file, as JSON.", HelpName = "OUT" };

    private PerplexityCommand(Terminal terminal, Command command)
    {
        _terminal = terminal;
        foreach (Option option in (Option[])[_model, _text, _formats, _limit, _threads, _json])
        {
            command.Options.Add(option);
        }

        command.SetAction(Run);
    }

    public static Command Create(Terminal terminal)
    {
        var command = new CommandWithExamples("perplexity", "Measures what number formats cost: perplexity of a text, and the bytes of a pass.")
        {
            Remarks = ["Every text is scored by itself, from its second token on, up to the model's context. Formats are compared with the first of the list."],
            Examples = ["adaeagle bench perplexity --text dev.jsonl.gz --limit 400", "adaeagle bench perplexity --text book.txt --formats f32,q8_0,q4_k --json out.json"],
        };
        _ = new PerplexityCommand(terminal, command);
        return command;
    }

    private int Run(ParseResult arguments)
    {
        string? output = arguments.GetValue(_json);
        BenchCommand.RequireWritable(output);
        (string Name, LoadOptions Options)[] formats = [.. arguments.GetRequiredValue(_formats).Split(',').Select(name => (name, Options(name)))];
        ScoredText[] texts = Evenly([.. TextFile.Read(arguments.GetRequiredValue(_text))], arguments.GetValue(_limit));
        string folder = arguments.GetValue(_model) ?? DefaultModel.Find();
        var rows = new List<PerplexityJson>();
        foreach ((string name, LoadOptions options) in formats)
        {
            rows.Add(_terminal.Interrupts.Run(cancellation => Measure(folder, name, options with { Threads = arguments.GetValue(_threads) }, texts, rows, cancellation)));
        }

        Show(rows);
        if (output is not null)
        {
            File.WriteAllText(output, JsonSerializer.Serialize(rows, Json.Page.IReadOnlyListPerplexityJson) + "\n");
        }

        return CommandLine.Done;
    }

    private PerplexityJson Measure(string folder, string name, LoadOptions options, ScoredText[] texts, List<PerplexityJson> before, CancellationToken cancellation)
    {
        using LanguageModel model = LanguageModel.Load(folder, options);
        using var scorer = new TextScorer(model);
        TextLoss sum = BenchProgress.Run(_terminal, stage =>
        {
            Action scored = stage(name, texts.Length);
            TextLoss loss = default;
            foreach (ScoredText text in texts)
            {
                cancellation.ThrowIfCancellationRequested();
                loss += scorer.Score(text.Messages is { } messages ? scorer.Encode(messages) : scorer.Encode(text.Text!));
                scored();
            }

            return loss;
        });
        if (sum.Tokens == 0)
        {
            throw new ArgumentException("The texts are too short: no token follows another.");
        }

        double against = before.Count > 0 ? before[0].Perplexity : sum.Perplexity;
        return new PerplexityJson(name, sum.Perplexity, (sum.Perplexity / against) - 1, sum.Nats / sum.Tokens, sum.Tokens, model.Target.PassBytes, [.. model.Warnings]);
    }

    private void Show(IReadOnlyList<PerplexityJson> rows)
    {
        var table = new MarkdownTable("weights", "perplexity", $"against {rows[0].Format}", "nats a token", "MB a pass");
        foreach (PerplexityJson row in rows)
        {
            table.Add(row.Format, Text($"{row.Perplexity:0.0000}"), Text($"{row.Difference:+0.00%;-0.00%;0.00%}"), Text($"{row.NatsPerToken:0.00000}"), Text($"{row.PassBytes / 1e6:0.0}"));
        }

        table.Write(_terminal.Out);
        _terminal.Out.WriteLine(Text($"{rows[0].Tokens} tokens"));
        static string Text(FormattableString text) => text.ToString(CultureInfo.InvariantCulture);
    }

    private static LoadOptions Options(string name)
    {
        switch (name)
        {
            case AsItIs:
                return new LoadOptions();
            case "f32":
                return new LoadOptions { Weights = WeightChoice.F32 };
        }

        int index = WeightFormats.Quantized.Select(Name).ToList().IndexOf(name);
        return index >= 0
            ? new LoadOptions { Quantize = WeightFormats.Quantized[index] }
            : throw new ArgumentException($"--formats: there is no format '{name}'; there are {AsItIs}, f32, {string.Join(", ", WeightFormats.Quantized.Select(Name))}.");
    }

    private static string Name(WeightFormat format) => format.ToString().ToLowerInvariant();

    private static ScoredText[] Evenly(ScoredText[] texts, int limit) =>
        limit == 0 || limit >= texts.Length ? texts : [.. Enumerable.Range(0, limit).Select(i => texts[(long)i * texts.Length / limit])];
}

/// <summary>A format's figures; the difference is of perplexity, against the first format.</summary>
internal sealed record PerplexityJson(string Format, double Perplexity, double Difference, double NatsPerToken, long Tokens, long PassBytes, IReadOnlyList<string> Warnings);
