using System.Buffers.Binary;
using System.Text.Json;
using AdaEagle.Formats;

namespace AdaEagle.Bench.Models;

/// <summary>Writes one row of a tensor as bytes.</summary>
internal delegate void RowWriter(long row, Span<byte> destination);

/// <summary>A tensor that is made row by row while it is written, so that a model may be larger than memory.</summary>
/// <param name="Name">Its name.</param>
/// <param name="Type">Number format.</param>
/// <param name="Shape">Dimensions, slowest first; a row runs over the last.</param>
/// <param name="WriteRow">Makes a row.</param>
internal sealed record StreamedTensor(string Name, TensorType Type, IReadOnlyList<long> Shape, RowWriter WriteRow)
{
    /// <summary>Bytes of a row.</summary>
    public long RowBytes => checked(Shape[^1] * Type.ByteSize());

    /// <summary>Number of rows; a vector is one.</summary>
    public long Rows => Shape.SkipLast(1).Aggregate(1L, (product, dimension) => checked(product * dimension));

    /// <summary>Bytes of the tensor.</summary>
    public long ByteLength => checked(Rows * RowBytes);
}

/// <summary>Writes safetensors files without holding a tensor in memory.</summary>
internal static class StreamedSafeTensors
{
    private const int ChunkBytes = 4 << 20;

    /// <summary>Writes a file, atomically: a temporary file beside it is renamed when complete.</summary>
    public static void Write(string path, IReadOnlyCollection<StreamedTensor> tensors, Action<long>? written = null)
    {
        // Wider elements first, so that every tensor begins at a multiple of its element size.
        StreamedTensor[] ordered = [.. tensors.OrderByDescending(tensor => tensor.Type.ByteSize())];
        string partial = path + ".partial";
        try
        {
            using (var file = new FileStream(partial, FileMode.Create, FileAccess.Write, FileShare.None, bufferSize: 0))
            {
                file.Write(Header(ordered));
                foreach (StreamedTensor tensor in ordered)
                {
                    WriteTensor(file, tensor, written);
                }
            }

            File.Move(partial, path, overwrite: true);
        }
        finally
        {
            File.Delete(partial);
        }
    }

    private static void WriteTensor(FileStream file, StreamedTensor tensor, Action<long>? written)
    {
        int rowBytes = checked((int)tensor.RowBytes);
        int rowsPerChunk = (int)Math.Clamp(ChunkBytes / Math.Max(rowBytes, 1), 1, Math.Max(tensor.Rows, 1));
        byte[] chunk = new byte[checked(rowsPerChunk * rowBytes)];
        for (long first = 0; first < tensor.Rows; first += rowsPerChunk)
        {
            int count = (int)Math.Min(rowsPerChunk, tensor.Rows - first);
            for (int i = 0; i < count; i++)
            {
                tensor.WriteRow(first + i, chunk.AsSpan(i * rowBytes, rowBytes));
            }

            file.Write(chunk, 0, count * rowBytes);
            written?.Invoke((long)count * rowBytes);
        }
    }

    private static byte[] Header(IEnumerable<StreamedTensor> tensors)
    {
        using var buffer = new MemoryStream();
        buffer.Write(stackalloc byte[sizeof(ulong)]);
        using (var json = new Utf8JsonWriter(buffer))
        {
            json.WriteStartObject();
            json.WriteStartObject("__metadata__");
            json.WriteString("format", "pt");
            json.WriteEndObject();
            long offset = 0;
            foreach (StreamedTensor tensor in tensors)
            {
                json.WriteStartObject(tensor.Name);
                json.WriteString("dtype", tensor.Type.ToString().ToUpperInvariant());
                json.WriteStartArray("shape");
                foreach (long dimension in tensor.Shape)
                {
                    json.WriteNumberValue(dimension);
                }

                json.WriteEndArray();
                json.WriteStartArray("data_offsets");
                json.WriteNumberValue(offset);
                offset = checked(offset + tensor.ByteLength);
                json.WriteNumberValue(offset);
                json.WriteEndArray();
                json.WriteEndObject();
            }

            json.WriteEndObject();
        }

        while (buffer.Length % 8 != 0)
        {
            buffer.WriteByte((byte)' ');
        }

        byte[] header = buffer.ToArray();
        BinaryPrimitives.WriteUInt64LittleEndian(header, (ulong)(header.Length - sizeof(ulong)));
        return header;
    }
}
