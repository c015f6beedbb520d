using AdaEagle.Speculation.Oracle;
using AdaEagle.Speculation.Policies;
using ScottPlot;

namespace AdaEagle.Cli.Bench.Report;

/// <summary>A picture of a report.</summary>
/// <param name="File">Its file's name.</param>
/// <param name="Caption">What it shows.</param>
internal sealed record Drawn(string File, string Caption);

/// <summary>The pictures of one run. A picture that has nothing to show is not drawn.</summary>
internal sealed class Pictures(BenchFigures figures, string folder)
{
    private const int BarPixels = 22;

    // Of bars for each suite, or of lines.
    private const int MostReadable = 12;

    // A point of the calibration that stands for fewer says nothing.
    private const int FewestTokens = 10;

    /// <summary>Draws them all.</summary>
    public IReadOnlyList<Drawn> Draw() =>
        [.. new[] { Speed(), OracleGap(), Lengths(), Calibration(), Positions(), Times() }.OfType<Drawn>()];

    private PolicyResult[] Drafting => [.. figures.Results.Where(result => result.Name != DraftPolicies.Plain)];

    private Drawn? Speed()
    {
        (PolicyResult[] policies, string note) = Readable(Drafting.Where(result => double.IsFinite(result.DecodeSpeedup(figures.Plain).Low)));
        if (policies.Length == 0)
        {
            return null;
        }

        using Plot plot = Picture.Begin("Decode speedup over plain decoding, by suite", "", "speedup");
        double step = policies.Length + 1.5;
        for (int i = 0; i < policies.Length; i++)
        {
            PolicyResult policy = policies[i];
            Interval[] speedups = [.. figures.Suites.Select(suite => policy.OfSuite(suite).DecodeSpeedup(figures.Plain.OfSuite(suite))), policy.DecodeSpeedup(figures.Plain)];
            int[] shown = [.. Enumerable.Range(0, speedups.Length).Where(group => double.IsFinite(speedups[group].Low))];
            double[] xs = [.. shown.Select(group => (group * step) + i)], ys = [.. shown.Select(group => speedups[group].Value)];
            var bars = plot.Add.Bars(xs, ys);
            bars.Color = Picture.Colour(i);
            bars.LegendText = policy.Name;
            Picture.Ranges(plot, Colors.Black.WithOpacity(0.6), xs, ys, [.. shown.Select(group => speedups[group].Low)], [.. shown.Select(group => speedups[group].High)]);
        }

        int groups = figures.Suites.Count + 1;
        plot.Add.HorizontalLine(1, 1, Colors.Black.WithOpacity(0.4), LinePattern.Dashed);
        Picture.Names(plot, [.. Enumerable.Range(0, groups).Select(group => (group * step) + ((policies.Length - 1) / 2.0))], [.. figures.Suites, "all"]);
        plot.Axes.Margins(bottom: 0);
        return Save(plot, "speed.png", "Decode speed over plain decoding's, by suite and over all prompts; the ranges are 95% intervals over prompts." + note, (int)(groups * step * BarPixels));
    }

    private Drawn? OracleGap()
    {
        (PolicyResult Result, Gain Gain)[] gains =
        [
            .. figures.Results.Zip(figures.Gains).Where(pair => pair.Second.BestFixed is { } gain && double.IsFinite(gain.Ratio.Low)).Select(pair => (pair.First, pair.Second.BestFixed!)),
        ];
        (PolicyResult Result, Gain Gain)[] oracles = [.. gains.Where(pair => PolicyKinds.Of(pair.Result.Name) == PolicyKind.Oracle)];
        (PolicyResult Result, Gain Gain)[] others = [.. gains.Except(oracles).Where(pair => pair.Result.Name != DraftPolicies.Plain).OrderByDescending(pair => pair.Gain.Ratio.Value)];
        if (oracles.Length == 0 || others.Length == 0)
        {
            return null;
        }

        using Plot plot = Picture.Begin($"Decode speed over the best fixed length ({oracles[0].Gain.Over})", "", "gain, %");
        double[] xs = [.. Enumerable.Range(0, others.Length).Select(i => (double)i)], ys = [.. others.Select(pair => Percent(pair.Gain.Ratio.Value))];
        var bars = plot.Add.Bars(xs, ys);
        bars.Color = Picture.Colour(0);
        Picture.Ranges(
            plot, Colors.Black.WithOpacity(0.6), xs, ys, [.. others.Select(pair => Percent(pair.Gain.Ratio.Low))], [.. others.Select(pair => Percent(pair.Gain.Ratio.High))]);
        for (int i = 0; i < oracles.Length; i++)
        {
            var line = plot.Add.HorizontalLine(Percent(oracles[i].Gain.Ratio.Value), 2, Picture.Colour(i + 1));
            line.LegendText = oracles[i].Result.Name;
        }

        Picture.Names(plot, xs, [.. others.Select(pair => pair.Result.Name)]);
        return Save(
            plot, "oracle-gap.png", $"What each policy gains over the best fixed length of the run (`{oracles[0].Gain.Over}`), with paired 95% intervals; the lines are what {OraclePolicy.PolicyName}s gain, which know the output.",
            others.Length * 2 * BarPixels);
    }

    private Drawn? Lengths()
    {
        PolicyResult[] planning = [.. Drafting.Where(result => PolicyKinds.Of(result.Name) != PolicyKind.Oracle && PlannedLengths.Of(result).Count > 0)];
        if (planning.Length == 0)
        {
            return null;
        }

        using Plot plot = Picture.Begin("Accepted length by predicted length", "predicted length", "accepted length");
        int longest = 0;
        for (int i = 0; i < planning.Length; i++)
        {
            IReadOnlyList<PlannedLength> lengths = PlannedLengths.Of(planning[i]);
            longest = Math.Max(longest, lengths[^1].Planned);
            double[] xs = [.. lengths.Select(length => length.Planned + (0.06 * i))], ys = [.. lengths.Select(length => length.Accepted)];
            Picture.Line(plot, planning[i].Name, i, xs, ys);
            Picture.Ranges(
                plot, Picture.Colour(i).WithOpacity(0.5), xs, ys, [.. lengths.Select(length => Math.Max(length.Accepted - length.Spread, 0))], [.. lengths.Select(length => length.Accepted + length.Spread)]);
        }

        Picture.Reference(plot, 0, 0, longest, longest);
        Picture.WholeNumbers(plot);
        return Save(plot, "lengths.png", "Mean accepted length of the rounds for which a policy predicted each length, with one standard deviation; on the dashed line all that was predicted is accepted. The rounds of set lengths in which `auto` measures costs are among them.");
    }

    private Drawn? Calibration()
    {
        PolicyResult[] forecasting = [.. Drafting.Where(result => result.Forecasts.Count > 0)];
        if (forecasting.Length == 0)
        {
            return null;
        }

        using Plot plot = Picture.Begin("Calibration: probability of a drafted token, and whether it was right", "predicted probability", "share that was right");
        int colour = 0;
        foreach (PolicyResult policy in forecasting)
        {
            foreach ((string when, Func<DraftForecast, double> chance) in Chances.All)
            {
                ReliabilityBin[] bins = [.. Chances.Bins(policy, chance).Where(bin => bin.Count >= FewestTokens)];
                double[] xs = [.. bins.Select(bin => bin.Predicted)], ys = [.. bins.Select(bin => bin.Right)];
                Picture.Line(plot, $"{policy.Name}, {when}", colour, xs, ys);
                Picture.Ranges(
                    plot, Picture.Colour(colour++).WithOpacity(0.5), xs, ys, [.. bins.Select(bin => bin.Right - (2 * bin.Error))], [.. bins.Select(bin => bin.Right + (2 * bin.Error))]);
            }
        }

        Picture.Reference(plot, 0, 0, 1, 1);
        plot.Axes.SetLimits(0, 1, 0, 1);
        return Save(plot, "calibration.png", "Each verified token of a chain whose fate is known, those before it being right: its predicted probability and how often it was right, by tenths that have at least ten tokens, with two standard errors. On the dashed line probabilities mean what they say.");
    }

    private Drawn? Positions()
    {
        (PolicyResult[] policies, string note) = Readable(Drafting.Where(result => PolicyKinds.Of(result.Name) != PolicyKind.Oracle && result.AcceptanceByPosition().Count > 0));
        (string Name, IReadOnlyList<double> Shares)[] lines = [.. policies.Select(result => (result.Name, result.AcceptanceByPosition()))];
        if (lines.Length == 0)
        {
            return null;
        }

        using Plot plot = Picture.Begin("Acceptance by position", "position in the draft", "share accepted where all before were");
        for (int i = 0; i < lines.Length; i++)
        {
            // Deep in a tree there may be nodes that no round got to.
            int[] reached = [.. Enumerable.Range(0, lines[i].Shares.Count).Where(position => double.IsFinite(lines[i].Shares[position]))];
            Picture.Line(plot, lines[i].Name, i, [.. reached.Select(position => position + 1.0)], [.. reached.Select(position => lines[i].Shares[position])]);
        }

        Picture.WholeNumbers(plot);
        plot.Axes.SetLimitsY(0, 1.02);
        return Save(plot, "positions.png", "For each position of a draft, the share of rounds that accepted it among those that drafted it and accepted all before it." + note);
    }

    private Drawn? Times()
    {
        (string Name, Func<Measurement, double> Of)[] parts = [("draft", sum => sum.Draft), ("verify", sum => sum.Verify), ("policy", sum => sum.Plan), ("rest", sum => sum.Other)];
        PolicyResult[] policies = [.. figures.Results.Where(result => result.Sum.VisibleAfterFirst > 0)];
        if (policies.Length == 0)
        {
            return null;
        }

        using Plot plot = Picture.Begin("Where the time goes, by decoded token", "", "milliseconds per token");
        double[] xs = [.. Enumerable.Range(0, policies.Length).Select(i => (double)i)];
        double[] below = new double[policies.Length];
        for (int part = 0; part < parts.Length; part++)
        {
            double[] heights = [.. policies.Select(policy => 1000 * Math.Max(parts[part].Of(policy.Sum), 0) / policy.Sum.VisibleAfterFirst)];
            var bars = plot.Add.Bars((Bar[])[.. xs.Select((x, i) => new Bar
            {
                Position = x, ValueBase = below[i], Value = below[i] + heights[i], FillColor = Picture.Colour(part), LineWidth = 0,
            })]);
            bars.LegendText = parts[part].Name;
            below = [.. below.Zip(heights, (a, b) => a + b)];
        }

        Picture.Names(plot, xs, [.. policies.Select(policy => policy.Name)]);
        plot.Axes.Margins(bottom: 0);
        return Save(
            plot, "time.png", "Time by decoded token after the first: in the drafter (and the policy while it drafts), in the target's passes, in the policy's plans, and the rest.",
            policies.Length * 2 * BarPixels);
    }

    // In the run's order: what is proposed here, the oracles, and the fastest of the others; and what is to be said if that is not all.
    private static (PolicyResult[] Shown, string Note) Readable(IEnumerable<PolicyResult> policies)
    {
        PolicyResult[] all = [.. policies];
        HashSet<string> shown =
        [
            .. all.OrderByDescending(result => PolicyKinds.Of(result.Name) is PolicyKind.Own or PolicyKind.Oracle).ThenByDescending(result => result.Sum.DecodeTokensPerSecond)
                .Take(MostReadable).Select(result => result.Name),
        ];
        return ([.. all.Where(result => shown.Contains(result.Name))], all.Length > MostReadable ? $" For want of room {all.Length - MostReadable} slower policies are left out; the tables have them." : "");
    }

    private static double Percent(double ratio) => 100 * (ratio - 1);

    private Drawn Save(Plot plot, string file, string caption, int width = 0)
    {
        Picture.Save(plot, Path.Combine(folder, file), width: width);
        return new Drawn(file, caption);
    }
}
