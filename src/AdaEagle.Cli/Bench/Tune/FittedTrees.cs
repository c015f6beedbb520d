using AdaEagle.Speculation.Oracle;

namespace AdaEagle.Cli.Bench.Tune;

/// <summary>
/// The best fixed trees for recorded outputs. Of all trees of so many nodes and levels the one with the most expected accepted tokens, which is the sum over its nodes of how often the output goes by
/// their ranks: no path is gone oftener than the one it continues, so the most frequent paths are a tree. Of these, by levels, the one with the most expected tokens per second.
/// </summary>
internal sealed class FittedTrees
{
    private readonly (string Path, double Share)[] _paths;
    private readonly int _longest;

    /// <summary>Counts the paths that outputs go by.</summary>
    /// <param name="outputs">The outputs, with ranks below 10: a path has one digit each.</param>
    /// <param name="longest">The most levels.</param>
    public FittedTrees(IEnumerable<RecordedOutput> outputs, int longest)
    {
        _longest = longest;
        var counts = new Dictionary<string, int>(StringComparer.Ordinal);
        int roots = 0;
        foreach (RecordedRoot root in outputs.SelectMany(output => output.Roots))
        {
            roots++;
            string path = string.Concat(root.Ranks.Take(longest));
            for (int length = 1; length <= path.Length; length++)
            {
                counts[path[..length]] = counts.GetValueOrDefault(path[..length]) + 1;
            }
        }

        _paths = [.. counts.OrderByDescending(path => path.Value).ThenBy(path => path.Key.Length).ThenBy(path => path.Key, StringComparer.Ordinal).Select(path => (path.Key, (double)path.Value / roots))];
    }

    /// <summary>The policy name of the best tree of at most so many nodes and any number of levels, by what rounds cost; <c>comb:0,0</c> where nothing was ever right.</summary>
    public string Best(int nodes, TreeCosts costs) => Name(Enumerable.Range(1, _longest).Select(depth => Tree(nodes, depth)).MaxBy(tree => Rate(tree, costs))!);

    /// <summary>The policy name of the tree with the most expected accepted tokens of at most so many nodes and levels.</summary>
    public string Best(int nodes, int depth) => Name(Tree(nodes, depth));

    private (string Path, double Share)[] Tree(int nodes, int depth) => [.. _paths.Where(path => path.Path.Length <= depth).Take(nodes)];

    // Expected tokens over the seconds of a round; a pass runs the nodes of a level that have children.
    private static double Rate((string Path, double Share)[] tree, TreeCosts costs)
    {
        if (tree.Length == 0)
        {
            return 0;
        }

        IEnumerable<int> passes = tree.Select(path => path.Path[..^1]).Distinct().GroupBy(parent => parent.Length).OrderBy(level => level.Key).Select(level => level.Count());
        return (1 + tree.Sum(path => path.Share)) / (costs.Draft([.. passes]) + costs.Verify(tree.Length, tree.Max(path => path.Path.Length)) + costs.Chains.OverheadSeconds);
    }

    private static string Name((string Path, double Share)[] tree) =>
        tree.Length == 0 ? "comb:0,0" : "tree:" + string.Join(',', tree.Select(path => path.Path).OrderBy(path => path.Length).ThenBy(path => path, StringComparer.Ordinal));
}
