using System.CommandLine;
using System.Text.Json;
using AdaEagle.Cli.Arguments;
using AdaEagle.Generation;

namespace AdaEagle.Cli.Generate;

/// <summary><c>adaeagle generate PROMPT</c>: one answer, streamed.</summary>
internal sealed class GenerateCommand
{
    private const int UsualTokens = 256;

    private readonly Terminal _terminal;
    private readonly ModelArguments _model;
    private readonly GenerationArguments _generation;
    private readonly PromptArgument _prompt;
    private readonly Option<bool> _json = Values.Flag("--json", "Prints text, tokens, finish_reason and stats as JSON, and nothing else on stdout.");

    private GenerateCommand(Terminal terminal, Command command)
    {
        _terminal = terminal;
        _prompt = new PromptArgument(command);
        _model = new ModelArguments(command);
        _generation = new GenerationArguments(command, UsualTokens);
        command.Options.Add(_json);
        command.SetAction(Run);
    }

    public static Command Create(Terminal terminal)
    {
        var command = new CommandWithExamples("generate", "Answers a prompt.")
        {
            Remarks = [GenerationArguments.Remark],
            Examples =
            [
                "adaeagle generate \"How do I list hidden files?\"",
                "adaeagle generate --policy ar --max-tokens 64 --raw \"A list of\"",
                "adaeagle generate --temperature 0.8 --seed 7 --show-draft \"What does String.Join do?\"",
                "git diff | adaeagle generate --model DIR --json -",
            ],
        };
        _ = new GenerateCommand(terminal, command);
        return command;
    }

    private int Run(ParseResult arguments)
    {
        GenerationOptions options = _generation.Read(arguments, _terminal);
        string prompt = _prompt.Read(arguments, _terminal);
        using LanguageModel model = _model.Load(arguments, _terminal);
        ModelArguments.NoteLearning(model, _terminal, options.Policy ?? model.DefaultPolicy);
        IReadOnlyList<int> tokens = model.Encode(prompt, options);
        if (arguments.GetValue(_json))
        {
            GenerationResult result = _terminal.Interrupts.Run(cancellation => model.Generate(tokens, options, null, cancellation));
            _terminal.Out.WriteLine(JsonSerializer.Serialize(GenerationJson.Of(result, options.KeepRounds), Json.Line.GenerationJson));
            Close(result);
            _model.KeepCosts(arguments, model);
            return CommandLine.Done;
        }

        Close(Stream(model, tokens, options));
        _model.KeepCosts(arguments, model);
        return CommandLine.Done;
    }

    private GenerationResult Stream(LanguageModel model, IReadOnlyList<int> tokens, GenerationOptions options)
    {
        var text = new StreamedText(_terminal, options.KeepRounds);
        bool started = false;
        try
        {
            return _terminal.Interrupts.Run(cancellation => model.Generate(
                tokens, options,
                piece =>
                {
                    started = true;
                    text.Write(piece);
                },
                cancellation));
        }
        finally
        {
            // Also where it was cancelled: what came so far is the result.
            if (started)
            {
                text.End();
            }
        }
    }

    private void Close(GenerationResult result)
    {
        foreach (string line in StatisticsText.Rounds(result.Statistics.Rounds))
        {
            _terminal.Note(line);
        }

        _terminal.Note(StatisticsText.Line(result.Statistics));
    }
}
