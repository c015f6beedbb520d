using static AdaEagle.Formats.BlockMath;

namespace AdaEagle.Formats;

// Blocks of 256 in which scales (and minima) of 16 or 32 elements are themselves codes under a 16-bit scale. Element 32 * g + l
// of a half block of 128 lies in byte l of the half, at bits that depend on the group g.

/// <summary>(scale * code) - minimum, sixteen elements each: 16 bytes of scale (lower half) and minimum (upper half), 64 bytes of codes, scale, minimum scale.</summary>
internal readonly struct BlockQ2_K : IBlockFormat
{
    public static TensorType Type => TensorType.Q2_K;

    public static void Decode(ReadOnlySpan<byte> block, Span<float> values)
    {
        (float scale, float minimumScale) = (ReadHalf(block[80..]), ReadHalf(block[82..]));
        for (int sub = 0; sub < 16; sub++)
        {
            (float d, float m) = (scale * (block[sub] & 15), minimumScale * (block[sub] >> 4));
            ReadOnlySpan<byte> codes = TwoBitGroup.Of(block.Slice(16, 64), sub);
            int shift = TwoBitGroup.Shift(sub);
            for (int l = 0; l < 16; l++)
            {
                values[(16 * sub) + l] = (d * ((codes[l] >> shift) & 3)) - m;
            }
        }
    }

    public static void Encode(ReadOnlySpan<float> values, Span<byte> block)
    {
        Span<byte> scales = stackalloc byte[16];
        Span<byte> minima = stackalloc byte[16];
        Span<byte> codes = stackalloc byte[256];
        AffineBlock.Encode(values, 3, 15, block.Slice(80, 4), scales, minima, codes);
        for (int sub = 0; sub < 16; sub++)
        {
            block[sub] = (byte)(scales[sub] | (minima[sub] << 4));
        }

        TwoBitGroup.Pack(codes, block.Slice(16, 64));
    }
}

/// <summary>(scale * (sub-scale - 32)) * (code - 4), sixteen elements each: 32 bytes of third bits, 64 bytes of two bits, 12 bytes of sub-scales, scale.</summary>
internal readonly struct BlockQ3_K : IBlockFormat
{
    public static TensorType Type => TensorType.Q3_K;

    public static void Decode(ReadOnlySpan<byte> block, Span<float> values)
    {
        float scale = ReadHalf(block[108..]);
        ReadOnlySpan<byte> scales = block.Slice(96, 12);
        for (int sub = 0; sub < 16; sub++)
        {
            int code = (sub < 8 ? scales[sub] & 15 : scales[sub - 8] >> 4) | (((scales[8 + (sub % 4)] >> (2 * (sub / 4))) & 3) << 4);
            float d = scale * (code - 32);
            ReadOnlySpan<byte> codes = TwoBitGroup.Of(block.Slice(32, 64), sub);
            int shift = TwoBitGroup.Shift(sub);
            ReadOnlySpan<byte> third = block.Slice(16 * (sub % 2), 16);
            for (int l = 0; l < 16; l++)
            {
                values[(16 * sub) + l] = d * (((codes[l] >> shift) & 3) + (4 * ((third[l] >> (sub / 2)) & 1)) - 4);
            }
        }
    }

    public static void Encode(ReadOnlySpan<float> values, Span<byte> block)
    {
        Span<sbyte> scales = stackalloc sbyte[16];
        Span<byte> codes = stackalloc byte[256];
        SymmetricBlock.Encode(values, 4, 32, block[108..], scales, codes);
        block[..108].Clear();
        for (int sub = 0; sub < 16; sub++)
        {
            int code = scales[sub] + 32;
            block[96 + (sub % 8)] |= (byte)((code & 15) << (4 * (sub / 8)));
            block[104 + (sub % 4)] |= (byte)((code >> 4) << (2 * (sub / 4)));
        }

        for (int i = 0; i < 256; i++)
        {
            block[i % 32] |= (byte)((codes[i] >> 2) << (i / 32));
            codes[i] &= 3;
        }

        TwoBitGroup.Pack(codes, block.Slice(32, 64));
    }
}

/// <summary>(scale * code) - minimum, thirty-two elements each: scale, minimum scale, 12 bytes of sub-scales and minima, 128 bytes of codes.</summary>
internal readonly struct BlockQ4_K : IBlockFormat
{
    public static TensorType Type => TensorType.Q4_K;

    public static void Decode(ReadOnlySpan<byte> block, Span<float> values) => SixBitScales.Decode(block, default, block[16..], values);

    public static void Encode(ReadOnlySpan<float> values, Span<byte> block)
    {
        Span<byte> codes = stackalloc byte[256];
        SixBitScales.Encode(values, 15, block, codes);
        SixBitScales.PackNibbles(codes, block[16..]);
    }
}

/// <summary>As Q4_K, with 32 bytes of fifth bits before the nibbles.</summary>
internal readonly struct BlockQ5_K : IBlockFormat
{
    public static TensorType Type => TensorType.Q5_K;

    public static void Decode(ReadOnlySpan<byte> block, Span<float> values) => SixBitScales.Decode(block, block.Slice(16, 32), block[48..], values);

    public static void Encode(ReadOnlySpan<float> values, Span<byte> block)
    {
        Span<byte> codes = stackalloc byte[256];
        SixBitScales.Encode(values, 31, block, codes);
        Span<byte> fifth = block.Slice(16, 32);
        fifth.Clear();
        for (int i = 0; i < 256; i++)
        {
            fifth[i % 32] |= (byte)((codes[i] >> 4) << (i / 32));
            codes[i] &= 15;
        }

        SixBitScales.PackNibbles(codes, block[48..]);
    }
}

/// <summary>(scale * sub-scale) * (code - 32), sixteen elements each: 128 bytes of lower four bits, 64 bytes of upper two, 16 signed sub-scales, scale.</summary>
internal readonly struct BlockQ6_K : IBlockFormat
{
    public static TensorType Type => TensorType.Q6_K;

    public static void Decode(ReadOnlySpan<byte> block, Span<float> values)
    {
        float scale = ReadHalf(block[208..]);
        for (int sub = 0; sub < 16; sub++)
        {
            float d = scale * (sbyte)block[192 + sub];
            (int half, int group) = (sub / 8, sub % 8 / 2);
            ReadOnlySpan<byte> lower = block.Slice((64 * half) + (32 * (group % 2)) + (16 * (sub % 2)), 16);
            ReadOnlySpan<byte> upper = TwoBitGroup.Of(block.Slice(128, 64), sub);
            int shift = TwoBitGroup.Shift(sub);
            for (int l = 0; l < 16; l++)
            {
                values[(16 * sub) + l] = d * ((((lower[l] >> (4 * (group / 2))) & 15) | (((upper[l] >> shift) & 3) << 4)) - 32);
            }
        }
    }

    public static void Encode(ReadOnlySpan<float> values, Span<byte> block)
    {
        Span<sbyte> scales = stackalloc sbyte[16];
        Span<byte> codes = stackalloc byte[256];
        SymmetricBlock.Encode(values, 32, 128, block[208..], scales, codes);
        for (int half = 0; half < 2; half++)
        {
            Span<byte> lower = block.Slice(64 * half, 64);
            Span<byte> of = codes.Slice(128 * half, 128);
            for (int l = 0; l < 64; l++)
            {
                lower[l] = (byte)((of[l] & 15) | (of[64 + l] << 4));
            }
        }

        for (int i = 0; i < 256; i++)
        {
            codes[i] >>= 4;
        }

        TwoBitGroup.Pack(codes, block.Slice(128, 64));
        System.Runtime.InteropServices.MemoryMarshal.AsBytes(scales).CopyTo(block[192..]);
    }
}

/// <summary>Two bits of 256 elements: bits 2g of byte l of a half are those of element 32g + l.</summary>
file static class TwoBitGroup
{
    /// <summary>The bytes that hold sixteen elements, from bit <see cref="Shift"/> on.</summary>
    public static ReadOnlySpan<byte> Of(ReadOnlySpan<byte> bits, int sub) => bits.Slice((32 * (sub / 8)) + (16 * (sub % 2)), 16);

    public static int Shift(int sub) => sub % 8 / 2 * 2;

    public static void Pack(ReadOnlySpan<byte> codes, Span<byte> bits)
    {
        for (int i = 0; i < 64; i++)
        {
            ReadOnlySpan<byte> of = codes[((128 * (i / 32)) + (i % 32))..];
            bits[i] = (byte)(of[0] | (of[32] << 2) | (of[64] << 4) | (of[96] << 6));
        }
    }
}

/// <summary>Blocks whose sub-scales are signed codes under one scale.</summary>
file static class SymmetricBlock
{
    /// <summary>Codes are written with <paramref name="end"/> added; sub-scales reach from -<paramref name="scaleEnd"/> to <paramref name="scaleEnd"/> - 1.</summary>
    public static void Encode(ReadOnlySpan<float> values, int end, int scaleEnd, Span<byte> scaleBytes, Span<sbyte> scales, Span<byte> codes)
    {
        Span<float> wanted = stackalloc float[16];
        for (int sub = 0; sub < 16; sub++)
        {
            wanted[sub] = ScaleSearch.Symmetric(values.Slice(16 * sub, 16), end);
        }

        // The furthest gets the end of the range that reaches one further.
        WriteHalf(scaleBytes, Furthest(wanted) / -scaleEnd);
        float scale = ReadHalf(scaleBytes);
        for (int sub = 0; sub < 16; sub++)
        {
            scales[sub] = (sbyte)Math.Clamp(MathF.Round(wanted[sub] * Inverse(scale)), -scaleEnd, scaleEnd - 1);
            ScaleSearch.WriteCodes(values.Slice(16 * sub, 16), scale * scales[sub], 0, -end, end - 1, end, codes.Slice(16 * sub, 16));
        }
    }
}

/// <summary>Blocks whose sub-scales and minima are codes under two scales.</summary>
file static class AffineBlock
{
    /// <summary>Writes both scales, and gives the codes: of the sub-scales and minima up to <paramref name="scaleMost"/>, of the elements up to <paramref name="most"/>.</summary>
    public static void Encode(
        ReadOnlySpan<float> values, int most, int scaleMost, Span<byte> scaleBytes, Span<byte> scales, Span<byte> minima, Span<byte> codes)
    {
        int length = values.Length / scales.Length;
        Span<float> wanted = stackalloc float[16];
        Span<float> wantedMinima = stackalloc float[16];
        (float largest, float largestMinimum) = (0, 0);
        for (int sub = 0; sub < scales.Length; sub++)
        {
            (wanted[sub], wantedMinima[sub]) = ScaleSearch.Affine(values.Slice(length * sub, length), most);
            largest = MathF.Max(largest, wanted[sub]);
            largestMinimum = MathF.Max(largestMinimum, wantedMinima[sub]);
        }

        WriteHalf(scaleBytes, largest / scaleMost);
        WriteHalf(scaleBytes[2..], largestMinimum / scaleMost);
        (float scale, float minimumScale) = (ReadHalf(scaleBytes), ReadHalf(scaleBytes[2..]));
        for (int sub = 0; sub < scales.Length; sub++)
        {
            scales[sub] = (byte)MathF.Min(MathF.Round(wanted[sub] * Inverse(scale)), scaleMost);
            minima[sub] = (byte)MathF.Min(MathF.Round(wantedMinima[sub] * Inverse(minimumScale)), scaleMost);
            Span<byte> of = codes.Slice(length * sub, length);
            ScaleSearch.WriteCodes(values.Slice(length * sub, length), scale * scales[sub], minimumScale * minima[sub], 0, most, 0, of);
        }
    }
}

/// <summary>
/// Q4_K and Q5_K. Of the twelve bytes of eight sub-scales and minima, the first four hold the first four sub-scales, the next four the first four minima,
/// the last four the lower halves of the other sub-scales and minima, whose upper two bits are the upper bits of the first eight bytes.
/// </summary>
file static class SixBitScales
{
    public static void Decode(ReadOnlySpan<byte> block, ReadOnlySpan<byte> fifth, ReadOnlySpan<byte> nibbles, Span<float> values)
    {
        (float scale, float minimumScale) = (ReadHalf(block), ReadHalf(block[2..]));
        ReadOnlySpan<byte> scales = block.Slice(4, 12);
        for (int sub = 0; sub < 8; sub++)
        {
            (int s, int m) = sub < 4
                ? (scales[sub] & 63, scales[sub + 4] & 63)
                : ((scales[sub + 4] & 15) | (scales[sub - 4] >> 6 << 4), (scales[sub + 4] >> 4) | (scales[sub] >> 6 << 4));
            (float d, float minimum) = (scale * s, minimumScale * m);
            ReadOnlySpan<byte> codes = nibbles.Slice(32 * (sub / 2), 32);
            int shift = 4 * (sub % 2);
            Span<float> of = values.Slice(32 * sub, 32);
            for (int l = 0; l < 32; l++)
            {
                int code = (codes[l] >> shift) & 15;
                of[l] = (d * (fifth.IsEmpty ? code : code | (((fifth[l] >> sub) & 1) << 4))) - minimum;
            }
        }
    }

    public static void Encode(ReadOnlySpan<float> values, int most, Span<byte> block, Span<byte> codes)
    {
        Span<byte> scales = stackalloc byte[8];
        Span<byte> minima = stackalloc byte[8];
        AffineBlock.Encode(values, most, 63, block[..4], scales, minima, codes);
        Span<byte> packed = block.Slice(4, 12);
        for (int sub = 0; sub < 4; sub++)
        {
            packed[sub] = (byte)(scales[sub] | (scales[sub + 4] >> 4 << 6));
            packed[sub + 4] = (byte)(minima[sub] | (minima[sub + 4] >> 4 << 6));
            packed[sub + 8] = (byte)((scales[sub + 4] & 15) | (minima[sub + 4] << 4));
        }
    }

    public static void PackNibbles(ReadOnlySpan<byte> codes, Span<byte> nibbles)
    {
        for (int i = 0; i < 128; i++)
        {
            ReadOnlySpan<byte> of = codes[((64 * (i / 32)) + (i % 32))..];
            nibbles[i] = (byte)(of[0] | (of[32] << 4));
        }
    }
}
