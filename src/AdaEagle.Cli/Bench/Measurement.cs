using AdaEagle.Generation;

namespace AdaEagle.Cli.Bench;

/// <summary>What one or several generations counted and took. The five times, in seconds, add up to <see cref="Total"/>.</summary>
internal sealed record Measurement(
    int Visible, int VisibleAfterFirst, int Emitted, int Passes, int Drafted, int Accepted, double Prefill, double Plan, double Draft, double Verify, double Other)
{
    public static Measurement Zero { get; } = new(0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0);

    /// <summary>From the prompt to the last token.</summary>
    public double Total => Prefill + Plan + Draft + Verify + Other;

    /// <summary>From the first token to the last.</summary>
    public double Decode => Total - Prefill;

    /// <summary>Visible tokens by the time from the prompt to the last token.</summary>
    public double TokensPerSecond => Visible / Total;

    /// <summary>Visible tokens after the first by the time from the first to the last.</summary>
    public double DecodeTokensPerSecond => VisibleAfterFirst / Decode;

    /// <summary>tau.</summary>
    public double AcceptanceLength => (double)Emitted / Passes;

    public static Measurement Of(GenerationStatistics stats) => new(
        stats.VisibleTokens, Math.Max(stats.VisibleTokens - 1, 0), stats.EmittedTokens, stats.Passes, stats.Drafted, stats.Accepted,
        stats.PrefillTime.TotalSeconds, stats.PlanTime.TotalSeconds, stats.DraftTime.TotalSeconds, stats.VerifyTime.TotalSeconds, stats.OtherTime.TotalSeconds);

    public static Measurement operator +(Measurement a, Measurement b) => new(
        a.Visible + b.Visible, a.VisibleAfterFirst + b.VisibleAfterFirst, a.Emitted + b.Emitted, a.Passes + b.Passes, a.Drafted + b.Drafted, a.Accepted + b.Accepted,
        a.Prefill + b.Prefill, a.Plan + b.Plan, a.Draft + b.Draft, a.Verify + b.Verify, a.Other + b.Other);

    public static Measurement Sum(IEnumerable<Measurement> parts) => parts.Aggregate(Zero, (sum, part) => sum + part);

    /// <summary>The repeat with the median wall time; of an even number, the mean of the two in the middle. So the five times still add up.</summary>
    public static Measurement Median(IReadOnlyCollection<Measurement> repeats)
    {
        Measurement[] sorted = [.. repeats.OrderBy(repeat => repeat.Total)];
        (Measurement low, Measurement high) = (sorted[(sorted.Length - 1) / 2], sorted[sorted.Length / 2]);
        return low with
        {
            Prefill = (low.Prefill + high.Prefill) / 2, Plan = (low.Plan + high.Plan) / 2, Draft = (low.Draft + high.Draft) / 2,
            Verify = (low.Verify + high.Verify) / 2, Other = (low.Other + high.Other) / 2,
        };
    }
}
