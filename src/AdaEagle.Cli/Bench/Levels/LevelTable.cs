using System.Globalization;

namespace AdaEagle.Cli.Bench.Levels;

/// <summary>The runs of a bench whose drafter was right to order, side by side: does a policy find out by itself how far to draft?</summary>
internal static class LevelTable
{
    /// <summary>Decode speedup by level and policy; and of what is proposed here, how it compares with the best fixed length of that level, 0 included, and with plain decoding.</summary>
    public static void Write(TextWriter output, IReadOnlyList<BenchRun> runs)
    {
        IReadOnlyList<PolicyResult> policies = runs[0].Figures.Results;
        int[] own = [.. Enumerable.Range(0, policies.Count).Where(policy => PolicyKinds.Of(policies[policy].Name) == PolicyKind.Own)];
        bool isOneBed = runs.Select(run => (run.Environment.Drafter, run.Environment.Sampling.Temperature)).Distinct().Count() == 1;
        var table = new MarkdownTable([
            "right", .. policies.Select(policy => policy.Name), "best fixed", .. own.SelectMany(policy => (string[])[$"{policies[policy].Name} over best fixed (95%)", "over plain (95%)"]),
        ]);
        foreach (BenchRun run in runs)
        {
            BenchFigures figures = run.Figures;
            table.Add([
                isOneBed ? $"{run.RightPercent}%" : run.Title,
                .. figures.Results.Select(result => Number(result.DecodeSpeedup(figures.Plain).Value)),
                BestFixed(run) ?? "-",
                .. own.SelectMany(policy => (string[])[BenchTable.Percent(figures.Gains[policy].BestFixed), BenchTable.Percent(OverPlain(run, policy))]),
            ]);
        }

        output.WriteLine("decode speedup over plain decoding, by the share of best children that are right");
        output.WriteLine();
        table.Write(output);
        output.WriteLine();
        foreach (int policy in own)
        {
            output.WriteLine($"- {policies[policy].Name} at worst: {Worst(runs, run => run.Figures.Gains[policy].BestFixed)}; {Worst(runs, run => OverPlain(run, policy))}");
        }
    }

    private static string? BestFixed(BenchRun run) => run.Figures.Gains.Select(gains => gains.BestFixed?.Over).FirstOrDefault(name => name is not null);

    private static Gain OverPlain(BenchRun run, int policy) => new(run.Figures.Plain.Name, run.Figures.Results[policy].DecodeSpeedup(run.Figures.Plain));

    private static string Worst(IReadOnlyList<BenchRun> runs, Func<BenchRun, Gain?> of)
    {
        (BenchRun Run, Gain? Gain) worst = runs.Select(run => (run, Gain: of(run))).Where(item => item.Gain is not null && double.IsFinite(item.Gain.Ratio.Value)).MinBy(item => item.Gain!.Ratio.Value);
        return worst.Gain is null ? "-" : $"{BenchTable.Percent(worst.Gain)} against {worst.Gain.Over} at {worst.Run.RightPercent}%";
    }

    private static string Number(double value) => double.IsFinite(value) ? value.ToString("0.000", CultureInfo.InvariantCulture) : "-";
}
