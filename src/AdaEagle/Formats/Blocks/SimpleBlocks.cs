using System.Buffers.Binary;
using System.Runtime.Intrinsics;
using static AdaEagle.Formats.BlockMath;

namespace AdaEagle.Formats;

// Blocks of 32 with a 16-bit scale and, in the formats ending in _1, a 16-bit minimum. In 4 and 5 bits byte i of the
// codes holds element i in its lower half and element i + 16 in its upper half; the fifth bits are a 32-bit number before them.

/// <summary>scale * code, code from -127 to 127.</summary>
internal readonly struct BlockQ8_0 : IBlockFormat
{
    public static TensorType Type => TensorType.Q8_0;

    public static void Decode(ReadOnlySpan<byte> block, Span<float> values)
    {
        var scale = Vector256.Create(ReadHalf(block));
        for (int i = 0; i < 32; i += 16)
        {
            Vector256<short> codes = Vector256.WidenLower(Vector128.Create(block.Slice(2 + i, 16)).AsSByte().ToVector256());
            (scale * Vector256.ConvertToSingle(Vector256.WidenLower(codes))).CopyTo(values[i..]);
            (scale * Vector256.ConvertToSingle(Vector256.WidenUpper(codes))).CopyTo(values[(i + 8)..]);
        }
    }

    public static void Encode(ReadOnlySpan<float> values, Span<byte> block)
    {
        float scale = LargestMagnitude(values) / 127;
        WriteHalf(block, scale);
        var inverse = Vector256.Create(Inverse(scale));
        Bytes(RoundAway(Load(values, 0) * inverse), RoundAway(Load(values, 8) * inverse)).CopyTo(block[2..]);
        Bytes(RoundAway(Load(values, 16) * inverse), RoundAway(Load(values, 24) * inverse)).CopyTo(block[18..]);
    }
}

/// <summary>scale * (code - 8). The value furthest from zero gets code 0, so the scale may be negative.</summary>
internal readonly struct BlockQ4_0 : IBlockFormat
{
    public static TensorType Type => TensorType.Q4_0;

    public static void Decode(ReadOnlySpan<byte> block, Span<float> values) =>
        NibbleBlock.Decode(block[2..], default, ReadHalf(block), 8, -0f, values);

    public static void Encode(ReadOnlySpan<float> values, Span<byte> block)
    {
        float scale = Furthest(values) / -8;
        WriteHalf(block, scale);
        (Vector128<byte> low, Vector128<byte> high) = NibbleBlock.CenteredCodes(values, Inverse(scale), 8);
        (low | (high << 4)).CopyTo(block[2..]);
    }
}

/// <summary>(scale * code) + minimum.</summary>
internal readonly struct BlockQ4_1 : IBlockFormat
{
    public static TensorType Type => TensorType.Q4_1;

    public static void Decode(ReadOnlySpan<byte> block, Span<float> values) =>
        NibbleBlock.Decode(block[4..], default, ReadHalf(block), 0, ReadHalf(block[2..]), values);

    public static void Encode(ReadOnlySpan<float> values, Span<byte> block)
    {
        (Vector128<byte> low, Vector128<byte> high) = NibbleBlock.RangeCodes(values, 15, block);
        (low | (high << 4)).CopyTo(block[4..]);
    }
}

/// <summary>scale * (code - 16).</summary>
internal readonly struct BlockQ5_0 : IBlockFormat
{
    public static TensorType Type => TensorType.Q5_0;

    public static void Decode(ReadOnlySpan<byte> block, Span<float> values) =>
        NibbleBlock.Decode(block[6..], block.Slice(2, 4), ReadHalf(block), 16, -0f, values);

    public static void Encode(ReadOnlySpan<float> values, Span<byte> block)
    {
        float scale = Furthest(values) / -16;
        WriteHalf(block, scale);
        (Vector128<byte> low, Vector128<byte> high) = NibbleBlock.CenteredCodes(values, Inverse(scale), 16);
        NibbleBlock.WriteFive(low, high, block[2..]);
    }
}

/// <summary>(scale * code) + minimum.</summary>
internal readonly struct BlockQ5_1 : IBlockFormat
{
    public static TensorType Type => TensorType.Q5_1;

    public static void Decode(ReadOnlySpan<byte> block, Span<float> values) =>
        NibbleBlock.Decode(block[8..], block.Slice(4, 4), ReadHalf(block), 0, ReadHalf(block[2..]), values);

    public static void Encode(ReadOnlySpan<float> values, Span<byte> block)
    {
        (Vector128<byte> low, Vector128<byte> high) = NibbleBlock.RangeCodes(values, 31, block);
        NibbleBlock.WriteFive(low, high, block[4..]);
    }
}

/// <summary>The parts that the formats of 4 and 5 bits share.</summary>
file static class NibbleBlock
{
    /// <summary>scale * (code - center) + minimum; the fifth bits are empty in a format of four, and no minimum is -0, which leaves every number as it is.</summary>
    public static void Decode(ReadOnlySpan<byte> nibbles, ReadOnlySpan<byte> fifthBits, float scale, int center, float minimum, Span<float> values)
    {
        uint fifth = fifthBits.IsEmpty ? 0 : BinaryPrimitives.ReadUInt32LittleEndian(fifthBits);
        for (int i = 0; i < 16; i++)
        {
            int low = (nibbles[i] & 15) | (int)((fifth >> i << 4) & 16);
            int high = (nibbles[i] >> 4) | (int)((fifth >> (i + 16) << 4) & 16);
            values[i] = (scale * (low - center)) + minimum;
            values[i + 16] = (scale * (high - center)) + minimum;
        }
    }

    /// <summary>Codes around a center, as many above as below; the sum is rounded once (ggml is compiled to fused multiply-add).</summary>
    public static (Vector128<byte> Low, Vector128<byte> High) CenteredCodes(ReadOnlySpan<float> values, float inverse, int center)
    {
        var most = Vector256.Create((2 * center) - 1);
        var factor = Vector256.Create(inverse);
        var middle = Vector256.Create(center + 0.5f);
        return (Bytes(codes(values, 0), codes(values, 8)), Bytes(codes(values, 16), codes(values, 24)));

        Vector256<int> codes(ReadOnlySpan<float> x, int at) =>
            Vector256.Min(Vector256.ConvertToInt32(Vector256.FusedMultiplyAdd(Load(x, at), factor, middle)), most);
    }

    /// <summary>Codes from the least value up; writes scale and minimum.</summary>
    public static (Vector128<byte> Low, Vector128<byte> High) RangeCodes(ReadOnlySpan<float> values, int most, Span<byte> block)
    {
        (float min, float max) = Range(values);
        float scale = (max - min) / most;
        WriteHalf(block, scale);
        WriteHalf(block[2..], min);
        var least = Vector256.Create(min);
        var factor = Vector256.Create(Inverse(scale));
        return (Bytes(codes(values, 0), codes(values, 8)), Bytes(codes(values, 16), codes(values, 24)));

        Vector256<int> codes(ReadOnlySpan<float> x, int at) => Vector256.Min(
            Vector256.ConvertToInt32(((Load(x, at) - least) * factor) + Vector256.Create(0.5f)), Vector256.Create(most));
    }

    /// <summary>The fifth bits, then the nibbles.</summary>
    public static void WriteFive(Vector128<byte> low, Vector128<byte> high, Span<byte> destination)
    {
        uint fifth = (low << 3).ExtractMostSignificantBits() | ((high << 3).ExtractMostSignificantBits() << 16);
        BinaryPrimitives.WriteUInt32LittleEndian(destination, fifth);
        ((low & Vector128.Create((byte)15)) | (high << 4)).CopyTo(destination[4..]);
    }
}
