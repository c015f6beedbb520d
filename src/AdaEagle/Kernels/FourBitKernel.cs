using System.Runtime.CompilerServices;

namespace AdaEagle.Kernels;

/// <summary>Products with codes of 4 bits. Eight sums of two products 15 * 127 fit 16 bits: a block is summed there.</summary>
/// <remarks>One block of 32 columns after the other; a tile's sums stay in registers.</remarks>
internal sealed unsafe class FourBitKernel<TRegister, TFormat> : TiledBlockKernel<TRegister, TFormat>
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
                TRegister nibble = TRegister.Constant(0x0F0F0F0F);
                TRegister packed = TRegister.Load(codes);
                TRegister low = TRegister.And(packed, nibble), high = TRegister.And(TRegister.ShiftRight(packed, 4), nibble);
                TRegister n0 = TRegister.Zero, n1 = TRegister.Zero, n2 = TRegister.Zero, n3 = TRegister.Zero;
                TRegister n4 = TRegister.Zero, n5 = TRegister.Zero, n6 = TRegister.Zero, n7 = TRegister.Zero;
                n0 = TRegister.Dot(low, high, x);

                if (TRows.Value > 1)
                {
                    n1 = TRegister.Dot(low, high, x + ActivationBlocks.Bytes);
                }

                if (TRows.Value > 2)
                {
                    n2 = TRegister.Dot(low, high, x + (2 * ActivationBlocks.Bytes));
                }

                if (TRows.Value > 3)
                {
                    n3 = TRegister.Dot(low, high, x + (3 * ActivationBlocks.Bytes));
                }

                if (TRows.Value > 4)
                {
                    n4 = TRegister.Dot(low, high, x + (4 * ActivationBlocks.Bytes));
                }

                if (TRows.Value > 5)
                {
                    n5 = TRegister.Dot(low, high, x + (5 * ActivationBlocks.Bytes));
                }

                if (TRows.Value > 6)
                {
                    n6 = TRegister.Dot(low, high, x + (6 * ActivationBlocks.Bytes));
                }

                if (TRows.Value > 7)
                {
                    n7 = TRegister.Dot(low, high, x + (7 * ActivationBlocks.Bytes));
                }

                packed = TRegister.Load(codes + (4 * TRegister.Lanes));
                low = TRegister.And(packed, nibble);
                high = TRegister.And(TRegister.ShiftRight(packed, 4), nibble);
                n0 = TRegister.Dot(n0, low, high, x + 8);

                if (TRows.Value > 1)
                {
                    n1 = TRegister.Dot(n1, low, high, x + ActivationBlocks.Bytes + 8);
                }

                if (TRows.Value > 2)
                {
                    n2 = TRegister.Dot(n2, low, high, x + (2 * ActivationBlocks.Bytes) + 8);
                }

                if (TRows.Value > 3)
                {
                    n3 = TRegister.Dot(n3, low, high, x + (3 * ActivationBlocks.Bytes) + 8);
                }

                if (TRows.Value > 4)
                {
                    n4 = TRegister.Dot(n4, low, high, x + (4 * ActivationBlocks.Bytes) + 8);
                }

                if (TRows.Value > 5)
                {
                    n5 = TRegister.Dot(n5, low, high, x + (5 * ActivationBlocks.Bytes) + 8);
                }

                if (TRows.Value > 6)
                {
                    n6 = TRegister.Dot(n6, low, high, x + (6 * ActivationBlocks.Bytes) + 8);
                }

                if (TRows.Value > 7)
                {
                    n7 = TRegister.Dot(n7, low, high, x + (7 * ActivationBlocks.Bytes) + 8);
                }

                packed = TRegister.Load(codes + (8 * TRegister.Lanes));
                low = TRegister.And(packed, nibble);
                high = TRegister.And(TRegister.ShiftRight(packed, 4), nibble);
                n0 = TRegister.Dot(n0, low, high, x + 16);

                if (TRows.Value > 1)
                {
                    n1 = TRegister.Dot(n1, low, high, x + ActivationBlocks.Bytes + 16);
                }

                if (TRows.Value > 2)
                {
                    n2 = TRegister.Dot(n2, low, high, x + (2 * ActivationBlocks.Bytes) + 16);
                }

                if (TRows.Value > 3)
                {
                    n3 = TRegister.Dot(n3, low, high, x + (3 * ActivationBlocks.Bytes) + 16);
                }

                if (TRows.Value > 4)
                {
                    n4 = TRegister.Dot(n4, low, high, x + (4 * ActivationBlocks.Bytes) + 16);
                }

                if (TRows.Value > 5)
                {
                    n5 = TRegister.Dot(n5, low, high, x + (5 * ActivationBlocks.Bytes) + 16);
                }

                if (TRows.Value > 6)
                {
                    n6 = TRegister.Dot(n6, low, high, x + (6 * ActivationBlocks.Bytes) + 16);
                }

                if (TRows.Value > 7)
                {
                    n7 = TRegister.Dot(n7, low, high, x + (7 * ActivationBlocks.Bytes) + 16);
                }

                packed = TRegister.Load(codes + (12 * TRegister.Lanes));
                low = TRegister.And(packed, nibble);
                high = TRegister.And(TRegister.ShiftRight(packed, 4), nibble);
                n0 = TRegister.Dot(n0, low, high, x + 24);

                if (TRows.Value > 1)
                {
                    n1 = TRegister.Dot(n1, low, high, x + ActivationBlocks.Bytes + 24);
                }

                if (TRows.Value > 2)
                {
                    n2 = TRegister.Dot(n2, low, high, x + (2 * ActivationBlocks.Bytes) + 24);
                }

                if (TRows.Value > 3)
                {
                    n3 = TRegister.Dot(n3, low, high, x + (3 * ActivationBlocks.Bytes) + 24);
                }

                if (TRows.Value > 4)
                {
                    n4 = TRegister.Dot(n4, low, high, x + (4 * ActivationBlocks.Bytes) + 24);
                }

                if (TRows.Value > 5)
                {
                    n5 = TRegister.Dot(n5, low, high, x + (5 * ActivationBlocks.Bytes) + 24);
                }

                if (TRows.Value > 6)
                {
                    n6 = TRegister.Dot(n6, low, high, x + (6 * ActivationBlocks.Bytes) + 24);
                }

                if (TRows.Value > 7)
                {
                    n7 = TRegister.Dot(n7, low, high, x + (7 * ActivationBlocks.Bytes) + 24);
                }

                codes += 16 * TRegister.Lanes;
                TFormat.LoadScales(commonScale, commonMinimum, scales, out TRegister scale, out TRegister minusMinimum);
                f0 = TFormat.Finish(f0, TRegister.Widen(n0), scale, minusMinimum, x + ActivationBlocks.Length);

                if (TRows.Value > 1)
                {
                    f1 = TFormat.Finish(f1, TRegister.Widen(n1), scale, minusMinimum, x + ActivationBlocks.Bytes + ActivationBlocks.Length);
                }

                if (TRows.Value > 2)
                {
                    f2 = TFormat.Finish(f2, TRegister.Widen(n2), scale, minusMinimum, x + (2 * ActivationBlocks.Bytes) + ActivationBlocks.Length);
                }

                if (TRows.Value > 3)
                {
                    f3 = TFormat.Finish(f3, TRegister.Widen(n3), scale, minusMinimum, x + (3 * ActivationBlocks.Bytes) + ActivationBlocks.Length);
                }

                if (TRows.Value > 4)
                {
                    f4 = TFormat.Finish(f4, TRegister.Widen(n4), scale, minusMinimum, x + (4 * ActivationBlocks.Bytes) + ActivationBlocks.Length);
                }

                if (TRows.Value > 5)
                {
                    f5 = TFormat.Finish(f5, TRegister.Widen(n5), scale, minusMinimum, x + (5 * ActivationBlocks.Bytes) + ActivationBlocks.Length);
                }

                if (TRows.Value > 6)
                {
                    f6 = TFormat.Finish(f6, TRegister.Widen(n6), scale, minusMinimum, x + (6 * ActivationBlocks.Bytes) + ActivationBlocks.Length);
                }

                if (TRows.Value > 7)
                {
                    f7 = TFormat.Finish(f7, TRegister.Widen(n7), scale, minusMinimum, x + (7 * ActivationBlocks.Bytes) + ActivationBlocks.Length);
                }

                scales += TRegister.Lanes * BlockLayout<TFormat>.ScaleBytes;
                x += TRows.Value * ActivationBlocks.Bytes;
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
}
