using System.CommandLine;
using System.CommandLine.Parsing;
using AdaEagle.Cli.Bench;
using AdaEagle.Cli.Chat;
using AdaEagle.Cli.Convert;
using AdaEagle.Cli.Generate;
using AdaEagle.Cli.Inspect;
using AdaEagle.Cli.Trace;
using AdaEagle.Formats;
using AdaEagle.Tokenization;

namespace AdaEagle.Cli;

/// <summary>Parses and runs a command line, and turns failures into one line on stderr.</summary>
internal static class CommandLine
{
    public const int Done = 0;

    /// <summary>A wrong command line, or something that can't be read or done.</summary>
    public const int Failed = 1;

    /// <summary>Ctrl+C.</summary>
    public const int Cancelled = 130;

    private const string Tool = "adaeagle";

    // Shows where a defect of ours lies; everybody else gets one line.
    private const string TraceVariable = "ADAEAGLE_TRACE";

    public static int Run(string[] args, Terminal terminal)
    {
        RootCommand root = Create(terminal);
        // A prompt may begin with '@': it is no response file.
        ParseResult parsed = root.Parse(args, new ParserConfiguration { ResponseFileTokenReplacer = null });
        if (parsed.Errors.Count > 0 && parsed.Action is not { ClearsParseErrors: true })
        {
            string problem = parsed.UnmatchedTokens is [var unknown, ..]
                ? $"'{unknown}' is no command or option here (a prompt that begins with '-' goes behind '--')."
                : string.Join(" ", parsed.Errors.Select(error => error.Message).Distinct());
            return Fail(terminal, $"{problem} See: {Name(parsed.CommandResult)} --help", Failed);
        }

        try
        {
            return parsed.Invoke(new InvocationConfiguration
            {
                EnableDefaultExceptionHandler = false, ProcessTerminationTimeout = null, Output = terminal.Out, Error = terminal.Error,
            });
        }
        catch (OperationCanceledException)
        {
            return Fail(terminal, "cancelled", Cancelled);
        }
        catch (Exception failure)
        {
            if (!string.IsNullOrEmpty(Environment.GetEnvironmentVariable(TraceVariable)))
            {
                terminal.Error.WriteLine(failure);
            }

            return Fail(terminal, Describe(failure), Failed);
        }
    }

    /// <summary>All commands.</summary>
    public static RootCommand Create(Terminal terminal)
    {
        var root = new RootCommand("Runs language models on the processor, faster with AdaEAGLE: speculative decoding with learned draft lengths, same output token for token.")
        {
            GenerateCommand.Create(terminal),
            ChatCommand.Create(terminal),
            InspectCommand.Create(terminal),
            ConvertCommand.Create(terminal),
            BenchCommand.Create(terminal),
            TraceCommand.Create(terminal),
        };
        root.HelpName = Tool;
        CommandWithExamples.ShowIn(root);
        return root;
    }

    /// <summary>A failure in one line: what was wrong and what to do.</summary>
    internal static string Describe(Exception failure) => failure switch
    {
        TypeInitializationException { InnerException: { } cause } => Describe(cause),
        ArgumentException argument => WithoutParameter(argument),
        ModelFormatException or ChatTemplateException or IOException or UnauthorizedAccessException or InvalidOperationException or NotSupportedException => failure.Message,
        OutOfMemoryException => "there is not enough memory: use a smaller model, or weights in a narrower format (--weights bf16)",
        _ => $"unexpected {failure.GetType().Name}: {failure.Message} This is a defect of {Tool}; {TraceVariable}=1 shows where.",
    };

    private static int Fail(Terminal terminal, string message, int code)
    {
        terminal.Error.WriteLine($"{Tool}: {message.ReplaceLineEndings(" ")}");
        return code;
    }

    // The runtime adds the parameter's name and the value, which mean nothing to somebody at a command line.
    private static string WithoutParameter(ArgumentException failure)
    {
        int end = failure.Message.IndexOf(" (Parameter '", StringComparison.Ordinal);
        return end < 0 ? failure.Message : failure.Message[..end];
    }

    private static string Name(SymbolResult? result) => result switch
    {
        CommandResult { Command: RootCommand } or null => Tool,
        CommandResult command => $"{Name(command.Parent)} {command.Command.Name}",
        _ => Name(result.Parent),
    };
}
