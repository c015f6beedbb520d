using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;
using System.Runtime.Intrinsics.X86;

namespace AdaEagle.Kernels;

/// <summary>
/// Inputs rounded for products with quantised weights: 32 values at a time become codes -127 … 127 and a scale, the largest magnitude being 127 times it. A block's
/// bits depend on its 32 values alone, on every processor.
/// </summary>
/// <remarks>
/// Rows are taken in tiles of equal height, at most <paramref name="tileRows"/>, and within a tile the rows' blocks alternate, so that a product reads one ascending stream.
/// A block: 32 codes; the scale; the scale times the sum of the codes; minus <paramref name="weightOffset"/> times that sum, which takes off what the weights' codes are read too large
/// by; the sums of its two halves, 16 bits each.
/// Wide codes take 16 bits, four of them in the order 0, 2, 1, 3 (see <see cref="IRegister{TSelf}.DotSigned"/>).
/// </remarks>
internal sealed unsafe class ActivationBlocks(int tileRows, bool wideCodes, int weightOffset) : InputPreparation
{
    /// <summary>Values of a block.</summary>
    public const int Length = 32;

    /// <summary>Bytes of a block whose codes take a byte.</summary>
    public const int Bytes = Length + TailBytes;

    /// <summary>Bytes of a block whose codes take two.</summary>
    public const int WideBytes = (2 * Length) + TailBytes;

    private const int TailBytes = 16;

    // Below this a block counts as zero: its scale could not be inverted.
    private const float Least = 1e-30f;

    private readonly int _blockBytes = wideCodes ? WideBytes : Bytes;

    public override int RowBytes(int columns) => columns / Length * _blockBytes;

    public override void Prepare(float* input, int firstColumn, int count, int columns, int row, int rows, byte* prepared)
    {
        var tiles = new RowTiles(rows, tileRows);
        int tile = tiles.Of(row), start = tiles.Start(tile), height = tiles.Start(tile + 1) - start;
        byte* block = prepared + ((nint)start * RowBytes(columns)) + ((((nint)firstColumn / Length * height) + row - start) * _blockBytes);
        sbyte* codes = stackalloc sbyte[Length];
        for (int column = 0; column < count; column += Length)
        {
            int first, second;
            float scale;
            if (wideCodes)
            {
                scale = Quantize(input + column, codes, out first, out second);
                Widen(codes, (short*)block);
            }
            else
            {
                scale = Quantize(input + column, (sbyte*)block, out first, out second);
            }

            int sum = first + second;
            byte* tail = block + _blockBytes - TailBytes;
            *(float*)tail = scale;
            *(float*)(tail + 4) = scale * sum;
            *(int*)(tail + 8) = -weightOffset * sum;
            *(short*)(tail + 12) = (short)first;
            *(short*)(tail + 14) = (short)second;
            block += height * _blockBytes;
        }
    }

    /// <summary>Rounds 32 values to codes, ties to even; returns the scale, and the sums of the first and the second 16 codes.</summary>
    private static float Quantize(float* values, sbyte* codes, out int firstSum, out int secondSum)
    {
        if (Avx512BW.IsSupported)
        {
            Vector512<float> a = Vector512.Load(values), b = Vector512.Load(values + 16);
            Vector512<float> most = Vector512.MaxNative(Vector512.Abs(a), Vector512.Abs(b));
            float scale = Scale(Largest(Vector256.MaxNative(most.GetLower(), most.GetUpper())), out float inverse);
            Vector512<int> first = Avx512F.ConvertToVector512Int32(a * Vector512.Create(inverse)), second = Avx512F.ConvertToVector512Int32(b * Vector512.Create(inverse));
            Store(Vector256.Create(Avx512F.ConvertToVector128SByteWithSaturation(first), Avx512F.ConvertToVector128SByteWithSaturation(second)), codes, out firstSum, out secondSum);
            return scale;
        }

        if (Avx2.IsSupported)
        {
            Vector256<float> a = Vector256.Load(values), b = Vector256.Load(values + 8), c = Vector256.Load(values + 16), d = Vector256.Load(values + 24);
            float scale = Scale(
                Largest(Vector256.MaxNative(Vector256.MaxNative(Vector256.Abs(a), Vector256.Abs(b)), Vector256.MaxNative(Vector256.Abs(c), Vector256.Abs(d)))), out float inverse);
            Vector256<float> by = Vector256.Create(inverse);
            Vector256<int> ia = Avx.ConvertToVector256Int32(a * by), ib = Avx.ConvertToVector256Int32(b * by), ic = Avx.ConvertToVector256Int32(c * by), id = Avx.ConvertToVector256Int32(d * by);
            Store(Vector256.Narrow(Vector256.Narrow(ia, ib), Vector256.Narrow(ic, id)), codes, out firstSum, out secondSum);
            return scale;
        }

        return QuantizePortably(values, codes, out firstSum, out secondSum);
    }

    // Bytes are summed unsigned, eight at a time: 128 larger each.
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static void Store(Vector256<sbyte> values, sbyte* codes, out int firstSum, out int secondSum)
    {
        values.Store(codes);
        Vector256<int> sums = Avx2.SumAbsoluteDifferences(values.AsByte() ^ Vector256.Create((byte)128), Vector256<byte>.Zero).AsInt32();
        sums += Avx2.Shuffle(sums, 0b01_00_11_10);
        firstSum = sums.GetElement(0) - (16 * 128);
        secondSum = sums.GetElement(4) - (16 * 128);
    }

    private static float QuantizePortably(float* values, sbyte* codes, out int firstSum, out int secondSum)
    {
        Vector128<float> most = Vector128<float>.Zero;
        for (int i = 0; i < Length; i += 4)
        {
            most = Vector128.MaxNative(most, Vector128.Abs(Vector128.Load(values + i)));
        }

        float scale = Scale(Lanes128.MaxOfQuarters(most), out float inverse);
        Vector128<float> by = Vector128.Create(inverse);
        firstSum = secondSum = 0;
        for (int i = 0; i < Length; i += 16)
        {
            Vector128<int> a = Round(values + i, by), b = Round(values + i + 4, by), c = Round(values + i + 8, by), d = Round(values + i + 12, by);
            Vector128.Narrow(Vector128.Narrow(a, b), Vector128.Narrow(c, d)).Store(codes + i);
            firstSum = secondSum;
            secondSum = Vector128.Sum(a + b + c + d);
        }

        return scale;

        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        static Vector128<int> Round(float* at, Vector128<float> by) => Vector128.ConvertToInt32Native(Vector128.Round(Vector128.Load(at) * by));
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static float Largest(Vector256<float> values) => Lanes128.MaxOfQuarters(Vector128.MaxNative(values.GetLower(), values.GetUpper()));

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static float Scale(float largest, out float inverse)
    {
        if (largest < Least)
        {
            inverse = 0;
            return 0;
        }

        inverse = 127 / largest;
        return largest / 127;
    }

    private static void Widen(sbyte* codes, short* wide)
    {
        if (Avx2.IsSupported)
        {
            Vector128<byte> order = Vector128.Create((byte)0, 2, 1, 3, 4, 6, 5, 7, 8, 10, 9, 11, 12, 14, 13, 15);
            Avx2.ConvertToVector256Int16(Vector128.Shuffle(Vector128.Load((byte*)codes), order).AsSByte()).Store(wide);
            Avx2.ConvertToVector256Int16(Vector128.Shuffle(Vector128.Load((byte*)codes + 16), order).AsSByte()).Store(wide + 16);
            return;
        }

        for (int i = 0; i < Length; i += 4)
        {
            wide[i] = codes[i];
            wide[i + 1] = codes[i + 2];
            wide[i + 2] = codes[i + 1];
            wide[i + 3] = codes[i + 3];
        }
    }
}

/// <summary>Rows cut into the fewest tiles of a greatest height, as equal as they get.</summary>
internal readonly struct RowTiles(int rows, int tileRows)
{
    public int Count { get; } = (rows + tileRows - 1) / tileRows;

    /// <summary>First row of a tile; of the one behind the last, the number of rows.</summary>
    public int Start(int tile) => (int)((long)tile * rows / Count);

    /// <summary>The tile of a row.</summary>
    public int Of(int row) => (int)(((((long)row + 1) * Count) - 1) / rows);
}
