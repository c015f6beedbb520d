using System.Globalization;

namespace AdaEagle.Cli.Bench.Tune;

/// <summary>The rules that are tuned, each with the settings that are tried: at most <see cref="Most"/>, the same budget for every rule.</summary>
internal static class RuleSettings
{
    /// <summary>The budget.</summary>
    public const int Most = 12;

    /// <summary>Rules and their settings, as policy names, for drafts of at most <paramref name="longest"/> tokens.</summary>
    /// <param name="longest">k_max.</param>
    /// <param name="fittedTree">The name of the best fixed tree of so many nodes.</param>
    public static IReadOnlyList<(string Rule, IReadOnlyList<string> Settings)> For(int longest, Func<int, string> fittedTree)
    {
        (string, IEnumerable<string>)[] rules =
        [
            ("fixed", Lengths(0, longest).Select(length => $"fixed:{length}")),
            ("threshold", Each("threshold", -0.2, -0.4, -0.6, -0.8, -1, -1.3, -1.6, -2, -2.5, -3, -4, -6)),
            ("ldlp", ["ldlp"]),
            ("ldlp+threshold", Each("ldlp+threshold", -0.2, -0.4, -0.6, -0.8, -1, -1.3, -1.6, -2, -2.5, -3, -4, -6)),
            ("p-min", Each("p-min", 0, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.75, 0.8, 0.9, 0.95)),
            ("svip", Each("svip", 0.1, 0.15, 0.2, 0.25, 0.3, 0.35, 0.4, 0.45, 0.5, 0.55, 0.6, 0.7)),
            ("adaedl", Pairs("adaedl", [0, 0.2, 0.4, 0.6], [0.5, 0.7, 0.9])),
            ("specdec++", Each("specdec++", 0.3, 0.5, 0.7, 0.8, 0.85, 0.9, 0.95, 0.97, 0.98, 0.99, 0.995, 0.998)),
            ("hf-heuristic", Pairs("hf-heuristic", [1, 2, 3, 5], [0, 0.2, 0.4])),
            ("hf-confidence", Pairs("hf-confidence", [0.2, 0.3, 0.4, 0.5, 0.6, 0.7], [4, longest])),
            ("hf-adaptive", Pairs("hf-adaptive", [0.2, 0.4], [2, 3, 4, 5, 6, longest])),
            ("ema-tiers", Words("ema-tiers", "1-3-7", "1-2-4", "1-2-3", "1-3-5", "2-4-6", "1-4-8", "2-4", "1-3", "3-7", "2-5", "1-2-3-4", "2-4-6-8")),
            ("bucket", Lengths(1, longest).Select(shortest => $"bucket:{shortest}")),
            ("ucb", Each("ucb", 0, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 0.95, 1)),
            ("position-argmax", Each("position-argmax", 0.005, 0.01, 0.02, 0.03, 0.05, 0.07, 0.1, 0.15, 0.2, 0.3, 0.4, 0.5)),
            ("survival-rank", Lengths(1, longest).Select(length => $"survival-rank:{length}")),
            ("comb", Lists("comb", Levels(longest, 4), [1, 2, 3])),
            ("tree", ((int[])[2, 3, 4, 5, 6, 8, 10, 13, 16, 20, 28, 40]).Select(fittedTree)),
            ("eagle2", Lists("eagle2", [6, 10, 16], [.. Levels(longest, 3).Select(depth => depth - 1)], [4]).Concat(Lists("eagle2", [16, 32, 60], [longest - 1], [10]))),
            ("opt-tree", Lists("opt-tree", [6, 12, 24], Levels(longest, 2), [4]).SelectMany(sizes => Each(sizes, 0.2, 0.5))),
            ("auto", ["auto"]),
            ("auto:chain", ["auto:chain"]),
            ("cape", Lengths(1, longest).Select(length => $"cape:{length}")),
        ];
        return [.. rules.Select(rule => (rule.Item1, (IReadOnlyList<string>)[.. rule.Item2.Distinct().Take(Most)]))];
    }

    // All short ones, and some of the longer.
    private static IEnumerable<int> Lengths(int shortest, int longest) => ((int[])[0, 1, 2, 3, 4, 5, 6, 7, 8, 10, 12, longest]).Where(length => length >= shortest && length <= longest).Distinct();

    private static IEnumerable<string> Each(string rule, params double[] values) => values.Select(value => string.Create(CultureInfo.InvariantCulture, $"{rule}:{value}"));

    private static IEnumerable<string> Pairs(string rule, double[] first, double[] second) =>
        first.SelectMany(a => second.Select(b => string.Create(CultureInfo.InvariantCulture, $"{rule}:{a}:{b}")));

    // Numbers with commas between them, one of each list.
    private static IEnumerable<string> Lists(string rule, params int[][] numbers) =>
        numbers.Aggregate((IEnumerable<string>)[""], (lists, next) => lists.SelectMany(list => next.Select(number => $"{list},{number}"))).Select(list => $"{rule}:{list[1..]}");

    // So many draft lengths, evenly up to the longest.
    private static int[] Levels(int longest, int count) => [.. Enumerable.Range(1, count).Select(level => Math.Max(longest * level / count, 1)).Distinct()];

    private static IEnumerable<string> Words(string rule, params string[] words) => words.Select(word => $"{rule}:{word}");
}
