using System.Buffers;
using System.Globalization;
using System.Text;

namespace AdaEagle.Tokenization.Merging;

/// <summary>
/// Turns pieces of text into ids as the BPE of converted SentencePiece models does: each character's token, or the tokens of its
/// bytes (<c>&lt;0xE2&gt;</c>) where it has none; then the merges. Safe to use from many threads.
/// </summary>
internal sealed class CharacterPieceEncoder : PieceEncoder
{
    private const int OnStack = 256;

    // Of every byte, or -1; null without byte fallback.
    private readonly int[]? _byteIds;

    public CharacterPieceEncoder(MergeModel model, bool byteFallback)
        : base(model) =>
        _byteIds = byteFallback ? [.. Enumerable.Range(0, 256).Select(value => model.Vocabulary.ModelId(ByteTokens.ToText((byte)value)))] : null;

    protected override void EncodeNew(ReadOnlySpan<char> piece, bool isInByteAlphabet, List<int> output)
    {
        if (Model.IgnoreMerges && Model.Vocabulary.ModelId(piece) is var whole and >= 0)
        {
            output.Add(whole);
            return;
        }

        int most = Encoding.UTF8.GetByteCount(piece);
        int[]? rented = most <= OnStack ? null : ArrayPool<int>.Shared.Rent(most);
        Span<int> ids = rented ?? stackalloc int[OnStack];
        ids = ids[..ToIds(piece, ids)];
        output.AddRange(ids[..Merges.Merge(ids)]);
        if (rented is not null)
        {
            ArrayPool<int>.Shared.Return(rented);
        }
    }

    private int ToIds(ReadOnlySpan<char> piece, Span<int> ids)
    {
        int count = 0;
        bool lastWasUnknown = false;
        Span<byte> utf8 = stackalloc byte[4];
        while (!piece.IsEmpty)
        {
            Rune.DecodeFromUtf16(piece, out Rune rune, out int units);
            int id = Model.Vocabulary.ModelId(piece[..units]);
            piece = piece[units..];
            if (id < 0 && AddBytes(utf8[..rune.EncodeToUtf8(utf8)], ids, ref count))
            {
                lastWasUnknown = false;
                continue;
            }

            bool unknown = id < 0;
            id = unknown ? Model.UnknownToken ?? -1 : id;
            if (id >= 0 && !(unknown && lastWasUnknown && Model.FuseUnknown))
            {
                ids[count++] = id;
            }

            lastWasUnknown = unknown;
        }

        return count;
    }

    /// <summary>Appends a character's bytes, if all of them have tokens.</summary>
    private bool AddBytes(ReadOnlySpan<byte> utf8, Span<int> ids, ref int count)
    {
        if (_byteIds is null)
        {
            return false;
        }

        for (int i = 0; i < utf8.Length; i++)
        {
            if (_byteIds[utf8[i]] < 0)
            {
                return false;
            }

            ids[count + i] = _byteIds[utf8[i]];
        }

        count += utf8.Length;
        return true;
    }
}

/// <summary>Tokens that stand for a byte: <c>&lt;0x00&gt;</c> to <c>&lt;0xFF&gt;</c>.</summary>
internal static class ByteTokens
{
    /// <summary>The text of a byte's token.</summary>
    public static string ToText(byte value) => $"<0x{value:X2}>";

    /// <summary>The byte of a token's text.</summary>
    public static bool TryParse(string text, out byte value)
    {
        value = 0;
        return text.Length == 6 && text.StartsWith("<0x", StringComparison.Ordinal) && text[5] == '>'
            && byte.TryParse(text.AsSpan(3, 2), NumberStyles.AllowHexSpecifier, CultureInfo.InvariantCulture, out value);
    }
}
