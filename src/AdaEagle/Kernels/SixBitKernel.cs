using System.Runtime.CompilerServices;

namespace AdaEagle.Kernels;

/// <summary>Products with codes of 6 bits and a factor for each half. Two sums of two products 63 * 127 fit 16 bits: they are multiplied by the factor and go on in 32.</summary>
/// <remarks>One block of 32 columns after the other, half by half; a tile's sums stay in registers. The pointer to the inputs stands behind their codes when a block ends.</remarks>
internal sealed unsafe class SixBitKernel<TRegister, TFormat> : TiledBlockKernel<TRegister, TFormat>
    where TRegister : struct, IRegister<TRegister>
    where TFormat : struct, IBlockFormat
{
    protected override void Tile(int rows, byte* weights, int columns, byte* activations, float* outputs, nint outputStride)
    {
        switch (rows)
        {
            case 1: Tile<Count1>(weights, columns, activations, outputs, outputStride); break;
            case 2: Tile<Count2>(weights, columns, activations, outputs, outputStride); break;
            case 3: Tile<Count3>(weights, columns, activations, outputs, outputStride); break;
            case 4: Tile<Count4>(weights, columns, activations, outputs, outputStride); break;
            case 5: Tile<Count5>(weights, columns, activations, outputs, outputStride); break;
            case 6: Tile<Count6>(weights, columns, activations, outputs, outputStride); break;
            case 7: Tile<Count7>(weights, columns, activations, outputs, outputStride); break;
            case 8: Tile<Count8>(weights, columns, activations, outputs, outputStride); break;
            default: throw new InvalidOperationException($"No tile of {rows} rows.");
        }
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static void Tile<TRows>(byte* weights, int columns, byte* activations, float* outputs, nint outputStride)
        where TRows : struct, ICount
    {
        TRegister f0 = TRegister.Zero, f1 = TRegister.Zero, f2 = TRegister.Zero, f3 = TRegister.Zero;
        TRegister f4 = TRegister.Zero, f5 = TRegister.Zero, f6 = TRegister.Zero, f7 = TRegister.Zero;
        byte* codes = weights, x = activations;
        for (int left = columns / ActivationBlocks.Length; left > 0; left -= BlockLayout<TFormat>.SpanBlocks)
        {
            int blocks = Math.Min(left, BlockLayout<TFormat>.SpanBlocks);
            Prefetch(codes, TRegister.Lanes * (TFormat.CommonBytes + (BlockLayout<TFormat>.ScaleBytes * BlockLayout<TFormat>.SpanBlocks)));
            TFormat.LoadCommon(codes, out TRegister commonScale, out TRegister commonMinimum);
            byte* scales = codes + (TRegister.Lanes * TFormat.CommonBytes);
            codes = scales + (TRegister.Lanes * BlockLayout<TFormat>.ScaleBytes * blocks);
            for (int block = 0; block < blocks; block++)
            {
                Prefetch(codes, TRegister.Lanes * BlockLayout<TFormat>.CodeBytes);
                TRegister t0 = TRegister.Zero, t1 = TRegister.Zero, t2 = TRegister.Zero, t3 = TRegister.Zero;
                TRegister t4 = TRegister.Zero, t5 = TRegister.Zero, t6 = TRegister.Zero, t7 = TRegister.Zero;
                TRegister nibble = TRegister.Constant(0x0F0F0F0F), upper = TRegister.Constant(0x30303030);
                byte* upperBits = codes + (16 * TRegister.Lanes);
                for (int half = 0; half < 2; half++)
                {
                    TRegister packed = TRegister.Load(codes);
                    TRegister low = TRegister.And(packed, nibble), high = TRegister.And(TRegister.ShiftRight(packed, 4), nibble);
                    TRegister bits = TRegister.Load(upperBits), factors = Factors(scales + (half * TRegister.Lanes));
                    upperBits += 4 * TRegister.Lanes;
                    low = TRegister.Or(low, TRegister.And(TRegister.ShiftLeft(bits, 4), upper));
                    high = TRegister.Or(high, TRegister.And(TRegister.ShiftLeft(bits, 2), upper));
                    t0 = TRegister.AddIntegers(t0, TRegister.WidenScaled(TRegister.Dot(low, high, x), factors));

                    if (TRows.Value > 1)
                    {
                        t1 = TRegister.AddIntegers(t1, TRegister.WidenScaled(TRegister.Dot(low, high, x + ActivationBlocks.Bytes), factors));
                    }

                    if (TRows.Value > 2)
                    {
                        t2 = TRegister.AddIntegers(t2, TRegister.WidenScaled(TRegister.Dot(low, high, x + (2 * ActivationBlocks.Bytes)), factors));
                    }

                    if (TRows.Value > 3)
                    {
                        t3 = TRegister.AddIntegers(t3, TRegister.WidenScaled(TRegister.Dot(low, high, x + (3 * ActivationBlocks.Bytes)), factors));
                    }

                    if (TRows.Value > 4)
                    {
                        t4 = TRegister.AddIntegers(t4, TRegister.WidenScaled(TRegister.Dot(low, high, x + (4 * ActivationBlocks.Bytes)), factors));
                    }

                    if (TRows.Value > 5)
                    {
                        t5 = TRegister.AddIntegers(t5, TRegister.WidenScaled(TRegister.Dot(low, high, x + (5 * ActivationBlocks.Bytes)), factors));
                    }

                    if (TRows.Value > 6)
                    {
                        t6 = TRegister.AddIntegers(t6, TRegister.WidenScaled(TRegister.Dot(low, high, x + (6 * ActivationBlocks.Bytes)), factors));
                    }

                    if (TRows.Value > 7)
                    {
                        t7 = TRegister.AddIntegers(t7, TRegister.WidenScaled(TRegister.Dot(low, high, x + (7 * ActivationBlocks.Bytes)), factors));
                    }

                    packed = TRegister.Load(codes + (4 * TRegister.Lanes));
                    low = TRegister.And(packed, nibble);
                    high = TRegister.And(TRegister.ShiftRight(packed, 4), nibble);
                    low = TRegister.Or(low, TRegister.And(bits, upper));
                    high = TRegister.Or(high, TRegister.And(TRegister.ShiftRight(bits, 2), upper));
                    t0 = TRegister.AddIntegers(t0, TRegister.WidenScaled(TRegister.Dot(low, high, x + 8), factors));

                    if (TRows.Value > 1)
                    {
                        t1 = TRegister.AddIntegers(t1, TRegister.WidenScaled(TRegister.Dot(low, high, x + ActivationBlocks.Bytes + 8), factors));
                    }

                    if (TRows.Value > 2)
                    {
                        t2 = TRegister.AddIntegers(t2, TRegister.WidenScaled(TRegister.Dot(low, high, x + (2 * ActivationBlocks.Bytes) + 8), factors));
                    }

                    if (TRows.Value > 3)
                    {
                        t3 = TRegister.AddIntegers(t3, TRegister.WidenScaled(TRegister.Dot(low, high, x + (3 * ActivationBlocks.Bytes) + 8), factors));
                    }

                    if (TRows.Value > 4)
                    {
                        t4 = TRegister.AddIntegers(t4, TRegister.WidenScaled(TRegister.Dot(low, high, x + (4 * ActivationBlocks.Bytes) + 8), factors));
                    }

                    if (TRows.Value > 5)
                    {
                        t5 = TRegister.AddIntegers(t5, TRegister.WidenScaled(TRegister.Dot(low, high, x + (5 * ActivationBlocks.Bytes) + 8), factors));
                    }

                    if (TRows.Value > 6)
                    {
                        t6 = TRegister.AddIntegers(t6, TRegister.WidenScaled(TRegister.Dot(low, high, x + (6 * ActivationBlocks.Bytes) + 8), factors));
                    }

                    if (TRows.Value > 7)
                    {
                        t7 = TRegister.AddIntegers(t7, TRegister.WidenScaled(TRegister.Dot(low, high, x + (7 * ActivationBlocks.Bytes) + 8), factors));
                    }

                    codes += 8 * TRegister.Lanes;
                    x += ActivationBlocks.Length / 2;
                }

                codes += 8 * TRegister.Lanes;
                TRegister offsets = Offsets(scales);
                f0 = Finish(f0, t0, commonScale, offsets, x);

                if (TRows.Value > 1)
                {
                    f1 = Finish(f1, t1, commonScale, offsets, x + ActivationBlocks.Bytes);
                }

                if (TRows.Value > 2)
                {
                    f2 = Finish(f2, t2, commonScale, offsets, x + (2 * ActivationBlocks.Bytes));
                }

                if (TRows.Value > 3)
                {
                    f3 = Finish(f3, t3, commonScale, offsets, x + (3 * ActivationBlocks.Bytes));
                }

                if (TRows.Value > 4)
                {
                    f4 = Finish(f4, t4, commonScale, offsets, x + (4 * ActivationBlocks.Bytes));
                }

                if (TRows.Value > 5)
                {
                    f5 = Finish(f5, t5, commonScale, offsets, x + (5 * ActivationBlocks.Bytes));
                }

                if (TRows.Value > 6)
                {
                    f6 = Finish(f6, t6, commonScale, offsets, x + (6 * ActivationBlocks.Bytes));
                }

                if (TRows.Value > 7)
                {
                    f7 = Finish(f7, t7, commonScale, offsets, x + (7 * ActivationBlocks.Bytes));
                }

                scales += TRegister.Lanes * BlockLayout<TFormat>.ScaleBytes;
                x += (TRows.Value * ActivationBlocks.Bytes) - ActivationBlocks.Length;
            }
        }

        TRegister.Store(f0, outputs);

        if (TRows.Value > 1)
        {
            TRegister.Store(f1, outputs + outputStride);
        }

        if (TRows.Value > 2)
        {
            TRegister.Store(f2, outputs + (2 * outputStride));
        }

        if (TRows.Value > 3)
        {
            TRegister.Store(f3, outputs + (3 * outputStride));
        }

        if (TRows.Value > 4)
        {
            TRegister.Store(f4, outputs + (4 * outputStride));
        }

        if (TRows.Value > 5)
        {
            TRegister.Store(f5, outputs + (5 * outputStride));
        }

        if (TRows.Value > 6)
        {
            TRegister.Store(f6, outputs + (6 * outputStride));
        }

        if (TRows.Value > 7)
        {
            TRegister.Store(f7, outputs + (7 * outputStride));
        }
    }

    // The zero code, Offset, counts in a half as often as its inputs' codes say, which their sums know.
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static TRegister Finish(TRegister sum, TRegister products, TRegister scale, TRegister offsets, byte* tail) => TRegister.ScaleAndAdd(
        TRegister.AddIntegers(products, TRegister.DotPairs(offsets, TRegister.Broadcast((int*)(tail + 12)))), scale, (float*)tail, sum);

    /// <summary>A half's factors, each twice in 16 bits.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static TRegister Factors(byte* scales)
    {
        TRegister factors = TRegister.LoadSignedBytes(scales);
        return TRegister.Or(TRegister.And(factors, TRegister.Constant(0xFFFF)), TRegister.ShiftLeft(factors, 16));
    }

    /// <summary>-32 * factor of both halves, side by side in 16 bits.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static TRegister Offsets(byte* scales)
    {
        TRegister first = TRegister.SubtractIntegers(TRegister.Zero, TRegister.ShiftLeft(TRegister.LoadSignedBytes(scales), 5));
        TRegister second = TRegister.SubtractIntegers(TRegister.Zero, TRegister.ShiftLeft(TRegister.LoadSignedBytes(scales + TRegister.Lanes), 5));
        return TRegister.Or(TRegister.And(first, TRegister.Constant(0xFFFF)), TRegister.ShiftLeft(second, 16));
    }
}
