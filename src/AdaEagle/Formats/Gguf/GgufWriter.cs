using System.Numerics;

namespace AdaEagle.Formats;

/// <summary>A tensor to be written, its bytes made when their turn comes.</summary>
/// <param name="Name">Its name, at most 64 bytes of UTF-8.</param>
/// <param name="Type">Its number format.</param>
/// <param name="Shape">Dimensions, slowest first, at most four.</param>
/// <param name="Write">Writes exactly the bytes of the elements, row-major, little endian.</param>
public sealed record GgufTensor(string Name, TensorType Type, IReadOnlyList<long> Shape, Action<Stream> Write)
{
    /// <summary>A tensor whose bytes are there.</summary>
    public static GgufTensor From(TensorData data) => new(data.Name, data.Type, data.Shape, stream => stream.Write(data.Bytes.Span));
}

/// <summary>Writes GGUF files, version 3, little endian.</summary>
public static class GgufWriter
{
    /// <summary>Writes a file, atomically: a temporary file beside it is renamed when complete.</summary>
    /// <param name="path">The file; one that exists is replaced.</param>
    /// <param name="metadata">The metadata, in the order it will have. <c>general.alignment</c> decides the alignment; 32 if absent.</param>
    /// <param name="tensors">The tensors, in the order they will have.</param>
    /// <exception cref="ArgumentException">A key or name occurs twice, is empty or too long, or a shape is impossible for its format.</exception>
    public static void Write(string path, IEnumerable<KeyValuePair<string, GgufValue>> metadata, IReadOnlyList<GgufTensor> tensors)
    {
        ArgumentNullException.ThrowIfNull(metadata);
        ArgumentNullException.ThrowIfNull(tensors);
        KeyValuePair<string, GgufValue>[] pairs = [.. metadata];
        int alignment = AlignmentOf(pairs);
        using MemoryStream header = new();
        WriteHeader(header, pairs, tensors, alignment);
        AtomicFile.Write(path, stream =>
        {
            header.WriteTo(stream);
            Pad(stream, alignment);
            foreach (GgufTensor tensor in tensors)
            {
                long start = stream.Position;
                tensor.Write(stream);
                long length = new TensorInfo(tensor.Name, tensor.Type, tensor.Shape).ByteLength;
                if (stream.Position - start != length)
                {
                    throw new ArgumentException($"Tensor '{tensor.Name}' wrote {stream.Position - start} bytes instead of {length}.", nameof(tensors));
                }

                Pad(stream, alignment);
            }
        });
    }

    private static int AlignmentOf(KeyValuePair<string, GgufValue>[] metadata)
    {
        HashSet<string> keys = [];
        int alignment = GgufHeader.DefaultAlignment;
        foreach ((string key, GgufValue value) in metadata)
        {
            RequireName(key, GgufHeader.KeyLimit, keys, nameof(metadata));
            if (key == GgufHeader.AlignmentKey)
            {
                alignment = value.Value is uint given && BitOperations.IsPow2(given) && given <= GgufHeader.AlignmentLimit
                    ? (int)given
                    : throw new ArgumentException($"{value} is no alignment: it is a power of two up to {GgufHeader.AlignmentLimit}, of type U32.", nameof(metadata));
            }
        }

        return alignment;
    }

    private static void WriteHeader(Stream stream, KeyValuePair<string, GgufValue>[] metadata, IReadOnlyList<GgufTensor> tensors, int alignment)
    {
        stream.Write(GgufHeader.Magic);
        WriteNumber(stream, 3u);
        WriteNumber(stream, (ulong)tensors.Count);
        WriteNumber(stream, (ulong)metadata.Length);
        foreach ((string key, GgufValue value) in metadata)
        {
            WriteText(stream, key);
            WriteNumber(stream, (uint)value.Type);
            WriteValue(stream, value);
        }

        HashSet<string> names = [];
        long offset = 0;
        foreach (GgufTensor tensor in tensors)
        {
            RequireName(tensor.Name, GgufHeader.NameLimit, names, nameof(tensors));
            if (tensor.Shape.Count > GgufHeader.MostDimensions || tensor.Shape.Any(d => d <= 0))
            {
                throw new ArgumentException($"Tensor '{tensor.Name}' has an impossible shape {TensorInfo.Describe(tensor.Shape)}.", nameof(tensors));
            }

            WriteText(stream, tensor.Name);
            WriteNumber(stream, (uint)tensor.Shape.Count);
            foreach (long dimension in tensor.Shape.Reverse())
            {
                WriteNumber(stream, (ulong)dimension);
            }

            WriteNumber(stream, GgufTensorTypes.NumberOf(tensor.Type));
            WriteNumber(stream, (ulong)offset);
            offset = checked(offset + new TensorInfo(tensor.Name, tensor.Type, tensor.Shape).ByteLength + alignment - 1) & -alignment;
        }
    }

    private static void WriteValue(Stream stream, GgufValue value)
    {
        if (value.Value is Array array)
        {
            WriteNumber(stream, (uint)value.ElementType!.Value);
            WriteNumber(stream, (ulong)array.Length);
            if (array is GgufValue[] inner)
            {
                Array.ForEach(inner, element => WriteValue(stream, element));
                return;
            }

            foreach (object element in array)
            {
                WriteScalar(stream, element);
            }
        }
        else
        {
            WriteScalar(stream, value.Value);
        }
    }

    private static void WriteScalar(Stream stream, object value)
    {
        switch (value)
        {
            case string text: WriteText(stream, text); break;
            case bool flag: stream.WriteByte(flag ? (byte)1 : (byte)0); break;
            case byte number: stream.WriteByte(number); break;
            case sbyte number: stream.WriteByte((byte)number); break;
            case ushort number: WriteNumber(stream, number); break;
            case short number: WriteNumber(stream, number); break;
            case uint number: WriteNumber(stream, number); break;
            case int number: WriteNumber(stream, number); break;
            case ulong number: WriteNumber(stream, number); break;
            case long number: WriteNumber(stream, number); break;
            case float number: WriteNumber(stream, BitConverter.SingleToUInt32Bits(number)); break;
            default: WriteNumber(stream, BitConverter.DoubleToUInt64Bits((double)value)); break;
        }
    }

    private static void WriteText(Stream stream, string text)
    {
        byte[] bytes = StrictUtf8.Encoding.GetBytes(text);
        WriteNumber(stream, (ulong)bytes.Length);
        stream.Write(bytes);
    }

    private static void WriteNumber<T>(Stream stream, T value)
        where T : unmanaged, IBinaryInteger<T>
    {
        Span<byte> bytes = stackalloc byte[sizeof(ulong)];
        stream.Write(bytes[..value.WriteLittleEndian(bytes)]);
    }

    private static void Pad(Stream stream, int alignment)
    {
        for (long left = -stream.Position & (alignment - 1); left > 0; left--)
        {
            stream.WriteByte(0);
        }
    }

    private static void RequireName(string name, int limit, HashSet<string> names, string parameter)
    {
        if (name.Length == 0 || StrictUtf8.Encoding.GetByteCount(name) > limit)
        {
            throw new ArgumentException($"The name '{name}' is empty or longer than {limit} bytes.", parameter);
        }

        if (!names.Add(name))
        {
            throw new ArgumentException($"'{name}' is given twice.", parameter);
        }
    }
}
