using System.CommandLine;
using System.CommandLine.Parsing;

namespace AdaEagle.Cli.Arguments;

/// <summary>The prompt of a command that answers one.</summary>
internal sealed class PromptArgument
{
    private readonly Argument<string> _prompt = new("PROMPT") { Description = "The message to answer; - reads it from stdin." };
    private readonly string _command;

    public PromptArgument(Command command)
    {
        _command = command.Name;
        command.Arguments.Add(_prompt);
    }

    /// <summary>The prompt.</summary>
    public string Read(ParseResult arguments, Terminal terminal)
    {
        string prompt = arguments.GetRequiredValue(_prompt);
        if (prompt != "-")
        {
            // The parser takes an unknown option for the prompt.
            return prompt.StartsWith('-') && !arguments.Tokens.Any(token => token.Type == TokenType.DoubleDash)
                ? throw new ArgumentException($"'{prompt}' is no option here (a prompt that begins with '-' goes behind '--'). See: adaeagle {_command} --help")
                : prompt;
        }

        // The newline that ends a piped line is not meant.
        string text = terminal.In.ReadToEnd();
        return text.EndsWith('\n') ? text[..^1].TrimEnd('\r') : text;
    }
}
