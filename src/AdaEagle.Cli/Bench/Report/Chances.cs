using AdaEagle.Speculation.Policies;

namespace AdaEagle.Cli.Bench.Report;

/// <summary>The two chances that <c>auto</c> gives a token.</summary>
internal static class Chances
{
    /// <summary>By name.</summary>
    public static IReadOnlyList<(string When, Func<DraftForecast, double> Of)> All { get; } =
        [("planned before the draft", forecast => forecast.Planned), ("estimated after the step", forecast => forecast.Estimated)];

    /// <summary>How one of them came true.</summary>
    public static IReadOnlyList<ReliabilityBin> Bins(PolicyResult result, Func<DraftForecast, double> chance) =>
        Reliability.Of(result.Forecasts.Select(forecast => (chance(forecast), forecast.IsRight)));
}
