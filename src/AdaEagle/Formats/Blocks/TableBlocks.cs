using System.Buffers.Binary;
using static AdaEagle.Formats.BlockMath;

namespace AdaEagle.Formats;

// Codes of four bits that index a table of sixteen values. Byte i of a run of 32 holds element i in its lower half and
// element i + 16 in its upper half.

/// <summary>A power of two times an E2M1 number (OCP microscaling formats 1.0). The table holds twice the numbers, the scale half the power.</summary>
internal readonly struct BlockMXFP4 : IBlockFormat
{
    private static ReadOnlySpan<sbyte> Table => [0, 1, 2, 3, 4, 6, 8, 12, 0, -1, -2, -3, -4, -6, -8, -12];

    public static TensorType Type => TensorType.MXFP4;

    public static void Decode(ReadOnlySpan<byte> block, Span<float> values) => NibbleTable.Decode(block[1..], HalfPower(block[0]), Table, values);

    public static void Encode(ReadOnlySpan<float> values, Span<byte> block)
    {
        // The largest magnitude lands in the table's top octave, 4 to 6.
        float largest = LargestMagnitude(values);
        int exponent = largest > 0 ? Math.Clamp((int)MathF.Floor(MathF.Log2(largest)) - 2 + 127, 0, 254) : 0;
        block[0] = (byte)exponent;
        float scale = HalfPower(block[0]);
        for (int i = 0; i < 16; i++)
        {
            block[1 + i] = (byte)(Nearest(values[i], scale) | (Nearest(values[i + 16], scale) << 4));
        }
    }

    // 2^(exponent - 128); the two smallest are subnormal.
    private static float HalfPower(byte exponent) =>
        BitConverter.Int32BitsToSingle(exponent < 2 ? 0x0020_0000 << exponent : (exponent - 1) << 23);

    private static int Nearest(float value, float scale)
    {
        int best = 0;
        float least = float.PositiveInfinity;
        for (int code = 0; code < 16; code++)
        {
            float distance = MathF.Abs((Table[code] * scale) - value);
            if (distance < least)
            {
                (best, least) = (code, distance);
            }
        }

        return best;
    }
}

/// <summary>scale * table[code].</summary>
internal readonly struct BlockIQ4_NL : IBlockFormat
{
    public static TensorType Type => TensorType.IQ4_NL;

    public static void Decode(ReadOnlySpan<byte> block, Span<float> values) => NibbleTable.Decode(block[2..], ReadHalf(block), NibbleTable.Uneven, values);

    public static void Encode(ReadOnlySpan<float> values, Span<byte> block)
    {
        WriteHalf(block, NibbleTable.BestScale(values));
        NibbleTable.EncodeUneven(values, ReadHalf(block), block[2..]);
    }
}

/// <summary>
/// (scale * (sub-scale - 32)) * table[code]: scale (16 bits), two upper bits of each of eight sub-scales (16 bits), their lower four bits (4 bytes), codes.
/// </summary>
internal readonly struct BlockIQ4_XS : IBlockFormat
{
    public static TensorType Type => TensorType.IQ4_XS;

    public static void Decode(ReadOnlySpan<byte> block, Span<float> values)
    {
        float scale = ReadHalf(block);
        int upper = BinaryPrimitives.ReadUInt16LittleEndian(block[2..]);
        for (int sub = 0; sub < 8; sub++)
        {
            int code = ((block[4 + (sub / 2)] >> (4 * (sub % 2))) & 15) | (((upper >> (2 * sub)) & 3) << 4);
            NibbleTable.Decode(block.Slice(8 + (16 * sub), 16), scale * (code - 32), NibbleTable.Uneven, values.Slice(32 * sub, 32));
        }
    }

    public static void Encode(ReadOnlySpan<float> values, Span<byte> block)
    {
        Span<float> scales = stackalloc float[8];
        for (int sub = 0; sub < 8; sub++)
        {
            scales[sub] = NibbleTable.BestScale(values.Slice(32 * sub, 32));
        }

        // The furthest sub-scale becomes -32, the end of the range that reaches one further.
        float furthest = Furthest(scales);
        WriteHalf(block, furthest / -32);
        float scale = ReadHalf(block);
        block[4..8].Clear();
        int upper = 0;
        for (int sub = 0; sub < 8; sub++)
        {
            int code = Math.Clamp((int)MathF.Round(scales[sub] * Inverse(scale)), -32, 31);
            block[4 + (sub / 2)] |= (byte)(((code + 32) & 15) << (4 * (sub % 2)));
            upper |= ((code + 32) >> 4) << (2 * sub);
            NibbleTable.EncodeUneven(values.Slice(32 * sub, 32), scale * code, block.Slice(8 + (16 * sub), 16));
        }

        BinaryPrimitives.WriteUInt16LittleEndian(block[2..], (ushort)upper);
    }
}

/// <summary>Tables of sixteen values.</summary>
file static class NibbleTable
{
    // How far the furthest value may lie from the table's end in the search of a scale, in steps of the table's end.
    private const int SearchSteps = 8;
    private const float SearchWidth = 0.2f;

    /// <summary>The table of the IQ4 formats: denser around zero, as weights are.</summary>
    public static ReadOnlySpan<sbyte> Uneven => [-127, -104, -83, -65, -49, -35, -22, -10, 1, 13, 25, 38, 53, 69, 89, 113];

    // For each whole number from -128 to 127 the code of the nearest entry.
    private static ReadOnlySpan<byte> NearestUneven => _nearest;

    private static readonly byte[] _nearest = [.. Enumerable.Range(-128, 256).Select(x => (byte)NearestOf(x))];

    public static void Decode(ReadOnlySpan<byte> nibbles, float scale, ReadOnlySpan<sbyte> table, Span<float> values)
    {
        for (int i = 0; i < 16; i++)
        {
            values[i] = scale * table[nibbles[i] & 15];
            values[i + 16] = scale * table[nibbles[i] >> 4];
        }
    }

    public static void EncodeUneven(ReadOnlySpan<float> values, float scale, Span<byte> nibbles)
    {
        float inverse = Inverse(scale);
        for (int i = 0; i < 16; i++)
        {
            nibbles[i] = (byte)(Code(values[i] * inverse) | (Code(values[i + 16] * inverse) << 4));
        }
    }

    /// <summary>
    /// The scale of the least squared error: the furthest value is laid on either end of the table and a little beyond, each choice of codes
    /// gets the scale that suits them best.
    /// </summary>
    public static float BestScale(ReadOnlySpan<float> values)
    {
        float furthest = Furthest(values);
        if (furthest == 0)
        {
            return 0;
        }

        (float best, float gain) = (0, 0);
        foreach (sbyte end in (ReadOnlySpan<sbyte>)[-127, 113])
        {
            for (int step = -SearchSteps; step <= SearchSteps; step++)
            {
                float inverse = end * (1 + (step * SearchWidth / SearchSteps)) / furthest;
                (float products, float squares) = (0, 0);
                foreach (float value in values)
                {
                    int entry = Uneven[Code(value * inverse)];
                    products += value * entry;
                    squares += entry * entry;
                }

                // With scale p/s the squared error is sum(x^2) - p^2/s.
                float fitted = products * products / squares;
                if (fitted > gain)
                {
                    (best, gain) = (products / squares, fitted);
                }
            }
        }

        return best;
    }

    private static int Code(float value)
    {
        // Entries are whole, so are twice the bounds between them; the table of nearest ones is exact but for values between two halves.
        int whole = (int)MathF.Floor(Math.Clamp(value, -128, 127));
        int code = NearestUneven[whole + 128];
        return code < 15 && MathF.Abs(Uneven[code + 1] - value) < MathF.Abs(Uneven[code] - value) ? code + 1 : code;
    }

    private static int NearestOf(int value) =>
        Enumerable.Range(0, 16).MinBy(code => Math.Abs(Uneven[code] - value));
}
