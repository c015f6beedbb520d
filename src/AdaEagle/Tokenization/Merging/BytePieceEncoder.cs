using System.Buffers;
using System.Text;

namespace AdaEagle.Tokenization.Merging;

/// <summary>Turns pieces of text into ids: each byte's token, then the merges. Safe to use from many threads.</summary>
internal sealed class BytePieceEncoder
{
    private const int OnStack = 256;

    private readonly Vocabulary _vocabulary;
    private readonly MergeTable _merges;
    private readonly PieceCache _cache = new();
    private readonly int[] _byteIds = new int[256];
    private readonly bool _ignoreMerges;
    private readonly int _unknown;
    private readonly bool _fuseUnknown;

    public BytePieceEncoder(TokenizerParts parts)
    {
        _vocabulary = parts.Vocabulary;
        _merges = new MergeTable(parts.Merges);
        _ignoreMerges = parts.IgnoreMerges;
        _unknown = parts.UnknownToken ?? -1;
        _fuseUnknown = parts.FuseUnknown;
        for (int value = 0; value < _byteIds.Length; value++)
        {
            _byteIds[value] = _vocabulary.ModelId([ByteAlphabet.ToCharacter((byte)value)]);
        }
    }

    /// <summary>Appends the ids of a piece.</summary>
    /// <param name="piece">Well-formed UTF-16.</param>
    /// <param name="isInByteAlphabet">True if it is spelt in the byte-level alphabet; always the same for one tokenizer.</param>
    /// <param name="output">What is appended to.</param>
    public void Encode(ReadOnlySpan<char> piece, bool isInByteAlphabet, List<int> output)
    {
        if (piece.Length > PieceCache.LongestPiece)
        {
            EncodeBytes(piece, isInByteAlphabet, output);
        }
        else if (_cache.TryGet(piece, out ReadOnlySpan<int> ids))
        {
            output.AddRange(ids);
        }
        else
        {
            int before = output.Count;
            EncodeBytes(piece, isInByteAlphabet, output);
            _cache.Add(piece, System.Runtime.InteropServices.CollectionsMarshal.AsSpan(output)[before..]);
        }
    }

    private void EncodeBytes(ReadOnlySpan<char> piece, bool isInByteAlphabet, List<int> output)
    {
        int most = isInByteAlphabet ? piece.Length : Encoding.UTF8.GetByteCount(piece);
        byte[]? rentedBytes = most <= OnStack ? null : ArrayPool<byte>.Shared.Rent(most);
        int[]? rentedIds = most <= OnStack ? null : ArrayPool<int>.Shared.Rent(most);
        Span<byte> bytes = rentedBytes ?? stackalloc byte[OnStack];
        Span<int> ids = rentedIds ?? stackalloc int[OnStack];
        bytes = bytes[..ToBytes(piece, isInByteAlphabet, bytes)];
        if (_ignoreMerges && WholeToken(bytes) is var id and >= 0)
        {
            output.Add(id);
        }
        else
        {
            ids = ids[..ToIds(bytes, ids)];
            output.AddRange(ids[.._merges.Merge(ids)]);
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

        return _vocabulary.ModelId(text);
    }

    private int ToIds(ReadOnlySpan<byte> bytes, Span<int> ids)
    {
        int count = 0;
        bool lastWasUnknown = false;
        foreach (byte value in bytes)
        {
            int id = _byteIds[value];
            bool unknown = id < 0;
            id = unknown ? _unknown : id;
            if (id >= 0 && !(unknown && lastWasUnknown && _fuseUnknown))
            {
                ids[count++] = id;
            }

            lastWasUnknown = unknown;
        }

        return count;
    }
}
