using System.Text;
using System.Text.RegularExpressions;

namespace AdaEagle.Training.Tests.Tokenizers;

/// <summary>Byte-level BPE as its definition says it, over strings: recounts every pair before every merge. The trainer is held against it.</summary>
internal static class NaiveBpe
{
    private static readonly Regex Split = new(
        @"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+", RegexOptions.CultureInvariant);

    public static (List<string> Tokens, List<(string Left, string Right)> Merges) Train(IEnumerable<string> texts, int size, IReadOnlyList<string> special)
    {
        List<List<string>> pieces = [.. texts.SelectMany(Pieces)];
        List<string> tokens = [.. special, .. Enumerable.Range(0, 256).Select(value => Character((byte)value)).Order(StringComparer.Ordinal)];
        List<(string Left, string Right)> merges = [];
        while (tokens.Count < size)
        {
            var best = pieces.SelectMany(piece => piece.Zip(piece.Skip(1))).GroupBy(pair => pair).Where(group => group.Count() >= 2)
                .OrderByDescending(group => group.Count()).ThenBy(group => tokens.IndexOf(group.Key.First)).ThenBy(group => tokens.IndexOf(group.Key.Second))
                .FirstOrDefault();
            if (best is null)
            {
                break;
            }

            (string left, string right) = best.Key;
            if (!merges.Contains((left, right)))
            {
                merges.Add((left, right));
            }

            if (!tokens.Contains(left + right))
            {
                tokens.Add(left + right);
            }

            pieces.ForEach(piece => Merge(piece, left, right));
        }

        return (tokens, merges);
    }

    /// <summary>The pieces of a text, each as the spellings of its bytes.</summary>
    public static IEnumerable<List<string>> Pieces(string text) => Split.Matches(text).Select(match => Spell(match.Value));

    /// <summary>The spelling of one byte in byte-level BPE, written down from its description: printable Latin-1 as it is, the rest from U+0100.</summary>
    public static string Character(byte value)
    {
        static bool IsPrintable(int code) => code is >= 33 and <= 126 or >= 161 and <= 172 or >= 174 and <= 255;
        int rank = Enumerable.Range(0, value).Count(code => !IsPrintable(code));
        return IsPrintable(value) ? ((char)value).ToString() : ((char)(256 + rank)).ToString();
    }

    private static List<string> Spell(string piece) => [.. Encoding.UTF8.GetBytes(piece).Select(Character)];

    private static void Merge(List<string> piece, string left, string right)
    {
        for (int i = 0; i + 1 < piece.Count; i++)
        {
            if (piece[i] == left && piece[i + 1] == right)
            {
                piece[i] += right;
                piece.RemoveAt(i + 1);
            }
        }
    }
}
