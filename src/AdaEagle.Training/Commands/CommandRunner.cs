using System.CommandLine;

namespace AdaEagle.Training.Commands;

/// <summary>Parses, runs and turns every expected failure into one line on stderr and an exit code.</summary>
internal static class CommandRunner
{
    public static int Run(RootCommand root, string[] args) => root.Parse(args).Invoke();
}
