namespace AdaEagle.Formats;

/// <summary>
/// Number formats whose elements share scales in blocks, as ggml defines them. Pure functions of their input, so rows can be
/// converted in any order on any number of threads.
/// </summary>
internal static class BlockFormats
{
    /// <summary>
    /// Widens blocks to floats: (scale * code) - minimum, each operation rounded to 32 bits in the order of the format, no fused
    /// multiply-add, so the bits are the same on every machine and in ggml.
    /// </summary>
    /// <exception cref="ArgumentOutOfRangeException">The format has no blocks.</exception>
    /// <exception cref="ArgumentException">The lengths are no whole number of blocks or do not agree.</exception>
    public static void Decode(TensorType type, ReadOnlySpan<byte> blocks, Span<float> values)
    {
        Check(type, values.Length, blocks.Length);
        switch (type)
        {
            case TensorType.Q4_0: Decode<BlockQ4_0>(blocks, values); break;
            case TensorType.Q4_1: Decode<BlockQ4_1>(blocks, values); break;
            case TensorType.Q5_0: Decode<BlockQ5_0>(blocks, values); break;
            case TensorType.Q5_1: Decode<BlockQ5_1>(blocks, values); break;
            case TensorType.Q8_0: Decode<BlockQ8_0>(blocks, values); break;
            case TensorType.Q2_K: Decode<BlockQ2_K>(blocks, values); break;
            case TensorType.Q3_K: Decode<BlockQ3_K>(blocks, values); break;
            case TensorType.Q4_K: Decode<BlockQ4_K>(blocks, values); break;
            case TensorType.Q5_K: Decode<BlockQ5_K>(blocks, values); break;
            case TensorType.Q6_K: Decode<BlockQ6_K>(blocks, values); break;
            case TensorType.IQ4_NL: Decode<BlockIQ4_NL>(blocks, values); break;
            case TensorType.IQ4_XS: Decode<BlockIQ4_XS>(blocks, values); break;
            default: Decode<BlockMXFP4>(blocks, values); break;
        }
    }

    /// <summary>
    /// Stores floats in blocks. Q4_0 to Q8_0 and MXFP4 are rounded as ggml rounds them, byte for byte; for the K and IQ4 formats the scales
    /// of the least squared error are searched. Numbers must be finite.
    /// </summary>
    /// <exception cref="ArgumentOutOfRangeException">The format has no blocks.</exception>
    /// <exception cref="ArgumentException">The lengths are no whole number of blocks or do not agree.</exception>
    public static void Encode(TensorType type, ReadOnlySpan<float> values, Span<byte> blocks)
    {
        Check(type, values.Length, blocks.Length);
        switch (type)
        {
            case TensorType.Q4_0: Encode<BlockQ4_0>(values, blocks); break;
            case TensorType.Q4_1: Encode<BlockQ4_1>(values, blocks); break;
            case TensorType.Q5_0: Encode<BlockQ5_0>(values, blocks); break;
            case TensorType.Q5_1: Encode<BlockQ5_1>(values, blocks); break;
            case TensorType.Q8_0: Encode<BlockQ8_0>(values, blocks); break;
            case TensorType.Q2_K: Encode<BlockQ2_K>(values, blocks); break;
            case TensorType.Q3_K: Encode<BlockQ3_K>(values, blocks); break;
            case TensorType.Q4_K: Encode<BlockQ4_K>(values, blocks); break;
            case TensorType.Q5_K: Encode<BlockQ5_K>(values, blocks); break;
            case TensorType.Q6_K: Encode<BlockQ6_K>(values, blocks); break;
            case TensorType.IQ4_NL: Encode<BlockIQ4_NL>(values, blocks); break;
            case TensorType.IQ4_XS: Encode<BlockIQ4_XS>(values, blocks); break;
            default: Encode<BlockMXFP4>(values, blocks); break;
        }
    }

    private static void Check(TensorType type, int values, int bytes)
    {
        if (!type.IsBlock())
        {
            throw new ArgumentOutOfRangeException(nameof(type), type, "Not a floating-point format.");
        }

        if (type.RowBytes(values) != bytes)
        {
            throw new ArgumentException($"{values} values in {type} have {type.RowBytes(values)} bytes, not {bytes}.", nameof(values));
        }
    }

    private static void Decode<T>(ReadOnlySpan<byte> blocks, Span<float> values)
        where T : IBlockFormat
    {
        (int length, int size) = (T.Type.BlockLength(), T.Type.BlockBytes());
        for (; values.Length > 0; values = values[length..], blocks = blocks[size..])
        {
            T.Decode(blocks[..size], values[..length]);
        }
    }

    private static void Encode<T>(ReadOnlySpan<float> values, Span<byte> blocks)
        where T : IBlockFormat
    {
        (int length, int size) = (T.Type.BlockLength(), T.Type.BlockBytes());
        for (; values.Length > 0; values = values[length..], blocks = blocks[size..])
        {
            T.Encode(values[..length], blocks[..size]);
        }
    }
}

/// <summary>One format: both ways for one block. The spans have the format's lengths.</summary>
internal interface IBlockFormat
{
    static abstract TensorType Type { get; }

    static abstract void Decode(ReadOnlySpan<byte> block, Span<float> values);

    static abstract void Encode(ReadOnlySpan<float> values, Span<byte> block);
}
