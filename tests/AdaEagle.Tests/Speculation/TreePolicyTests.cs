using AdaEagle.Speculation;
using AdaEagle.Speculation.Policies;

namespace AdaEagle.Tests.Speculation;

/// <summary>Which nodes tree policies expand and verify, on trees computed by hand.</summary>
public class TreePolicyTests
{
    private const string Natural = "abcdefghij";

    // Best two children of every node, with ln p: tokens are their places in the alphabet.
    //   root: a -0.1, b -2.5      a: c -0.2 (-0.3), d -1.9 (-2.0)      b: e -0.1 (-2.6), f -3 (-5.5)
    //   c: g -0.5 (-0.8), h -1 (-1.3)      d: i -0.3 (-2.3), j -2.2 (-4.2)
    private static readonly Dictionary<char, (char, float)[]> s_tree = new()
    {
        ['.'] = [('a', -0.1f), ('b', -2.5f)],
        ['a'] = [('c', -0.2f), ('d', -1.9f)],
        ['b'] = [('e', -0.1f), ('f', -3)],
        ['c'] = [('g', -0.5f), ('h', -1)],
        ['d'] = [('i', -0.3f), ('j', -2.2f)],
    };

    [Theory]
    [InlineData(2, "a")]
    [InlineData(3, "ac")]
    [InlineData(6, "acdgh")]
    [InlineData(7, "acdghi")]
    [InlineData(8, "abcdghi")]
    [InlineData(9, "abcdeghi")]
    [InlineData(11, Natural)]
    [InlineData(60, Natural)] // more than there are
    public void Eagle2_expands_the_likeliest_paths_of_a_level_and_keeps_the_likeliest_of_all(int total, string kept)
    {
        (DraftTree pool, List<string> passes, string draft) = Grow(new Eagle2Policy(total, 2, 2), s_tree);
        Assert.Equal([".", "ab", "cd"], passes);
        Assert.Equal(Natural, Letters(pool, Enumerable.Range(0, pool.Count)));
        Assert.Equal(kept, draft);
    }

    [Fact]
    public void Eagle2_follows_the_second_child_where_its_paths_are_likelier_likeliest_first()
    {
        Dictionary<char, (char, float)[]> tree = new()
        {
            ['.'] = [('a', -1), ('b', -1.1f)],
            ['a'] = [('c', -3), ('d', -4)],
            ['b'] = [('e', -0.2f), ('f', -0.3f)], // -1.3, -1.4
            ['e'] = [('g', -1), ('h', -2)], // -2.3, -3.3
            ['f'] = [('i', -0.1f), ('j', -0.2f)], // -1.5, -1.6
            ['i'] = [('k', 0), ('l', -1)],
            ['j'] = [('m', -0.5f), ('n', -1)],
        };
        (DraftTree pool, List<string> passes, string draft) = Grow(new Eagle2Policy(7, 3, 2), tree);
        Assert.Equal([".", "ab", "ef", "ij"], passes);
        Assert.Equal("abcdefghijklmn", Letters(pool, Enumerable.Range(0, pool.Count)));
        // a -1, b -1.1, e -1.3, f -1.4, i -1.5, k -1.5: f's and i's come before j at -1.6.
        Assert.Equal("abefik", draft);
    }

    [Theory]
    [InlineData(2, "a")]
    [InlineData(3, "ac")] // c ties with a, and its path is a's
    [InlineData(4, "abc")] // b and d tie at -1: the shallower
    [InlineData(5, "abcd")]
    public void Ties_go_to_the_shallower_and_to_the_lower_number(int total, string kept)
    {
        Dictionary<char, (char, float)[]> tree = new() { ['.'] = [('a', 0), ('b', -1)], ['a'] = [('c', 0), ('d', -1)], ['b'] = [('e', -0.5f), ('f', -0.5f)] };
        Assert.Equal(kept, Grow(new Eagle2Policy(total, 1, 2), tree).Draft);
    }

    [Fact]
    public void Where_everything_ties_the_beam_and_the_draft_are_the_first()
    {
        Dictionary<char, (char, float)[]> tree = "abcdefghij".Prepend('.').Select((letter, i) => (letter, i)).ToDictionary(
            pair => pair.letter, pair => ((char, float)[])[((char)('a' + (2 * pair.i)), pair.i == 0 ? -1 : 0), ((char)('b' + (2 * pair.i)), pair.i == 0 ? -1 : 0)]);
        (_, List<string> passes, string draft) = Grow(new Eagle2Policy(6, 2, 2), tree);
        Assert.Equal([".", "ab", "cd"], passes);
        Assert.Equal("abcde", draft);
    }

    [Fact]
    public void Eagle2_of_one_child_is_a_chain()
    {
        Dictionary<char, (char, float)[]> tree = new() { ['.'] = [('a', -1)], ['a'] = [('b', -1)], ['b'] = [('c', -1)], ['c'] = [('d', -1)] };
        (DraftTree pool, List<string> passes, string draft) = Grow(new Eagle2Policy(9, 3, 1), tree);
        Assert.Equal([".", "a", "b", "c"], passes);
        Assert.Equal("abcd", draft);
        Assert.Equal([-1, 0, 1, 2], Enumerable.Range(0, 4).Select(pool.Parent));
    }

    [Fact]
    public void A_static_tree_takes_ranks_and_leaves_out_what_it_has_not()
    {
        // Rank 1 of the root is drafted, since rank 2 is wanted, and not verified.
        StaticTreePolicy policy = StaticTreePolicy.Parse("tree", "0,2,20,00,201");
        Assert.Equal((5, 7, 3), (policy.MaxDraft, policy.MaxPool, policy.LongestPath));
        Dictionary<char, (char, float)[]> tree = new()
        {
            ['.'] = [('a', 0), ('b', 0), ('c', 0)],
            ['a'] = [('d', 0), ('e', 0)],
            ['c'] = [('f', 0), ('g', 0)],
            ['f'] = [('h', 0), ('i', 0)],
        };
        (DraftTree pool, List<string> passes, string draft) = Grow(policy, tree);
        Assert.Equal([".", "ac", "f"], passes);
        Assert.Equal("abcdfhi", Letters(pool, Enumerable.Range(0, pool.Count)));
        Assert.Equal("acdfi", draft);
    }

    [Fact]
    public void A_comb_is_a_chain_with_siblings()
    {
        StaticTreePolicy policy = StaticTreePolicy.Comb("comb", 3, 1);
        Dictionary<char, (char, float)[]> tree = new() { ['.'] = [('a', 0), ('b', 0)], ['a'] = [('c', 0), ('d', 0)], ['c'] = [('e', 0), ('f', 0)] };
        (DraftTree _, List<string> passes, string draft) = Grow(policy, tree);
        Assert.Equal((6, 6, 3), (policy.MaxDraft, policy.MaxPool, policy.LongestPath));
        Assert.Equal([".", "a", "c"], passes);
        Assert.Equal("abcdef", draft);
        Assert.Equal((0, 0), (StaticTreePolicy.Comb("comb", 0, 3).MaxDraft, Grow(StaticTreePolicy.Comb("comb", 0, 3), tree).Passes.Count));
    }

    [Fact]
    public void Trees_are_cut_to_what_a_pass_takes()
    {
        // Room for three: what is kept is still closed under parents.
        Assert.Equal("acg", Grow(new Eagle2Policy(11, 2, 2), s_tree, most: 3).Draft);
        Assert.Equal("abc", Grow(StaticTreePolicy.Comb("comb", 3, 1), s_tree, most: 3).Draft);
        // One node a pass: the beam is what there is room for.
        Assert.Equal([".", "a", "c"], Grow(new Eagle2Policy(11, 2, 2), s_tree, room: 1).Passes);
        Assert.Equal([".", "a", "c"], Grow(StaticTreePolicy.Comb("comb", 3, 1), s_tree, room: 1).Passes);
        Assert.Equal([".", "a", "b", "c"], Grow(StaticTreePolicy.Parse("tree", "0,1,00,10,000"), s_tree, room: 1).Passes);
    }

    [Fact]
    public void Trees_have_names()
    {
        var resources = new PolicyResources(null, 16);
        foreach (string name in (string[])["eagle2:60,5,10", "eagle2:2,0,1", "eagle2:64,15,8", "comb:0,0", "comb:7,8", "tree:0,1,00", "tree:eagle1"])
        {
            Assert.Equal(name, DraftPolicies.Create(name, resources).Name);
        }

        IDraftPolicy eagle2 = DraftPolicies.Create("eagle2:60,5,10", resources), eagle1 = DraftPolicies.Create("tree:eagle1", resources);
        Assert.Equal((59, 510), (eagle2.MaxDraft, eagle2.MaxPool));
        Assert.Equal((25, 25), (eagle1.MaxDraft, eagle1.MaxPool));
        Assert.Equal(
            ["ar", "eagle2:60,5,10", "fixed:1", "tree:0,1,00", "comb:3,1", "ldlp+threshold:-0.6", ""],
            DraftPolicies.Split("ar,eagle2:60,5,10,fixed:1, tree:0,1,00,comb:3, 1,ldlp+threshold:-0.6,"));
    }

    [Theory]
    [InlineData("eagle2:", "TOTAL must be")]
    [InlineData("eagle2:60,5", "TOTAL must be")]
    [InlineData("eagle2:60,5,10,1", "TOTAL must be")]
    [InlineData("eagle2:65,5,10", "2 to 64")]
    [InlineData("eagle2:1,5,10", "2 to 64")]
    [InlineData("eagle2:60,16,1", "0 to 15")]
    [InlineData("eagle2:60,-1,1", "TOTAL must be")]
    [InlineData("eagle2:60,11,10", "at most 1024")]
    [InlineData("eagle2:60,5,99999", "at most 1024")]
    [InlineData("eagle2:60,5,0", "TOPK from 1")]
    [InlineData("comb:17,0", "0 to 16")]
    [InlineData("comb:16,3", "at most 63")]
    [InlineData("comb:1,4294967295", "at most 63")]
    [InlineData("comb:4", "K must be")]
    [InlineData("tree:", "digits")]
    [InlineData("tree:0,,1", "digits")]
    [InlineData("tree:eagle3", "digits")]
    [InlineData("tree:0,00,0", "twice")]
    [InlineData("tree:0,10", "without the one it continues")]
    [InlineData("tree:1,00", "without the one it continues")]
    [InlineData("tree:0,00,000,0000,00000,000000,0000000,00000000,000000000,0000000000,00000000000,000000000000,0000000000000,00000000000000,000000000000000,0000000000000000,00000000000000000", "paths at most 16")]
    public void Names_that_make_no_tree_are_refused_with_the_reason(string name, string message)
    {
        ArgumentException failure = Assert.Throws<ArgumentException>(() => DraftPolicies.Create(name, new PolicyResources(null, 16)));
        Assert.Contains(message, failure.Message, StringComparison.Ordinal);
    }

    /// <summary>Drafts as the round does, from a table of children; returns the pool, the letters of each pass, and those that are verified.</summary>
    private static (DraftTree Pool, List<string> Passes, string Draft) Grow(IDraftPolicy policy, Dictionary<char, (char Letter, float LogProbability)[]> children, int most = 63, int room = 20)
    {
        var pool = new DraftTree(Math.Max(policy.MaxPool, 1));
        var passes = new List<string>();
        var nodes = new Expansion[room];
        while (policy.NextNodes(pool, 0, nodes) is int count and > 0)
        {
            passes.Add(string.Concat(nodes[..count].Select(node => node.Node < 0 ? '.' : (char)pool.Token(node.Node))));
            foreach (Expansion expansion in nodes[..count])
            {
                pool.Expand(expansion.Node);
                foreach ((char letter, float logProbability) in children[expansion.Node < 0 ? '.' : (char)pool.Token(expansion.Node)].Take(expansion.Children))
                {
                    pool.Add(letter, expansion.Node, logProbability);
                }
            }
        }

        int[] keep = [.. Enumerable.Range(0, Math.Min(Math.Min(most, policy.MaxDraft), pool.Count))];
        int kept = policy.SelectNodes(pool, 0, keep);
        var draft = new DraftTree(63);
        draft.Take(pool, keep.AsSpan(0, kept));
        return (pool, passes, Letters(draft, Enumerable.Range(0, draft.Count)));
    }

    private static string Letters(DraftTree tree, IEnumerable<int> nodes) => string.Concat(nodes.Select(node => (char)tree.Token(node)));
}
