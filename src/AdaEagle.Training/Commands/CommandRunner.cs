using System.CommandLine;
using System.CommandLine.Parsing;
using AdaEagle.Formats;
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

    public static int Run(RootCommand root, string[] args)
    {
        ParseResult parsed = root.Parse(args);
        if (parsed.Errors.Count > 0)
        {
            return Fail($"{string.Join(" ", parsed.Errors.Select(error => error.Message))} See: {Name(parsed.CommandResult)} --help", WrongUsage);
        }

        try
        {
            return parsed.Invoke(new InvocationConfiguration { EnableDefaultExceptionHandler = false });
        }
        catch (OperationCanceledException)
        {
            return Fail("stopped", Stopped);
        }
        catch (Exception exception) when (IsExpected(exception))
        {
            return Fail(exception.Message, Failed);
        }
    }

    /// <summary>What can go wrong with files and arguments; anything else is a defect, whose stack we want to see.</summary>
    private static bool IsExpected(Exception exception) =>
        exception is CorpusException or ModelFormatException or IOException or UnauthorizedAccessException or InvalidDataException or CommandException;

    private static int Fail(string message, int code)
    {
        Console.Error.WriteLine($"adaeagle-train: {message.ReplaceLineEndings(" ")}");
        return code;
    }

    private static string Name(SymbolResult? result) => result switch
    {
        CommandResult { Command: RootCommand } or null => "adaeagle-train",
        CommandResult command => $"{Name(command.Parent)} {command.Command.Name}",
        _ => Name(result.Parent),
    };
}

/// <summary>An argument that a command cannot work with: says what is wrong and what to do.</summary>
internal sealed class CommandException(string message) : Exception(message);
