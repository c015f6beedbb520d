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

    /// <summary>Softmax weights in place, not yet divided by the sum, which is returned; see <see cref="VectorMath{TLanes}.Exponentiate"/>.</summary>
    public abstract float Exponentiate(float* scores, int length, float scale);

    /// <summary>Index of the largest of <paramref name="length"/> values, the first of equals.</summary>
    public abstract int ArgMax(float* values, int length);

    /// <summary>ln of the sum of e^values: what turns a logit into a log-probability.</summary>
    public abstract float LogSumExp(float* values, int length, float max);

    /// <summary>The largest of <paramref name="length"/> values and the largest of the others, -infinity where there is none.</summary>
    public abstract void LargestTwo(float* values, int length, out float first, out float second);

    /// <summary>Sums of e^(x - max) and of e^(x - max) (x - max), the difference held at -100.</summary>
    public abstract void ExponentialSums(float* values, int length, float max, out float sum, out float weighted);

    /// <summary>output[i] = silu(input[i]) + residual[i] over whole vectors: the predictor's residual block.</summary>
    public abstract void SiluAdd(float* input, float* residual, float* output, int length);

    /// <summary>The kernels of a path.</summary>
    public static VectorKernels For(KernelPath path) => path switch
    {
        KernelPath.Avx512 => new VectorKernels<Lanes512>(),
        KernelPath.Avx2 => new VectorKernels<Lanes256>(),
        KernelPath.Vector128 => new VectorKernels<Lanes128>(),
        KernelPath.Scalar or KernelPath.Reference => new VectorKernels<LanesScalar>(),
        _ => throw new ArgumentOutOfRangeException(nameof(path)),
    };
}

/// <summary><see cref="VectorKernels"/> over sixteen lanes of <typeparamref name="TLanes"/>.</summary>
internal sealed unsafe class VectorKernels<TLanes> : VectorKernels
    where TLanes : struct, ILanes<TLanes>
{
    private const int Width = 16;

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

    public override float Exponentiate(float* scores, int length, float scale) => VectorMath<TLanes>.Exponentiate(scores, length, scale);

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

    public override void LargestTwo(float* values, int length, out float first, out float second)
    {
        int whole = length & -Width;
        TLanes firsts = TLanes.Broadcast(float.NegativeInfinity), seconds = firsts;
        for (int i = 0; i < whole; i += Width)
        {
            TLanes x = TLanes.Load(values + i);
            seconds = TLanes.Max(seconds, TLanes.Min(firsts, x));
            firsts = TLanes.Max(firsts, x);
        }

        float* lanes = stackalloc float[2 * Width];
        TLanes.Store(firsts, lanes);
        TLanes.Store(seconds, lanes + Width);
        first = second = float.NegativeInfinity;
        Take(lanes, 2 * Width, ref first, ref second);
        Take(values + whole, length - whole, ref first, ref second);

        static void Take(float* values, int count, ref float first, ref float second)
        {
            for (int i = 0; i < count; i++)
            {
                second = MathF.Max(second, MathF.Min(first, values[i]));
                first = MathF.Max(first, values[i]);
            }
        }
    }

    public override void ExponentialSums(float* values, int length, float max, out float sum, out float weighted)
    {
        const float Least = -100; // of -infinity, what it is multiplied with would be no number
        int whole = length & -Width;
        TLanes shift = TLanes.Broadcast(max), least = TLanes.Broadcast(Least), sums = TLanes.Zero, products = TLanes.Zero;
        for (int i = 0; i < whole; i += Width)
        {
            TLanes x = TLanes.Max(TLanes.Subtract(TLanes.Load(values + i), shift), least), e = VectorMath<TLanes>.Exp(x);
            sums = TLanes.Add(sums, e);
            products = TLanes.FusedMultiplyAdd(e, x, products);
        }

        (sum, weighted) = (TLanes.Sum(sums), TLanes.Sum(products));
        for (int i = whole; i < length; i++)
        {
            float x = MathF.Max(values[i] - max, Least), e = MathF.Exp(x);
            sum += e;
            weighted += e * x;
        }
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
