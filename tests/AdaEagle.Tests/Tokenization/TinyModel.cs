using System.Text;
using AdaEagle.Tokenization;
using AdaEagle.Tokenization.SentencePieces;

namespace AdaEagle.Tests.Tokenization;

/// <summary>Writes SentencePiece models piece by piece, so that tests say what is in them.</summary>
internal sealed class TinyModel
{
    private readonly List<byte[]> _pieces = [];

    public SentencePieceKind Kind { get; init; } = SentencePieceKind.Bpe;

    public bool ByteFallback { get; init; }

    public bool AddDummyPrefix { get; init; }

    public bool RemoveExtraSpaces { get; init; }

    public bool SpaceAsSuffix { get; init; }

    public byte[] Map { get; init; } = [];

    /// <summary>Unknown, begin, end, then these with falling scores, then 256 bytes where asked for.</summary>
    public static TinyModel Of(TinyModel model, params ReadOnlySpan<string> normal)
    {
        model.Add("<unk>", 0, PieceType.Unknown).Add("<s>", 0, PieceType.Control).Add("</s>", 0, PieceType.Control);
        float score = 0;
        foreach (string piece in normal)
        {
            model.Add(piece, --score);
        }

        for (int value = 0; model.ByteFallback && value < 256; value++)
        {
            model.Add($"<0x{value:X2}>", 0, PieceType.Byte);
        }

        return model;
    }

    public TinyModel Add(string text, float score, PieceType type = PieceType.Normal)
    {
        byte[] utf8 = Encoding.UTF8.GetBytes(text);
        _pieces.Add([.. Bytes(1, utf8), (2 << 3) | 5, .. BitConverter.GetBytes(score), .. Number(3, (int)type)]);
        return this;
    }

    public byte[] ToBytes()
    {
        List<byte> all = [];
        foreach (byte[] piece in _pieces)
        {
            all.AddRange(Bytes(1, piece));
        }

        all.AddRange(Bytes(2, [.. Number(3, (int)Kind), .. Number(24, SpaceAsSuffix ? 1 : 0), .. Number(35, ByteFallback ? 1 : 0)]));
        all.AddRange(Bytes(3, [.. Map.Length == 0 ? [] : Bytes(2, Map), .. Number(3, AddDummyPrefix ? 1 : 0), .. Number(4, RemoveExtraSpaces ? 1 : 0)]));
        return [.. all];
    }

    public SentencePieceTokenizer Load() => SentencePieceTokenizer.Parse(ToBytes(), "tiny.model");

    public static byte[] Number(int field, int value) => [.. Varint((ulong)(field << 3)), .. Varint((ulong)(long)value)];

    public static byte[] Bytes(int field, byte[] value) => [.. Varint((ulong)((field << 3) | 2)), .. Varint((ulong)value.Length), .. value];

    private static byte[] Varint(ulong value)
    {
        List<byte> bytes = [];
        for (; value >= 0x80; value >>= 7)
        {
            bytes.Add((byte)(value | 0x80));
        }

        bytes.Add((byte)value);
        return [.. bytes];
    }
}
