using System.Text;
using AdaEagle.Tokenization.Merging;

namespace AdaEagle.Tokenization.Gguf;

/// <summary>
/// SentencePiece as llama.cpp does it from a vocabulary with scores: perhaps a space in front, spaces as U+2581, merges by score; a
/// character that is no token becomes its bytes' tokens. Nothing is normalised.
/// </summary>
internal sealed class ScoredEncoder : TextEncoder
{
    private readonly bool _addsSpace;
    private readonly Vocabulary _vocabulary;
    private readonly ScoredMerger _merger;
    private readonly int[] _byteIds = new int[256];

    public ScoredEncoder(Vocabulary vocabulary, IEnumerable<(string Text, float Score)> tokens, bool addsSpace, int? unknown)
    {
        _vocabulary = vocabulary;
        _addsSpace = addsSpace;
        _merger = new ScoredMerger(tokens, unused: []);
        for (int value = 0; value < _byteIds.Length; value++)
        {
            // A byte without a token may be one as it is written; else it is unknown, or nothing.
            _byteIds[value] = vocabulary.TryGetId(ByteTokens.ToText((byte)value), out int id) ? id
                : value < 0x80 && vocabulary.TryGetId(((char)value).ToString(), out int letter) ? letter
                : unknown ?? -1;
        }
    }

    public override void Encode(string text, bool beginsText, List<int> output)
    {
        text = (_addsSpace ? "\u2581" : "") + text.Replace(' ', '\u2581');
        List<Piece> symbols = new(text.Length);
        int start = 0;
        foreach (Rune rune in text.EnumerateRunes())
        {
            symbols.Add(new Piece(start, rune.Utf16SequenceLength));
            start += rune.Utf16SequenceLength;
        }

        Span<byte> utf8 = stackalloc byte[4];
        foreach (Piece piece in _merger.Merge(text, symbols, frozen: null))
        {
            ReadOnlySpan<char> part = text.AsSpan(piece.Start, piece.Length);
            if (_vocabulary.ModelId(part) is var id and >= 0)
            {
                output.Add(id);
                continue;
            }

            // What merged is a token, so this is one character.
            foreach (byte value in utf8[..Encoding.UTF8.GetBytes(part, utf8)])
            {
                if (_byteIds[value] >= 0)
                {
                    output.Add(_byteIds[value]);
                }
            }
        }
    }
}
