namespace AdaEagle.Cli.Bench;

/// <summary>What <c>bench --json OUT</c> writes.</summary>
internal sealed record BenchJson(BenchEnvironment Environment, IReadOnlyList<PolicyJson> Policies)
{
    public static BenchJson Of(BenchEnvironment environment, IReadOnlyList<PolicyResult> results, PolicyResult plain) =>
        new(environment, [.. results.Select(result => PolicyJson.Of(result, plain))]);
}

/// <summary>One policy's figures. A figure that is undefined (nothing was decoded) is null.</summary>
internal sealed record PolicyJson(
    string Name, double? TokensPerSecond, double? DecodeTokensPerSecond, double? Speedup, double? SpeedupLow, double? SpeedupHigh,
    double? DecodeSpeedup, double? DecodeSpeedupLow, double? DecodeSpeedupHigh, double? AcceptanceLength,
    double PrefillSeconds, double PlanSeconds, double DraftSeconds, double VerifySeconds, double OtherSeconds,
    int Identical, int Prompts, double RepeatedShare, IReadOnlyList<SuiteJson> Suites)
{
    public static PolicyJson Of(PolicyResult result, PolicyResult plain)
    {
        Measurement sum = result.Sum;
        (Interval speedup, Interval decode) = (result.Speedup(plain), result.DecodeSpeedup(plain));
        IEnumerable<string> suites = result.Prompts.Select(prompt => prompt.Question.Category).Distinct();
        return new PolicyJson(
            result.Name, Finite(sum.TokensPerSecond), Finite(sum.DecodeTokensPerSecond), Finite(speedup.Value), Finite(speedup.Low), Finite(speedup.High),
            Finite(decode.Value), Finite(decode.Low), Finite(decode.High), Finite(sum.AcceptanceLength),
            sum.Prefill, sum.Plan, sum.Draft, sum.Verify, sum.Other,
            result.IdenticalCount, result.Prompts.Count, result.RepeatedShare, [.. suites.Select(suite => SuiteJson.Of(suite, result, plain))]);
    }

    internal static double? Finite(double value) => double.IsFinite(value) ? value : null;
}

/// <summary>One policy's figures on one suite.</summary>
internal sealed record SuiteJson(string Name, double? TokensPerSecond, double? DecodeSpeedup, double? AcceptanceLength)
{
    public static SuiteJson Of(string suite, PolicyResult result, PolicyResult plain)
    {
        bool belongs(int index) => result.Prompts[index].Question.Category == suite;
        (PolicyResult part, PolicyResult plainPart) = (result.Where(belongs), plain.Where(belongs));
        return new SuiteJson(
            suite, PolicyJson.Finite(part.Sum.TokensPerSecond), PolicyJson.Finite(part.Sum.DecodeTokensPerSecond / plainPart.Sum.DecodeTokensPerSecond),
            PolicyJson.Finite(part.Sum.AcceptanceLength));
    }
}
