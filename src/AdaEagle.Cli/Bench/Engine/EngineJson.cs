using AdaEagle.Models;

namespace AdaEagle.Cli.Bench.Engine;

/// <summary>The figures of <c>bench engine</c>. Times are seconds, rates per second.</summary>
internal sealed record EngineJson(
    EngineEnvironment Environment, int Context, int Repeat, long PassBytes, double StreamBytesPerSecond, double DecodeTokensPerSecond, double DecodeBytesPerSecond, double DecodeShare,
    IReadOnlyList<PassJson> Passes, IReadOnlyList<PartsJson> Parts, DraftStepJson? DraftStep);

/// <summary>A pass of k rows: median, tenth and ninetieth percentile, cost against one row, weight bytes over time.</summary>
internal sealed record PassJson(int Rows, double Seconds, double Low, double High, double Cost, double BytesPerSecond, double Share)
{
    public static PassJson Of(int rows, double[] seconds, double one, long bytes, double stream)
    {
        Spread spread = Spread.Of(seconds);
        return new(rows, spread.Median, spread.Low, spread.High, spread.Median / one, bytes / spread.Median, bytes / spread.Median / stream);
    }
}

/// <summary>A pass by part, the mean of passes and workers.</summary>
internal sealed record PartsJson(int Rows, double Products, double Attention, double Norms, double Synchronisation, double Choice, double Total)
{
    public static PartsJson Of(int rows, PassProfile profile, int passes, double choice) => new(
        rows, profile.Seconds(PassPart.Products) / passes, profile.Seconds(PassPart.Attention) / passes, profile.Seconds(PassPart.Norms) / passes,
        profile.Seconds(PassPart.Synchronisation) / passes, choice, (profile.TotalSeconds / passes) + choice);
}

/// <summary>A step of the draft head with its greedy choice and log-probability.</summary>
internal sealed record DraftStepJson(double Seconds, double Low, double High, long Bytes, double Cost)
{
    public static DraftStepJson Of(double[] seconds, double one, long bytes)
    {
        Spread spread = Spread.Of(seconds);
        return new(spread.Median, spread.Low, spread.High, bytes, spread.Median / one);
    }
}

/// <summary>Median, tenth and ninetieth percentile.</summary>
internal readonly record struct Spread(double Low, double Median, double High)
{
    public static Spread Of(double[] values)
    {
        double[] sorted = [.. values.Order()];
        double at(double share) => sorted[(int)Math.Round(share * (sorted.Length - 1))];
        return new(at(0.1), at(0.5), at(0.9));
    }
}
