namespace AdaEagle.Kernels;

/// <summary>What a layer does besides its products, on one instruction set. Pointers reach whole vectors of sixteen floats.</summary>
internal abstract unsafe class VectorKernels
{
    /// <summary>RMSNorm of one row of <paramref name="length"/> values; the padding of input and weight is zero.</summary>
    public abstract void RmsNorm(float* input, float* weight, float epsilon, int length, float* output);

    /// <summary>output[i] = silu(gate[i]) * up[i] over <paramref name="blocks"/> blocks of [16 gates, 16 ups].</summary>
    public abstract void SwiGlu(float* gateUp, int blocks, float* output);

    /// <summary>target += addend over whole vectors.</summary>
    public abstract void AddTo(float* target, float* addend, int length);

    /// <summary>
    /// Scores of a query with <paramref name="count"/> keys of one cache block, which is [dimension, 64 positions]:
    /// scores[i] = sum over d of query[d] * keys[d, i], one chain of fused multiply-adds in ascending d.
    /// Whole vectors are written.
    /// </summary>
    public abstract void Scores(float* query, float* keys, int headDimension, int count, float* scores);

    /// <summary>Softmax weights in place, not yet divided by the sum, which is returned; see <see cref="VectorMath{TLanes}.Exponentiate"/>.</summary>
    public abstract float Exponentiate(float* scores, int length, float scale);

    /// <summary>output[d] += weights[i] * values[i, d] for <paramref name="count"/> rows of <paramref name="stride"/> floats, in order.</summary>
    public abstract void AccumulateValues(float* weights, float* values, int count, int stride, float* output);

    /// <summary>output /= divisor over whole vectors.</summary>
    public abstract void DivideBy(float* output, float divisor, int length);

    /// <summary>Index of the largest of <paramref name="length"/> values, the first of equals.</summary>
    public abstract int ArgMax(float* values, int length);

    /// <summary>ln of the sum of e^values: what turns a logit into a log-probability.</summary>
    public abstract float LogSumExp(float* values, int length, float max);

    /// <summary>output[i] = silu(input[i]) + residual[i] over whole vectors: the predictor's residual block.</summary>
    public abstract void SiluAdd(float* input, float* residual, float* output, int length);

    /// <summary>The kernels of a path.</summary>
    public static VectorKernels For(KernelPath path) => path switch
    {
        KernelPath.Avx512 => new VectorKernels<Lanes512>(),
        KernelPath.Avx2 => new VectorKernels<Lanes256>(),
        KernelPath.Vector128 => new VectorKernels<Lanes128>(),
        KernelPath.Scalar => new VectorKernels<LanesScalar>(),
        _ => throw new ArgumentOutOfRangeException(nameof(path)),
    };
}

/// <summary><see cref="VectorKernels"/> over sixteen lanes of <typeparamref name="TLanes"/>.</summary>
internal sealed unsafe class VectorKernels<TLanes> : VectorKernels
    where TLanes : struct, ILanes<TLanes>
{
    private const int Width = 16;
    private const int BlockPositions = 64;

    public override void RmsNorm(float* input, float* weight, float epsilon, int length, float* output) =>
        VectorMath<TLanes>.RmsNorm(input, weight, epsilon, length, output);

    public override void SwiGlu(float* gateUp, int blocks, float* output)
    {
        for (int i = 0; i < blocks; i++)
        {
            VectorMath<TLanes>.SwiGlu(gateUp + (i * 2 * Width), gateUp + (((i * 2) + 1) * Width), output + (i * Width));
        }
    }

    public override void AddTo(float* target, float* addend, int length) => VectorMath<TLanes>.AddTo(target, addend, length);

    public override void Scores(float* query, float* keys, int headDimension, int count, float* scores)
    {
        if (count > 3 * Width)
        {
            TLanes a = TLanes.Zero, b = TLanes.Zero, c = TLanes.Zero, d = TLanes.Zero;
            for (int i = 0; i < headDimension; i++)
            {
                float* row = keys + (i * BlockPositions);
                TLanes q = TLanes.Broadcast(query[i]);
                a = TLanes.FusedMultiplyAdd(q, TLanes.Load(row), a);
                b = TLanes.FusedMultiplyAdd(q, TLanes.Load(row + Width), b);
                c = TLanes.FusedMultiplyAdd(q, TLanes.Load(row + (2 * Width)), c);
                d = TLanes.FusedMultiplyAdd(q, TLanes.Load(row + (3 * Width)), d);
            }

            TLanes.Store(a, scores);
            TLanes.Store(b, scores + Width);
            TLanes.Store(c, scores + (2 * Width));
            TLanes.Store(d, scores + (3 * Width));
            return;
        }

        for (int first = 0; first < count; first += Width)
        {
            TLanes sum = TLanes.Zero;
            for (int i = 0; i < headDimension; i++)
            {
                sum = TLanes.FusedMultiplyAdd(TLanes.Broadcast(query[i]), TLanes.Load(keys + (i * BlockPositions) + first), sum);
            }

            TLanes.Store(sum, scores + first);
        }
    }

    public override float Exponentiate(float* scores, int length, float scale) => VectorMath<TLanes>.Exponentiate(scores, length, scale);

    public override void AccumulateValues(float* weights, float* values, int count, int stride, float* output)
    {
        int column = 0;
        for (; column + (4 * Width) <= stride; column += 4 * Width)
        {
            float* o = output + column;
            TLanes a = TLanes.Load(o), b = TLanes.Load(o + Width), c = TLanes.Load(o + (2 * Width)), d = TLanes.Load(o + (3 * Width));
            float* row = values + column;
            for (int i = 0; i < count; i++, row += stride)
            {
                TLanes w = TLanes.Broadcast(weights[i]);
                a = TLanes.FusedMultiplyAdd(w, TLanes.Load(row), a);
                b = TLanes.FusedMultiplyAdd(w, TLanes.Load(row + Width), b);
                c = TLanes.FusedMultiplyAdd(w, TLanes.Load(row + (2 * Width)), c);
                d = TLanes.FusedMultiplyAdd(w, TLanes.Load(row + (3 * Width)), d);
            }

            TLanes.Store(a, o);
            TLanes.Store(b, o + Width);
            TLanes.Store(c, o + (2 * Width));
            TLanes.Store(d, o + (3 * Width));
        }

        for (; column < stride; column += Width)
        {
            TLanes sum = TLanes.Load(output + column);
            float* row = values + column;
            for (int i = 0; i < count; i++, row += stride)
            {
                sum = TLanes.FusedMultiplyAdd(TLanes.Broadcast(weights[i]), TLanes.Load(row), sum);
            }

            TLanes.Store(sum, output + column);
        }
    }

    public override void DivideBy(float* output, float divisor, int length)
    {
        TLanes by = TLanes.Broadcast(divisor);
        for (int i = 0; i < length; i += Width)
        {
            TLanes.Store(TLanes.Divide(TLanes.Load(output + i), by), output + i);
        }
    }

    public override int ArgMax(float* values, int length)
    {
        float best = float.NegativeInfinity;
        int whole = length & -Width;
        TLanes most = TLanes.Broadcast(float.NegativeInfinity);
        for (int i = 0; i < whole; i += Width)
        {
            most = TLanes.Max(most, TLanes.Load(values + i));
        }

        best = TLanes.MaxOfLanes(most);
        for (int i = whole; i < length; i++)
        {
            best = MathF.Max(best, values[i]);
        }

        // Floats are searched for one by one, their bits with vectors; only zeros are equal with other bits.
        int index = best == 0
            ? new ReadOnlySpan<float>(values, length).IndexOf(best)
            : new ReadOnlySpan<uint>(values, length).IndexOf(BitConverter.SingleToUInt32Bits(best));
        return Math.Max(index, 0);
    }

    public override float LogSumExp(float* values, int length, float max)
    {
        TLanes sum = TLanes.Zero;
        TLanes shift = TLanes.Broadcast(max);
        int whole = length & -Width;
        for (int i = 0; i < whole; i += Width)
        {
            sum = TLanes.Add(sum, VectorMath<TLanes>.Exp(TLanes.Subtract(TLanes.Load(values + i), shift)));
        }

        float total = TLanes.Sum(sum);
        for (int i = whole; i < length; i++)
        {
            total += MathF.Exp(values[i] - max);
        }

        return max + MathF.Log(total);
    }

    public override void SiluAdd(float* input, float* residual, float* output, int length)
    {
        TLanes one = TLanes.Broadcast(1f);
        for (int i = 0; i < length; i += Width)
        {
            TLanes x = TLanes.Load(input + i);
            TLanes silu = TLanes.Divide(x, TLanes.Add(one, VectorMath<TLanes>.Exp(TLanes.Subtract(TLanes.Zero, x))));
            TLanes.Store(TLanes.Add(silu, TLanes.Load(residual + i)), output + i);
        }
    }
}
