using Spectre.Console;

namespace AdaEagle.Cli;

/// <summary>
/// Where a command reads and writes: results on <see cref="Out"/>, everything else on <see cref="Error"/>. Tests hand in their own.
/// </summary>
internal sealed class Terminal(TextReader input, TextWriter output, TextWriter error)
{
    public TextReader In => input;

    public TextWriter Out => output;

    public TextWriter Error => error;

    /// <summary>Ctrl+C.</summary>
    public Interrupts Interrupts { get; private init; } = new();

    /// <summary>True if <see cref="Out"/> understands escape sequences.</summary>
    public bool OutputIsTerminal { get; init; }

    /// <summary>True if <see cref="Error"/> is a terminal, so that a progress bar can be redrawn there.</summary>
    public bool ErrorIsTerminal { get; init; }

    /// <summary>True if somebody types at <see cref="In"/>.</summary>
    public bool InputIsTerminal { get; init; }

    /// <summary>False where the user asked for no colours (<c>NO_COLOR</c>, https://no-color.org).</summary>
    public bool Colours { get; init; } = true;

    /// <summary>The process' own.</summary>
    public static Terminal OfProcess()
    {
        bool escapes = Environment.GetEnvironmentVariable("TERM") != "dumb";
        return new Terminal(Console.In, Console.Out, Console.Error)
        {
            Interrupts = Interrupts.OfConsole(),
            OutputIsTerminal = escapes && !Console.IsOutputRedirected,
            ErrorIsTerminal = escapes && !Console.IsErrorRedirected,
            InputIsTerminal = !Console.IsInputRedirected,
            Colours = string.IsNullOrEmpty(Environment.GetEnvironmentVariable("NO_COLOR")),
        };
    }

    /// <summary>Writes a remark for the user: not part of the result.</summary>
    public void Note(string text) => error.WriteLine(text);

    /// <summary>What a progress bar is drawn on.</summary>
    public IAnsiConsole ErrorConsole() => AnsiConsole.Create(new AnsiConsoleSettings
    {
        Ansi = ErrorIsTerminal ? AnsiSupport.Yes : AnsiSupport.No,
        ColorSystem = ErrorIsTerminal && Colours ? ColorSystemSupport.Detect : ColorSystemSupport.NoColors,
        Interactive = ErrorIsTerminal ? InteractionSupport.Yes : InteractionSupport.No,
        Out = new AnsiConsoleOutput(error),
    });
}
