using System.Buffers;

namespace AdaEagle.Formats;

/// <summary>Reading whole tensors.</summary>
public static class TensorSourceExtensions
{
    // Whole blocks of every format.
    private const int MostElements = 1 << 15;

    /// <summary>The tensor of that name.</summary>
    /// <exception cref="ModelFormatException">There is none.</exception>
    public static TensorInfo Require(this ITensorSource source, string name) => source.Tensors.TryGetValue(name, out TensorInfo? info)
        ? info
        : throw new ModelFormatException(source.Path, name, "there is no such tensor", "Check that these weights belong to the model's config.json");

    /// <summary>The tensor of that name and shape.</summary>
    /// <param name="source">The checkpoint.</param>
    /// <param name="name">The tensor.</param>
    /// <param name="expectedShape">The shape it must have.</param>
    /// <exception cref="ModelFormatException">There is none, or its shape differs.</exception>
    public static TensorInfo Require(this ITensorSource source, string name, ReadOnlySpan<long> expectedShape)
    {
        TensorInfo info = source.Require(name);
        long[] expected = expectedShape.ToArray();
        if (!info.Shape.SequenceEqual(expected))
        {
            throw new ModelFormatException(
                source.Path, name, $"the shape is {info.ShapeText}, not {TensorInfo.Describe(expected)}", "Check that these weights belong to the model's config.json");
        }

        return info;
    }

    /// <summary>Reads a whole tensor as 32-bit floats, widening F16, BF16 and blocks and rounding F64.</summary>
    /// <param name="source">The checkpoint.</param>
    /// <param name="name">The tensor.</param>
    /// <param name="expectedShape">The shape it must have; none given: any shape.</param>
    /// <returns>The elements, row-major.</returns>
    /// <exception cref="ModelFormatException">There is no such tensor, its shape differs, or it holds no floating-point numbers.</exception>
    public static float[] ReadF32(this ITensorSource source, string name, params long[] expectedShape)
    {
        TensorInfo info = expectedShape.Length == 0 ? source.Require(name) : source.Require(name, expectedShape);
        if (!FloatConversion.IsFloat(info.Type))
        {
            throw new ModelFormatException(source.Path, name, $"the elements are {info.Type}, not floating-point numbers", "Supported are F64, F32, F16, BF16 and blocks");
        }

        if (info.ElementCount > Array.MaxLength)
        {
            throw new ModelFormatException(source.Path, name, $"{info.ElementCount} elements are too many to be read at once");
        }

        float[] values = new float[info.ElementCount];
        TensorType type = info.Type;
        byte[] buffer = ArrayPool<byte>.Shared.Rent(MostElements * sizeof(double));
        try
        {
            for (int done = 0; done < values.Length;)
            {
                int count = Math.Min(MostElements, values.Length - done);
                Span<byte> bytes = buffer.AsSpan(0, (int)type.RowBytes(count));
                source.Read(name, type.RowBytes(done), bytes);
                FloatConversion.Widen(type, bytes, values.AsSpan(done, count));
                done += count;
            }
        }
        finally
        {
            ArrayPool<byte>.Shared.Return(buffer);
        }

        return values;
    }

    /// <summary>Refuses a range that is not inside the tensor.</summary>
    internal static TensorInfo CheckRange(this ITensorSource source, string name, long byteOffset, int length)
    {
        TensorInfo info = source.Require(name);
        if (byteOffset < 0 || byteOffset > info.ByteLength - length)
        {
            throw new ModelFormatException(source.Path, name, $"{length} bytes from byte {byteOffset} on are not inside its {info.ByteLength} bytes");
        }

        return info;
    }
}
