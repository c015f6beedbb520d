using System.Runtime.CompilerServices;

namespace AdaEagle.Kernels;

/// <summary>Products with signed codes of 8 bits, widened to 16 and summed by pairs in 32, or four at a time where the processor can.</summary>
/// <param name="tileRows">The most rows of a tile, up to <see cref="MostTileRows"/> where there are 32 registers.</param>
/// <remarks>One block of 32 columns after the other, half by half; a tile's sums stay in registers. The pointer to the inputs stands behind their codes when a block ends.</remarks>
internal sealed unsafe class SignedBytesKernel<TRegister, TFormat>(int tileRows = TiledBlockKernel<TRegister, TFormat>.UsualTileRows) : TiledBlockKernel<TRegister, TFormat>(tileRows)
    where TRegister : struct, IRegister<TRegister>
    where TFormat : struct, IBlockFormat
{
    /// <summary>The usual longest draft and its root: more sums than that move between the registers that VEX names and the others.</summary>
    public const int MostTileRows = 9;

    private static int ActivationBytes
    {
        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        get => TRegister.SignedCodesAreWide ? ActivationBlocks.WideBytes : ActivationBlocks.Bytes;
    }

    // Codes of four columns.
    private static int StepBytes
    {
        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        get => TRegister.SignedCodesAreWide ? 8 : 4;
    }

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
            case 9: Tile<Count9>(weights, columns, activations, outputs, outputStride); break;
            default: throw new InvalidOperationException($"No tile of {rows} rows.");
        }
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static void Tile<TRows>(byte* weights, int columns, byte* activations, float* outputs, nint outputStride)
        where TRows : struct, ICount
    {
        TRegister f0 = TRegister.Zero, f1 = TRegister.Zero, f2 = TRegister.Zero, f3 = TRegister.Zero;
        TRegister f4 = TRegister.Zero, f5 = TRegister.Zero, f6 = TRegister.Zero, f7 = TRegister.Zero;
        TRegister f8 = TRegister.Zero;
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
                byte* starts = x + (8 * StepBytes) + 8;
                TRegister n0 = TRegister.StartSigned((int*)starts);
                TRegister n1 = TRows.Value > 1 ? TRegister.StartSigned((int*)(starts + ActivationBytes)) : TRegister.Zero;
                TRegister n2 = TRows.Value > 2 ? TRegister.StartSigned((int*)(starts + (2 * ActivationBytes))) : TRegister.Zero;
                TRegister n3 = TRows.Value > 3 ? TRegister.StartSigned((int*)(starts + (3 * ActivationBytes))) : TRegister.Zero;
                TRegister n4 = TRows.Value > 4 ? TRegister.StartSigned((int*)(starts + (4 * ActivationBytes))) : TRegister.Zero;
                TRegister n5 = TRows.Value > 5 ? TRegister.StartSigned((int*)(starts + (5 * ActivationBytes))) : TRegister.Zero;
                TRegister n6 = TRows.Value > 6 ? TRegister.StartSigned((int*)(starts + (6 * ActivationBytes))) : TRegister.Zero;
                TRegister n7 = TRows.Value > 7 ? TRegister.StartSigned((int*)(starts + (7 * ActivationBytes))) : TRegister.Zero;
                TRegister n8 = TRows.Value > 8 ? TRegister.StartSigned((int*)(starts + (8 * ActivationBytes))) : TRegister.Zero;
                for (int half = 0; half < 2; half++)
                {
                    TRegister first, second;
                    TRegister.SplitSigned(TRegister.Load(codes), out first, out second);
                    n0 = TRegister.DotSigned(n0, first, second, x);

                    if (TRows.Value > 1)
                    {
                        n1 = TRegister.DotSigned(n1, first, second, x + ActivationBytes);
                    }

                    if (TRows.Value > 2)
                    {
                        n2 = TRegister.DotSigned(n2, first, second, x + (2 * ActivationBytes));
                    }

                    if (TRows.Value > 3)
                    {
                        n3 = TRegister.DotSigned(n3, first, second, x + (3 * ActivationBytes));
                    }

                    if (TRows.Value > 4)
                    {
                        n4 = TRegister.DotSigned(n4, first, second, x + (4 * ActivationBytes));
                    }

                    if (TRows.Value > 5)
                    {
                        n5 = TRegister.DotSigned(n5, first, second, x + (5 * ActivationBytes));
                    }

                    if (TRows.Value > 6)
                    {
                        n6 = TRegister.DotSigned(n6, first, second, x + (6 * ActivationBytes));
                    }

                    if (TRows.Value > 7)
                    {
                        n7 = TRegister.DotSigned(n7, first, second, x + (7 * ActivationBytes));
                    }

                    if (TRows.Value > 8)
                    {
                        n8 = TRegister.DotSigned(n8, first, second, x + (8 * ActivationBytes));
                    }

                    TRegister.SplitSigned(TRegister.Load(codes + (4 * TRegister.Lanes)), out first, out second);
                    n0 = TRegister.DotSigned(n0, first, second, x + StepBytes);

                    if (TRows.Value > 1)
                    {
                        n1 = TRegister.DotSigned(n1, first, second, x + ActivationBytes + StepBytes);
                    }

                    if (TRows.Value > 2)
                    {
                        n2 = TRegister.DotSigned(n2, first, second, x + (2 * ActivationBytes) + StepBytes);
                    }

                    if (TRows.Value > 3)
                    {
                        n3 = TRegister.DotSigned(n3, first, second, x + (3 * ActivationBytes) + StepBytes);
                    }

                    if (TRows.Value > 4)
                    {
                        n4 = TRegister.DotSigned(n4, first, second, x + (4 * ActivationBytes) + StepBytes);
                    }

                    if (TRows.Value > 5)
                    {
                        n5 = TRegister.DotSigned(n5, first, second, x + (5 * ActivationBytes) + StepBytes);
                    }

                    if (TRows.Value > 6)
                    {
                        n6 = TRegister.DotSigned(n6, first, second, x + (6 * ActivationBytes) + StepBytes);
                    }

                    if (TRows.Value > 7)
                    {
                        n7 = TRegister.DotSigned(n7, first, second, x + (7 * ActivationBytes) + StepBytes);
                    }

                    if (TRows.Value > 8)
                    {
                        n8 = TRegister.DotSigned(n8, first, second, x + (8 * ActivationBytes) + StepBytes);
                    }

                    TRegister.SplitSigned(TRegister.Load(codes + (8 * TRegister.Lanes)), out first, out second);
                    n0 = TRegister.DotSigned(n0, first, second, x + (2 * StepBytes));

                    if (TRows.Value > 1)
                    {
                        n1 = TRegister.DotSigned(n1, first, second, x + ActivationBytes + (2 * StepBytes));
                    }

                    if (TRows.Value > 2)
                    {
                        n2 = TRegister.DotSigned(n2, first, second, x + (2 * ActivationBytes) + (2 * StepBytes));
                    }

                    if (TRows.Value > 3)
                    {
                        n3 = TRegister.DotSigned(n3, first, second, x + (3 * ActivationBytes) + (2 * StepBytes));
                    }

                    if (TRows.Value > 4)
                    {
                        n4 = TRegister.DotSigned(n4, first, second, x + (4 * ActivationBytes) + (2 * StepBytes));
                    }

                    if (TRows.Value > 5)
                    {
                        n5 = TRegister.DotSigned(n5, first, second, x + (5 * ActivationBytes) + (2 * StepBytes));
                    }

                    if (TRows.Value > 6)
                    {
                        n6 = TRegister.DotSigned(n6, first, second, x + (6 * ActivationBytes) + (2 * StepBytes));
                    }

                    if (TRows.Value > 7)
                    {
                        n7 = TRegister.DotSigned(n7, first, second, x + (7 * ActivationBytes) + (2 * StepBytes));
                    }

                    if (TRows.Value > 8)
                    {
                        n8 = TRegister.DotSigned(n8, first, second, x + (8 * ActivationBytes) + (2 * StepBytes));
                    }

                    TRegister.SplitSigned(TRegister.Load(codes + (12 * TRegister.Lanes)), out first, out second);
                    n0 = TRegister.DotSigned(n0, first, second, x + (3 * StepBytes));

                    if (TRows.Value > 1)
                    {
                        n1 = TRegister.DotSigned(n1, first, second, x + ActivationBytes + (3 * StepBytes));
                    }

                    if (TRows.Value > 2)
                    {
                        n2 = TRegister.DotSigned(n2, first, second, x + (2 * ActivationBytes) + (3 * StepBytes));
                    }

                    if (TRows.Value > 3)
                    {
                        n3 = TRegister.DotSigned(n3, first, second, x + (3 * ActivationBytes) + (3 * StepBytes));
                    }

                    if (TRows.Value > 4)
                    {
                        n4 = TRegister.DotSigned(n4, first, second, x + (4 * ActivationBytes) + (3 * StepBytes));
                    }

                    if (TRows.Value > 5)
                    {
                        n5 = TRegister.DotSigned(n5, first, second, x + (5 * ActivationBytes) + (3 * StepBytes));
                    }

                    if (TRows.Value > 6)
                    {
                        n6 = TRegister.DotSigned(n6, first, second, x + (6 * ActivationBytes) + (3 * StepBytes));
                    }

                    if (TRows.Value > 7)
                    {
                        n7 = TRegister.DotSigned(n7, first, second, x + (7 * ActivationBytes) + (3 * StepBytes));
                    }

                    if (TRows.Value > 8)
                    {
                        n8 = TRegister.DotSigned(n8, first, second, x + (8 * ActivationBytes) + (3 * StepBytes));
                    }

                    codes += 16 * TRegister.Lanes;
                    x += 4 * StepBytes;
                }

                TFormat.LoadScales(commonScale, commonMinimum, scales, out TRegister scale, out _);
                f0 = TRegister.ScaleAndAdd(n0, scale, (float*)(x), f0);

                if (TRows.Value > 1)
                {
                    f1 = TRegister.ScaleAndAdd(n1, scale, (float*)(x + ActivationBytes), f1);
                }

                if (TRows.Value > 2)
                {
                    f2 = TRegister.ScaleAndAdd(n2, scale, (float*)(x + (2 * ActivationBytes)), f2);
                }

                if (TRows.Value > 3)
                {
                    f3 = TRegister.ScaleAndAdd(n3, scale, (float*)(x + (3 * ActivationBytes)), f3);
                }

                if (TRows.Value > 4)
                {
                    f4 = TRegister.ScaleAndAdd(n4, scale, (float*)(x + (4 * ActivationBytes)), f4);
                }

                if (TRows.Value > 5)
                {
                    f5 = TRegister.ScaleAndAdd(n5, scale, (float*)(x + (5 * ActivationBytes)), f5);
                }

                if (TRows.Value > 6)
                {
                    f6 = TRegister.ScaleAndAdd(n6, scale, (float*)(x + (6 * ActivationBytes)), f6);
                }

                if (TRows.Value > 7)
                {
                    f7 = TRegister.ScaleAndAdd(n7, scale, (float*)(x + (7 * ActivationBytes)), f7);
                }

                if (TRows.Value > 8)
                {
                    f8 = TRegister.ScaleAndAdd(n8, scale, (float*)(x + (8 * ActivationBytes)), f8);
                }

                scales += TRegister.Lanes * BlockLayout<TFormat>.ScaleBytes;
                x += (TRows.Value * ActivationBytes) - (8 * StepBytes);
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

        if (TRows.Value > 8)
        {
            TRegister.Store(f8, outputs + (8 * outputStride));
        }
    }
}
