using System.Buffers.Binary;
using System.Runtime.InteropServices;
using System.Text;

namespace AdaEagle.Formats;

/// <summary>
/// Reads the header of a GGUF file piece by piece. Every length is held against the bytes that are left in the file, and against a limit, before
/// anything is allocated for it.
/// </summary>
internal sealed class GgufReader(RandomAccessFile file)
{
    /// <summary>Longest string; chat templates, the longest of real files, have some ten thousand bytes.</summary>
    public const int StringLimit = 16 << 20;

    /// <summary>Most elements of an array; real vocabularies have some hundred thousand.</summary>
    public const int ArrayLimit = 16 << 20;

    /// <summary>Deepest nesting of arrays. No known key has any.</summary>
    public const int DepthLimit = 4;

    /// <summary>Longest header; the largest real ones have some tens of megabytes.</summary>
    public const long HeaderLimit = 256 << 20;

    private const int BufferBytes = 1 << 14;

    private readonly byte[] _buffer = new byte[BufferBytes];
    private readonly long _limit = Math.Min(file.Length, HeaderLimit);
    private int _at;
    private int _filled;
    private long _bufferStart;

    public string Path => file.Path;

    public long Position => _bufferStart + _at;

    /// <summary>Bytes that a header may still have.</summary>
    public long Left => _limit - Position;

    public uint U32(string? item) => BinaryPrimitives.ReadUInt32LittleEndian(Take(sizeof(uint), item));

    public ulong U64(string? item) => BinaryPrimitives.ReadUInt64LittleEndian(Take(sizeof(ulong), item));

    /// <summary>A number of things, each of at least so many bytes, that must fit into what is left.</summary>
    public int Count(string item, int leastBytes, int most)
    {
        ulong count = U64(item);
        return count <= (ulong)most && (long)count * leastBytes <= Left
            ? (int)count
            : throw Fault(item, $"{count} are announced, more than {(count > (ulong)most ? $"the limit of {most}" : $"{Left} bytes that are left can hold")}");
    }

    public string Text(string? item, int limit = StringLimit)
    {
        ulong length = U64(item);
        if (length > (ulong)Math.Min(limit, Left))
        {
            throw Fault(item, $"a text of {length} bytes {(length > (ulong)Left ? "goes beyond the file" : $"is over the limit of {limit}")}");
        }

        byte[]? copy = length > BufferBytes ? new byte[length] : null;
        if (copy is not null)
        {
            Fill(copy, item);
        }

        ReadOnlySpan<byte> bytes = copy is null ? Take((int)length, item) : copy;
        try
        {
            return StrictUtf8.Encoding.GetString(bytes);
        }
        catch (DecoderFallbackException e)
        {
            throw new ModelFormatException(file.Path, item, "a text is not UTF-8", "Fetch the file again, or make it anew with its converter", e);
        }
    }

    public GgufValue Value(string key, GgufValueType type, int depth = 0) => new(type switch
    {
        GgufValueType.U8 => Take(1, key)[0],
        GgufValueType.I8 => (sbyte)Take(1, key)[0],
        GgufValueType.U16 => BinaryPrimitives.ReadUInt16LittleEndian(Take(2, key)),
        GgufValueType.I16 => BinaryPrimitives.ReadInt16LittleEndian(Take(2, key)),
        GgufValueType.U32 => U32(key),
        GgufValueType.I32 => BinaryPrimitives.ReadInt32LittleEndian(Take(4, key)),
        GgufValueType.F32 => BinaryPrimitives.ReadSingleLittleEndian(Take(4, key)),
        GgufValueType.Bool => Bool(Take(1, key)[0], key),
        GgufValueType.Text => Text(key),
        GgufValueType.Array => Array(key, depth + 1),
        GgufValueType.U64 => U64(key),
        GgufValueType.I64 => BinaryPrimitives.ReadInt64LittleEndian(Take(8, key)),
        GgufValueType.F64 => (object)BinaryPrimitives.ReadDoubleLittleEndian(Take(8, key)),
        _ => throw Fault(key, $"the value's type {(uint)type} is unknown"),
    });

    public ModelFormatException Fault(string? item, string problem, string? remedy = "The file is damaged or no GGUF file: fetch it again") =>
        new(file.Path, item, problem, remedy);

    private object Array(string key, int depth)
    {
        if (depth > DepthLimit)
        {
            throw Fault(key, $"arrays are nested more than {DepthLimit} deep");
        }

        var type = (GgufValueType)U32(key);
        switch (type)
        {
            case GgufValueType.U8: return Numbers<byte>(key);
            case GgufValueType.I8: return Numbers<sbyte>(key);
            case GgufValueType.U16: return Numbers<ushort>(key);
            case GgufValueType.I16: return Numbers<short>(key);
            case GgufValueType.U32: return Numbers<uint>(key);
            case GgufValueType.I32: return Numbers<int>(key);
            case GgufValueType.F32: return Numbers<float>(key);
            case GgufValueType.U64: return Numbers<ulong>(key);
            case GgufValueType.I64: return Numbers<long>(key);
            case GgufValueType.F64: return Numbers<double>(key);
            case GgufValueType.Bool: return System.Array.ConvertAll(Numbers<byte>(key), value => Bool(value, key));
            case GgufValueType.Text:
                string[] texts = new string[Count(key, sizeof(ulong), ArrayLimit)];
                for (int i = 0; i < texts.Length; i++)
                {
                    texts[i] = Text(key);
                }

                return texts;
            case GgufValueType.Array:
                GgufValue[] arrays = new GgufValue[Count(key, sizeof(uint) + sizeof(ulong), ArrayLimit)];
                for (int i = 0; i < arrays.Length; i++)
                {
                    arrays[i] = new GgufValue(Array(key, depth + 1));
                }

                return arrays;
            default:
                throw Fault(key, $"the type {(uint)type} of an array's elements is unknown");
        }
    }

    private unsafe T[] Numbers<T>(string key)
        where T : unmanaged
    {
        T[] numbers = new T[Count(key, sizeof(T), ArrayLimit)];
        Fill(MemoryMarshal.AsBytes(numbers.AsSpan()), key);
        return numbers;
    }

    private bool Bool(byte value, string key) => value <= 1 ? value == 1 : throw Fault(key, $"{value} is neither false (0) nor true (1)");

    /// <summary>The next bytes, at most as many as the buffer holds; valid until the next call.</summary>
    private ReadOnlySpan<byte> Take(int count, string? item)
    {
        RequireLeft(count, item);
        if (count > _filled - _at)
        {
            _bufferStart += _at;
            _at = 0;
            _filled = (int)Math.Min(BufferBytes, file.Length - _bufferStart);
            file.Read(_bufferStart, _buffer.AsSpan(0, _filled), item);
        }

        _at += count;
        return _buffer.AsSpan(_at - count, count);
    }

    private void Fill(Span<byte> destination, string? item)
    {
        while (destination.Length > 0)
        {
            int count = Math.Min(destination.Length, BufferBytes);
            Take(count, item).CopyTo(destination);
            destination = destination[count..];
        }
    }

    private void RequireLeft(int count, string? item)
    {
        if (count > Left)
        {
            throw Fault(item, _limit < file.Length ? $"the header is longer than the limit of {HeaderLimit} bytes" : "the file ends in the middle of its header");
        }
    }
}
