using System.Globalization;
using AdaEagle.Cli.Bench.Levels;

namespace AdaEagle.Cli.Bench.Report;

/// <summary>Writes a folder that says all about one or several runs: <c>report.md</c>, pictures, and the answers as Spec-Bench keeps them (docs/bench.md).</summary>
internal static class BenchReport
{
    /// <summary>The page's name.</summary>
    public const string Page = "report.md";

    private const string Answers = "answers";

    /// <summary>Writes the report into a folder, which is there. One run's parts lie in the folder itself, each of several in a folder of its own.</summary>
    public static void Write(string folder, IReadOnlyList<BenchRun> runs)
    {
        using var page = new StreamWriter(Path.Combine(folder, Page));
        page.WriteLine("# Benchmark report");
        page.WriteLine();
        WriteEnvironment(page, runs[0].Environment);
        if (runs.Count > 1)
        {
            WriteSummary(page, runs);
        }

        if (runs[0].RightPercent is not null)
        {
            LevelTable.Write(page, runs);
            page.WriteLine();
        }

        foreach (BenchRun run in runs)
        {
            string part = runs.Count == 1 ? "" : run.FolderName;
            string place = Path.Combine(folder, part);
            Directory.CreateDirectory(place);
            page.WriteLine($"## {run.Title}");
            page.WriteLine();
            WriteRun(page, run, place, part.Length == 0 ? "" : part + "/");
        }
    }

    private static void WriteEnvironment(StreamWriter page, BenchEnvironment environment)
    {
        page.WriteLine("```");
        page.WriteLine(environment.CommandLine);
        page.WriteLine("```");
        page.WriteLine();
        foreach ((string what, string text) in ((string, string)[])[
            ("date", environment.Date),
            ("processor", $"{environment.Processor}, {environment.Cores} cores ({string.Join(' ', environment.InstructionSets)})"),
            ("threads, kernels", $"{environment.Threads}, {environment.Kernels}"),
            ("system", $"{environment.OperatingSystem}, {environment.Dotnet}, AdaEagle {environment.Version}"),
            ("model", string.Create(CultureInfo.InvariantCulture, $"{environment.Model}, {environment.Parameters / 1e6:0.#} M parameters")),
            ("weights", string.Create(CultureInfo.InvariantCulture, $"{environment.Weights}, {environment.PassBytes / 1e6:0.#} MB a pass")),
            ("prompts", environment.Prompts),
            ("tokens", string.Create(CultureInfo.InvariantCulture, $"at most {environment.MaxTokens} an answer, {environment.Repeat} run(s) each")),
        ])
        {
            page.WriteLine($"- {what}: {text}");
        }

        page.WriteLine();
    }

    private static void WriteSummary(StreamWriter page, IReadOnlyList<BenchRun> runs)
    {
        // The runs of a matrix have the same policies.
        var table = new MarkdownTable(["policy", .. runs.Select(run => run.Title)]);
        for (int policy = 0; policy < runs[0].Figures.Results.Count; policy++)
        {
            table.Add([runs[0].Figures.Results[policy].Name, .. runs.Select(run =>
            {
                double gain = run.Figures.Gains[policy].BestFixed?.Ratio.Value ?? double.NaN;
                return Text(run.Figures.Results[policy].DecodeSpeedup(run.Figures.Plain).Value, "0.00") + (double.IsFinite(gain) ? $" ({Text(100 * (gain - 1), "+0.0;-0.0")}%)" : "");
            })]);
        }

        Write(page, "Decode speedup over plain decoding of the same run, and over the best fixed length of it:", table);
    }

    private static void WriteRun(StreamWriter page, BenchRun run, string place, string link)
    {
        BenchEnvironment environment = run.Environment;
        string cost = environment.DraftCost is { } share ? string.Create(CultureInfo.InvariantCulture, $", a draft step streams {share:0.000} of a pass") : "";
        page.WriteLine($"Drafter: {environment.Drafter ?? "none"}{cost}. Sampling: {Sampling(environment.Sampling)}.");
        page.WriteLine();
        new BenchTable(page).All(run.Figures, run.Costs);
        page.WriteLine();
        WriteDifferences(page, run.Differences);
        WriteLengths(page, run.Figures);
        WriteCalibration(page, run.Figures);
        foreach (Drawn picture in new Pictures(run.Figures, place).Draw())
        {
            page.WriteLine($"![{picture.Caption.Split(['.', ';'])[0]}]({link}{picture.File})");
            page.WriteLine();
            page.WriteLine(picture.Caption);
            page.WriteLine();
        }

        IReadOnlyList<string> answers = SpecBenchAnswers.Write(
            Path.Combine(place, Answers), Path.GetFileName(Path.TrimEndingDirectorySeparator(environment.Model)), run.Figures.Results, DateTimeOffset.Parse(environment.Date, CultureInfo.InvariantCulture));
        page.WriteLine($"Answers in Spec-Bench's format: {string.Join(", ", answers.Select(file => $"[{file}]({link}{Answers}/{Uri.EscapeDataString(file)})"))}.");
        page.WriteLine();
    }

    private static void WriteDifferences(StreamWriter page, IReadOnlyList<string> differences)
    {
        page.WriteLine(differences.Count == 0 ? "All outputs are plain decoding's, token for token." : "**Outputs differ from plain decoding's:**");
        page.WriteLine();
        foreach (string difference in differences)
        {
            page.WriteLine($"- {difference}");
        }

        if (differences.Count > 0)
        {
            page.WriteLine();
        }
    }

    private static void WriteLengths(StreamWriter page, BenchFigures figures)
    {
        PolicyResult[] planning = [.. figures.Results.Where(result => PlannedLengths.Of(result).Count > 0)];
        if (planning.Length == 0)
        {
            return;
        }

        var table = new MarkdownTable("policy", "rounds", "predicted", "accepted", "correlation");
        foreach (PolicyResult result in planning)
        {
            IReadOnlyList<PlannedLength> lengths = PlannedLengths.Of(result);
            int rounds = lengths.Sum(length => length.Rounds);
            table.Add(
                result.Name, Text(rounds, "0"), Text(lengths.Sum(length => (double)length.Planned * length.Rounds) / rounds, "0.00"),
                Text(lengths.Sum(length => length.Accepted * length.Rounds) / rounds, "0.00"), Text(PlannedLengths.Correlation(result), "0.00"));
        }

        Write(page, "Predicted and accepted length, means over rounds, of policies that predict more than one:", table);
    }

    private static void WriteCalibration(StreamWriter page, BenchFigures figures)
    {
        foreach (PolicyResult result in figures.Results.Where(result => result.Forecasts.Count > 0))
        {
            foreach ((string when, Func<Speculation.Policies.DraftForecast, double> chance) in Chances.All)
            {
                IReadOnlyList<ReliabilityBin> bins = Chances.Bins(result, chance);
                var table = new MarkdownTable("tokens", "predicted", "right");
                foreach (ReliabilityBin bin in bins)
                {
                    table.Add(Text(bin.Count, "0"), Text(bin.Predicted, "0.000"), Text(bin.Right, "0.000"));
                }

                Write(page, $"Calibration of `{result.Name}`, {when} (mean error {Text(Reliability.Error(bins), "0.000")}):", table);
            }
        }
    }

    private static void Write(StreamWriter page, string title, MarkdownTable table)
    {
        page.WriteLine(title);
        page.WriteLine();
        table.Write(page);
        page.WriteLine();
    }

    private static string Sampling(SamplingJson sampling) => sampling.Temperature == 0 ? "greedy" : string.Create(
        CultureInfo.InvariantCulture, $"temperature {sampling.Temperature}, top-k {sampling.TopK}, top-p {sampling.TopP}, min-p {sampling.MinP}, seed {sampling.Seed}");

    private static string Text(double value, string format) => double.IsFinite(value) ? value.ToString(format, CultureInfo.InvariantCulture) : "-";
}
