using AdaEagle.Cli.Bench.Tune;
using AdaEagle.Speculation.Oracle;
using AdaEagle.Speculation.Policies;

namespace AdaEagle.Tests.Cli;

/// <summary>The best fixed tree of a size has the paths that outputs go by most often.</summary>
public class FittedTreesTests
{
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
        string name = FittedTrees.Name(s_outputs, nodes, depth);
        Assert.Equal(expected, name);
        Assert.Equal(name, DraftPolicies.Create(name, new PolicyResources(null, 8)).Name);
    }

    [Fact]
    public void Where_nothing_was_ever_right_it_drafts_nothing() => Assert.Equal("comb:0,0", FittedTrees.Name([Output([])], 4, 3));

    [Fact]
    public void Every_rule_has_settings_within_the_budget_that_can_be_made()
    {
        foreach (int longest in (int[])[1, 2, 5, 8])
        {
            foreach ((string rule, IReadOnlyList<string> settings) in RuleSettings.For(longest, (nodes, depth) => FittedTrees.Name(s_outputs, nodes, depth)))
            {
                Assert.InRange(settings.Count, 1, RuleSettings.Most);
                Assert.Distinct(settings);
                Assert.All(settings.Where(_ => rule is "comb" or "tree" or "eagle2" or "opt-tree"), setting => Assert.InRange(DraftPolicies.Create(setting, new PolicyResources(null, longest)).MaxDraft, 1, 63));
            }
        }
    }

    private static RecordedOutput Output(params int[][] ranks) => new([.. ranks.Select(path => new RecordedRoot(0, 0, 0) { Ranks = path })], 100, false);
}
