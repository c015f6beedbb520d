using System.Globalization;
using AdaEagle.Speculation.Oracle;

namespace AdaEagle.Cli.Bench;

/// <summary>The figures for people.</summary>
internal sealed class BenchTable(TextWriter output)
{
    /// <summary>Rates, speedups and what was compared; <paramref name="title"/> says over which outputs.</summary>
    public void Figures(string title, IReadOnlyList<PolicyResult> results, PolicyResult plain)
    {
        var table = new MarkdownTable("policy", "tokens/s", "decode/s", "speedup (95%)", "decode speedup (95%)", "tau", "identical", "loops");
        foreach (PolicyResult result in results)
        {
            Measurement sum = result.Sum;
            table.Add(
                result.Name, Number(sum.TokensPerSecond, "0.0"), Number(sum.DecodeTokensPerSecond, "0.0"), Ratio(result.Speedup(plain)), Ratio(result.DecodeSpeedup(plain)),
                Number(sum.AcceptanceLength, "0.00"), $"{result.IdenticalCount}/{result.Prompts.Count}", Number(100 * result.RepeatedShare, "0") + "%");
        }

        Write(title, table);
    }

    /// <summary>Where the time went, in seconds, and what the rounds drafted.</summary>
    public void Times(string title, IReadOnlyList<PolicyResult> results)
    {
        var table = new MarkdownTable("policy", "prefill", "plan", "draft", "verify", "other", "drafted/round", "accepted/drafted");
        foreach (PolicyResult result in results)
        {
            Measurement sum = result.Sum;
            table.Add(
                result.Name, Number(sum.Prefill, "0.000"), Number(sum.Plan, "0.000"), Number(sum.Draft, "0.000"), Number(sum.Verify, "0.000"), Number(sum.Other, "0.000"),
                Number(result.MeanDrafted, "0.00"), Number((double)sum.Accepted / sum.Drafted, "0.00"));
        }

        Write(title, table);
    }

    /// <summary>Each suite by itself.</summary>
    public void Suites(string title, IReadOnlyList<PolicyResult> results, PolicyResult plain)
    {
        PolicyJson[] figures = [.. results.Select(result => PolicyJson.Of(result, plain))];
        var table = new MarkdownTable(["policy", .. figures[0].Suites.Select(suite => suite.Name)]);
        foreach (PolicyJson policy in figures)
        {
            table.Add([policy.Name, .. policy.Suites.Select(suite => $"{Number(suite.DecodeSpeedup ?? double.NaN, "0.00")} ({Number(suite.AcceptanceLength ?? double.NaN, "0.00")})")]);
        }

        Write(title, table);
    }

    /// <summary>Acceptance by position, a line for each policy that drafts.</summary>
    public void Positions(IReadOnlyList<PolicyResult> results)
    {
        foreach (PolicyResult result in results)
        {
            IReadOnlyList<double> shares = result.AcceptanceByPosition();
            if (shares.Count > 0)
            {
                Line($"acceptance by position, {result.Name}: {string.Join(' ', shares.Select(share => Number(share, ".00")))}");
            }
        }
    }

    /// <summary>What drafting and verifying cost here, over a plain pass.</summary>
    public void Costs(RoundCosts costs)
    {
        string verify = string.Join(' ', Enumerable.Range(1, costs.MaxDraft + 1).Select(rows => Number(costs.VerifyOverPass(rows), "0.00")));
        Line($"costs (medians): pass {Milliseconds(costs.VerifySeconds[0])}, a draft step {Number(costs.DraftStepOverPass, "0.000")} of it, overhead {Milliseconds(costs.OverheadSeconds)} a round; verify 1 to {costs.MaxDraft + 1} rows over 1: {verify}");
        Line($"draft of 0 to {costs.MaxDraft} tokens over a pass: {string.Join(' ', costs.DraftSeconds.Select(draft => Number(draft / costs.VerifySeconds[0], "0.00")))}");
    }

    /// <summary>Each other policy against the best fixed length of the same run, paired.</summary>
    public void AgainstBestFixed(string which, IReadOnlyList<PolicyResult> results)
    {
        PolicyResult[] ranked = [.. results.Where(result => IsFixed(result.Name)).OrderByDescending(result => result.Sum.DecodeTokensPerSecond)];
        if (ranked.Length == 0)
        {
            return;
        }

        foreach (PolicyResult result in results.Where(result => !IsFixed(result.Name) && result.Name != Speculation.Policies.DraftPolicies.Plain))
        {
            Interval ratio = result.DecodeSpeedup(ranked[0]);
            Line($"{which}{result.Name} against {ranked[0].Name}, the best fixed length of this run, decoding: {Percent(ratio.Value)} (95%: {Percent(ratio.Low)} to {Percent(ratio.High)})");
        }
    }

    private static bool IsFixed(string name) => name.StartsWith("fixed:", StringComparison.Ordinal);

    private void Write(string title, MarkdownTable table)
    {
        Line(title);
        Line("");
        table.Write(output);
        Line("");
    }

    private void Line(string text) => output.WriteLine(text);

    private static string Ratio(Interval ratio) => $"{Number(ratio.Value, "0.000")} ({Number(ratio.Low, "0.000")}-{Number(ratio.High, "0.000")})";

    private static string Percent(double ratio) => Number(100 * (ratio - 1), "+0.0;-0.0") + "%";

    private static string Milliseconds(double seconds) => Number(1000 * seconds, "0.000") + " ms";

    private static string Number(double value, string format) => double.IsFinite(value) ? value.ToString(format, CultureInfo.InvariantCulture) : "-";
}
