using AdaEagle.Cli.Bench;

namespace AdaEagle.Tests.Cli;

/// <summary>Gains over others of a run, worked out by hand on suites of five like prompts with ten tokens after the first.</summary>
public class PolicyGainsTests
{
    [Theory]
    [InlineData("ar", PolicyKind.FixedLength)]
    [InlineData("fixed:3", PolicyKind.FixedLength)]
    [InlineData("comb:4,2", PolicyKind.FixedTree)]
    [InlineData("tree:eagle1", PolicyKind.FixedTree)]
    [InlineData("eagle2:60,5,10", PolicyKind.Rule)]
    [InlineData("threshold:-2", PolicyKind.Rule)]
    [InlineData("ldlp+threshold:-2", PolicyKind.Own)]
    [InlineData("auto:chain", PolicyKind.Own)]
    [InlineData("oracle:tree", PolicyKind.Oracle)]
    internal void A_policy_is_of_one_kind(string name, PolicyKind kind) => Assert.Equal(kind, PolicyKinds.Of(name));

    [Fact]
    public void The_oracles_share_is_of_what_it_gains_over_the_best_fixed_length_and_each_suite_has_its_own_best()
    {
        // Seconds on suite a, suite b; fixed:1 is best in all (3 s), fixed:2 in b.
        IReadOnlyList<PolicyGains> gains = PolicyGains.Of([
            Result("ar", 4, 4), Result("fixed:1", 1, 2), Result("fixed:2", 2.5, 1), Result("auto", 0.5, 1.5), Result("oracle", 0.5, 0.5),
        ]);
        double speed(double seconds) => 20 / seconds;
        Assert.Equal((speed(2) - speed(3)) / (speed(1) - speed(3)), gains[3].OracleShare!.Value.Value, 12);
        Assert.Equal([(speed(8) - speed(3)) / (speed(1) - speed(3)), 0, 1], new[] { gains[0], gains[1], gains[4] }.Select(gain => gain.OracleShare!.Value.Value));
        Assert.All(gains, gain => Assert.Null(gain.TreeOracleShare));

        Assert.Equal("fixed:1", gains[3].BestFixed!.Over);
        Assert.Equal(3 / 2.0, gains[3].BestFixed!.Ratio.Value, 12);
        Assert.Null(gains[1].BestFixed);
        Assert.Equal("fixed:1 in a; fixed:2 in b", gains[3].BestFixedOfSuites!.Over);
        Assert.Equal(2 / 2.0, gains[3].BestFixedOfSuites!.Ratio.Value, 12);

        // In b: 1.5 s against fixed:2's 1 s, the oracle 0.5 s. Like prompts leave no spread, so this is behind.
        SuiteGains b = gains[3].Suites[1];
        Assert.Equal(("b", "fixed:2"), (b.Suite, b.BestFixed!.Over));
        Assert.Equal(1 / 1.5, b.BestFixed.Ratio.Value, 12);
        Assert.Equal(((10 / 1.5) - 10) / (20 - 10), b.OracleShare!.Value.Value, 12);
        Assert.Equal(["b"], gains[3].BehindIn);
        Assert.Equal(["a"], gains[2].BehindIn);
        Assert.Empty(gains[4].BehindIn);
    }

    [Fact]
    public void Plain_decoding_is_a_fixed_length_but_not_the_only_one()
    {
        IReadOnlyList<PolicyGains> gains = PolicyGains.Of([Result("ar", 1, 1), Result("fixed:1", 2, 2), Result("auto", 1, 2)]);
        Assert.Equal("ar", gains[2].BestFixed!.Over);
        Assert.Null(gains[2].OracleShare);
        gains = PolicyGains.Of([Result("ar", 2, 2), Result("auto", 1, 1), Result("oracle", 1, 1)]);
        Assert.Equal((null, null, null), (gains[1].BestFixed, gains[1].BestFixedOfSuites, gains[1].OracleShare));
    }

    [Fact]
    public void Trees_and_rules_have_their_own_best_and_an_oracle_that_gains_nothing_has_no_shares()
    {
        IReadOnlyList<PolicyGains> gains = PolicyGains.Of([
            Result("ar", 4, 4), Result("fixed:1", 2, 2), Result("comb:2,1", 1, 2), Result("tree:0,1", 2, 2), Result("svip:0.3", 2, 3), Result("eagle2:60,5,10", 2, 2), Result("auto", 1, 1),
            Result("oracle", 3, 3), Result("oracle:tree", 1, 2),
        ]);
        Assert.Equal(("comb:2,1", "eagle2:60,5,10"), (gains[6].BestTree!.Over, gains[6].BestRule!.Over));
        Assert.Equal((3 / 2.0, 4 / 2.0), (gains[6].BestTree!.Ratio.Value, gains[6].BestRule!.Ratio.Value));
        Assert.Equal("comb:2,1", gains[3].BestTree!.Over);
        Assert.Equal((null, null), (gains[2].BestTree, gains[5].BestRule));
        Assert.Null(gains[6].OracleShare);
        Assert.Equal((10 - 5) / ((20 / 3.0) - 5), gains[6].TreeOracleShare!.Value.Value, 12);
    }

    [Fact]
    public void What_loops_is_left_out_of_the_second_comparison()
    {
        PolicyResult mixed(string name, double straight, double looping) => new(name, [Prompt("a", straight, false), Prompt("a", looping, true)]);
        var figures = new BenchFigures([mixed("ar", 4, 4), mixed("fixed:1", 2, 3), mixed("auto", 3, 1)]);
        Assert.Equal(5 / 4.0, figures.Gains[2].BestFixed!.Ratio.Value, 12);
        Assert.Equal(1, figures.WithoutLoops!.Prompts);
        Assert.Equal(2 / 3.0, figures.WithoutLoops.Gains[2].BestFixed!.Ratio.Value, 12);
        Assert.Null(figures.WithoutLoops.WithoutLoops);
        PolicyJson json = PolicyJson.Of(figures)[2];
        Assert.Equal(1, json.WithoutLoops!.Prompts);
        Assert.Equal(-1 / 3.0, json.WithoutLoops.Gains.BestFixed!.Gain!.Value, 12);
        // One prompt that is slower is no evidence.
        Assert.Empty(json.WithoutLoops.BehindIn);
    }

    private static PolicyResult Result(string name, double a, double b) => new(
        name, [.. Enumerable.Repeat(Prompt("a", a, false), PolicyGains.FewestPrompts), .. Enumerable.Repeat(Prompt("b", b, false), PolicyGains.FewestPrompts)]);

    private static PromptResult Prompt(string suite, double seconds, bool loops) => new(
        new Question("1", suite, ["x"], false, 0), Measurement.Zero with { Visible = 11, VisibleAfterFirst = 10, Emitted = 11, Passes = 11, Verify = seconds }, true, loops, []);
}
