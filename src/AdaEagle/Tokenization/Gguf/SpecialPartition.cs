using System.Buffers;
using System.Text;

namespace AdaEagle.Tokenization.Gguf;

/// <summary>
/// Finds special tokens in a text in llama.cpp's order: the longest token first, wherever it stands, then shorter ones in what is left.
/// (Hugging Face takes the leftmost first; the two differ where tokens overlap.)
/// </summary>
internal sealed class SpecialPartition
{
    private readonly Dictionary<string, (int Id, bool Special, int Bytes)> _tokens;
    private readonly SearchValues<string> _search;
    private readonly int[] _lengths;

    /// <param name="tokens">Texts, ids, and whether they count only where special tokens are recognised. No text twice.</param>
    public SpecialPartition(IEnumerable<(string Text, int Id, bool Special)> tokens)
    {
        _tokens = tokens.ToDictionary(token => token.Text, token => (token.Id, token.Special, Encoding.UTF8.GetByteCount(token.Text)));
        _search = SearchValues.Create([.. _tokens.Keys], StringComparison.Ordinal);
        _lengths = [.. _tokens.Keys.Select(text => text.Length).Distinct()];
    }

    /// <summary>Cuts a text: pieces of plain text (id null) and found tokens, in order.</summary>
    public IEnumerable<(Piece Piece, int? Id)> Cut(string text, bool recogniseSpecial)
    {
        int done = 0;
        foreach ((Piece piece, int id) in Find(text, recogniseSpecial))
        {
            if (piece.Start > done)
            {
                yield return (new Piece(done, piece.Start - done), null);
            }

            yield return (piece, id);
            done = piece.End;
        }

        if (done < text.Length)
        {
            yield return (new Piece(done, text.Length - done), null);
        }
    }

    private List<(Piece Piece, int Id)> Find(string text, bool recogniseSpecial)
    {
        List<(Piece Piece, int Id, int Bytes)> all = [];
        var tokens = _tokens.GetAlternateLookup<ReadOnlySpan<char>>();
        for (int place = 0; text.AsSpan(place).IndexOfAny(_search) is var ahead and >= 0; place++)
        {
            place += ahead;
            foreach (int length in _lengths)
            {
                if (place + length <= text.Length && tokens.TryGetValue(text.AsSpan(place, length), out (int Id, bool Special, int Bytes) token)
                    && (recogniseSpecial || !token.Special))
                {
                    all.Add((new Piece(place, length), token.Id, token.Bytes));
                }
            }
        }

        if (all.Count == 0)
        {
            return [];
        }

        // One that was taken is at least as long, so of an overlapping one an end lies in it.
        var taken = new System.Collections.BitArray(text.Length);
        List<(Piece Piece, int Id)> chosen = [];
        foreach ((Piece piece, int id, _) in all.OrderByDescending(found => found.Bytes).ThenBy(found => found.Id).ThenBy(found => found.Piece.Start))
        {
            if (!taken[piece.Start] && !taken[piece.End - 1])
            {
                chosen.Add((piece, id));
                for (int i = piece.Start; i < piece.End; i++)
                {
                    taken[i] = true;
                }
            }
        }

        chosen.Sort((a, b) => a.Piece.Start.CompareTo(b.Piece.Start));
        return chosen;
    }
}
