using System.Globalization;
using AdaEagle.Speculation.Oracle;
using Spectre.Console;

namespace AdaEagle.Cli.Bench;

/// <summary>The figures for people.</summary>
internal sealed class BenchTable(IAnsiConsole console)
{
    private static readonly string[] s_columns =
        ["policy", "tokens/s", "decode tokens/s", "speedup (95%)", "decode speedup (95%)", "acceptance length", "drafted/round", "plan s", "draft s", "verify s", "other s", "prefill s", "identical", "loops"];

    /// <summary>One table; <paramref name="title"/> says over which outputs.</summary>
    public void Figures(string title, IReadOnlyList<PolicyResult> results, PolicyResult plain)
    {
        Line(title);
        var table = new Table { Border = TableBorder.Markdown };
        foreach (string column in s_columns)
        {
            table.AddColumn(new TableColumn(column) { Alignment = column == s_columns[0] ? Justify.Left : Justify.Right });
        }

        foreach (PolicyResult result in results)
        {
            Measurement sum = result.Sum;
            table.AddRow(((string[])
            [
                result.Name, Number(sum.TokensPerSecond, "0.0"), Number(sum.DecodeTokensPerSecond, "0.0"), Ratio(result.Speedup(plain)), Ratio(result.DecodeSpeedup(plain)),
                Number(sum.AcceptanceLength, "0.00"), Number(result.MeanDrafted, "0.00"), Number(sum.Plan, "0.000"), Number(sum.Draft, "0.00"), Number(sum.Verify, "0.00"),
                Number(sum.Other, "0.00"), Number(sum.Prefill, "0.00"), $"{result.IdenticalCount}/{result.Prompts.Count}", Number(100 * result.RepeatedShare, "0") + "%",
            ]).Select(Markup.Escape).ToArray());
        }

        console.Write(table);
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
    public void AgainstBestFixed(IReadOnlyList<PolicyResult> results)
    {
        PolicyResult[] ranked = [.. results.Where(result => IsFixed(result.Name)).OrderByDescending(result => result.Sum.DecodeTokensPerSecond)];
        if (ranked.Length == 0)
        {
            return;
        }

        foreach (PolicyResult result in results.Where(result => !IsFixed(result.Name) && result.Name != Speculation.Policies.DraftPolicies.Plain))
        {
            Interval ratio = result.DecodeSpeedup(ranked[0]);
            Line($"{result.Name} against {ranked[0].Name}, the best fixed length of this run, decoding: {Percent(ratio.Value)} (95%: {Percent(ratio.Low)} to {Percent(ratio.High)})");
        }
    }

    private static bool IsFixed(string name) => name.StartsWith("fixed:", StringComparison.Ordinal);

    private void Line(string text) => console.WriteLine(text);

    private static string Ratio(Interval ratio) => $"{Number(ratio.Value, "0.000")} ({Number(ratio.Low, "0.000")}-{Number(ratio.High, "0.000")})";

    private static string Percent(double ratio) => Number(100 * (ratio - 1), "+0.0;-0.0") + "%";

    private static string Milliseconds(double seconds) => Number(1000 * seconds, "0.000") + " ms";

    private static string Number(double value, string format) => double.IsFinite(value) ? value.ToString(format, CultureInfo.InvariantCulture) : "-";
}
