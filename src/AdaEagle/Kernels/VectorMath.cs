using System.Runtime.CompilerServices;

namespace AdaEagle.Kernels;

/// <summary>
/// What a model does between its products, sixteen lanes at a time. Lengths are padded to sixteen with zeros by the caller.
/// Reductions keep element i in lane i mod 16 and end in <see cref="ILanes{TSelf}.Sum"/>: their order depends on the index alone.
/// </summary>
internal static unsafe class VectorMath<TLanes>
    where TLanes : struct, ILanes<TLanes>
{
    private const int Width = 16;

    /// <summary>
    /// e^x with a relative error of about 1e-7: x = n ln 2 + r, a polynomial for e^r (Taylor to the seventh degree), scaled by 2^n.
    /// Arguments below -87 give 1.6e-38 or less; above 88 the argument is held there.
    /// </summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static TLanes Exp(TLanes x)
    {
        x = TLanes.Min(TLanes.Max(x, TLanes.Broadcast(-87f)), TLanes.Broadcast(88f));
        TLanes n = TLanes.Round(TLanes.Multiply(x, TLanes.Broadcast(1.44269504f)));
        // ln 2 in two parts, the first short enough that n times it is exact.
        TLanes r = TLanes.FusedMultiplyAdd(n, TLanes.Broadcast(-0.693359375f), x);
        r = TLanes.FusedMultiplyAdd(n, TLanes.Broadcast(2.12194440e-4f), r);
        TLanes p = TLanes.Broadcast(1f / 5040);
        p = TLanes.FusedMultiplyAdd(p, r, TLanes.Broadcast(1f / 720));
        p = TLanes.FusedMultiplyAdd(p, r, TLanes.Broadcast(1f / 120));
        p = TLanes.FusedMultiplyAdd(p, r, TLanes.Broadcast(1f / 24));
        p = TLanes.FusedMultiplyAdd(p, r, TLanes.Broadcast(1f / 6));
        p = TLanes.FusedMultiplyAdd(p, r, TLanes.Broadcast(0.5f));
        p = TLanes.FusedMultiplyAdd(p, r, TLanes.Broadcast(1f));
        p = TLanes.FusedMultiplyAdd(p, r, TLanes.Broadcast(1f));
        return TLanes.ScaleByPowerOfTwo(p, n);
    }

    /// <summary>output = input / sqrt(mean(input²) + epsilon) * weight (RMSNorm; the mean is over <paramref name="length"/>).</summary>
    public static void RmsNorm(float* input, float* weight, float epsilon, int length, float* output)
    {
        int padded = Pad(length);
        TLanes sum = TLanes.Zero;
        for (int i = 0; i < padded; i += Width)
        {
            TLanes x = TLanes.Load(input + i);
            sum = TLanes.FusedMultiplyAdd(x, x, sum);
        }

        float scale = 1f / MathF.Sqrt((TLanes.Sum(sum) / length) + epsilon);
        TLanes scales = TLanes.Broadcast(scale);
        for (int i = 0; i < padded; i += Width)
        {
            TLanes.Store(TLanes.Multiply(TLanes.Multiply(TLanes.Load(input + i), scales), TLanes.Load(weight + i)), output + i);
        }
    }

    /// <summary>output = silu(gate) * up, with silu(x) = x / (1 + e^-x), for sixteen lanes (SwiGLU).</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static void SwiGlu(float* gate, float* up, float* output)
    {
        TLanes x = TLanes.Load(gate);
        TLanes one = TLanes.Broadcast(1f);
        TLanes silu = TLanes.Divide(x, TLanes.Add(one, Exp(TLanes.Subtract(TLanes.Zero, x))));
        TLanes.Store(TLanes.Multiply(silu, TLanes.Load(up)), output);
    }

    /// <summary>target += addend.</summary>
    public static void AddTo(float* target, float* addend, int length)
    {
        for (int i = 0; i < length; i += Width)
        {
            TLanes.Store(TLanes.Add(TLanes.Load(target + i), TLanes.Load(addend + i)), target + i);
        }
    }

    /// <summary>
    /// Turns scores[0 … length) into weights e^(score * scale - max) in place and returns their sum.
    /// <paramref name="scores"/> holds a multiple of sixteen; what lies behind <paramref name="length"/> is set to zero.
    /// </summary>
    public static float Exponentiate(float* scores, int length, float scale)
    {
        int padded = Pad(length);
        for (int i = length; i < padded; i++)
        {
            scores[i] = float.NegativeInfinity;
        }

        TLanes scales = TLanes.Broadcast(scale);
        TLanes most = TLanes.Broadcast(float.NegativeInfinity);
        for (int i = 0; i < padded; i += Width)
        {
            TLanes x = TLanes.Multiply(TLanes.Load(scores + i), scales);
            TLanes.Store(x, scores + i);
            most = TLanes.Max(most, x);
        }

        TLanes max = TLanes.Broadcast(TLanes.MaxOfLanes(most));
        TLanes sum = TLanes.Zero;
        for (int i = 0; i < padded; i += Width)
        {
            TLanes weight = Exp(TLanes.Subtract(TLanes.Load(scores + i), max));
            if (i + Width > length)
            {
                TLanes.Store(weight, scores + i);
                for (int j = length; j < i + Width; j++)
                {
                    scores[j] = 0;
                }

                weight = TLanes.Load(scores + i);
            }

            TLanes.Store(weight, scores + i);
            sum = TLanes.Add(sum, weight);
        }

        return TLanes.Sum(sum);
    }

    /// <summary>The length rounded up to whole vectors.</summary>
    public static int Pad(int length) => (length + Width - 1) & -Width;
}
