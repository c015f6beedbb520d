using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics.X86;

namespace AdaEagle.Kernels;

/// <summary><see cref="AttentionKernels"/> over sixteen lanes of <typeparamref name="TLanes"/>: tiles of up to eight queries share the read of keys and values.</summary>
internal sealed unsafe class AttentionKernels<TLanes, TCodec> : AttentionKernels
    where TLanes : struct, ILanes<TLanes>
    where TCodec : struct, IWeightCodec
{
    private const int Width = 16;

    // Two vectors for each query stay in registers: 32 of them with AVX-512, 16 of half the width otherwise.
    private static int MostQueries => TLanes.TileCells >= 8 ? 8 : TLanes.TileCells > 1 ? 2 : 1;

    public override void Scores(float* queries, int count, nint queryStride, byte* keys, int headDimension, float* scores, int end)
    {
        int pairs = headDimension / 2;
        for (int done = 0; done < count;)
        {
            int tile = Math.Min(MostQueries, count - done);
            float* query = queries + (done * queryStride), to = scores + (done * BlockPositions);
            switch (tile)
            {
                case 1: ScoreTile<One>(query, queryStride, keys, pairs, to, end); break;
                case 2: ScoreTile<Two>(query, queryStride, keys, pairs, to, end); break;
                case 3: ScoreTile<Three>(query, queryStride, keys, pairs, to, end); break;
                case 4: ScoreTile<Four>(query, queryStride, keys, pairs, to, end); break;
                case 5: ScoreTile<Five>(query, queryStride, keys, pairs, to, end); break;
                case 6: ScoreTile<Six>(query, queryStride, keys, pairs, to, end); break;
                case 7: ScoreTile<Seven>(query, queryStride, keys, pairs, to, end); break;
                default: ScoreTile<Eight>(query, queryStride, keys, pairs, to, end); break;
            }

            done += tile;
        }
    }

    public override void Weigh(float* scores, int first, int end, float* state, int stride)
    {
        int from = first & -Width, to = VectorMath<TLanes>.Pad(end);
        Mask(scores, from, first, float.NegativeInfinity);
        Mask(scores, end, to, float.NegativeInfinity);
        TLanes most = TLanes.Broadcast(float.NegativeInfinity);
        for (int i = from; i < to; i += Width)
        {
            most = TLanes.Max(most, TLanes.Load(scores + i));
        }

        float largest = TLanes.MaxOfLanes(most);
        if (largest > state[0])
        {
            Grow(state, largest, stride);
        }

        TLanes shift = TLanes.Broadcast(state[0]), sum = TLanes.Load(state + Width);
        for (int i = from; i < to; i += Width)
        {
            TLanes weight = VectorMath<TLanes>.Exp(TLanes.Subtract(TLanes.Load(scores + i), shift));
            TLanes.Store(weight, scores + i);
            if (i < first || i + Width > end)
            {
                // e^-inf is held at e^-87: positions that are not seen weigh nothing.
                Mask(scores, i, first, 0);
                Mask(scores, end, i + Width, 0);
                weight = TLanes.Load(scores + i);
            }

            sum = TLanes.Add(sum, weight);
        }

        TLanes.Store(sum, state + Width);
    }

    public override void Accumulate(float* weights, int count, byte* values, int first, int end, int stride, float* states, nint stateStride, byte* next = null)
    {
        nint ahead = next is null ? 0 : (nint)(next - values);
        nint pairBytes = (nint)(stride / Width) * TCodec.PairBytes;
        for (int done = 0; done < count;)
        {
            int tile = Math.Min(MostQueries, count - done);
            float* weight = weights + (done * BlockPositions), to = states + (done * stateStride) + StateHead;
            switch (tile)
            {
                case 1: ValueRows<One>(weight, values, pairBytes, first, end, stride, ahead, to, stateStride); break;
                case 2: ValueRows<Two>(weight, values, pairBytes, first, end, stride, ahead, to, stateStride); break;
                case 3: ValueRows<Three>(weight, values, pairBytes, first, end, stride, ahead, to, stateStride); break;
                case 4: ValueRows<Four>(weight, values, pairBytes, first, end, stride, ahead, to, stateStride); break;
                case 5: ValueRows<Five>(weight, values, pairBytes, first, end, stride, ahead, to, stateStride); break;
                case 6: ValueRows<Six>(weight, values, pairBytes, first, end, stride, ahead, to, stateStride); break;
                case 7: ValueRows<Seven>(weight, values, pairBytes, first, end, stride, ahead, to, stateStride); break;
                default: ValueRows<Eight>(weight, values, pairBytes, first, end, stride, ahead, to, stateStride); break;
            }

            done += tile;
        }
    }

    public override void Clear(float* state, int stride)
    {
        new Span<float>(state, StateHead + stride).Clear();
        state[0] = float.NegativeInfinity;
    }

    public override void Merge(float* total, float* part, int stride)
    {
        if (total[0] == float.NegativeInfinity)
        {
            new ReadOnlySpan<float>(part, StateHead + stride).CopyTo(new Span<float>(total, StateHead + stride));
            return;
        }

        if (part[0] > total[0])
        {
            Grow(total, part[0], stride);
        }

        TLanes share = VectorMath<TLanes>.Exp(TLanes.Broadcast(part[0] - total[0]));
        for (int i = Width; i < StateHead + stride; i += Width)
        {
            TLanes.Store(TLanes.FusedMultiplyAdd(TLanes.Load(part + i), share, TLanes.Load(total + i)), total + i);
        }
    }

    public override void Finish(float* state, int stride, float* output)
    {
        TLanes sum = TLanes.Broadcast(TLanes.Sum(TLanes.Load(state + Width)));
        for (int i = 0; i < stride; i += Width)
        {
            TLanes.Store(TLanes.Divide(TLanes.Load(state + StateHead + i), sum), output + i);
        }
    }

    public override void Rotate(float* vector, float* cosines, float* sines, int half, float scale, float* output)
    {
        TLanes scales = TLanes.Broadcast(scale);
        int i = 0;
        for (; i + Width <= half; i += Width)
        {
            TLanes low = TLanes.Load(vector + i), high = TLanes.Load(vector + half + i), cosine = TLanes.Load(cosines + i), sine = TLanes.Load(sines + i);
            TLanes.Store(TLanes.Multiply(TLanes.Subtract(TLanes.Multiply(low, cosine), TLanes.Multiply(high, sine)), scales), output + i);
            TLanes.Store(TLanes.Multiply(TLanes.Add(TLanes.Multiply(high, cosine), TLanes.Multiply(low, sine)), scales), output + half + i);
        }

        for (; i < half; i++)
        {
            float low = vector[i], high = vector[half + i], cosine = cosines[i], sine = sines[i];
            output[i] = ((low * cosine) - (high * sine)) * scale;
            output[half + i] = ((high * cosine) + (low * sine)) * scale;
        }
    }

    // The state in terms of a larger score: sums and values shrink.
    private static void Grow(float* state, float largest, int stride)
    {
        if (state[0] != float.NegativeInfinity)
        {
            TLanes share = VectorMath<TLanes>.Exp(TLanes.Broadcast(state[0] - largest));
            for (int i = Width; i < StateHead + stride; i += Width)
            {
                TLanes.Store(TLanes.Multiply(TLanes.Load(state + i), share), state + i);
            }
        }

        state[0] = largest;
    }

    private static void Mask(float* scores, int from, int to, float value)
    {
        for (int i = from; i < to; i++)
        {
            scores[i] = value;
        }
    }

    private static void ValueRows<TQueries>(float* weights, byte* values, nint pairBytes, int first, int end, int stride, nint ahead, float* outputs, nint outputStride)
        where TQueries : struct, ICount
    {
        int column = 0;
        for (; column + (2 * Width) <= stride; column += 2 * Width)
        {
            ValueTile<TQueries, Two>(weights, values + (column / Width * TCodec.PairBytes), pairBytes, first, end, ahead, outputs + column, outputStride);
        }

        if (column < stride)
        {
            ValueTile<TQueries, One>(weights, values + (column / Width * TCodec.PairBytes), pairBytes, first, end, ahead, outputs + column, outputStride);
        }
    }

    // Two pairs of vectors: as much as a step of a tile reads.
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static void PrefetchPairs(byte* address)
    {
        if (Sse.IsSupported)
        {
            Sse.Prefetch0(address);
            Sse.Prefetch0(address + 64);
            if (TCodec.PairBytes > 64)
            {
                Sse.Prefetch0(address + 128);
                Sse.Prefetch0(address + 192);
            }
        }
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static void Store(TLanes first, TLanes second, float* to)
    {
        TLanes.Store(first, to);
        TLanes.Store(second, to + Width);
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static void ScoreTile<TQueries>(float* queries, nint queryStride, byte* keys, int pairs, float* scores, int end)
        where TQueries : struct, ICount
    {
        nint ahead = (nint)pairs * 4 * TCodec.PairBytes;
        // Two vectors of positions at a time: with eight queries sixteen chains.
        for (int half = 0; half * 2 * Width < end; half++)
        {
            byte* key = keys + (half * 2 * TCodec.PairBytes);
            float* q0 = queries;
            float* q1 = q0 + queryStride;
            float* q2 = q1 + queryStride;
            float* q3 = q2 + queryStride;
            float* q4 = q3 + queryStride;
            float* q5 = q4 + queryStride;
            float* q6 = q5 + queryStride;
            float* q7 = q6 + queryStride;
            TLanes a0 = TLanes.Zero, b0 = TLanes.Zero;
            TLanes a1 = TLanes.Zero, b1 = TLanes.Zero;
            TLanes a2 = TLanes.Zero, b2 = TLanes.Zero;
            TLanes a3 = TLanes.Zero, b3 = TLanes.Zero;
            TLanes a4 = TLanes.Zero, b4 = TLanes.Zero;
            TLanes a5 = TLanes.Zero, b5 = TLanes.Zero;
            TLanes a6 = TLanes.Zero, b6 = TLanes.Zero;
            TLanes a7 = TLanes.Zero, b7 = TLanes.Zero;
            for (nint d = 0; d < 2 * pairs; d += 2)
            {
                // The values of the block lie as far behind its keys as these are long, two positions where keys have two dimensions.
                if (d < end)
                {
                    PrefetchPairs(key + ahead);
                }

                TCodec.Decode(key, out TLanes even0, out TLanes odd0);
                TCodec.Decode(key + TCodec.PairBytes, out TLanes even1, out TLanes odd1);
                key += 4 * TCodec.PairBytes;
                {
                    TLanes x = TLanes.Broadcast(q0[d]);
                    a0 = TLanes.FusedMultiplyAdd(x, even0, a0);
                    b0 = TLanes.FusedMultiplyAdd(x, even1, b0);
                    x = TLanes.Broadcast(q0[d + 1]);
                    a0 = TLanes.FusedMultiplyAdd(x, odd0, a0);
                    b0 = TLanes.FusedMultiplyAdd(x, odd1, b0);
                }

                if (TQueries.Value > 1)
                {
                    TLanes x = TLanes.Broadcast(q1[d]);
                    a1 = TLanes.FusedMultiplyAdd(x, even0, a1);
                    b1 = TLanes.FusedMultiplyAdd(x, even1, b1);
                    x = TLanes.Broadcast(q1[d + 1]);
                    a1 = TLanes.FusedMultiplyAdd(x, odd0, a1);
                    b1 = TLanes.FusedMultiplyAdd(x, odd1, b1);
                }

                if (TQueries.Value > 2)
                {
                    TLanes x = TLanes.Broadcast(q2[d]);
                    a2 = TLanes.FusedMultiplyAdd(x, even0, a2);
                    b2 = TLanes.FusedMultiplyAdd(x, even1, b2);
                    x = TLanes.Broadcast(q2[d + 1]);
                    a2 = TLanes.FusedMultiplyAdd(x, odd0, a2);
                    b2 = TLanes.FusedMultiplyAdd(x, odd1, b2);
                }

                if (TQueries.Value > 3)
                {
                    TLanes x = TLanes.Broadcast(q3[d]);
                    a3 = TLanes.FusedMultiplyAdd(x, even0, a3);
                    b3 = TLanes.FusedMultiplyAdd(x, even1, b3);
                    x = TLanes.Broadcast(q3[d + 1]);
                    a3 = TLanes.FusedMultiplyAdd(x, odd0, a3);
                    b3 = TLanes.FusedMultiplyAdd(x, odd1, b3);
                }

                if (TQueries.Value > 4)
                {
                    TLanes x = TLanes.Broadcast(q4[d]);
                    a4 = TLanes.FusedMultiplyAdd(x, even0, a4);
                    b4 = TLanes.FusedMultiplyAdd(x, even1, b4);
                    x = TLanes.Broadcast(q4[d + 1]);
                    a4 = TLanes.FusedMultiplyAdd(x, odd0, a4);
                    b4 = TLanes.FusedMultiplyAdd(x, odd1, b4);
                }

                if (TQueries.Value > 5)
                {
                    TLanes x = TLanes.Broadcast(q5[d]);
                    a5 = TLanes.FusedMultiplyAdd(x, even0, a5);
                    b5 = TLanes.FusedMultiplyAdd(x, even1, b5);
                    x = TLanes.Broadcast(q5[d + 1]);
                    a5 = TLanes.FusedMultiplyAdd(x, odd0, a5);
                    b5 = TLanes.FusedMultiplyAdd(x, odd1, b5);
                }

                if (TQueries.Value > 6)
                {
                    TLanes x = TLanes.Broadcast(q6[d]);
                    a6 = TLanes.FusedMultiplyAdd(x, even0, a6);
                    b6 = TLanes.FusedMultiplyAdd(x, even1, b6);
                    x = TLanes.Broadcast(q6[d + 1]);
                    a6 = TLanes.FusedMultiplyAdd(x, odd0, a6);
                    b6 = TLanes.FusedMultiplyAdd(x, odd1, b6);
                }

                if (TQueries.Value > 7)
                {
                    TLanes x = TLanes.Broadcast(q7[d]);
                    a7 = TLanes.FusedMultiplyAdd(x, even0, a7);
                    b7 = TLanes.FusedMultiplyAdd(x, even1, b7);
                    x = TLanes.Broadcast(q7[d + 1]);
                    a7 = TLanes.FusedMultiplyAdd(x, odd0, a7);
                    b7 = TLanes.FusedMultiplyAdd(x, odd1, b7);
                }
            }

            float* to = scores + (half * 2 * Width);
            Store(a0, b0, to);
            if (TQueries.Value > 1)
            {
                Store(a1, b1, to + (1 * BlockPositions));
            }

            if (TQueries.Value > 2)
            {
                Store(a2, b2, to + (2 * BlockPositions));
            }

            if (TQueries.Value > 3)
            {
                Store(a3, b3, to + (3 * BlockPositions));
            }

            if (TQueries.Value > 4)
            {
                Store(a4, b4, to + (4 * BlockPositions));
            }

            if (TQueries.Value > 5)
            {
                Store(a5, b5, to + (5 * BlockPositions));
            }

            if (TQueries.Value > 6)
            {
                Store(a6, b6, to + (6 * BlockPositions));
            }

            if (TQueries.Value > 7)
            {
                Store(a7, b7, to + (7 * BlockPositions));
            }

        }
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static void ValueTile<TQueries, TVectors>(float* weights, byte* values, nint pairBytes, int first, int end, nint ahead, float* outputs, nint outputStride)
        where TQueries : struct, ICount
        where TVectors : struct, ICount
    {
        float* o0 = outputs;
        float* o1 = o0 + outputStride;
        float* o2 = o1 + outputStride;
        float* o3 = o2 + outputStride;
        float* o4 = o3 + outputStride;
        float* o5 = o4 + outputStride;
        float* o6 = o5 + outputStride;
        float* o7 = o6 + outputStride;
        TLanes a0 = TQueries.Value > 0 ? TLanes.Load(o0) : TLanes.Zero, b0 = TQueries.Value > 0 && TVectors.Value > 1 ? TLanes.Load(o0 + Width) : TLanes.Zero;
        TLanes a1 = TQueries.Value > 1 ? TLanes.Load(o1) : TLanes.Zero, b1 = TQueries.Value > 1 && TVectors.Value > 1 ? TLanes.Load(o1 + Width) : TLanes.Zero;
        TLanes a2 = TQueries.Value > 2 ? TLanes.Load(o2) : TLanes.Zero, b2 = TQueries.Value > 2 && TVectors.Value > 1 ? TLanes.Load(o2 + Width) : TLanes.Zero;
        TLanes a3 = TQueries.Value > 3 ? TLanes.Load(o3) : TLanes.Zero, b3 = TQueries.Value > 3 && TVectors.Value > 1 ? TLanes.Load(o3 + Width) : TLanes.Zero;
        TLanes a4 = TQueries.Value > 4 ? TLanes.Load(o4) : TLanes.Zero, b4 = TQueries.Value > 4 && TVectors.Value > 1 ? TLanes.Load(o4 + Width) : TLanes.Zero;
        TLanes a5 = TQueries.Value > 5 ? TLanes.Load(o5) : TLanes.Zero, b5 = TQueries.Value > 5 && TVectors.Value > 1 ? TLanes.Load(o5 + Width) : TLanes.Zero;
        TLanes a6 = TQueries.Value > 6 ? TLanes.Load(o6) : TLanes.Zero, b6 = TQueries.Value > 6 && TVectors.Value > 1 ? TLanes.Load(o6 + Width) : TLanes.Zero;
        TLanes a7 = TQueries.Value > 7 ? TLanes.Load(o7) : TLanes.Zero, b7 = TQueries.Value > 7 && TVectors.Value > 1 ? TLanes.Load(o7 + Width) : TLanes.Zero;
        byte* value = values + (first / 2 * pairBytes);
        for (nint i = first & ~1; i < end; i += 2)
        {
            PrefetchPairs(value + ahead);
            TCodec.Decode(value, out TLanes even0, out TLanes odd0);
            TLanes even1 = TLanes.Zero, odd1 = TLanes.Zero;
            if (TVectors.Value > 1)
            {
                TCodec.Decode(value + TCodec.PairBytes, out even1, out odd1);
            }

            value += pairBytes;
            if (i >= first)
            {
                {
                    TLanes x = TLanes.Broadcast(weights[(0 * BlockPositions) + i]);
                    a0 = TLanes.FusedMultiplyAdd(x, even0, a0);
                    if (TVectors.Value > 1)
                    {
                        b0 = TLanes.FusedMultiplyAdd(x, even1, b0);
                    }
                }

                if (TQueries.Value > 1)
                {
                    TLanes x = TLanes.Broadcast(weights[(1 * BlockPositions) + i]);
                    a1 = TLanes.FusedMultiplyAdd(x, even0, a1);
                    if (TVectors.Value > 1)
                    {
                        b1 = TLanes.FusedMultiplyAdd(x, even1, b1);
                    }
                }

                if (TQueries.Value > 2)
                {
                    TLanes x = TLanes.Broadcast(weights[(2 * BlockPositions) + i]);
                    a2 = TLanes.FusedMultiplyAdd(x, even0, a2);
                    if (TVectors.Value > 1)
                    {
                        b2 = TLanes.FusedMultiplyAdd(x, even1, b2);
                    }
                }

                if (TQueries.Value > 3)
                {
                    TLanes x = TLanes.Broadcast(weights[(3 * BlockPositions) + i]);
                    a3 = TLanes.FusedMultiplyAdd(x, even0, a3);
                    if (TVectors.Value > 1)
                    {
                        b3 = TLanes.FusedMultiplyAdd(x, even1, b3);
                    }
                }

                if (TQueries.Value > 4)
                {
                    TLanes x = TLanes.Broadcast(weights[(4 * BlockPositions) + i]);
                    a4 = TLanes.FusedMultiplyAdd(x, even0, a4);
                    if (TVectors.Value > 1)
                    {
                        b4 = TLanes.FusedMultiplyAdd(x, even1, b4);
                    }
                }

                if (TQueries.Value > 5)
                {
                    TLanes x = TLanes.Broadcast(weights[(5 * BlockPositions) + i]);
                    a5 = TLanes.FusedMultiplyAdd(x, even0, a5);
                    if (TVectors.Value > 1)
                    {
                        b5 = TLanes.FusedMultiplyAdd(x, even1, b5);
                    }
                }

                if (TQueries.Value > 6)
                {
                    TLanes x = TLanes.Broadcast(weights[(6 * BlockPositions) + i]);
                    a6 = TLanes.FusedMultiplyAdd(x, even0, a6);
                    if (TVectors.Value > 1)
                    {
                        b6 = TLanes.FusedMultiplyAdd(x, even1, b6);
                    }
                }

                if (TQueries.Value > 7)
                {
                    TLanes x = TLanes.Broadcast(weights[(7 * BlockPositions) + i]);
                    a7 = TLanes.FusedMultiplyAdd(x, even0, a7);
                    if (TVectors.Value > 1)
                    {
                        b7 = TLanes.FusedMultiplyAdd(x, even1, b7);
                    }
                }
            }

            if (i + 1 < end)
            {
                {
                    TLanes x = TLanes.Broadcast(weights[(0 * BlockPositions) + i + 1]);
                    a0 = TLanes.FusedMultiplyAdd(x, odd0, a0);
                    if (TVectors.Value > 1)
                    {
                        b0 = TLanes.FusedMultiplyAdd(x, odd1, b0);
                    }
                }

                if (TQueries.Value > 1)
                {
                    TLanes x = TLanes.Broadcast(weights[(1 * BlockPositions) + i + 1]);
                    a1 = TLanes.FusedMultiplyAdd(x, odd0, a1);
                    if (TVectors.Value > 1)
                    {
                        b1 = TLanes.FusedMultiplyAdd(x, odd1, b1);
                    }
                }

                if (TQueries.Value > 2)
                {
                    TLanes x = TLanes.Broadcast(weights[(2 * BlockPositions) + i + 1]);
                    a2 = TLanes.FusedMultiplyAdd(x, odd0, a2);
                    if (TVectors.Value > 1)
                    {
                        b2 = TLanes.FusedMultiplyAdd(x, odd1, b2);
                    }
                }

                if (TQueries.Value > 3)
                {
                    TLanes x = TLanes.Broadcast(weights[(3 * BlockPositions) + i + 1]);
                    a3 = TLanes.FusedMultiplyAdd(x, odd0, a3);
                    if (TVectors.Value > 1)
                    {
                        b3 = TLanes.FusedMultiplyAdd(x, odd1, b3);
                    }
                }

                if (TQueries.Value > 4)
                {
                    TLanes x = TLanes.Broadcast(weights[(4 * BlockPositions) + i + 1]);
                    a4 = TLanes.FusedMultiplyAdd(x, odd0, a4);
                    if (TVectors.Value > 1)
                    {
                        b4 = TLanes.FusedMultiplyAdd(x, odd1, b4);
                    }
                }

                if (TQueries.Value > 5)
                {
                    TLanes x = TLanes.Broadcast(weights[(5 * BlockPositions) + i + 1]);
                    a5 = TLanes.FusedMultiplyAdd(x, odd0, a5);
                    if (TVectors.Value > 1)
                    {
                        b5 = TLanes.FusedMultiplyAdd(x, odd1, b5);
                    }
                }

                if (TQueries.Value > 6)
                {
                    TLanes x = TLanes.Broadcast(weights[(6 * BlockPositions) + i + 1]);
                    a6 = TLanes.FusedMultiplyAdd(x, odd0, a6);
                    if (TVectors.Value > 1)
                    {
                        b6 = TLanes.FusedMultiplyAdd(x, odd1, b6);
                    }
                }

                if (TQueries.Value > 7)
                {
                    TLanes x = TLanes.Broadcast(weights[(7 * BlockPositions) + i + 1]);
                    a7 = TLanes.FusedMultiplyAdd(x, odd0, a7);
                    if (TVectors.Value > 1)
                    {
                        b7 = TLanes.FusedMultiplyAdd(x, odd1, b7);
                    }
                }
            }
        }

        TLanes.Store(a0, o0);
        if (TVectors.Value > 1)
        {
            TLanes.Store(b0, o0 + Width);
        }

        if (TQueries.Value > 1)
        {
            TLanes.Store(a1, o1);
            if (TVectors.Value > 1)
            {
                TLanes.Store(b1, o1 + Width);
            }
        }

        if (TQueries.Value > 2)
        {
            TLanes.Store(a2, o2);
            if (TVectors.Value > 1)
            {
                TLanes.Store(b2, o2 + Width);
            }
        }

        if (TQueries.Value > 3)
        {
            TLanes.Store(a3, o3);
            if (TVectors.Value > 1)
            {
                TLanes.Store(b3, o3 + Width);
            }
        }

        if (TQueries.Value > 4)
        {
            TLanes.Store(a4, o4);
            if (TVectors.Value > 1)
            {
                TLanes.Store(b4, o4 + Width);
            }
        }

        if (TQueries.Value > 5)
        {
            TLanes.Store(a5, o5);
            if (TVectors.Value > 1)
            {
                TLanes.Store(b5, o5 + Width);
            }
        }

        if (TQueries.Value > 6)
        {
            TLanes.Store(a6, o6);
            if (TVectors.Value > 1)
            {
                TLanes.Store(b6, o6 + Width);
            }
        }

        if (TQueries.Value > 7)
        {
            TLanes.Store(a7, o7);
            if (TVectors.Value > 1)
            {
                TLanes.Store(b7, o7 + Width);
            }
        }
    }


    private readonly struct One : ICount
    {
        public static int Value => 1;
    }

    private readonly struct Two : ICount
    {
        public static int Value => 2;
    }

    private readonly struct Three : ICount
    {
        public static int Value => 3;
    }

    private readonly struct Four : ICount
    {
        public static int Value => 4;
    }

    private readonly struct Five : ICount
    {
        public static int Value => 5;
    }

    private readonly struct Six : ICount
    {
        public static int Value => 6;
    }

    private readonly struct Seven : ICount
    {
        public static int Value => 7;
    }

    private readonly struct Eight : ICount
    {
        public static int Value => 8;
    }
}
