using AdaEagle.Cli.Bench;
using AdaEagle.Cli.Bench.Report;
using AdaEagle.Generation;
using AdaEagle.Speculation;
using AdaEagle.Tests.Formats;

namespace AdaEagle.Tests.Cli;

/// <summary>The figures that only a report has.</summary>
public sealed class ReportFiguresTests(TinyCliModel model) : IClassFixture<TinyCliModel>
{
    [Fact]
    public void Reliability_is_by_tenths_and_its_error_by_tokens()
    {
        IReadOnlyList<ReliabilityBin> bins = Reliability.Of([(0.05, false), (0.91, true), (0.99, true), (1, true), (0.95, false)]);
        Assert.Equal([1, 4], bins.Select(bin => bin.Count));
        Assert.Equal([0, 0.75], bins.Select(bin => bin.Right));
        Assert.Equal((0.91 + 0.99 + 1 + 0.95) / 4, bins[1].Predicted, 12);
        Assert.Equal(Math.Sqrt(0.75 * 0.25 / 4), bins[1].Error, 12);
        Assert.Equal((0.05 + (4 * (0.9625 - 0.75))) / 5, Reliability.Error(bins), 12);
        Assert.Empty(Reliability.Of([]));
        Assert.Equal(0, Reliability.Error([]));
    }

    [Fact]
    public void Accepted_lengths_are_told_by_planned_length_where_there_is_more_than_one()
    {
        PolicyResult varied = Result(new RoundRecord(1, 1, 1, 2), new RoundRecord(3, 3, 1, 2), new RoundRecord(3, 3, 3, 4));
        Assert.Equal([new PlannedLength(1, 1, 1, 0), new PlannedLength(3, 2, 2, 1)], PlannedLengths.Of(varied));
        Assert.Equal(0.5, PlannedLengths.Correlation(varied), 12);
        PolicyResult same = Result(new RoundRecord(3, 3, 1, 2), new RoundRecord(3, 3, 3, 4));
        Assert.Empty(PlannedLengths.Of(same));
        Assert.True(double.IsNaN(PlannedLengths.Correlation(same)));
        Assert.True(double.IsNaN(PlannedLengths.Correlation(Result())));
    }

    [Fact]
    public void Auto_tells_of_every_token_of_a_chain_up_to_the_first_wrong_one_what_it_thought_and_what_came_of_it()
    {
        // Costs at which drafting pays: it does not depend on the machine then.
        using var folder = new TemporaryFolder();
        string costs = folder.Write("costs.json", """{"draft_step_seconds": 0.01, "verify_seconds": [1, 1.001], "overhead_seconds": 0}""");
        using LanguageModel language = LanguageModel.Load(model.Folder, new LoadOptions { Threads = 1, CostsFile = costs });
        var settings = new BenchSettings([new Question("1", "a", ["hello"], true, 0)], ["ar", "auto:chain"], new GenerationOptions { MaxTokens = 90 }, 1) { KeepForecasts = true };
        using var runner = new BenchRunner(language, settings);
        runner.WarmUp(TestContext.Current.CancellationToken);
        PolicyResult auto = runner.Run(_ => { }, TestContext.Current.CancellationToken)[1];
        // What became of the last round nobody asks any more.
        (int, bool)[] expected =
        [
            .. auto.Prompts[0].Rounds.SkipLast(1).SelectMany(round => Enumerable.Range(1, Math.Min(round.Accepted + 1, round.Drafted)).Select(position => (position, position <= round.Accepted))),
        ];
        Assert.Equal(expected, auto.Forecasts.Select(forecast => (forecast.Position, forecast.IsRight)));
        Assert.Contains(expected, entry => entry.Item2);
        Assert.Contains(expected, entry => !entry.Item2);
        Assert.All(auto.Forecasts, forecast => Assert.InRange(forecast.Planned, 0, 1));
        Assert.All(auto.Forecasts, forecast => Assert.InRange(forecast.Estimated, 0, 1));

        using var quiet = new BenchRunner(language, settings with { KeepForecasts = false });
        Assert.Empty(quiet.Run(_ => { }, TestContext.Current.CancellationToken)[1].Forecasts);
    }

    [Fact]
    public void A_range_in_a_picture_reaches_from_low_to_high()
    {
        using ScottPlot.Plot plot = Picture.Begin("", "", "");
        Picture.Ranges(plot, Picture.Colour(0), [0], [2], [1.5], [7]);
        ScottPlot.AxisLimits limits = Assert.Single(plot.GetPlottables<ScottPlot.Plottables.ErrorBar>()).GetAxisLimits();
        Assert.Equal((1.5, 7.0), (limits.Bottom, limits.Top));
    }

    private static PolicyResult Result(params RoundRecord[] rounds) => new("p", [new PromptResult(new Question("1", "a", ["x"], false, 0), Measurement.Zero, true, false, rounds)]);
}
