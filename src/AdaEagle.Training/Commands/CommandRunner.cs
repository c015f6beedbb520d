using System.CommandLine;
using System.CommandLine.Parsing;
using AdaEagle.Formats;
using AdaEagle.Tokenization;
using AdaEagle.Training.Data;

namespace AdaEagle.Training.Commands;

/// <summary>
/// Parses and runs the command line. Exit codes: 0 done, 1 failed (one line on stderr says what and what to do), 2 wrong command line,
/// 130 stopped by Ctrl+C.
/// </summary>
internal static class CommandRunner
{
    public const int Failed = 1;
    public const int WrongUsage = 2;
    public const int Stopped = 130;

    private const string Tool = "adaeagle-train";

    public static int Run(RootCommand root, string[] args) => Run(root, args, Console.Out, Console.Error);

    public static int Run(RootCommand root, string[] args, TextWriter output, TextWriter error)
    {
        root.HelpName = Tool;
        CommandWithExamples.ShowIn(root);
        ParseResult parsed = root.Parse(args);
        if (parsed.Errors.Count > 0 && parsed.Action is not { ClearsParseErrors: true })
        {
            string problem = parsed.UnmatchedTokens is [var unknown, ..]
                ? $"'{unknown}' is no command or option here."
                : string.Join(" ", parsed.Errors.Select(wrong => wrong.Message));
            return Fail(error, $"{problem} See: {Name(parsed.CommandResult)} --help", WrongUsage);
        }

        try
        {
            return parsed.Invoke(new InvocationConfiguration { EnableDefaultExceptionHandler = false, Output = output, Error = error });
        }
        catch (OperationCanceledException)
        {
            return Fail(error, "stopped", Stopped);
        }
        catch (Exception exception) when (IsExpected(exception))
        {
            return Fail(error, exception.Message, Failed);
        }
    }

    /// <summary>What can go wrong with files and arguments; anything else is a defect, whose stack we want to see.</summary>
    private static bool IsExpected(Exception exception) =>
        exception is CorpusException or ModelFormatException or ChatTemplateException or IOException or UnauthorizedAccessException or InvalidDataException or CommandException;

    private static int Fail(TextWriter error, string message, int code)
    {
        error.WriteLine($"{Tool}: {message.ReplaceLineEndings(" ")}");
        return code;
    }

    private static string Name(SymbolResult? result) => result switch
    {
        CommandResult { Command: RootCommand } or null => Tool,
        CommandResult command => $"{Name(command.Parent)} {command.Command.Name}",
        _ => Name(result.Parent),
    };
}

/// <summary>An argument that a command cannot work with: says what is wrong and what to do.</summary>
internal sealed class CommandException(string message) : Exception(message);
