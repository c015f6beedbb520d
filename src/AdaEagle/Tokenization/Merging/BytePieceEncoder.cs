using System.Buffers;
using System.Text;

namespace AdaEagle.Tokenization.Merging;

/// <summary>Turns pieces of text into ids: each byte's token, then the merges. Safe to use from many threads.</summary>
internal sealed class BytePieceEncoder : PieceEncoder
{
    private const int OnStack = 256;

    private readonly int[] _byteIds = new int[256];

    public BytePieceEncoder(MergeModel model)
        : base(model)
    {
        for (int value = 0; value < _byteIds.Length; value++)
        {
            _byteIds[value] = model.Vocabulary.ModelId([ByteAlphabet.ToCharacter((byte)value)]);
        }
    }

    protected override void EncodeNew(ReadOnlySpan<char> piece, bool isInByteAlphabet, List<int> output)
    {
        int most = isInByteAlphabet ? piece.Length : Encoding.UTF8.GetByteCount(piece);
        byte[]? rentedBytes = most <= OnStack ? null : ArrayPool<byte>.Shared.Rent(most);
        int[]? rentedIds = most <= OnStack ? null : ArrayPool<int>.Shared.Rent(most);
        Span<byte> bytes = rentedBytes ?? stackalloc byte[OnStack];
        Span<int> ids = rentedIds ?? stackalloc int[OnStack];
        bytes = bytes[..ToBytes(piece, isInByteAlphabet, bytes)];
        if (Model.IgnoreMerges && WholeToken(bytes) is var id and >= 0)
        {
            output.Add(id);
        }
        else
        {
            ids = ids[..ToIds(bytes, ids)];
            output.AddRange(ids[..Merges.Merge(ids)]);
        }

        if (rentedBytes is not null)
        {
            ArrayPool<byte>.Shared.Return(rentedBytes);
            ArrayPool<int>.Shared.Return(rentedIds!);
        }
    }

    private static int ToBytes(ReadOnlySpan<char> piece, bool isInByteAlphabet, Span<byte> bytes)
    {
        if (!isInByteAlphabet)
        {
            return Encoding.UTF8.GetBytes(piece, bytes);
        }

        for (int i = 0; i < piece.Length; i++)
        {
            if (!ByteAlphabet.TryGetByte(piece[i], out bytes[i]))
            {
                throw new InvalidOperationException($"U+{(int)piece[i]:X4} is not of the byte-level alphabet.");
            }
        }

        return piece.Length;
    }

    private int WholeToken(ReadOnlySpan<byte> bytes)
    {
        Span<char> text = bytes.Length <= OnStack ? stackalloc char[bytes.Length] : new char[bytes.Length];
        for (int i = 0; i < bytes.Length; i++)
        {
            text[i] = ByteAlphabet.ToCharacter(bytes[i]);
        }

        return Model.Vocabulary.ModelId(text);
    }

    private int ToIds(ReadOnlySpan<byte> bytes, Span<int> ids)
    {
        int count = 0;
        bool lastWasUnknown = false;
        foreach (byte value in bytes)
        {
            int id = _byteIds[value];
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
}
