using System.Runtime.CompilerServices;

namespace AdaEagle.Kernels;

/// <summary>A number that the compiler sees: how many input rows a tile has.</summary>
internal interface ICount
{
    static abstract int Value { get; }
}

internal readonly struct Count1 : ICount
{
    public static int Value => 1;
}

internal readonly struct Count2 : ICount
{
    public static int Value => 2;
}

internal readonly struct Count3 : ICount
{
    public static int Value => 3;
}

internal readonly struct Count4 : ICount
{
    public static int Value => 4;
}

internal readonly struct Count5 : ICount
{
    public static int Value => 5;
}

internal readonly struct Count6 : ICount
{
    public static int Value => 6;
}

internal readonly struct Count7 : ICount
{
    public static int Value => 7;
}

internal readonly struct Count8 : ICount
{
    public static int Value => 8;
}

/// <summary>
/// Products of floating-point formats in tiles of G groups by R input rows whose accumulators stay in registers.
/// Which tile computes an output never shows in its bits, see <see cref="MatrixKernel"/>.
/// </summary>
internal sealed unsafe class FloatMatrixKernel<TLanes, TCodec> : MatrixKernel
    where TLanes : struct, ILanes<TLanes>
    where TCodec : struct, IWeightCodec
{
    // Far enough ahead for memory's latency, near enough to stay in the first-level cache.
    private const int PrefetchBytes = 2048;

    public override long GroupBytes(int columns) => (long)TCodec.PairBytes * ((columns + 1) / 2);

    public override void Pack(ReadOnlySpan<float> rows, int columns, byte* group)
    {
        for (int k = 0; k < columns; k++)
        {
            byte* block = group + ((long)(k / 2) * TCodec.PairBytes);
            for (int lane = 0; lane < GroupRows; lane++)
            {
                TCodec.Encode(rows[(lane * columns) + k], block, lane, k & 1);
            }
        }
    }

    public override void UnpackRow(byte* group, int lane, int columns, float* row)
    {
        for (int k = 0; k < columns; k++)
        {
            row[k] = TCodec.DecodeScalar(group + ((long)(k / 2) * TCodec.PairBytes), lane, k & 1);
        }
    }

    public override void Multiply(
        byte* groups, int groupCount, int columns, float* inputs, nint inputStride, int rows, float* outputs, nint outputStride)
    {
        int pairs = (columns + 1) / 2;
        long groupBytes = GroupBytes(columns);
        int most = TLanes.TileCells;
        for (int group = 0; group < groupCount;)
        {
            // All rows of these groups before the next groups: the weights are then in the cache for the second tile on.
            int wide = GroupsPerTile(Math.Min(rows, most), groupCount - group);
            byte* weights = groups + (group * groupBytes);
            float* output = outputs + (group * GroupRows);
            for (int row = 0; row < rows;)
            {
                int tall = Math.Min(most, rows - row);
                float* input = inputs + (row * inputStride);
                float* result = output + (row * outputStride);
                for (int done = 0; done < wide;)
                {
                    int part = GroupsPerTile(tall, wide - done);
                    Tile(part, tall, weights + (done * groupBytes), groupBytes, pairs, input, inputStride, result + (done * GroupRows), outputStride);
                    done += part;
                }

                row += tall;
            }

            group += wide;
        }
    }

    private static int GroupsPerTile(int rows, int available)
    {
        // One row wants one stream of memory; more rows want independent chains.
        if (rows == 1)
        {
            return 1;
        }

        int cells = TLanes.TileCells;
        return available >= 4 && 4 * rows <= cells ? 4 : available >= 2 && 2 * rows <= cells ? 2 : 1;
    }

    private static void Tile(
        int groups, int rows, byte* weights, long groupBytes, int pairs, float* inputs, nint inputStride, float* outputs, nint outputStride)
    {
        switch ((groups * 16) + rows)
        {
            case (4 * 16) + 2: Tile4<Count2>(weights, groupBytes, pairs, inputs, inputStride, outputs, outputStride); break;
            case (2 * 16) + 2: Tile2<Count2>(weights, groupBytes, pairs, inputs, inputStride, outputs, outputStride); break;
            case (2 * 16) + 3: Tile2<Count3>(weights, groupBytes, pairs, inputs, inputStride, outputs, outputStride); break;
            case (2 * 16) + 4: Tile2<Count4>(weights, groupBytes, pairs, inputs, inputStride, outputs, outputStride); break;
            case (1 * 16) + 1: Tile1<Count1>(weights, pairs, inputs, inputStride, outputs, outputStride); break;
            case (1 * 16) + 2: Tile1<Count2>(weights, pairs, inputs, inputStride, outputs, outputStride); break;
            case (1 * 16) + 3: Tile1<Count3>(weights, pairs, inputs, inputStride, outputs, outputStride); break;
            case (1 * 16) + 4: Tile1<Count4>(weights, pairs, inputs, inputStride, outputs, outputStride); break;
            case (1 * 16) + 5: Tile1<Count5>(weights, pairs, inputs, inputStride, outputs, outputStride); break;
            case (1 * 16) + 6: Tile1<Count6>(weights, pairs, inputs, inputStride, outputs, outputStride); break;
            case (1 * 16) + 7: Tile1<Count7>(weights, pairs, inputs, inputStride, outputs, outputStride); break;
            case (1 * 16) + 8: Tile1<Count8>(weights, pairs, inputs, inputStride, outputs, outputStride); break;
            default: throw new InvalidOperationException($"No tile of {groups} groups by {rows} rows.");
        }
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static void Tile4<TRows>(byte* weights, long groupBytes, int pairs, float* inputs, nint inputStride, float* outputs, nint outputStride)
        where TRows : struct, ICount
    {
        TLanes e00 = TLanes.Zero, o00 = TLanes.Zero;
        TLanes e01 = TLanes.Zero, o01 = TLanes.Zero;
        TLanes e10 = TLanes.Zero, o10 = TLanes.Zero;
        TLanes e11 = TLanes.Zero, o11 = TLanes.Zero;
        TLanes e20 = TLanes.Zero, o20 = TLanes.Zero;
        TLanes e21 = TLanes.Zero, o21 = TLanes.Zero;
        TLanes e30 = TLanes.Zero, o30 = TLanes.Zero;
        TLanes e31 = TLanes.Zero, o31 = TLanes.Zero;
        byte* w0 = weights;
        byte* w1 = weights + groupBytes;
        byte* w2 = weights + (2 * groupBytes);
        byte* w3 = weights + (3 * groupBytes);
        float* x0 = inputs;
        float* x1 = inputs + inputStride;
        for (nint p = 0; p < pairs; p++)
        {
            Prefetch(w0 + PrefetchBytes);
            TCodec.Decode(w0, out TLanes even0, out TLanes odd0);
            w0 += TCodec.PairBytes;
            Prefetch(w1 + PrefetchBytes);
            TCodec.Decode(w1, out TLanes even1, out TLanes odd1);
            w1 += TCodec.PairBytes;
            Prefetch(w2 + PrefetchBytes);
            TCodec.Decode(w2, out TLanes even2, out TLanes odd2);
            w2 += TCodec.PairBytes;
            Prefetch(w3 + PrefetchBytes);
            TCodec.Decode(w3, out TLanes even3, out TLanes odd3);
            w3 += TCodec.PairBytes;
            {
                TLanes x = TLanes.Broadcast(x0[2 * p]);
                e00 = TLanes.FusedMultiplyAdd(even0, x, e00);
                e10 = TLanes.FusedMultiplyAdd(even1, x, e10);
                e20 = TLanes.FusedMultiplyAdd(even2, x, e20);
                e30 = TLanes.FusedMultiplyAdd(even3, x, e30);
                x = TLanes.Broadcast(x0[(2 * p) + 1]);
                o00 = TLanes.FusedMultiplyAdd(odd0, x, o00);
                o10 = TLanes.FusedMultiplyAdd(odd1, x, o10);
                o20 = TLanes.FusedMultiplyAdd(odd2, x, o20);
                o30 = TLanes.FusedMultiplyAdd(odd3, x, o30);
            }

            if (TRows.Value > 1)
            {
                TLanes x = TLanes.Broadcast(x1[2 * p]);
                e01 = TLanes.FusedMultiplyAdd(even0, x, e01);
                e11 = TLanes.FusedMultiplyAdd(even1, x, e11);
                e21 = TLanes.FusedMultiplyAdd(even2, x, e21);
                e31 = TLanes.FusedMultiplyAdd(even3, x, e31);
                x = TLanes.Broadcast(x1[(2 * p) + 1]);
                o01 = TLanes.FusedMultiplyAdd(odd0, x, o01);
                o11 = TLanes.FusedMultiplyAdd(odd1, x, o11);
                o21 = TLanes.FusedMultiplyAdd(odd2, x, o21);
                o31 = TLanes.FusedMultiplyAdd(odd3, x, o31);
            }
        }

        {
            float* y = outputs;
            TLanes.Store(TLanes.Add(e00, o00), y);
            TLanes.Store(TLanes.Add(e10, o10), y + GroupRows);
            TLanes.Store(TLanes.Add(e20, o20), y + (2 * GroupRows));
            TLanes.Store(TLanes.Add(e30, o30), y + (3 * GroupRows));
        }

        if (TRows.Value > 1)
        {
            float* y = outputs + outputStride;
            TLanes.Store(TLanes.Add(e01, o01), y);
            TLanes.Store(TLanes.Add(e11, o11), y + GroupRows);
            TLanes.Store(TLanes.Add(e21, o21), y + (2 * GroupRows));
            TLanes.Store(TLanes.Add(e31, o31), y + (3 * GroupRows));
        }
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static void Tile2<TRows>(byte* weights, long groupBytes, int pairs, float* inputs, nint inputStride, float* outputs, nint outputStride)
        where TRows : struct, ICount
    {
        TLanes e00 = TLanes.Zero, o00 = TLanes.Zero;
        TLanes e01 = TLanes.Zero, o01 = TLanes.Zero;
        TLanes e02 = TLanes.Zero, o02 = TLanes.Zero;
        TLanes e03 = TLanes.Zero, o03 = TLanes.Zero;
        TLanes e10 = TLanes.Zero, o10 = TLanes.Zero;
        TLanes e11 = TLanes.Zero, o11 = TLanes.Zero;
        TLanes e12 = TLanes.Zero, o12 = TLanes.Zero;
        TLanes e13 = TLanes.Zero, o13 = TLanes.Zero;
        byte* w0 = weights;
        byte* w1 = weights + groupBytes;
        float* x0 = inputs;
        float* x1 = inputs + inputStride;
        float* x2 = inputs + (2 * inputStride);
        float* x3 = inputs + (3 * inputStride);
        for (nint p = 0; p < pairs; p++)
        {
            Prefetch(w0 + PrefetchBytes);
            TCodec.Decode(w0, out TLanes even0, out TLanes odd0);
            w0 += TCodec.PairBytes;
            Prefetch(w1 + PrefetchBytes);
            TCodec.Decode(w1, out TLanes even1, out TLanes odd1);
            w1 += TCodec.PairBytes;
            {
                TLanes x = TLanes.Broadcast(x0[2 * p]);
                e00 = TLanes.FusedMultiplyAdd(even0, x, e00);
                e10 = TLanes.FusedMultiplyAdd(even1, x, e10);
                x = TLanes.Broadcast(x0[(2 * p) + 1]);
                o00 = TLanes.FusedMultiplyAdd(odd0, x, o00);
                o10 = TLanes.FusedMultiplyAdd(odd1, x, o10);
            }

            if (TRows.Value > 1)
            {
                TLanes x = TLanes.Broadcast(x1[2 * p]);
                e01 = TLanes.FusedMultiplyAdd(even0, x, e01);
                e11 = TLanes.FusedMultiplyAdd(even1, x, e11);
                x = TLanes.Broadcast(x1[(2 * p) + 1]);
                o01 = TLanes.FusedMultiplyAdd(odd0, x, o01);
                o11 = TLanes.FusedMultiplyAdd(odd1, x, o11);
            }

            if (TRows.Value > 2)
            {
                TLanes x = TLanes.Broadcast(x2[2 * p]);
                e02 = TLanes.FusedMultiplyAdd(even0, x, e02);
                e12 = TLanes.FusedMultiplyAdd(even1, x, e12);
                x = TLanes.Broadcast(x2[(2 * p) + 1]);
                o02 = TLanes.FusedMultiplyAdd(odd0, x, o02);
                o12 = TLanes.FusedMultiplyAdd(odd1, x, o12);
            }

            if (TRows.Value > 3)
            {
                TLanes x = TLanes.Broadcast(x3[2 * p]);
                e03 = TLanes.FusedMultiplyAdd(even0, x, e03);
                e13 = TLanes.FusedMultiplyAdd(even1, x, e13);
                x = TLanes.Broadcast(x3[(2 * p) + 1]);
                o03 = TLanes.FusedMultiplyAdd(odd0, x, o03);
                o13 = TLanes.FusedMultiplyAdd(odd1, x, o13);
            }
        }

        {
            float* y = outputs;
            TLanes.Store(TLanes.Add(e00, o00), y);
            TLanes.Store(TLanes.Add(e10, o10), y + GroupRows);
        }

        if (TRows.Value > 1)
        {
            float* y = outputs + outputStride;
            TLanes.Store(TLanes.Add(e01, o01), y);
            TLanes.Store(TLanes.Add(e11, o11), y + GroupRows);
        }

        if (TRows.Value > 2)
        {
            float* y = outputs + (2 * outputStride);
            TLanes.Store(TLanes.Add(e02, o02), y);
            TLanes.Store(TLanes.Add(e12, o12), y + GroupRows);
        }

        if (TRows.Value > 3)
        {
            float* y = outputs + (3 * outputStride);
            TLanes.Store(TLanes.Add(e03, o03), y);
            TLanes.Store(TLanes.Add(e13, o13), y + GroupRows);
        }
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static void Tile1<TRows>(byte* weights, int pairs, float* inputs, nint inputStride, float* outputs, nint outputStride)
        where TRows : struct, ICount
    {
        TLanes e00 = TLanes.Zero, o00 = TLanes.Zero;
        TLanes e01 = TLanes.Zero, o01 = TLanes.Zero;
        TLanes e02 = TLanes.Zero, o02 = TLanes.Zero;
        TLanes e03 = TLanes.Zero, o03 = TLanes.Zero;
        TLanes e04 = TLanes.Zero, o04 = TLanes.Zero;
        TLanes e05 = TLanes.Zero, o05 = TLanes.Zero;
        TLanes e06 = TLanes.Zero, o06 = TLanes.Zero;
        TLanes e07 = TLanes.Zero, o07 = TLanes.Zero;
        byte* w0 = weights;
        float* x0 = inputs;
        float* x1 = inputs + inputStride;
        float* x2 = inputs + (2 * inputStride);
        float* x3 = inputs + (3 * inputStride);
        float* x4 = inputs + (4 * inputStride);
        float* x5 = inputs + (5 * inputStride);
        float* x6 = inputs + (6 * inputStride);
        float* x7 = inputs + (7 * inputStride);
        for (nint p = 0; p < pairs; p++)
        {
            Prefetch(w0 + PrefetchBytes);
            TCodec.Decode(w0, out TLanes even0, out TLanes odd0);
            w0 += TCodec.PairBytes;
            {
                TLanes x = TLanes.Broadcast(x0[2 * p]);
                e00 = TLanes.FusedMultiplyAdd(even0, x, e00);
                x = TLanes.Broadcast(x0[(2 * p) + 1]);
                o00 = TLanes.FusedMultiplyAdd(odd0, x, o00);
            }

            if (TRows.Value > 1)
            {
                TLanes x = TLanes.Broadcast(x1[2 * p]);
                e01 = TLanes.FusedMultiplyAdd(even0, x, e01);
                x = TLanes.Broadcast(x1[(2 * p) + 1]);
                o01 = TLanes.FusedMultiplyAdd(odd0, x, o01);
            }

            if (TRows.Value > 2)
            {
                TLanes x = TLanes.Broadcast(x2[2 * p]);
                e02 = TLanes.FusedMultiplyAdd(even0, x, e02);
                x = TLanes.Broadcast(x2[(2 * p) + 1]);
                o02 = TLanes.FusedMultiplyAdd(odd0, x, o02);
            }

            if (TRows.Value > 3)
            {
                TLanes x = TLanes.Broadcast(x3[2 * p]);
                e03 = TLanes.FusedMultiplyAdd(even0, x, e03);
                x = TLanes.Broadcast(x3[(2 * p) + 1]);
                o03 = TLanes.FusedMultiplyAdd(odd0, x, o03);
            }

            if (TRows.Value > 4)
            {
                TLanes x = TLanes.Broadcast(x4[2 * p]);
                e04 = TLanes.FusedMultiplyAdd(even0, x, e04);
                x = TLanes.Broadcast(x4[(2 * p) + 1]);
                o04 = TLanes.FusedMultiplyAdd(odd0, x, o04);
            }

            if (TRows.Value > 5)
            {
                TLanes x = TLanes.Broadcast(x5[2 * p]);
                e05 = TLanes.FusedMultiplyAdd(even0, x, e05);
                x = TLanes.Broadcast(x5[(2 * p) + 1]);
                o05 = TLanes.FusedMultiplyAdd(odd0, x, o05);
            }

            if (TRows.Value > 6)
            {
                TLanes x = TLanes.Broadcast(x6[2 * p]);
                e06 = TLanes.FusedMultiplyAdd(even0, x, e06);
                x = TLanes.Broadcast(x6[(2 * p) + 1]);
                o06 = TLanes.FusedMultiplyAdd(odd0, x, o06);
            }

            if (TRows.Value > 7)
            {
                TLanes x = TLanes.Broadcast(x7[2 * p]);
                e07 = TLanes.FusedMultiplyAdd(even0, x, e07);
                x = TLanes.Broadcast(x7[(2 * p) + 1]);
                o07 = TLanes.FusedMultiplyAdd(odd0, x, o07);
            }
        }

        {
            float* y = outputs;
            TLanes.Store(TLanes.Add(e00, o00), y);
        }

        if (TRows.Value > 1)
        {
            float* y = outputs + outputStride;
            TLanes.Store(TLanes.Add(e01, o01), y);
        }

        if (TRows.Value > 2)
        {
            float* y = outputs + (2 * outputStride);
            TLanes.Store(TLanes.Add(e02, o02), y);
        }

        if (TRows.Value > 3)
        {
            float* y = outputs + (3 * outputStride);
            TLanes.Store(TLanes.Add(e03, o03), y);
        }

        if (TRows.Value > 4)
        {
            float* y = outputs + (4 * outputStride);
            TLanes.Store(TLanes.Add(e04, o04), y);
        }

        if (TRows.Value > 5)
        {
            float* y = outputs + (5 * outputStride);
            TLanes.Store(TLanes.Add(e05, o05), y);
        }

        if (TRows.Value > 6)
        {
            float* y = outputs + (6 * outputStride);
            TLanes.Store(TLanes.Add(e06, o06), y);
        }

        if (TRows.Value > 7)
        {
            float* y = outputs + (7 * outputStride);
            TLanes.Store(TLanes.Add(e07, o07), y);
        }
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static void Prefetch(byte* address)
    {
        if (System.Runtime.Intrinsics.X86.Sse.IsSupported)
        {
            System.Runtime.Intrinsics.X86.Sse.Prefetch0(address);
            if (TCodec.PairBytes > 64)
            {
                System.Runtime.Intrinsics.X86.Sse.Prefetch0(address + 64);
            }
        }
    }
}
