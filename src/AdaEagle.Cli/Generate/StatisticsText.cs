using System.Globalization;
using AdaEagle.Generation;
using AdaEagle.Speculation;

namespace AdaEagle.Cli.Generate;

/// <summary>Statistics for people.</summary>
internal static class StatisticsText
{
    /// <summary>The closing line of a generation.</summary>
    public static string Line(GenerationStatistics stats) => string.Create(
        CultureInfo.InvariantCulture,
        $"{stats.TokensPerSecond:0.0} tokens/s ({stats.DecodeTokensPerSecond:0.0} decoding), {stats.VisibleTokens} tokens with {stats.Policy}; acceptance length {stats.AcceptanceLength:0.00}, {stats.Accepted} of {stats.Drafted} drafted accepted; {stats.TotalTime.TotalSeconds:0.000} s: prefill {stats.PrefillTime.TotalSeconds:0.000}, draft {stats.DraftTime.TotalSeconds:0.000}, verify {stats.VerifyTime.TotalSeconds:0.000}, rest {(stats.PlanTime + stats.OtherTime).TotalSeconds:0.000}");

    /// <summary>What each round predicted, drafted and accepted, a line each.</summary>
    public static IEnumerable<string> Rounds(IReadOnlyList<RoundRecord> rounds) => rounds.Select((round, index) => string.Create(
        CultureInfo.InvariantCulture, $"round {index + 1,3}: predicted {round.Planned,2}, drafted {round.Drafted,2}, accepted {round.Accepted,2}, emitted {round.Emitted,2}"));
}
