namespace AdaEagle.Cli.Bench;

/// <summary>What <c>bench --json OUT</c> writes.</summary>
internal sealed record BenchJson(BenchEnvironment Environment, IReadOnlyList<PolicyJson> Policies)
{
    public static BenchJson Of(BenchEnvironment environment, BenchFigures figures) => new(environment, PolicyJson.Of(figures));
}

/// <summary>One policy's figures. A figure that is undefined (nothing was decoded, or there is nothing to compare with) is null.</summary>
internal sealed record PolicyJson(
    string Name, double? TokensPerSecond, double? DecodeTokensPerSecond, double? Speedup, double? SpeedupLow, double? SpeedupHigh,
    double? DecodeSpeedup, double? DecodeSpeedupLow, double? DecodeSpeedupHigh, double? AcceptanceLength,
    double PrefillSeconds, double PlanSeconds, double DraftSeconds, double VerifySeconds, double OtherSeconds,
    int Identical, int Prompts, double RepeatedShare,
    double? OracleShare, double? OracleShareLow, double? OracleShareHigh, double? TreeOracleShare, GainsJson Gains, IReadOnlyList<string> BehindIn, WithoutLoopsJson? WithoutLoops, IReadOnlyList<SuiteJson> Suites)
{
    public static IReadOnlyList<PolicyJson> Of(BenchFigures figures) => [.. figures.Results.Select((_, policy) => Of(figures, policy))];

    internal static double? Finite(double? value) => value is { } number && double.IsFinite(number) ? number : null;

    private static PolicyJson Of(BenchFigures figures, int policy)
    {
        (PolicyResult result, PolicyGains gains) = (figures.Results[policy], figures.Gains[policy]);
        Measurement sum = result.Sum;
        (Interval speedup, Interval decode) = (result.Speedup(figures.Plain), result.DecodeSpeedup(figures.Plain));
        return new PolicyJson(
            result.Name, Finite(sum.TokensPerSecond), Finite(sum.DecodeTokensPerSecond), Finite(speedup.Value), Finite(speedup.Low), Finite(speedup.High),
            Finite(decode.Value), Finite(decode.Low), Finite(decode.High), Finite(sum.AcceptanceLength),
            sum.Prefill, sum.Plan, sum.Draft, sum.Verify, sum.Other,
            result.IdenticalCount, result.Prompts.Count, result.RepeatedShare,
            Finite(gains.OracleShare?.Value), Finite(gains.OracleShare?.Low), Finite(gains.OracleShare?.High), Finite(gains.TreeOracleShare?.Value), GainsJson.Of(gains), gains.BehindIn,
            figures.WithoutLoops is { } straight ? WithoutLoopsJson.Of(straight, policy) : null,
            [.. gains.Suites.Select(suite => SuiteJson.Of(suite, result, figures.Plain))]);
    }
}

/// <summary>Decode speed over another policy's of the same run, minus 1, with a 95% interval.</summary>
internal sealed record GainJson(string Over, double? Gain, double? Low, double? High)
{
    public static GainJson? Of(Gain? gain) =>
        gain is null ? null : new(gain.Over, PolicyJson.Finite(gain.Ratio.Value - 1), PolicyJson.Finite(gain.Ratio.Low - 1), PolicyJson.Finite(gain.Ratio.High - 1));
}

/// <summary>Gains over the best of each kind of the run: see <see cref="PolicyGains"/>.</summary>
internal sealed record GainsJson(GainJson? BestFixed, GainJson? BestFixedOfSuites, GainJson? BestTree, GainJson? BestRule)
{
    public static GainsJson Of(PolicyGains gains) =>
        new(GainJson.Of(gains.BestFixed), GainJson.Of(gains.BestFixedOfSuites), GainJson.Of(gains.BestTree), GainJson.Of(gains.BestRule));
}

/// <summary>One policy's figures over the prompts whose output does not loop.</summary>
internal sealed record WithoutLoopsJson(
    int Prompts, double? DecodeTokensPerSecond, double? DecodeSpeedup, double? DecodeSpeedupLow, double? DecodeSpeedupHigh, double? AcceptanceLength,
    double? OracleShare, double? OracleShareLow, double? OracleShareHigh, double? TreeOracleShare, GainsJson Gains, IReadOnlyList<string> BehindIn)
{
    public static WithoutLoopsJson Of(BenchFigures figures, int policy)
    {
        (PolicyResult result, PolicyGains gains) = (figures.Results[policy], figures.Gains[policy]);
        Interval decode = result.DecodeSpeedup(figures.Plain);
        return new WithoutLoopsJson(
            result.Prompts.Count, PolicyJson.Finite(result.Sum.DecodeTokensPerSecond), PolicyJson.Finite(decode.Value), PolicyJson.Finite(decode.Low), PolicyJson.Finite(decode.High),
            PolicyJson.Finite(result.Sum.AcceptanceLength),
            PolicyJson.Finite(gains.OracleShare?.Value), PolicyJson.Finite(gains.OracleShare?.Low), PolicyJson.Finite(gains.OracleShare?.High), PolicyJson.Finite(gains.TreeOracleShare?.Value),
            GainsJson.Of(gains), gains.BehindIn);
    }
}

/// <summary>One policy's figures on one suite.</summary>
internal sealed record SuiteJson(
    string Name, double? TokensPerSecond, double? DecodeSpeedup, double? DecodeSpeedupLow, double? DecodeSpeedupHigh, double? AcceptanceLength,
    double? OracleShare, double? OracleShareLow, double? OracleShareHigh, double? TreeOracleShare, GainJson? OverBestFixed)
{
    public static SuiteJson Of(SuiteGains suite, PolicyResult result, PolicyResult plain)
    {
        PolicyResult part = result.OfSuite(suite.Suite);
        Interval decode = part.DecodeSpeedup(plain.OfSuite(suite.Suite));
        return new SuiteJson(
            suite.Suite, PolicyJson.Finite(part.Sum.TokensPerSecond), PolicyJson.Finite(decode.Value), PolicyJson.Finite(decode.Low), PolicyJson.Finite(decode.High),
            PolicyJson.Finite(part.Sum.AcceptanceLength), PolicyJson.Finite(suite.OracleShare?.Value), PolicyJson.Finite(suite.OracleShare?.Low), PolicyJson.Finite(suite.OracleShare?.High), PolicyJson.Finite(suite.TreeOracleShare?.Value), GainJson.Of(suite.BestFixed));
    }
}
