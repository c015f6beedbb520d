using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;

namespace AdaEagle.Kernels;

/// <summary>Where things lie in the packed rows of a register (see <see cref="IBlockFormat"/>), and how codes are put there and read.</summary>
/// <remarks>
/// Codes lie four columns to a lane's 32 bits. A vector of low halves holds columns 8j … 8j+3 in the lower four bits of its bytes, 8j+4 … 8j+7 in the upper
/// ones; four such vectors make a block. A fifth bit: a vector whose bit s of a byte belongs to column 4s + the byte's place. A fifth and sixth: two such
/// vectors, one for each half of the columns, with two bits a column.
/// </remarks>
internal static unsafe class BlockLayout<TFormat>
    where TFormat : struct, IBlockFormat
{
    /// <summary>Weights of a block.</summary>
    public const int Length = ActivationBlocks.Length;

    /// <summary>Blocks of a whole span.</summary>
    public const int SpanBlocks = 8;

    /// <summary>Bytes of scales of a block of a row.</summary>
    public const int ScaleBytes = 2;

    /// <summary>Bytes of codes of a block of a row.</summary>
    public static int CodeBytes
    {
        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        get => Length / 8 * TFormat.CodeBits;
    }

    /// <summary>Bytes of a row.</summary>
    public static long RowBytes(int columns)
    {
        int blocks = columns / Length;
        return ((long)((blocks + SpanBlocks - 1) / SpanBlocks) * TFormat.CommonBytes) + ((long)blocks * (ScaleBytes + CodeBytes));
    }

    /// <summary>Packs row <paramref name="lane"/> of a register's <paramref name="lanes"/> rows from its stored blocks.</summary>
    public static void PackRow(byte* stored, int columns, byte* packed, int lanes, int lane)
    {
        byte* codes = stackalloc byte[TFormat.StoredLength];
        for (int column = 0; column < columns; column += TFormat.StoredLength)
        {
            PackedBlock first = Block(packed, columns, column / Length, lanes);
            TFormat.PackScales(stored, first.Common, first.Scales, lanes, lane);
            TFormat.ReadCodes(stored, codes);
            for (int i = 0; i < TFormat.StoredLength; i += Length)
            {
                PackCodes(codes + i, Block(packed, columns, (column + i) / Length, lanes).Codes + (4 * lane), 4 * lanes);
            }

            stored += TFormat.StoredBytes;
        }
    }

    /// <summary>Reads the codes and scales of a row's block, in the plainest form.</summary>
    public static BlockScales ReadBlock(byte* packed, int columns, int block, int lanes, int lane, int* codes)
    {
        PackedBlock at = Block(packed, columns, block, lanes);
        byte* own = at.Codes + (4 * lane);
        int vector = 4 * lanes;
        for (int k = 0; k < Length; k++)
        {
            if (TFormat.CodeBits == 8)
            {
                codes[k] = (sbyte)own[(k / 4 * vector) + (k % 4)];
                continue;
            }

            int code = (own[(k / 8 * vector) + (k % 4)] >> (k % 8 < 4 ? 0 : 4)) & 0xF;
            byte* high = own + (4 * vector) + (k % 4);
            codes[k] = code | (TFormat.CodeBits switch
            {
                5 => (high[0] >> (k / 4)) & 1,
                6 => (high[k / 16 * vector] >> (2 * (k / 4 % 4))) & 3,
                _ => 0,
            } << 4);
        }

        return TFormat.ReadScales(at.Common, at.Scales, lanes, lane);
    }

    /// <summary>Widens a row, with the roundings of the format: (Scale * factor) * (code - Offset) - Minimum.</summary>
    public static void UnpackRow(byte* packed, int columns, int lanes, int lane, float* row)
    {
        if (TFormat.CodeBits == 8)
        {
            UnpackBytes(packed, columns, lanes, lane, row);
            return;
        }

        int* codes = stackalloc int[Length];
        for (int block = 0; block < columns / Length; block++)
        {
            BlockScales scales = ReadBlock(packed, columns, block, lanes, lane, codes);
            float first = scales.Scale * scales.FirstFactor, second = scales.Scale * scales.SecondFactor;
            for (int k = 0; k < Length; k++)
            {
                float value = (k < Length / 2 ? first : second) * (codes[k] - TFormat.Offset);
                *row++ = TFormat.HasMinimum ? value - scales.Minimum : value;
            }
        }
    }

    // The same of bytes, which embeddings are: one is read for every row of every pass.
    private static void UnpackBytes(byte* packed, int columns, int lanes, int lane, float* row)
    {
        for (int block = 0; block < columns / Length; block++)
        {
            PackedBlock at = Block(packed, columns, block, lanes);
            Vector128<float> scale = Vector128.Create(TFormat.ReadScales(at.Common, at.Scales, lanes, lane).Scale);
            byte* codes = at.Codes + (4 * lane);
            for (int i = 0; i < Length; i += 4, codes += 4 * lanes, row += 4)
            {
                Vector128<int> four = Vector128.WidenLower(Vector128.WidenLower(Vector128.CreateScalarUnsafe(*(int*)codes).AsSByte()));
                (Vector128.ConvertToSingle(four) * scale).Store(row);
            }
        }
    }

    /// <summary>Where a block of a register's rows lies.</summary>
    public static PackedBlock Block(byte* packed, int columns, int block, int lanes)
    {
        (int span, int inSpan) = (block / SpanBlocks, block % SpanBlocks);
        int blocks = Math.Min(SpanBlocks, (columns / Length) - (span * SpanBlocks));
        byte* common = packed + ((long)span * lanes * (TFormat.CommonBytes + (SpanBlocks * (ScaleBytes + CodeBytes))));
        byte* scales = common + (lanes * TFormat.CommonBytes);
        byte* codes = scales + (lanes * ScaleBytes * blocks);
        return new(common, scales + (lanes * ScaleBytes * inSpan), codes + (lanes * CodeBytes * inSpan));
    }

    // 32 codes, a byte each; own is the lane's place in the block's first vector.
    private static void PackCodes(byte* codes, byte* own, int vector)
    {
        uint* four = (uint*)codes;
        if (TFormat.CodeBits == 8)
        {
            for (int i = 0; i < Length / 4; i++)
            {
                *(uint*)(own + (i * vector)) = four[i];
            }

            return;
        }

        for (int i = 0; i < Length / 8; i++)
        {
            *(uint*)(own + (i * vector)) = (four[2 * i] & 0x0F0F0F0F) | ((four[(2 * i) + 1] & 0x0F0F0F0F) << 4);
        }

        byte* high = own + (4 * vector);
        for (int i = 0; i < Length / 4; i++)
        {
            if (TFormat.CodeBits == 5)
            {
                *(uint*)high |= ((four[i] >> 4) & 0x01010101) << i;
            }
            else if (TFormat.CodeBits == 6)
            {
                *(uint*)(high + (i / 4 * vector)) |= ((four[i] >> 4) & 0x03030303) << (2 * (i % 4));
            }
        }
    }
}

/// <summary>Where a block lies: what its span has in common, its scales, its codes.</summary>
internal readonly unsafe struct PackedBlock(byte* common, byte* scales, byte* codes)
{
    public byte* Common { get; } = common;

    public byte* Scales { get; } = scales;

    public byte* Codes { get; } = codes;
}
