using AdaEagle.Speculation.Oracle;

namespace AdaEagle.Cli.Bench.Tune;

/// <summary>
/// The best fixed trees for recorded outputs: of all trees of so many nodes and levels the one with the most expected accepted tokens, which is the sum over its nodes of how often the output goes
/// by their ranks. No path is gone oftener than the one it continues, so the most frequent paths are a tree.
/// </summary>
internal static class FittedTrees
{
    /// <summary>The policy name of the tree of at most <paramref name="nodes"/> nodes and <paramref name="depth"/> levels; <c>comb:0,0</c> where nothing was ever right.</summary>
    public static string Name(IEnumerable<RecordedOutput> outputs, int nodes, int depth)
    {
        var counts = new Dictionary<string, int>(StringComparer.Ordinal);
        foreach (RecordedRoot root in outputs.SelectMany(output => output.Roots))
        {
            string path = string.Concat(root.Ranks.Take(depth));
            for (int length = 1; length <= path.Length; length++)
            {
                counts[path[..length]] = counts.GetValueOrDefault(path[..length]) + 1;
            }
        }

        string[] best = [.. counts.OrderByDescending(path => path.Value).ThenBy(path => path.Key.Length).ThenBy(path => path.Key, StringComparer.Ordinal).Take(nodes).Select(path => path.Key)];
        return best.Length == 0 ? "comb:0,0" : "tree:" + string.Join(',', best.OrderBy(path => path.Length).ThenBy(path => path, StringComparer.Ordinal));
    }
}
