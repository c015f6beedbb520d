namespace AdaEagle.Cli.Bench.Report;

/// <summary>A tenth of the scale of probabilities: what was said there, and what came true.</summary>
/// <param name="Predicted">Mean of the probabilities.</param>
/// <param name="Right">Share of tokens that were right.</param>
/// <param name="Count">Tokens.</param>
internal sealed record ReliabilityBin(double Predicted, double Right, int Count)
{
    /// <summary>Standard error of <see cref="Right"/>.</summary>
    public double Error => Math.Sqrt(Right * (1 - Right) / Count);
}

/// <summary>Whether probabilities mean what they say.</summary>
internal static class Reliability
{
    private const int Bins = 10;

    /// <summary>Tenths of the scale in which there is anything, from 0 to 1.</summary>
    public static IReadOnlyList<ReliabilityBin> Of(IEnumerable<(double Probability, bool IsRight)> forecasts) =>
    [
        .. forecasts.GroupBy(forecast => Math.Clamp((int)(forecast.Probability * Bins), 0, Bins - 1)).OrderBy(bin => bin.Key).Select(bin =>
            new ReliabilityBin(bin.Average(forecast => forecast.Probability), bin.Average(forecast => forecast.IsRight ? 1.0 : 0), bin.Count())),
    ];

    /// <summary>Expected calibration error: the mean distance of what was said from what came true, over tokens.</summary>
    public static double Error(IReadOnlyList<ReliabilityBin> bins) =>
        bins.Sum(bin => bin.Count * Math.Abs(bin.Predicted - bin.Right)) / Math.Max(bins.Sum(bin => bin.Count), 1);
}
