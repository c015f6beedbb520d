using System.CommandLine;
using System.Text;
using AdaEagle.Cli.Arguments;
using AdaEagle.Cli.Generate;
using AdaEagle.Generation;

namespace AdaEagle.Cli.Trace;

/// <summary><c>adaeagle trace PROMPT</c>: one answer as a page that shows every round's tree.</summary>
internal sealed class TraceCommand
{
    private const int UsualTokens = 64;

    private readonly Terminal _terminal;
    private readonly PromptArgument _prompt;
    private readonly ModelArguments _model;
    private readonly GenerationArguments _generation;
    private readonly Option<string> _out = new("--out") { Description = "The page to write.", HelpName = "FILE.html", DefaultValueFactory = _ => "trace.html" };

    private TraceCommand(Terminal terminal, Command command)
    {
        _terminal = terminal;
        _prompt = new PromptArgument(command);
        command.Options.Add(_out);
        _model = new ModelArguments(command);
        _generation = new GenerationArguments(command, UsualTokens);
        command.SetAction(Run);
    }

    public static Command Create(Terminal terminal)
    {
        var command = new CommandWithExamples("trace", "Answers a prompt and writes a page, FILE.html, that shows every round: its tree, what was predicted and accepted, and where the time went.")
        {
            Remarks = [GenerationArguments.Remark, "The page needs nothing but a browser. --show-draft changes nothing here."],
            Examples =
            [
                "adaeagle trace \"How do I list hidden files?\"",
                "adaeagle trace --policy eagle2:60,5,10 --temperature 0.8 --seed 7 --out tree.html \"What does String.Join do?\"",
            ],
        };
        _ = new TraceCommand(terminal, command);
        return command;
    }

    private int Run(ParseResult arguments)
    {
        string file = arguments.GetValue(_out)!;
        RequireWritable(file);
        GenerationOptions options = _generation.Read(arguments, _terminal);
        string prompt = _prompt.Read(arguments, _terminal);
        using LanguageModel model = _model.Load(arguments, _terminal);
        ModelArguments.NoteLearning(model, _terminal, options.Policy ?? model.DefaultPolicy);
        TracedGeneration generation = _terminal.Interrupts.Run(cancellation => Trace(model, prompt, options, cancellation));
        using (var page = new StreamWriter(file, append: false, new UTF8Encoding(encoderShouldEmitUTF8Identifier: false)))
        {
            new TracePage(page, generation, new TokenText(model.Tokenizer)).Write();
        }

        _terminal.Out.WriteLine(file);
        _terminal.Note(StatisticsText.Line(generation.Result.Statistics));
        _model.KeepCosts(arguments, model);
        return CommandLine.Done;
    }

    private static TracedGeneration Trace(LanguageModel model, string prompt, GenerationOptions options, CancellationToken cancellation)
    {
        var rounds = new List<TracedRound>();
        using var session = new GenerationSession(model)
        {
            Listener = (in RoundView round) => rounds.Add(TracedRound.Of(round, rounds.Count == 0 ? -1 : rounds[^1].Emitted[^1])),
        };
        GenerationResult result = session.Generate(model.Encode(prompt, options), options, null, cancellation);
        if (rounds.Count > 0)
        {
            // The first round starts from the token that the prompt's pass gave, which no round tells.
            rounds[0] = rounds[0] with { Root = result.Tokens[0] };
        }

        return new TracedGeneration(model.Folder, model.Target.Format.ToString().ToLowerInvariant(), prompt, options.Sampling, result, rounds);
    }

    // Said before the work, not after it.
    private static void RequireWritable(string file)
    {
        string folder = Path.GetDirectoryName(Path.GetFullPath(file)) ?? "";
        if (file.Length == 0 || Directory.Exists(file) || !Directory.Exists(folder))
        {
            throw new ArgumentException(
                $"--out '{file}': {(file.Length == 0 ? "that is empty; name a file" : Directory.Exists(file) ? "that is a folder; name a file in it" : $"there is no folder {folder}; make it first")}.");
        }
    }
}
