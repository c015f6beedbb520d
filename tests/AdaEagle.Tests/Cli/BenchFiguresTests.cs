using AdaEagle.Cli;
using AdaEagle.Cli.Bench;
using AdaEagle.Speculation;

namespace AdaEagle.Tests.Cli;

public class BenchFiguresTests
{
    [Fact]
    public void A_policy_compared_with_itself_is_exactly_as_fast_however_its_prompts_differ()
    {
        (double, double)[] prompts = [(10, 1), (3, 5), (700, 2), (1, 9)];
        Assert.Equal(new Interval(1, 1, 1), Bootstrap.RateRatio(prompts, prompts));
    }

    [Fact]
    public void A_constant_ratio_has_no_spread()
    {
        Interval ratio = Bootstrap.RateRatio([(10, 1), (6, 3)], [(10, 2), (6, 6)]);
        Assert.Equal((2.0, 2.0, 2.0), (ratio.Value, ratio.Low, ratio.High));
    }

    [Fact]
    public void Of_two_prompts_the_interval_reaches_from_one_to_the_other_and_the_value_is_that_of_the_sums()
    {
        // Prompt 1 is 1.5 times as fast, prompt 2 as fast: a quarter of the resamples draws one of them twice.
        Interval ratio = Bootstrap.RateRatio([(30, 2), (10, 1)], [(30, 3), (10, 1)]);
        Assert.Equal(40.0 / 3 / (40.0 / 4), ratio.Value, 12);
        Assert.Equal(1.0, ratio.Low, 12);
        Assert.Equal(1.5, ratio.High, 12);
    }

    [Fact]
    public void A_share_of_a_gain_leaves_out_resamples_in_which_nothing_was_to_be_gained()
    {
        // The ceiling gains on prompt 1 alone, the rated policy half of that in rate: 1, 1.5, 2 tokens a second.
        (double, double)[] baseline = [(6, 6), (6, 6)], rated = [(6, 4), (6, 6)], ceiling = [(6, 3), (6, 6)];
        Interval share = Bootstrap.GainShare(rated, baseline, ceiling);
        Assert.Equal(((12 / 10.0) - 1) / ((12 / 9.0) - 1), share.Value, 12);
        // Prompt 2 drawn twice has no share; one of each has the value, prompt 1 twice a half.
        Assert.Equal(0.5, share.Low, 12);
        Assert.Equal(0.6, share.High, 12);
        Assert.Equal((1.0, 0.0), (Bootstrap.GainShare(ceiling, baseline, ceiling).Low, Bootstrap.GainShare(baseline, baseline, ceiling).High));
        Assert.True(double.IsNaN(Bootstrap.GainShare(rated, ceiling, baseline).Value));
    }

    [Fact]
    public void Nothing_decoded_gives_no_ratio() =>
        Assert.True(double.IsNaN(Bootstrap.RateRatio([(0, 0)], [(0, 0)]).Value));

    [Fact]
    public void The_same_prompts_give_the_same_interval_every_time()
    {
        (double, double)[] rated = [.. Enumerable.Range(1, 30).Select(i => ((double)i, 1.0 + (i % 7)))];
        (double, double)[] baseline = [.. Enumerable.Range(1, 30).Select(i => ((double)i, 2.0 + (i % 5)))];
        Interval ratio = Bootstrap.RateRatio(rated, baseline);
        Assert.Equal(ratio, Bootstrap.RateRatio(rated, baseline));
        Assert.InRange(ratio.Value, ratio.Low, ratio.High);
        Assert.True(ratio.Low < ratio.High);
    }

    [Theory]
    [InlineData(true, 1, 2, 3, 4, 5, 6, 7, 8, 9, 1, 2, 3, 4, 5, 6, 7, 8)]
    [InlineData(true, 5, 5, 5, 5, 5, 5, 5, 5, 5)]
    [InlineData(false, 5, 5, 5, 5, 5, 5, 5, 5)]
    [InlineData(false, 1, 2, 3, 4, 5, 6, 7, 9, 1, 2, 3, 4, 5, 6, 7, 8)]
    public void An_output_loops_if_eight_tokens_in_a_row_occur_twice(bool loops, params int[] tokens) => Assert.Equal(loops, Loops.In(tokens));

    [Fact]
    public void The_median_of_repeats_keeps_times_that_add_up()
    {
        Measurement slow = Time(prefill: 3, verify: 7), middle = Time(prefill: 1, verify: 5), fast = Time(prefill: 2, verify: 2);
        Assert.Equal(middle, Measurement.Median([slow, fast, middle]));
        Measurement even = Measurement.Median([slow, middle]);
        Assert.Equal((2.0, 6.0, 8.0, 6.0), (even.Prefill, even.Verify, even.Total, even.Decode));
    }

    [Fact]
    public void Figures_are_sums_over_prompts_and_suites_are_apart()
    {
        PolicyResult plain = Result("ar", (10, 2.0, "a", true), (20, 8.0, "b", true));
        PolicyResult fast = Result("fixed:1", (10, 1.0, "a", true), (20, 2.0, "b", false));
        PolicyJson json = PolicyJson.Of(new BenchFigures([plain, fast]))[1];
        Assert.Equal(30 / 3.0, json.TokensPerSecond);
        Assert.Equal(10 / 3.0, json.Speedup!.Value, 12);
        Assert.Equal((1, 2), (json.Identical, json.Prompts));
        Assert.Equal(["a", "b"], json.Suites.Select(suite => suite.Name));
        Assert.Equal([2.0, 4.0], json.Suites.Select(suite => suite.DecodeSpeedup!.Value));
        Assert.Equal(BenchCommand.Differs, BenchCommand.ExitCode([plain, fast]));
        Assert.Equal(CommandLine.Done, BenchCommand.ExitCode([plain, plain]));
    }

    [Fact]
    public void Acceptance_by_position_counts_only_rounds_that_came_that_far()
    {
        RoundRecord[] rounds = [new(3, 3, 3, 4), new(3, 3, 1, 2), new(3, 3, 0, 1), new(1, 1, 1, 2), new(0, 0, 0, 1)];
        var result = new PolicyResult("p", [new PromptResult(Ask("a"), Measurement.Zero, true, false, rounds)]);
        Assert.Equal([3 / 4.0, 1 / 2.0, 1.0], result.AcceptanceByPosition());
        Assert.Equal(10 / 5.0, result.MeanDrafted);
    }

    private static PolicyResult Result(string name, params (int Visible, double Verify, string Suite, bool Identical)[] prompts) => new(
        name, [.. prompts.Select(prompt => new PromptResult(
            Ask(prompt.Suite), Time(0, prompt.Verify) with { Visible = prompt.Visible, VisibleAfterFirst = prompt.Visible - 1, Emitted = prompt.Visible, Passes = prompt.Visible }, prompt.Identical, false, []))]);

    private static Question Ask(string suite) => new("1", suite, ["x"], false, 0);

    private static Measurement Time(double prefill, double verify) => Measurement.Zero with { Prefill = prefill, Verify = verify };
}
