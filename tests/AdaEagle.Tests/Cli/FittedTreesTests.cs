using AdaEagle.Cli.Bench.Tune;
using AdaEagle.Speculation.Oracle;
using AdaEagle.Speculation.Policies;

namespace AdaEagle.Tests.Cli;

/// <summary>The best fixed tree of a size has the paths that outputs go by most often.</summary>
public class FittedTreesTests
{
    private static readonly TreeCosts s_costs = new(new RoundCosts([0, 1, 2], [10, 11, 12], 0, [1, 1, 1]), [], [], []);
    private static readonly RecordedOutput[] s_outputs = [Output([0, 0, 1], [0, 1], [0]), Output([1, 0], [1, 0, 2], [0, 0], [], [3])];

    [Theory]
    // Paths and how often: 0 four times, 1 twice, 00 twice, 10 twice; 01, 3, 001, 102 once.
    [InlineData(1, 3, "tree:0")]
    [InlineData(3, 3, "tree:0,1,00")]
    [InlineData(5, 3, "tree:0,1,3,00,10")]
    [InlineData(5, 1, "tree:0,1,3")]
    [InlineData(99, 3, "tree:0,1,3,00,01,10,001,102")]
    public void It_has_the_paths_that_outputs_go_by_most_often(int nodes, int depth, string expected)
    {
        string name = new FittedTrees(s_outputs, 3).Best(nodes, depth);
        Assert.Equal(expected, name);
        Assert.Equal(name, DraftPolicies.Create(name, new PolicyResources(null, 8)).Name);
    }

    [Fact]
    public void Where_nothing_was_ever_right_it_drafts_nothing() => Assert.Equal("comb:0,0", new FittedTrees([Output([])], 3).Best(4, s_costs));

    [Theory]
    // Eight roots; five nodes of one, two, three levels are right 7 / 8, 11 / 8, 11 / 8 times, in 1, 2, 2 passes of a second beside the verification's 4.
    [InlineData(5, 1.0, "tree:0,1,3,00,10")]
    // A pass of three seconds: 1.875 / 7 is more than 2.375 / 10.
    [InlineData(5, 3.0, "tree:0,1,3")]
    [InlineData(1, 1.0, "tree:0")]
    public void Of_all_depths_it_takes_the_one_with_the_most_expected_tokens_per_second(int nodes, double pass, string expected)
    {
        var costs = new TreeCosts(new RoundCosts([0, pass, 2 * pass, 3 * pass], [4, 4, 4, 4], 0, [1, 1, 1, 1]), [1, 2], [2, 2], [4, 4]);
        Assert.Equal(expected, new FittedTrees(s_outputs, 3).Best(nodes, costs));
    }

    [Fact]
    public void Every_rule_has_settings_within_the_budget_that_can_be_made()
    {
        foreach (int longest in (int[])[1, 2, 5, 8])
        {
            foreach ((string rule, IReadOnlyList<string> settings) in RuleSettings.For(longest, nodes => new FittedTrees(s_outputs, longest).Best(nodes, s_costs)))
            {
                Assert.InRange(settings.Count, 1, RuleSettings.Most);
                Assert.Distinct(settings);
                Assert.All(settings.Where(_ => rule is "comb" or "tree" or "eagle2" or "opt-tree"), setting => Assert.InRange(DraftPolicies.Create(setting, new PolicyResources(null, longest)).MaxDraft, 1, 63));
            }
        }
    }

    private static RecordedOutput Output(params int[][] ranks) => new([.. ranks.Select(path => new RecordedRoot(0, 0, 0) { Ranks = path })], 100, false);
}
