using System.CommandLine;
using AdaEagle.Bench.Models;
using AdaEagle.Formats;

var root = new RootCommand("Makes models to measure with: inflated ones, which compute the same function at a larger model's cost, and random ones of a given shape.")
{
    InflateCommand.Create(),
    RandomCommand.Create(),
};

try
{
    return root.Parse(args).Invoke(new InvocationConfiguration { EnableDefaultExceptionHandler = false });
}
catch (Exception e) when (e is ModelFormatException or ArgumentException or IOException or UnauthorizedAccessException)
{
    Console.Error.WriteLine(e.Message);
    return 1;
}
