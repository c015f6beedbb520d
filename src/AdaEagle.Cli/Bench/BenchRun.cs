using System.Globalization;
using AdaEagle.Speculation.Oracle;

namespace AdaEagle.Cli.Bench;

/// <summary>One interleaved run: what it ran on and what came out.</summary>
/// <param name="Environment">Machine, model, settings.</param>
/// <param name="Figures">The results.</param>
/// <param name="Costs">Measured costs of rounds; null without a drafter.</param>
/// <param name="Differences">Where outputs differed from plain decoding's.</param>
internal sealed record BenchRun(BenchEnvironment Environment, BenchFigures Figures, RoundCosts? Costs, IReadOnlyList<string> Differences)
{
    /// <summary>What tells it from the other runs of a matrix.</summary>
    public string Title =>
        string.Create(CultureInfo.InvariantCulture, $"{Environment.Drafter ?? "no drafter"}, temperature {Environment.Sampling.Temperature}") + (RightPercent is { } right ? $", right {right}%" : "");

    /// <summary>The same as the name of a folder.</summary>
    public string FolderName =>
        string.Create(CultureInfo.InvariantCulture, $"{(Environment.Drafter ?? "none").Replace(':', '_')}-t{Environment.Sampling.Temperature}") + (RightPercent is { } right ? $"-right{right}" : "");

    /// <summary>How many percent of the drafter's best children were right, to order; null where it said what it said.</summary>
    public int? RightPercent { get; init; }
}
