using System.CommandLine;
using AdaEagle.Cli.Arguments;
using AdaEagle.Cli.Generate;
using AdaEagle.Generation;
using AdaEagle.Tokenization;

namespace AdaEagle.Cli.Chat;

/// <summary><c>adaeagle chat</c>: a dialogue. Answers go to stdout; the prompt sign and remarks to stderr.</summary>
internal sealed class ChatCommand
{
    private const int UsualTokens = 512;
    private const string Help = "/clear forgets the dialogue, /exit leaves (so does Ctrl+D), Ctrl+C cancels an answer, and while nothing runs leaves.";

    private readonly Terminal _terminal;
    private readonly ModelArguments _model;
    private readonly GenerationArguments _generation;

    private ChatCommand(Terminal terminal, Command command)
    {
        _terminal = terminal;
        _model = new ModelArguments(command);
        _generation = new GenerationArguments(command, UsualTokens, raw: false);
        command.SetAction(Run);
    }

    public static Command Create(Terminal terminal)
    {
        var command = new CommandWithExamples("chat", "Talks with the model; it remembers what was said.")
        {
            Remarks = [GenerationArguments.Remark, Help],
            Examples = ["adaeagle chat", "adaeagle chat --model DIR --temperature 0.7 --seed 1 --show-draft"],
        };
        _ = new ChatCommand(terminal, command);
        return command;
    }

    private int Run(ParseResult arguments)
    {
        GenerationOptions options = _generation.Read(arguments, _terminal);
        using LanguageModel model = _model.Load(arguments, _terminal);
        if (model.Template is null)
        {
            throw new ArgumentException($"{model.Folder} has no chat template (chat_template in tokenizer_config.json), so it can't chat. Continue texts with: adaeagle generate --raw");
        }

        ModelArguments.NoteLearning(model, _terminal, options.Policy ?? model.DefaultPolicy);
        _terminal.Note(Help);
        var messages = new List<ChatMessage>();
        while (ReadLine() is { } line)
        {
            switch (line.Trim())
            {
                case "":
                    break;
                case "/exit" or "/quit":
                    _model.KeepCosts(arguments, model);
                    return CommandLine.Done;
                case "/clear":
                    messages.Clear();
                    _terminal.Note("forgotten");
                    break;
                case "/help" or "/?":
                    _terminal.Note(Help);
                    break;
                case ['/', .. var word] when !word.Contains(' ', StringComparison.Ordinal) && !word.Contains('/', StringComparison.Ordinal):
                    _terminal.Note($"There is no command /{word}. {Help}");
                    break;
                default:
                    Answer(model, options, messages, line);
                    break;
            }
        }

        _model.KeepCosts(arguments, model);
        return CommandLine.Done;
    }

    private string? ReadLine()
    {
        if (_terminal.InputIsTerminal)
        {
            _terminal.Error.Write("> ");
            _terminal.Error.Flush();
        }

        return _terminal.In.ReadLine();
    }

    // A message that couldn't be answered leaves no trace in the dialogue; of a cancelled answer stays what was seen.
    private void Answer(LanguageModel model, GenerationOptions options, List<ChatMessage> messages, string line)
    {
        messages.Add(new ChatMessage("user", line));
        var text = new StreamedText(_terminal, options.KeepRounds);
        GenerationResult? result = null;
        try
        {
            IReadOnlyList<int> prompt = model.EncodeChat(messages);
            result = _terminal.Interrupts.Run(cancellation => model.Generate(prompt, options, text.Write, cancellation));
        }
        catch (OperationCanceledException)
        {
        }
        catch (Exception failure) when (failure is ArgumentException or ChatTemplateException)
        {
            _terminal.Note($"{CommandLine.Describe(failure)} (/clear forgets the dialogue)");
        }

        if (text.Written.Length > 0)
        {
            text.End();
        }

        if (result is null && text.Written.Length == 0)
        {
            messages.RemoveAt(messages.Count - 1);
            return;
        }

        messages.Add(new ChatMessage("assistant", result?.Text ?? text.Written));
        _terminal.Note(result is null ? "cancelled" : StatisticsText.Line(result.Statistics));
        foreach (string round in StatisticsText.Rounds(result?.Statistics.Rounds ?? []))
        {
            _terminal.Note(round);
        }
    }
}
