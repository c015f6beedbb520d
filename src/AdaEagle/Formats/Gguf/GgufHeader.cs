using System.Buffers.Binary;
using System.Numerics;

namespace AdaEagle.Formats;

/// <summary>
/// What stands before the data of a GGUF file (github.com/ggml-org/ggml, docs/gguf.md): magic, version, counts, metadata, tensors. Reading it
/// checks all of it, the tensors' places against the file's length included.
/// </summary>
internal sealed record GgufHeader(int Version, int Alignment, IReadOnlyDictionary<string, GgufValue> Values, IReadOnlyList<StoredTensor> Tensors)
{
    public const string AlignmentKey = "general.alignment";
    public const int DefaultAlignment = 32;
    public const int AlignmentLimit = 1 << 20;
    public const int MostDimensions = 4;

    /// <summary>Longest name of a tensor, in bytes of UTF-8.</summary>
    public const int NameLimit = 64;

    /// <summary>Longest key, in bytes of UTF-8.</summary>
    public const int KeyLimit = ushort.MaxValue;

    private const int TensorLimit = 1 << 20;
    private const int KeyCountLimit = 1 << 20;

    /// <summary>"GGUF".</summary>
    public static ReadOnlySpan<byte> Magic => "GGUF"u8;

    public static GgufHeader Read(RandomAccessFile file)
    {
        GgufReader reader = new(file);
        if (file.Length < 4 || reader.U32(null) != BinaryPrimitives.ReadUInt32LittleEndian(Magic))
        {
            throw reader.Fault(null, "the file does not begin with 'GGUF'", "Check that this is a GGUF file");
        }

        uint version = reader.U32(null);
        if (version is not (2 or 3))
        {
            throw BinaryPrimitives.ReverseEndianness(version) is 2 or 3
                ? reader.Fault(null, "the file is big-endian, which is not supported", "Make a little-endian one with its converter")
                : reader.Fault(null, $"version {version} of GGUF is not supported; supported: 2 and 3", "Make the file anew with a newer converter");
        }

        // A tensor has at least lengths of name and shape, type and offset; a key at least its length, a type and a byte.
        int tensorCount = reader.Count("tensors", 24, TensorLimit);
        int keyCount = reader.Count("keys", 13, KeyCountLimit);
        Dictionary<string, GgufValue> values = ReadValues(reader, keyCount);
        int alignment = AlignmentOf(reader, values);
        return new GgufHeader((int)version, alignment, values, ReadTensors(reader, tensorCount, alignment, file.Length));
    }

    private static Dictionary<string, GgufValue> ReadValues(GgufReader reader, int count)
    {
        Dictionary<string, GgufValue> values = [];
        for (int i = 0; i < count; i++)
        {
            string key = reader.Text($"key {i}", KeyLimit);
            if (key.Length == 0)
            {
                throw reader.Fault($"key {i}", "the key is empty");
            }

            if (!values.TryAdd(key, reader.Value(key, (GgufValueType)reader.U32(key))))
            {
                throw reader.Fault(key, "the key occurs twice");
            }
        }

        return values;
    }

    private static int AlignmentOf(GgufReader reader, Dictionary<string, GgufValue> values)
    {
        if (!values.TryGetValue(AlignmentKey, out GgufValue? value))
        {
            return DefaultAlignment;
        }

        return value.Value is uint alignment && BitOperations.IsPow2(alignment) && alignment <= AlignmentLimit
            ? (int)alignment
            : throw reader.Fault(AlignmentKey, $"{value.Type} {value} is no alignment: a power of two up to {AlignmentLimit}, stored as U32");
    }

    private static List<StoredTensor> ReadTensors(GgufReader reader, int count, int alignment, long fileLength)
    {
        List<StoredTensor> tensors = [];
        HashSet<string> names = [];
        for (int i = 0; i < count; i++)
        {
            StoredTensor tensor = ReadTensor(reader, i, alignment);
            tensors.Add(names.Add(tensor.Info.Name) ? tensor : throw reader.Fault(tensor.Info.Name, "two tensors have this name"));
        }

        long dataStart = (reader.Position + alignment - 1) & -alignment;
        tensors = [.. tensors.Select(tensor => Place(reader, tensor, dataStart, fileLength))];
        RequireApart(reader, tensors);
        return tensors;
    }

    private static StoredTensor ReadTensor(GgufReader reader, int index, int alignment)
    {
        string name = reader.Text($"tensor {index}", NameLimit);
        if (name.Length == 0)
        {
            throw reader.Fault($"tensor {index}", "the name is empty");
        }

        uint rank = reader.U32(name);
        if (rank > MostDimensions)
        {
            throw reader.Fault(name, $"{rank} dimensions, more than {MostDimensions}");
        }

        // The file has the fastest dimension first.
        long[] shape = new long[rank];
        for (int i = shape.Length - 1; i >= 0; i--)
        {
            ulong dimension = reader.U64(name);
            shape[i] = dimension is > 0 and <= long.MaxValue ? (long)dimension : throw reader.Fault(name, $"a dimension of {dimension} is impossible");
        }

        uint number = reader.U32(name);
        TensorType type = GgufTensorTypes.Find(number)
            ?? throw reader.Fault(name, $"the elements are in number format {GgufTensorTypes.NameOf(number)}", $"Supported: {GgufTensorTypes.Supported}");
        ulong offset = reader.U64(name);
        if (offset > long.MaxValue || offset % (ulong)alignment != 0)
        {
            throw reader.Fault(name, $"its offset {offset} is no multiple of the alignment {alignment}");
        }

        return new StoredTensor(new TensorInfo(name, type, shape), (long)offset);
    }

    // From an offset in the data to a position in the file.
    private static StoredTensor Place(GgufReader reader, StoredTensor tensor, long dataStart, long fileLength)
    {
        TensorInfo info = tensor.Info;
        try
        {
            long start = checked(dataStart + tensor.Position);
            return checked(start + info.ByteLength) <= fileLength
                ? new StoredTensor(info, start)
                : throw reader.Fault(info.Name, $"{info.ByteLength} bytes from byte {start} on go beyond the file's {fileLength}", "The file is cut or damaged: fetch it again");
        }
        catch (OverflowException e)
        {
            throw new ModelFormatException(reader.Path, info.Name, $"{info.Type} {info.ShapeText} has more bytes than any file", "Fetch the file again", e);
        }
        catch (ArgumentException e)
        {
            throw new ModelFormatException(
                reader.Path, info.Name, $"rows of {(info.Shape.Count == 0 ? 1 : info.Shape[^1])} elements are no whole number of {info.Type} blocks of {info.Type.BlockLength()}", "Fetch the file again", e);
        }
    }

    private static void RequireApart(GgufReader reader, List<StoredTensor> tensors)
    {
        StoredTensor? previous = null;
        foreach (StoredTensor tensor in tensors.OrderBy(t => t.Position))
        {
            if (previous is { } before && before.Position + before.Info.ByteLength > tensor.Position)
            {
                throw reader.Fault(tensor.Info.Name, $"its bytes overlap those of '{before.Info.Name}'");
            }

            previous = tensor;
        }
    }
}
