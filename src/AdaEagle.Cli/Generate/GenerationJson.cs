using System.Text.Json.Serialization;
using AdaEagle.Generation;
using AdaEagle.Speculation;

namespace AdaEagle.Cli.Generate;

/// <summary>What <c>generate --json</c> prints.</summary>
internal sealed record GenerationJson(string Text, IReadOnlyList<int> Tokens, string FinishReason, StatisticsJson Stats)
{
    public static GenerationJson Of(GenerationResult result, bool rounds) =>
        new(result.Text, result.Tokens, result.FinishReason == Generation.FinishReason.Stop ? "stop" : "length", StatisticsJson.Of(result.Statistics, rounds));
}

/// <summary>Statistics of a generation. The five times add up to <paramref name="TotalSeconds"/>.</summary>
internal sealed record StatisticsJson(
    string Policy, string? Drafter, int PromptTokens, int VisibleTokens, int EmittedTokens, int Passes, int Drafted, int Accepted, double AcceptanceLength,
    double TokensPerSecond, double DecodeTokensPerSecond,
    double TotalSeconds, double PrefillSeconds, double PlanSeconds, double DraftSeconds, double VerifySeconds, double OtherSeconds,
    [property: JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingNull)] IReadOnlyList<RoundJson>? Rounds)
{
    public static StatisticsJson Of(GenerationStatistics stats, bool rounds) => new(
        stats.Policy, stats.Drafter, stats.PromptTokens, stats.VisibleTokens, stats.EmittedTokens, stats.Passes, stats.Drafted, stats.Accepted, stats.AcceptanceLength,
        stats.TokensPerSecond, stats.DecodeTokensPerSecond,
        stats.TotalTime.TotalSeconds, stats.PrefillTime.TotalSeconds, stats.PlanTime.TotalSeconds, stats.DraftTime.TotalSeconds, stats.VerifyTime.TotalSeconds,
        stats.OtherTime.TotalSeconds, rounds ? [.. stats.Rounds.Select(RoundJson.Of)] : null);
}

/// <summary>One round, with <c>--show-draft</c>.</summary>
internal sealed record RoundJson(int Predicted, int Drafted, int Accepted, int Emitted)
{
    public static RoundJson Of(RoundRecord round) => new(round.Planned, round.Drafted, round.Accepted, round.Emitted);
}
