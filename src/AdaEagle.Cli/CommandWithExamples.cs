using System.CommandLine;
using System.CommandLine.Help;
using System.CommandLine.Invocation;

namespace AdaEagle.Cli;

/// <summary>A command whose help ends with command lines to copy, and where there is more to say, with remarks.</summary>
internal sealed class CommandWithExamples(string name, string description) : Command(name, description)
{
    /// <summary>Command lines.</summary>
    public IReadOnlyList<string> Examples { get; init; } = [];

    /// <summary>Lines below the options.</summary>
    public IReadOnlyList<string> Remarks { get; init; } = [];

    /// <summary>Makes <c>--help</c> show both for the command that it is asked about.</summary>
    public static void ShowIn(RootCommand root)
    {
        HelpOption help = root.Options.OfType<HelpOption>().Single();
        help.Action = new Help((HelpAction)help.Action!);
    }

    private sealed class Help(HelpAction usual) : SynchronousCommandLineAction
    {
        public override bool ClearsParseErrors => true;

        public override int Invoke(ParseResult parseResult)
        {
            int code = usual.Invoke(parseResult);
            if (parseResult.CommandResult.Command is CommandWithExamples command)
            {
                TextWriter output = parseResult.InvocationConfiguration.Output;
                Section(output, "Remarks:", command.Remarks);
                Section(output, "Examples:", command.Examples);
            }

            return code;
        }

        private static void Section(TextWriter output, string title, IReadOnlyList<string> lines)
        {
            if (lines.Count == 0)
            {
                return;
            }

            output.WriteLine(title);
            foreach (string line in lines)
            {
                output.WriteLine($"  {line}");
            }

            output.WriteLine();
        }
    }
}
