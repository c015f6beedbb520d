using System.Buffers;
using System.Text;
using AdaEagle.Tokenization.Patterns;

namespace AdaEagle.Tokenization;

/// <summary>A token that is found in the text before anything else is done (an entry of <c>added_tokens</c>).</summary>
/// <param name="Id">Its id.</param>
/// <param name="Content">Its text.</param>
/// <param name="Special">It is left out when special tokens are skipped, and is plain text for <see cref="ITokenizer.EncodeOrdinary"/>.</param>
/// <param name="SingleWord">It counts only where no letter, digit or the like is beside it.</param>
/// <param name="StripLeft">White space before it belongs to it.</param>
/// <param name="StripRight">White space after it belongs to it.</param>
/// <param name="Normalized">It is looked for in the normalised text, itself normalised.</param>
internal sealed record AddedToken(int Id, string Content, bool Special, bool SingleWord, bool StripLeft, bool StripRight, bool Normalized);

/// <summary>Finds added tokens in a text: the leftmost first, of several at one place the longest.</summary>
internal sealed class AddedTokens
{
    /// <summary>The longest text of an added token, which bounds the work at one place.</summary>
    public const int Longest = 256;

    private readonly Dictionary<string, AddedToken> _tokens;
    private readonly SearchValues<string> _search;
    private readonly int[] _lengths;

    /// <param name="tokens">The tokens. Those without text are never found; of several with the same text the first is.</param>
    /// <param name="toPattern">The text to look for, from a token's.</param>
    public AddedTokens(IEnumerable<AddedToken> tokens, Func<string, string> toPattern)
    {
        _tokens = [];
        foreach (AddedToken token in tokens)
        {
            string pattern = toPattern(token.Content);
            if (pattern.Length > 0)
            {
                _tokens.TryAdd(pattern, token);
            }
        }

        _search = SearchValues.Create([.. _tokens.Keys], StringComparison.Ordinal);
        _lengths = [.. _tokens.Keys.Select(text => text.Length).Distinct().OrderDescending()];
    }

    /// <summary>Cuts a text: pieces of plain text (token null) and found tokens, in order.</summary>
    public IEnumerable<(Piece Piece, AddedToken? Token)> Cut(string text, bool recogniseSpecial)
    {
        int done = 0;
        foreach ((Piece found, AddedToken token) in Find(text))
        {
            if ((token.Special && !recogniseSpecial) || (token.SingleWord && !StandsAlone(text, found)))
            {
                continue;
            }

            int start = token.StripLeft ? Math.Max(done, SpaceBefore(text, found.Start)) : found.Start;
            int end = token.StripRight ? SpaceAfter(text, found.End) : found.End;
            if (start > done)
            {
                yield return (new Piece(done, start - done), null);
            }

            // White space that a token took may hold another token, which counts all the same, as in the library.
            if (end > start)
            {
                yield return (new Piece(start, end - start), token);
            }

            done = end;
        }

        if (done < text.Length)
        {
            yield return (new Piece(done, text.Length - done), null);
        }
    }

    private IEnumerable<(Piece Piece, AddedToken Token)> Find(string text)
    {
        int place = 0;
        while (text.AsSpan(place).IndexOfAny(_search) is var ahead and >= 0)
        {
            AddedToken token = LongestAt(text, place + ahead, out int length);
            yield return (new Piece(place + ahead, length), token);
            place += ahead + length;
        }
    }

    private AddedToken LongestAt(string text, int place, out int length)
    {
        var tokens = _tokens.GetAlternateLookup<ReadOnlySpan<char>>();
        foreach (int candidate in _lengths)
        {
            if (place + candidate <= text.Length && tokens.TryGetValue(text.AsSpan(place, candidate), out AddedToken? token))
            {
                length = candidate;
                return token;
            }
        }

        throw new InvalidOperationException("An added token was found that is not there.");
    }

    private static bool StandsAlone(string text, Piece piece) =>
        !(Rune.DecodeLastFromUtf16(text.AsSpan(0, piece.Start), out Rune before, out _) == OperationStatus.Done && IsWord(before))
        && !(Rune.DecodeFromUtf16(text.AsSpan(piece.End), out Rune after, out _) == OperationStatus.Done && IsWord(after));

    // The library asks another regex engine here, for which joiners are of words too.
    private static bool IsWord(Rune rune) => UnicodeSets.Word.Contains(rune.Value) || rune.Value is 0x200C or 0x200D;

    private static int SpaceBefore(string text, int place)
    {
        while (place > 0 && UnicodeSets.Space.Contains(text[place - 1]))
        {
            place--;
        }

        return place;
    }

    private static int SpaceAfter(string text, int place)
    {
        while (place < text.Length && UnicodeSets.Space.Contains(text[place]))
        {
            place++;
        }

        return place;
    }
}
