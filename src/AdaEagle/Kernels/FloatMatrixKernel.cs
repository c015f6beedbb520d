using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;
using System.Runtime.Intrinsics.X86;

namespace AdaEagle.Kernels;

/// <summary>
/// Products of floating-point formats in tiles of one panel (two interleaved groups) by up to seven input rows, whose accumulators stay in registers, or eight, whose accumulators
/// take turns in them; where registers are few, in tiles of one row of a panel or two or three rows of one of its groups. Which tile computes an output never shows in its bits, see <see cref="MatrixKernel"/>.
/// </summary>
/// <remarks>
/// A panel's two groups alternate pair by pair, so that every tile reads memory as one ascending stream, which is what hardware prefetchers follow,
/// and one row has four independent chains of additions, which is what hides their latency.
/// </remarks>
internal sealed unsafe class FloatMatrixKernel<TLanes, TCodec> : MatrixKernel
    where TLanes : struct, ILanes<TLanes>
    where TCodec : struct, IWeightCodec
{
    // Far enough ahead for the third-level cache and for memory; nearer competes with the loads themselves (docs/experiments.md).
    private const int PrefetchBytes = 8192;

    // Rows of a panel's tile when there are several of them; alone it may have seven or eight, which costs a little more for each row than a second tile, and less than a second way from the cache.
    private const int UsualTileRows = 6;

    // What eight rows take of both groups at a time fits into the first-level cache beside what comes next.
    private const int StretchPairs = 64;

    // A pair of columns of both groups.
    private static int PanelPairBytes => FloatPanel<TCodec>.Groups * TCodec.PairBytes;

    private static bool HasManyRegisters => TLanes.TileCells > 2 * UsualTileRows;

    public override int PanelGroups => FloatPanel<TCodec>.Groups;

    public override long GroupBytes(int columns) => FloatPanel<TCodec>.GroupBytes(columns);

    public override int StoredRowBytes(int columns) => columns * sizeof(float);

    public override void Pack(ReadOnlySpan<byte> rows, int columns, byte* panel) => FloatPanel<TCodec>.Pack(MemoryMarshal.Cast<byte, float>(rows), columns, panel);

    public override void UnpackRow(byte* panel, int lane, int columns, float* row) => FloatPanel<TCodec>.UnpackRow(panel, lane, columns, row);

    public override InputPreparation? Preparation { get; } = TCodec.InputScale == 1 ? null : new ScaledInputs<TLanes>(TCodec.InputScale);

    public override void Multiply(byte* groups, int groupCount, int columns, ProductInput input, float* outputs, nint outputStride)
    {
        float* inputs = Preparation is null ? input.Floats : (float*)input.Prepared;
        nint inputStride = Preparation is null ? input.Stride : ScaledInputs<TLanes>.Stride(columns);
        int rows = input.Rows;
        int pairs = (columns + 1) / 2;
        long groupBytes = GroupBytes(columns);
        bool panelTiles = rows == 1 || HasManyRegisters;
        int most = !panelTiles ? TLanes.TileCells : rows <= 8 ? 8 : UsualTileRows;
        int tiles = (rows + most - 1) / most;
        int tall = (rows + tiles - 1) / tiles;
        // All rows of a panel before the next panel: the weights are then in the cache for the second tile on.
        for (int group = 0; group < groupCount; group += FloatPanel<TCodec>.Groups)
        {
            byte* panel = groups + (group * groupBytes);
            float* output = outputs + (group * GroupRows);
            bool both = group + 1 < groupCount;
            for (int row = 0, tile = 0; row < rows; row += tall, tile++)
            {
                int count = Math.Min(tall, rows - row);
                float* values = inputs + (row * inputStride);
                float* result = output + (row * outputStride);
                if (panelTiles)
                {
                    // One tile asks for what comes soon. Of several each asks for a share of the next panel, so that memory does not wait while its tiles share the panel they have.
                    byte* ahead = tiles == 1 ? panel + PrefetchBytes : panel + (((long)pairs * PanelPairBytes * (tiles + tile)) / tiles);
                    PanelTile(count, panel, both, pairs, ahead, PanelPairBytes / tiles, values, inputStride, result, outputStride);
                    continue;
                }

                GroupTile(count, panel, pairs, values, inputStride, result, outputStride);
                if (both)
                {
                    GroupTile(count, panel + TCodec.PairBytes, pairs, values, inputStride, result + GroupRows, outputStride);
                }
            }
        }
    }

    private static void PanelTile(int rows, byte* panel, bool both, int pairs, byte* ahead, nint aheadStep, float* inputs, nint inputStride, float* outputs, nint outputStride)
    {
        switch (rows)
        {
            case 1: PanelTile<Count1>(panel, both, pairs, ahead, aheadStep, inputs, inputStride, outputs, outputStride); break;
            case 2: PanelTile<Count2>(panel, both, pairs, ahead, aheadStep, inputs, inputStride, outputs, outputStride); break;
            case 3: PanelTile<Count3>(panel, both, pairs, ahead, aheadStep, inputs, inputStride, outputs, outputStride); break;
            case 4: PanelTile<Count4>(panel, both, pairs, ahead, aheadStep, inputs, inputStride, outputs, outputStride); break;
            case 5: PanelTile<Count5>(panel, both, pairs, ahead, aheadStep, inputs, inputStride, outputs, outputStride); break;
            case 6: PanelTile<Count6>(panel, both, pairs, ahead, aheadStep, inputs, inputStride, outputs, outputStride); break;
            case 7: SevenRowTile(panel, both, pairs, ahead, inputs, inputStride, outputs, outputStride); break;
            case 8: EightRowTile(panel, both, pairs, ahead, inputs, inputStride, outputs, outputStride); break;
            default: throw new InvalidOperationException($"No tile of a panel by {rows} rows.");
        }
    }

    private static void GroupTile(int rows, byte* weights, int pairs, float* inputs, nint inputStride, float* outputs, nint outputStride)
    {
        switch (rows)
        {
            case 1: GroupTile<Count1>(weights, pairs, inputs, inputStride, outputs, outputStride); break;
            case 2: GroupTile<Count2>(weights, pairs, inputs, inputStride, outputs, outputStride); break;
            case 3: GroupTile<Count3>(weights, pairs, inputs, inputStride, outputs, outputStride); break;
            default: throw new InvalidOperationException($"No tile of a group by {rows} rows.");
        }
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static void PanelTile<TRows>(byte* panel, bool both, int pairs, byte* ahead, nint aheadStep, float* inputs, nint inputStride, float* outputs, nint outputStride)
        where TRows : struct, ICount
    {
        TLanes e00 = TLanes.Zero, o00 = TLanes.Zero, e10 = TLanes.Zero, o10 = TLanes.Zero;
        TLanes e01 = TLanes.Zero, o01 = TLanes.Zero, e11 = TLanes.Zero, o11 = TLanes.Zero;
        TLanes e02 = TLanes.Zero, o02 = TLanes.Zero, e12 = TLanes.Zero, o12 = TLanes.Zero;
        TLanes e03 = TLanes.Zero, o03 = TLanes.Zero, e13 = TLanes.Zero, o13 = TLanes.Zero;
        TLanes e04 = TLanes.Zero, o04 = TLanes.Zero, e14 = TLanes.Zero, o14 = TLanes.Zero;
        TLanes e05 = TLanes.Zero, o05 = TLanes.Zero, e15 = TLanes.Zero, o15 = TLanes.Zero;
        float* x0 = inputs;
        float* x1 = x0 + inputStride;
        float* x2 = x1 + inputStride;
        float* x3 = x2 + inputStride;
        float* x4 = x3 + inputStride;
        float* x5 = x4 + inputStride;
        for (nint p = 0; p < pairs; p++)
        {
            Prefetch(ahead, isNext: aheadStep == PanelPairBytes);
            ahead += aheadStep;
            TCodec.Decode(panel, out TLanes even0, out TLanes odd0);
            TCodec.Decode(panel + TCodec.PairBytes, out TLanes even1, out TLanes odd1);
            panel += 2 * TCodec.PairBytes;
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

            if (TRows.Value > 4)
            {
                TLanes x = TLanes.Broadcast(x4[2 * p]);
                e04 = TLanes.FusedMultiplyAdd(even0, x, e04);
                e14 = TLanes.FusedMultiplyAdd(even1, x, e14);
                x = TLanes.Broadcast(x4[(2 * p) + 1]);
                o04 = TLanes.FusedMultiplyAdd(odd0, x, o04);
                o14 = TLanes.FusedMultiplyAdd(odd1, x, o14);
            }

            if (TRows.Value > 5)
            {
                TLanes x = TLanes.Broadcast(x5[2 * p]);
                e05 = TLanes.FusedMultiplyAdd(even0, x, e05);
                e15 = TLanes.FusedMultiplyAdd(even1, x, e15);
                x = TLanes.Broadcast(x5[(2 * p) + 1]);
                o05 = TLanes.FusedMultiplyAdd(odd0, x, o05);
                o15 = TLanes.FusedMultiplyAdd(odd1, x, o15);
            }
        }

        Store(e00, o00, e10, o10, both, outputs);

        if (TRows.Value > 1)
        {
            Store(e01, o01, e11, o11, both, outputs + outputStride);
        }

        if (TRows.Value > 2)
        {
            Store(e02, o02, e12, o12, both, outputs + (2 * outputStride));
        }

        if (TRows.Value > 3)
        {
            Store(e03, o03, e13, o13, both, outputs + (3 * outputStride));
        }

        if (TRows.Value > 4)
        {
            Store(e04, o04, e14, o14, both, outputs + (4 * outputStride));
        }

        if (TRows.Value > 5)
        {
            Store(e05, o05, e15, o15, both, outputs + (5 * outputStride));
        }
    }

    // 28 sums, and of weights only what the next seven additions take: with a register for an input it would be one too many, so inputs are read once for each group.
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static void SevenRowTile(byte* panel, bool both, int pairs, byte* ahead, float* inputs, nint inputStride, float* outputs, nint outputStride)
    {
        TLanes e00 = TLanes.Zero, o00 = TLanes.Zero, e10 = TLanes.Zero, o10 = TLanes.Zero;
        TLanes e01 = TLanes.Zero, o01 = TLanes.Zero, e11 = TLanes.Zero, o11 = TLanes.Zero;
        TLanes e02 = TLanes.Zero, o02 = TLanes.Zero, e12 = TLanes.Zero, o12 = TLanes.Zero;
        TLanes e03 = TLanes.Zero, o03 = TLanes.Zero, e13 = TLanes.Zero, o13 = TLanes.Zero;
        TLanes e04 = TLanes.Zero, o04 = TLanes.Zero, e14 = TLanes.Zero, o14 = TLanes.Zero;
        TLanes e05 = TLanes.Zero, o05 = TLanes.Zero, e15 = TLanes.Zero, o15 = TLanes.Zero;
        TLanes e06 = TLanes.Zero, o06 = TLanes.Zero, e16 = TLanes.Zero, o16 = TLanes.Zero;
        float* x0 = inputs;
        float* x1 = x0 + inputStride;
        float* x2 = x1 + inputStride;
        float* x3 = x2 + inputStride;
        float* x4 = x3 + inputStride;
        float* x5 = x4 + inputStride;
        float* x6 = x5 + inputStride;
        // The same number twice, so that the compiler doesn't keep the first group's inputs for the second.
        for (nint p = 0, q = 0; p < pairs; p++, q++)
        {
            Prefetch(ahead, isNext: true);
            ahead += PanelPairBytes;
            {
                TCodec.Decode(panel, out TLanes even, out TLanes odd);
                e00 = TLanes.FusedMultiplyAdd(even, TLanes.Broadcast(x0[2 * p]), e00);
                e01 = TLanes.FusedMultiplyAdd(even, TLanes.Broadcast(x1[2 * p]), e01);
                e02 = TLanes.FusedMultiplyAdd(even, TLanes.Broadcast(x2[2 * p]), e02);
                e03 = TLanes.FusedMultiplyAdd(even, TLanes.Broadcast(x3[2 * p]), e03);
                e04 = TLanes.FusedMultiplyAdd(even, TLanes.Broadcast(x4[2 * p]), e04);
                e05 = TLanes.FusedMultiplyAdd(even, TLanes.Broadcast(x5[2 * p]), e05);
                e06 = TLanes.FusedMultiplyAdd(even, TLanes.Broadcast(x6[2 * p]), e06);
                o00 = TLanes.FusedMultiplyAdd(odd, TLanes.Broadcast(x0[(2 * p) + 1]), o00);
                o01 = TLanes.FusedMultiplyAdd(odd, TLanes.Broadcast(x1[(2 * p) + 1]), o01);
                o02 = TLanes.FusedMultiplyAdd(odd, TLanes.Broadcast(x2[(2 * p) + 1]), o02);
                o03 = TLanes.FusedMultiplyAdd(odd, TLanes.Broadcast(x3[(2 * p) + 1]), o03);
                o04 = TLanes.FusedMultiplyAdd(odd, TLanes.Broadcast(x4[(2 * p) + 1]), o04);
                o05 = TLanes.FusedMultiplyAdd(odd, TLanes.Broadcast(x5[(2 * p) + 1]), o05);
                o06 = TLanes.FusedMultiplyAdd(odd, TLanes.Broadcast(x6[(2 * p) + 1]), o06);
            }

            {
                TCodec.Decode(panel + TCodec.PairBytes, out TLanes even, out TLanes odd);
                e10 = TLanes.FusedMultiplyAdd(even, TLanes.Broadcast(x0[2 * q]), e10);
                e11 = TLanes.FusedMultiplyAdd(even, TLanes.Broadcast(x1[2 * q]), e11);
                e12 = TLanes.FusedMultiplyAdd(even, TLanes.Broadcast(x2[2 * q]), e12);
                e13 = TLanes.FusedMultiplyAdd(even, TLanes.Broadcast(x3[2 * q]), e13);
                e14 = TLanes.FusedMultiplyAdd(even, TLanes.Broadcast(x4[2 * q]), e14);
                e15 = TLanes.FusedMultiplyAdd(even, TLanes.Broadcast(x5[2 * q]), e15);
                e16 = TLanes.FusedMultiplyAdd(even, TLanes.Broadcast(x6[2 * q]), e16);
                o10 = TLanes.FusedMultiplyAdd(odd, TLanes.Broadcast(x0[(2 * q) + 1]), o10);
                o11 = TLanes.FusedMultiplyAdd(odd, TLanes.Broadcast(x1[(2 * q) + 1]), o11);
                o12 = TLanes.FusedMultiplyAdd(odd, TLanes.Broadcast(x2[(2 * q) + 1]), o12);
                o13 = TLanes.FusedMultiplyAdd(odd, TLanes.Broadcast(x3[(2 * q) + 1]), o13);
                o14 = TLanes.FusedMultiplyAdd(odd, TLanes.Broadcast(x4[(2 * q) + 1]), o14);
                o15 = TLanes.FusedMultiplyAdd(odd, TLanes.Broadcast(x5[(2 * q) + 1]), o15);
                o16 = TLanes.FusedMultiplyAdd(odd, TLanes.Broadcast(x6[(2 * q) + 1]), o16);
            }

            panel += 2 * TCodec.PairBytes;
        }

        Store(e00, o00, e10, o10, both, outputs);
        Store(e01, o01, e11, o11, both, outputs + outputStride);
        Store(e02, o02, e12, o12, both, outputs + (2 * outputStride));
        Store(e03, o03, e13, o13, both, outputs + (3 * outputStride));
        Store(e04, o04, e14, o14, both, outputs + (4 * outputStride));
        Store(e05, o05, e15, o15, both, outputs + (5 * outputStride));
        Store(e06, o06, e16, o16, both, outputs + (6 * outputStride));
    }

    // Two groups by eight rows are more sums than there are registers: of a stretch of columns that fits into the first-level cache first one group's products are added, then the other's,
    // and the sums wait in memory meanwhile. Memory is read as one ascending stream all the same.
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static void EightRowTile(byte* panel, bool both, int pairs, byte* ahead, float* inputs, nint inputStride, float* outputs, nint outputStride)
    {
        const int GroupSums = 8 * 2 * GroupRows;
        float* sums = stackalloc float[FloatPanel<TCodec>.Groups * GroupSums];
        new Span<float>(sums, FloatPanel<TCodec>.Groups * GroupSums).Clear();
        for (int start = 0; start < pairs; start += StretchPairs)
        {
            int count = Math.Min(StretchPairs, pairs - start);
            for (int group = 0; group < FloatPanel<TCodec>.Groups; group++)
            {
                EightRows(panel + (group * TCodec.PairBytes), count, ahead, inputs + (2 * start), inputStride, sums + (group * GroupSums));
                ahead += (long)count * TCodec.PairBytes;
            }

            panel += (long)count * PanelPairBytes;
        }

        for (int row = 0; row < 8; row++)
        {
            float* first = sums + (row * 2 * GroupRows);
            float* second = first + GroupSums;
            Store(TLanes.Load(first), TLanes.Load(first + GroupRows), TLanes.Load(second), TLanes.Load(second + GroupRows), both, outputs + (row * outputStride));
        }
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static void EightRows(byte* weights, int pairs, byte* ahead, float* inputs, nint inputStride, float* sums)
    {
        TLanes e0 = TLanes.Load(sums + (0 * GroupRows)), o0 = TLanes.Load(sums + (1 * GroupRows));
        TLanes e1 = TLanes.Load(sums + (2 * GroupRows)), o1 = TLanes.Load(sums + (3 * GroupRows));
        TLanes e2 = TLanes.Load(sums + (4 * GroupRows)), o2 = TLanes.Load(sums + (5 * GroupRows));
        TLanes e3 = TLanes.Load(sums + (6 * GroupRows)), o3 = TLanes.Load(sums + (7 * GroupRows));
        TLanes e4 = TLanes.Load(sums + (8 * GroupRows)), o4 = TLanes.Load(sums + (9 * GroupRows));
        TLanes e5 = TLanes.Load(sums + (10 * GroupRows)), o5 = TLanes.Load(sums + (11 * GroupRows));
        TLanes e6 = TLanes.Load(sums + (12 * GroupRows)), o6 = TLanes.Load(sums + (13 * GroupRows));
        TLanes e7 = TLanes.Load(sums + (14 * GroupRows)), o7 = TLanes.Load(sums + (15 * GroupRows));
        float* x0 = inputs;
        float* x1 = x0 + inputStride;
        float* x2 = x1 + inputStride;
        float* x3 = x2 + inputStride;
        float* x4 = x3 + inputStride;
        float* x5 = x4 + inputStride;
        float* x6 = x5 + inputStride;
        float* x7 = x6 + inputStride;
        for (nint p = 0; p < pairs; p++)
        {
            PrefetchBlock(ahead);
            ahead += TCodec.PairBytes;
            TCodec.Decode(weights, out TLanes even, out TLanes odd);
            weights += 2 * TCodec.PairBytes;
            e0 = TLanes.FusedMultiplyAdd(even, TLanes.Broadcast(x0[2 * p]), e0);
            o0 = TLanes.FusedMultiplyAdd(odd, TLanes.Broadcast(x0[(2 * p) + 1]), o0);
            e1 = TLanes.FusedMultiplyAdd(even, TLanes.Broadcast(x1[2 * p]), e1);
            o1 = TLanes.FusedMultiplyAdd(odd, TLanes.Broadcast(x1[(2 * p) + 1]), o1);
            e2 = TLanes.FusedMultiplyAdd(even, TLanes.Broadcast(x2[2 * p]), e2);
            o2 = TLanes.FusedMultiplyAdd(odd, TLanes.Broadcast(x2[(2 * p) + 1]), o2);
            e3 = TLanes.FusedMultiplyAdd(even, TLanes.Broadcast(x3[2 * p]), e3);
            o3 = TLanes.FusedMultiplyAdd(odd, TLanes.Broadcast(x3[(2 * p) + 1]), o3);
            e4 = TLanes.FusedMultiplyAdd(even, TLanes.Broadcast(x4[2 * p]), e4);
            o4 = TLanes.FusedMultiplyAdd(odd, TLanes.Broadcast(x4[(2 * p) + 1]), o4);
            e5 = TLanes.FusedMultiplyAdd(even, TLanes.Broadcast(x5[2 * p]), e5);
            o5 = TLanes.FusedMultiplyAdd(odd, TLanes.Broadcast(x5[(2 * p) + 1]), o5);
            e6 = TLanes.FusedMultiplyAdd(even, TLanes.Broadcast(x6[2 * p]), e6);
            o6 = TLanes.FusedMultiplyAdd(odd, TLanes.Broadcast(x6[(2 * p) + 1]), o6);
            e7 = TLanes.FusedMultiplyAdd(even, TLanes.Broadcast(x7[2 * p]), e7);
            o7 = TLanes.FusedMultiplyAdd(odd, TLanes.Broadcast(x7[(2 * p) + 1]), o7);
        }

        TLanes.Store(e0, sums + (0 * GroupRows));
        TLanes.Store(o0, sums + (1 * GroupRows));
        TLanes.Store(e1, sums + (2 * GroupRows));
        TLanes.Store(o1, sums + (3 * GroupRows));
        TLanes.Store(e2, sums + (4 * GroupRows));
        TLanes.Store(o2, sums + (5 * GroupRows));
        TLanes.Store(e3, sums + (6 * GroupRows));
        TLanes.Store(o3, sums + (7 * GroupRows));
        TLanes.Store(e4, sums + (8 * GroupRows));
        TLanes.Store(o4, sums + (9 * GroupRows));
        TLanes.Store(e5, sums + (10 * GroupRows));
        TLanes.Store(o5, sums + (11 * GroupRows));
        TLanes.Store(e6, sums + (12 * GroupRows));
        TLanes.Store(o6, sums + (13 * GroupRows));
        TLanes.Store(e7, sums + (14 * GroupRows));
        TLanes.Store(o7, sums + (15 * GroupRows));
    }

    // One group of a panel, every other pair block of the stream; what comes soon is asked for of both groups.
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static void GroupTile<TRows>(byte* weights, int pairs, float* inputs, nint inputStride, float* outputs, nint outputStride)
        where TRows : struct, ICount
    {
        TLanes e0 = TLanes.Zero, o0 = TLanes.Zero;
        TLanes e1 = TLanes.Zero, o1 = TLanes.Zero;
        TLanes e2 = TLanes.Zero, o2 = TLanes.Zero;
        float* x0 = inputs;
        float* x1 = x0 + inputStride;
        float* x2 = x1 + inputStride;
        for (nint p = 0; p < pairs; p++)
        {
            Prefetch(weights + PrefetchBytes, isNext: true);
            TCodec.Decode(weights, out TLanes even, out TLanes odd);
            weights += 2 * TCodec.PairBytes;
            e0 = TLanes.FusedMultiplyAdd(even, TLanes.Broadcast(x0[2 * p]), e0);
            o0 = TLanes.FusedMultiplyAdd(odd, TLanes.Broadcast(x0[(2 * p) + 1]), o0);

            if (TRows.Value > 1)
            {
                e1 = TLanes.FusedMultiplyAdd(even, TLanes.Broadcast(x1[2 * p]), e1);
                o1 = TLanes.FusedMultiplyAdd(odd, TLanes.Broadcast(x1[(2 * p) + 1]), o1);
            }

            if (TRows.Value > 2)
            {
                e2 = TLanes.FusedMultiplyAdd(even, TLanes.Broadcast(x2[2 * p]), e2);
                o2 = TLanes.FusedMultiplyAdd(odd, TLanes.Broadcast(x2[(2 * p) + 1]), o2);
            }
        }

        TLanes.Store(TLanes.Add(e0, o0), outputs);

        if (TRows.Value > 1)
        {
            TLanes.Store(TLanes.Add(e1, o1), outputs + outputStride);
        }

        if (TRows.Value > 2)
        {
            TLanes.Store(TLanes.Add(e2, o2), outputs + (2 * outputStride));
        }
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static void Store(TLanes even0, TLanes odd0, TLanes even1, TLanes odd1, bool both, float* output)
    {
        TLanes.Store(TLanes.Add(even0, odd0), output);
        if (both)
        {
            TLanes.Store(TLanes.Add(even1, odd1), output + GroupRows);
        }
    }

    // The pair blocks of both groups, into the first-level cache if this tile reads them next; into the second if they wait there for the next panel.
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static void Prefetch(byte* address, bool isNext)
    {
        if (!Sse.IsSupported)
        {
            return;
        }

        if (!isNext)
        {
            Sse.Prefetch1(address);
            if (TCodec.PairBytes > 64)
            {
                Sse.Prefetch1(address + 64);
            }

            return;
        }

        PrefetchBlock(address);
        PrefetchBlock(address + TCodec.PairBytes);
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static void PrefetchBlock(byte* address)
    {
        if (!Sse.IsSupported)
        {
            return;
        }

        Sse.Prefetch0(address);
        if (TCodec.PairBytes > 64)
        {
            Sse.Prefetch0(address + 64);
        }
    }
}
