using AdaEagle.Speculation;
using AdaEagle.Speculation.Policies;

namespace AdaEagle.Tests.Speculation;

/// <summary>Tree rules that people use elsewhere: OPT-Tree and CaPE, on trees computed by hand.</summary>
public class TreeRuleTests
{
    // Every node's best children have these probabilities.
    private static readonly float[] s_halves = [0.5f, 0.25f, 0.125f];

    [Theory]
    // Level 1: 0.5 + 0.25 + 0.125 = 0.875. With 3 nodes: level 2 brings 0.25 of the first child: 0.5, 0.25, 0.25 make 1, 0.125 more.
    [InlineData(3, 0.5f, 2)]
    [InlineData(3, 0.13f, 2)]
    // Then level 3 brings nothing to the best three.
    [InlineData(3, 0.1f, 3)]
    [InlineData(3, 0f, 3)]
    // Level 1 itself brings 0.875 over nothing.
    [InlineData(3, 0.9f, 1)]
    // With 7 nodes, level 2: 0.5, 0.25, 0.25, 0.125 three times, 0.0625: 1.4375, 0.5625 more; level 3 puts 0.125 for 0.0625.
    [InlineData(7, 0.5f, 3)]
    [InlineData(7, 0.06f, 4)]
    [InlineData(7, 0.07f, 3)]
    public void Opt_tree_deepens_while_expected_acceptance_grows(int nodes, float least, int passes)
    {
        var policy = new OptTreePolicy(nodes, 4, 3, least);
        (int made, DraftTree draft) = Grow(policy, s_halves);
        Assert.Equal((passes, nodes), (made, draft.Count));
        // A second round begins anew.
        Assert.Equal(passes, Grow(policy, s_halves).Passes);
    }

    [Fact]
    public void Opt_tree_verifies_the_likeliest_of_all_candidates()
    {
        (_, DraftTree draft) = Grow(new OptTreePolicy(5, 2, 2, 0), [0.9f, 0.05f]);
        // 0.9, 0.05; 0.81, 0.045; 0.045, 0.0025.
        Assert.Equal([0.9, 0.05, 0.81, 0.045, 0.045], Enumerable.Range(0, draft.Count).Select(node => Math.Round(Math.Exp(draft.CumulativeLogProbability(node)), 4)));
    }

    [Theory]
    [InlineData(0.95f, 2)]
    [InlineData(0.8f, 2)]
    [InlineData(0.79f, 4)]
    [InlineData(0.6f, 4)]
    [InlineData(0.5f, 6)]
    [InlineData(0.3f, 6)]
    [InlineData(0.29f, 8)]
    [InlineData(0.01f, 8)]
    public void Cape_has_more_candidates_where_the_drafter_is_less_sure(float top, int candidates)
    {
        (int passes, DraftTree draft) = Grow(new CapePolicy(3), [.. Enumerable.Repeat(0.01f, 8)], top);
        Assert.Equal((3, 3 * candidates), (passes, draft.Count));
        // A chain of best children, siblings being leaves.
        Assert.Equal(3, draft.LongestPath);
        Assert.All(Enumerable.Range(0, draft.Count), node => Assert.True(draft.Parent(node) < 0 || draft.Rank(draft.Parent(node)) == 0));
    }

    [Theory]
    [InlineData("opt-tree", "opt-tree:50,5,4:0.5")]
    [InlineData("opt-tree:20,4,5:0.2", "opt-tree:20,4,5:0.2")]
    [InlineData("cape", "cape:5")]
    [InlineData("cape:7", "cape:7")]
    public void Names_make_tree_rules(string name, string full) => Assert.Equal(full, DraftPolicies.Create(name, new PolicyResources(null, 16)).Name);

    [Theory]
    [InlineData("opt-tree:64", "N must be")]
    [InlineData("opt-tree:50,10,10", "at most 1024")]
    [InlineData("cape:8", "K must be a whole number from 0 to 7")]
    public void Names_that_make_none_are_refused(string name, string message) =>
        Assert.Contains(message, Assert.Throws<ArgumentException>(() => DraftPolicies.Create(name, new PolicyResources(null, 16))).Message, StringComparison.Ordinal);

    private static (int Passes, DraftTree Draft) Grow(IDraftPolicy policy, float[] probabilities, float top = 0.5f)
    {
        var pool = new DraftTree(policy.MaxPool);
        var nodes = new Expansion[64];
        int passes = 0;
        while (policy.NextNodes(pool, policy.MaxDraft, nodes) is int count and > 0)
        {
            passes++;
            foreach (Expansion expansion in nodes[..count])
            {
                pool.Expand(expansion.Node);
                pool.SetSignals(expansion.Node, new DraftSignals(top, 0, 0));
                for (int rank = 0; rank < Math.Min(expansion.Children, probabilities.Length); rank++)
                {
                    pool.Add(rank, expansion.Node, MathF.Log(probabilities[rank]));
                }
            }
        }

        int[] keep = [.. Enumerable.Range(0, Math.Min(policy.MaxDraft, pool.Count))];
        var draft = new DraftTree(policy.MaxDraft);
        draft.Take(pool, keep.AsSpan(0, policy.SelectNodes(pool, policy.MaxDraft, keep)));
        return (passes, draft);
    }
}
