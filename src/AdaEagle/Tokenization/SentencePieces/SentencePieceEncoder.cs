using System.Text;
using AdaEagle.Tokenization.Merging;

namespace AdaEagle.Tokenization.SentencePieces;

/// <summary>Plain text to the ids of a SentencePiece model: normalised, taken apart, what has no piece made bytes or one unknown.</summary>
internal sealed class SentencePieceEncoder
{
    private readonly SentencePieceModel _model;
    private readonly PieceTrie _userDefined;
    private readonly PieceNormalizer _normalizer;
    private readonly UnigramPath? _unigram;
    private readonly ScoredMerger? _merger;
    private readonly Dictionary<string, int> _ids;
    private readonly int[]? _byteIds;

    public SentencePieceEncoder(SentencePieceModel model)
    {
        _model = model;
        _userDefined = new PieceTrie(Of(PieceType.UserDefined).Select(piece => (piece.Piece.Text, piece.Id)));
        _normalizer = new PieceNormalizer(model, _userDefined);
        _ids = Of(PieceType.Normal, PieceType.UserDefined, PieceType.Unused).ToDictionary(piece => piece.Piece.Text, piece => piece.Id);
        if (model.Kind == SentencePieceKind.Unigram)
        {
            _unigram = new UnigramPath(model);
        }
        else
        {
            _merger = new ScoredMerger(_ids.Select(piece => (piece.Key, model.Pieces[piece.Value].Score)), Of(PieceType.Unused).Select(piece => piece.Piece.Text));
        }

        if (model.ByteFallback)
        {
            _byteIds = new int[256];
            foreach ((SentencePiece piece, int id) in Of(PieceType.Byte))
            {
                // The reader has checked that all 256 are there.
                _byteIds[ByteTokens.TryParse(piece.Text, out byte value) ? value : 0] = id;
            }
        }
    }

    /// <summary>What a text is before it is taken apart.</summary>
    public string Normalize(string text) => _normalizer.Apply(text);

    /// <summary>Appends the ids of a text (well-formed UTF-16).</summary>
    public void Encode(string text, List<int> output)
    {
        string normalized = Normalize(text);
        if (normalized.Length == 0)
        {
            return;
        }

        byte[] utf8 = Encoding.UTF8.GetBytes(normalized);
        bool afterUnknown = false;
        if (_unigram is not null)
        {
            foreach ((int start, int end, int id) in _unigram.Find(utf8))
            {
                Add(id, utf8.AsSpan(start, end - start), output, ref afterUnknown);
            }

            return;
        }

        int at = 0;
        List<Piece> symbols = Symbols(normalized, utf8, out HashSet<int> frozen);
        foreach (Piece piece in _merger!.Merge(normalized, symbols, frozen.Count == 0 ? null : frozen))
        {
            ReadOnlySpan<char> part = normalized.AsSpan(piece.Start, piece.Length);
            int length = Encoding.UTF8.GetByteCount(part);
            int id = _ids.GetAlternateLookup<ReadOnlySpan<char>>().TryGetValue(part, out int found) ? found : -1;
            Add(id, utf8.AsSpan(at, length), output, ref afterUnknown);
            at += length;
        }
    }

    private IEnumerable<(SentencePiece Piece, int Id)> Of(params PieceType[] types) =>
        _model.Pieces.Select((piece, id) => (piece, id)).Where(piece => types.Contains(piece.piece.Type));

    /// <summary>User-defined symbols, which never merge, and characters.</summary>
    private List<Piece> Symbols(string text, ReadOnlySpan<byte> utf8, out HashSet<int> frozen)
    {
        List<Piece> symbols = new(text.Length);
        frozen = [];
        int start = 0;
        while (start < text.Length)
        {
            int bytes = _userDefined.Longest(utf8, out int id);
            int length;
            if (bytes > 0)
            {
                frozen.Add(symbols.Count);
                length = _model.Pieces[id].Text.Length;
            }
            else
            {
                Rune.DecodeFromUtf8(utf8, out _, out bytes);
                Rune.DecodeFromUtf16(text.AsSpan(start), out _, out length);
            }

            symbols.Add(new Piece(start, length));
            utf8 = utf8[bytes..];
            start += length;
        }

        return symbols;
    }

    private void Add(int id, ReadOnlySpan<byte> utf8, List<int> output, ref bool afterUnknown)
    {
        bool unknown = id < 0;
        if (!unknown)
        {
            output.Add(id);
        }
        else if (_byteIds is not null)
        {
            foreach (byte value in utf8)
            {
                output.Add(_byteIds[value]);
            }
        }
        else if (!afterUnknown)
        {
            // Neighbours without a piece are one unknown.
            output.Add(_model.UnknownId);
        }

        afterUnknown = unknown;
    }
}
