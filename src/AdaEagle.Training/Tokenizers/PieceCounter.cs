using System.Collections.Concurrent;
using System.Text.RegularExpressions;
using AdaEagle.Training.Data;

namespace AdaEagle.Training.Tokenizers;

/// <summary>Cuts texts into the pieces that no merge crosses, and counts them.</summary>
internal static partial class PieceCounter
{
    /// <summary>Qwen2's pattern, verbatim: contractions, letters with one leading character, single digits, other characters, line breaks, spaces.</summary>
    public const string Pattern =
        @"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+";

    /// <summary>How often each distinct piece occurs; uses all processors, the result does not depend on how the work was shared.</summary>
    public static Dictionary<string, long> Count(IEnumerable<string> texts)
    {
        var total = new Dictionary<string, long>();
        ParallelWork.Run(() => Parallel.ForEach(
            Partitioner.Create(texts, EnumerablePartitionerOptions.None),
            () => new Dictionary<string, long>(),
            (text, _, counts) =>
            {
                var lookup = counts.GetAlternateLookup<ReadOnlySpan<char>>();
                foreach (ValueMatch match in Splitter().EnumerateMatches(text))
                {
                    ReadOnlySpan<char> piece = text.AsSpan(match.Index, match.Length);
                    lookup[piece] = lookup.TryGetValue(piece, out long count) ? count + 1 : 1;
                }

                return counts;
            },
            counts =>
            {
                lock (total)
                {
                    foreach ((string piece, long count) in counts)
                    {
                        total[piece] = total.GetValueOrDefault(piece) + count;
                    }
                }
            }));
        return total;
    }

    [GeneratedRegex(Pattern, RegexOptions.CultureInvariant)]
    private static partial Regex Splitter();
}
