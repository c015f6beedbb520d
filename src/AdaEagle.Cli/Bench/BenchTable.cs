using System.Globalization;
using AdaEagle.Speculation.Oracle;

namespace AdaEagle.Cli.Bench;

/// <summary>The figures for people.</summary>
internal sealed class BenchTable(TextWriter output)
{
    /// <summary>All that a run has to say.</summary>
    public void All(BenchFigures figures, RoundCosts? costs)
    {
        Figures($"{figures.Prompts} prompts; speedups against {figures.Plain.Name}, 95% intervals over prompts; tau: acceptance length", figures);
        Times("seconds, all prompts", figures.Results);
        Suites("decode speedup (tau) by suite", figures);
        if (figures.WithoutLoops is { } straight)
        {
            Figures($"the {straight.Prompts} prompts whose output does not loop", straight);
        }

        Gains("decode speed over others of this run, the best chosen on these prompts (95%, paired)", figures);
        if (figures.WithoutLoops is not null)
        {
            Gains("the same without loops", figures.WithoutLoops);
        }

        SuiteGains("decode speed over the best fixed length of each suite (95%, paired)", figures);
        if (costs is not null)
        {
            Costs(costs);
        }

        Positions(figures.Results);
    }

    /// <summary>Rates, speedups and what was compared; <paramref name="title"/> says over which outputs.</summary>
    public void Figures(string title, BenchFigures figures)
    {
        var table = new MarkdownTable("policy", "tokens/s", "decode/s", "speedup (95%)", "decode speedup (95%)", "tau", "identical", "loops");
        foreach (PolicyResult result in figures.Results)
        {
            Measurement sum = result.Sum;
            table.Add(
                result.Name, Number(sum.TokensPerSecond, "0.0"), Number(sum.DecodeTokensPerSecond, "0.0"), Ratio(result.Speedup(figures.Plain)), Ratio(result.DecodeSpeedup(figures.Plain)),
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
    public void Suites(string title, BenchFigures figures)
    {
        var table = new MarkdownTable(["policy", .. figures.Suites]);
        foreach (PolicyResult result in figures.Results)
        {
            table.Add([result.Name, .. figures.Suites.Select(suite =>
            {
                (Measurement part, Measurement plain) = (result.OfSuite(suite).Sum, figures.Plain.OfSuite(suite).Sum);
                return $"{Number(part.DecodeTokensPerSecond / plain.DecodeTokensPerSecond, "0.00")} ({Number(part.AcceptanceLength, "0.00")})";
            })]);
        }

        Write(title, table);
    }

    /// <summary>What each policy gains over the best of every kind that ran, its share of the oracles' gains, and the suites where it is significantly behind.</summary>
    public void Gains(string title, BenchFigures figures)
    {
        (string Heading, Func<PolicyGains, Gain?> Of)[] gains =
        [
            ("best fixed length", gain => gain.BestFixed), ("best fixed of each suite", gain => gain.BestFixedOfSuites), ("best fixed tree", gain => gain.BestTree),
            ("best other rule", gain => gain.BestRule),
        ];
        (string Heading, Func<PolicyGains, Interval?> Of)[] shares = [("share of the oracle's gain", gain => gain.OracleShare), ("of the tree oracle's", gain => gain.TreeOracleShare)];
        gains = [.. gains.Where(column => figures.Gains.Any(gain => column.Of(gain) is not null))];
        shares = [.. shares.Where(column => figures.Gains.Any(gain => column.Of(gain) is not null))];
        bool hasFixed = figures.Gains.Any(gain => gain.BestFixed is not null);
        if (gains.Length == 0)
        {
            return;
        }

        var table = new MarkdownTable(["policy", .. gains.Select(column => column.Heading), .. shares.Select(column => column.Heading), .. hasFixed ? (string[])["significantly behind in"] : []]);
        foreach ((PolicyResult result, PolicyGains gain) in figures.Results.Zip(figures.Gains))
        {
            table.Add([
                result.Name, .. gains.Select(column => Percent(column.Of(gain))), .. shares.Select(column => Share(column.Of(gain))),
                .. hasFixed ? (string[])[Behind(gain)] : [],
            ]);
        }

        Write($"{title}: {string.Join(", ", gains.Select(column => $"the {column.Heading} is {figures.Gains.Select(column.Of).First(gain => gain is not null)!.Over}"))}", table);
    }

    /// <summary>Over the best fixed length of each suite.</summary>
    public void SuiteGains(string title, BenchFigures figures)
    {
        string[] best = [.. figures.Suites.Select((_, suite) => figures.Gains.Select(gain => gain.Suites[suite].BestFixed?.Over).FirstOrDefault(over => over is not null) ?? "")];
        if (best.All(name => name.Length == 0))
        {
            return;
        }

        var table = new MarkdownTable(["policy", .. figures.Suites.Zip(best, (suite, name) => $"{suite}: {name}")]);
        foreach ((PolicyResult result, PolicyGains gain) in figures.Results.Zip(figures.Gains))
        {
            table.Add([result.Name, .. gain.Suites.Select(suite => Percent(suite.BestFixed))]);
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
                Line($"- acceptance by position, {result.Name}: {string.Join(' ', shares.Select(share => Number(share, ".00")))}");
            }
        }
    }

    /// <summary>What drafting and verifying cost here, over a plain pass.</summary>
    public void Costs(RoundCosts costs)
    {
        string verify = string.Join(' ', Enumerable.Range(1, costs.MaxDraft + 1).Select(rows => Number(costs.VerifyOverPass(rows), "0.00")));
        Line($"- costs (medians): pass {Milliseconds(costs.VerifySeconds[0])}, a draft step {Number(costs.DraftStepOverPass, "0.000")} of it, overhead {Milliseconds(costs.OverheadSeconds)} a round; verify 1 to {costs.MaxDraft + 1} rows over 1: {verify}");
        Line($"- draft of 0 to {costs.MaxDraft} tokens over a pass: {string.Join(' ', costs.DraftSeconds.Select(draft => Number(draft / costs.VerifySeconds[0], "0.00")))}");
    }

    private void Write(string title, MarkdownTable table)
    {
        Line(title);
        Line("");
        table.Write(output);
        Line("");
    }

    private void Line(string text) => output.WriteLine(text);

    private static string Ratio(Interval ratio) => $"{Number(ratio.Value, "0.000")} ({Number(ratio.Low, "0.000")}-{Number(ratio.High, "0.000")})";

    /// <summary>A gain and its interval, in percent.</summary>
    internal static string Percent(Gain? gain) =>
        gain is null || !double.IsFinite(gain.Ratio.Value) ? "-" : $"{Percent(gain.Ratio.Value)} ({Percent(gain.Ratio.Low)} to {Percent(gain.Ratio.High)})";

    private static string Percent(double ratio) => double.IsFinite(ratio) ? Number(100 * (ratio - 1), "+0.0;-0.0") + "%" : "-";

    private static string Behind(PolicyGains gain) => gain.BehindIn.Count > 0 ? string.Join(", ", gain.BehindIn)
        : gain.Suites.All(suite => suite.Prompts < PolicyGains.FewestPrompts) ? "too few prompts" : "none";

    private static string Share(Interval? share) =>
        share is { } value ? $"{Number(100 * value.Value, "0")}% ({Number(100 * value.Low, "0")}% to {Number(100 * value.High, "0")}%)" : "-";

    private static string Milliseconds(double seconds) => Number(1000 * seconds, "0.000") + " ms";

    private static string Number(double value, string format) => double.IsFinite(value) ? value.ToString(format, CultureInfo.InvariantCulture) : "-";
}
