using AdaEagle.Speculation;

namespace AdaEagle.Cli.Bench.Report;

/// <summary>Rounds of one planned length.</summary>
/// <param name="Planned">The plan.</param>
/// <param name="Rounds">How many.</param>
/// <param name="Accepted">Mean accepted length.</param>
/// <param name="Spread">Standard deviation of the accepted length.</param>
internal sealed record PlannedLength(int Planned, int Rounds, double Accepted, double Spread);

/// <summary>What came of the lengths that a policy planned.</summary>
internal static class PlannedLengths
{
    /// <summary>By planned length, ascending; empty for a policy that always plans the same.</summary>
    public static IReadOnlyList<PlannedLength> Of(PolicyResult result)
    {
        PlannedLength[] lengths =
        [
            .. Rounds(result).GroupBy(round => round.Planned).OrderBy(group => group.Key).Select(group =>
            {
                double mean = group.Average(round => round.Accepted);
                return new PlannedLength(group.Key, group.Count(), mean, Math.Sqrt(group.Average(round => (round.Accepted - mean) * (round.Accepted - mean))));
            }),
        ];
        return lengths.Length > 1 ? lengths : [];
    }

    /// <summary>Correlation of planned and accepted length over rounds, from -1 to 1; NaN where one of them never changes.</summary>
    public static double Correlation(PolicyResult result)
    {
        RoundRecord[] rounds = [.. Rounds(result)];
        if (rounds.Length == 0)
        {
            return double.NaN;
        }

        double planned = rounds.Average(round => round.Planned), accepted = rounds.Average(round => round.Accepted);
        double both = rounds.Sum(round => (round.Planned - planned) * (round.Accepted - accepted));
        double own = rounds.Sum(round => (round.Planned - planned) * (round.Planned - planned)), other = rounds.Sum(round => (round.Accepted - accepted) * (round.Accepted - accepted));
        return both / Math.Sqrt(own * other);
    }

    private static IEnumerable<RoundRecord> Rounds(PolicyResult result) => result.Prompts.SelectMany(prompt => prompt.Rounds);
}
