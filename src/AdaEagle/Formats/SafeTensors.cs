using System.Buffers;
using System.Buffers.Binary;
using System.Text.Json;

namespace AdaEagle.Formats;

/// <summary>
/// Reads and writes the safetensors format (huggingface.co/docs/safetensors): the header's length in 8 bytes, a JSON header, the data.
/// </summary>
public static class SafeTensors
{
    /// <summary>Longest header, as in the format's own library.</summary>
    internal const int HeaderLimit = 100_000_000;

    internal const string MetadataKey = "__metadata__";

    /// <summary>Opens a file, checking the whole header against the format and the file's length.</summary>
    /// <exception cref="ModelFormatException">The file cannot be opened or breaks the format.</exception>
    public static ITensorSource Open(string path)
    {
        RandomAccessFile file = RandomAccessFile.Open(path);
        try
        {
            byte[] header = ReadHeader(file);
            long dataStart = sizeof(ulong) + header.Length;
            SafeTensorsHeader parsed = SafeTensorsHeader.Parse(path, header, file.Length - dataStart);
            return new TensorFile(file, [.. parsed.Tensors.Select(t => t with { Position = t.Position + dataStart })], parsed.Metadata);
        }
        catch
        {
            file.Dispose();
            throw;
        }
    }

    /// <summary>Writes a file, atomically: a temporary file beside it is renamed when complete.</summary>
    /// <param name="path">The file; one that exists is replaced.</param>
    /// <param name="tensors">The tensors; stored by descending size of element, then by name, so that each is aligned and equal content gives equal files.</param>
    /// <param name="metadata">Free text to carry along.</param>
    /// <exception cref="ArgumentException">A name occurs twice, is reserved or has no UTF-8 form, or bytes and shape do not agree.</exception>
    public static void Write(string path, IEnumerable<TensorData> tensors, IReadOnlyDictionary<string, string>? metadata = null)
    {
        TensorData[] ordered = [.. tensors.OrderByDescending(t => t.Type.BlockBytes()).ThenBy(t => t.Name, StringComparer.Ordinal)];
        Check(ordered);
        foreach (string text in ordered.Select(t => t.Name).Concat(metadata?.SelectMany(m => new[] { m.Key, m.Value }) ?? []))
        {
            // The JSON writer would replace half a surrogate pair silently.
            StrictUtf8.Encoding.GetByteCount(text);
        }

        byte[] header = BuildHeader(ordered, metadata);
        AtomicFile.Write(path, stream =>
        {
            Span<byte> length = stackalloc byte[sizeof(ulong)];
            BinaryPrimitives.WriteUInt64LittleEndian(length, (ulong)header.Length);
            stream.Write(length);
            stream.Write(header);
            foreach (TensorData tensor in ordered)
            {
                stream.Write(tensor.Bytes.Span);
            }
        });
    }

    private static byte[] ReadHeader(RandomAccessFile file)
    {
        if (file.Length < sizeof(ulong))
        {
            throw new ModelFormatException(file.Path, null, $"{file.Length} bytes are too few for a safetensors file", "Fetch it again");
        }

        Span<byte> prefix = stackalloc byte[sizeof(ulong)];
        file.Read(0, prefix, null);
        ulong length = BinaryPrimitives.ReadUInt64LittleEndian(prefix);
        if (length > HeaderLimit)
        {
            throw new ModelFormatException(file.Path, null, $"the header's length of {length} bytes is over the limit of {HeaderLimit}", "Check that this is a safetensors file");
        }

        if ((long)length > file.Length - sizeof(ulong))
        {
            throw new ModelFormatException(file.Path, null, $"the header's length of {length} bytes goes beyond the file's {file.Length}", "The file is cut or not a safetensors file: fetch it again");
        }

        byte[] header = new byte[length];
        file.Read(sizeof(ulong), header, null);
        return header;
    }

    private static void Check(TensorData[] tensors)
    {
        HashSet<string> names = [];
        foreach (TensorData tensor in tensors)
        {
            if (tensor.Name == MetadataKey)
            {
                throw new ArgumentException($"'{MetadataKey}' is reserved, no tensor can have that name.", nameof(tensors));
            }

            if (!names.Add(tensor.Name))
            {
                throw new ArgumentException($"Tensor '{tensor.Name}' is given twice.", nameof(tensors));
            }

            if (tensor.Type.IsBlock())
            {
                throw new ArgumentException($"Tensor '{tensor.Name}' is {tensor.Type}, which the safetensors format does not know.", nameof(tensors));
            }

            TensorInfo info = new(tensor.Name, tensor.Type, tensor.Shape);
            if (tensor.Shape.Any(d => d < 0) || info.ByteLength != tensor.Bytes.Length)
            {
                throw new ArgumentException($"Tensor '{tensor.Name}', {tensor.Type} {info.ShapeText}, cannot have {tensor.Bytes.Length} bytes.", nameof(tensors));
            }
        }
    }

    private static byte[] BuildHeader(TensorData[] tensors, IReadOnlyDictionary<string, string>? metadata)
    {
        ArrayBufferWriter<byte> buffer = new();
        using (Utf8JsonWriter json = new(buffer))
        {
            json.WriteStartObject();
            if (metadata is { Count: > 0 })
            {
                json.WriteStartObject(MetadataKey);
                foreach ((string key, string value) in metadata.OrderBy(m => m.Key, StringComparer.Ordinal))
                {
                    json.WriteString(key, value);
                }

                json.WriteEndObject();
            }

            long offset = 0;
            foreach (TensorData tensor in tensors)
            {
                json.WriteStartObject(tensor.Name);
                json.WriteString("dtype", SafeTensorsHeader.TypeName(tensor.Type));
                WriteNumbers(json, "shape", tensor.Shape);
                WriteNumbers(json, "data_offsets", [offset, offset + tensor.Bytes.Length]);
                json.WriteEndObject();
                offset += tensor.Bytes.Length;
            }

            json.WriteEndObject();
        }

        // Spaces up to a multiple of 8, so that the data is aligned.
        int padding = -buffer.WrittenCount & 7;
        buffer.GetSpan(padding)[..padding].Fill((byte)' ');
        buffer.Advance(padding);
        return buffer.WrittenCount <= HeaderLimit
            ? buffer.WrittenSpan.ToArray()
            : throw new ArgumentException($"Names and metadata make a header of {buffer.WrittenCount} bytes, the format allows {HeaderLimit}.", nameof(tensors));
    }

    private static void WriteNumbers(Utf8JsonWriter json, string key, IEnumerable<long> numbers)
    {
        json.WriteStartArray(key);
        foreach (long number in numbers)
        {
            json.WriteNumberValue(number);
        }

        json.WriteEndArray();
    }
}
