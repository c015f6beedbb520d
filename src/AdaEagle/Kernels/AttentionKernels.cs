using System.Runtime.Intrinsics.X86;

namespace AdaEagle.Kernels;

/// <summary>How keys and values are kept in a cache.</summary>
public enum CacheFormat
{
    /// <summary>32-bit floats.</summary>
    F32,

    /// <summary>IEEE half precision: half the memory to read; numbers beyond its range are held at its ends.</summary>
    F16,
}

/// <summary>
/// Attention over cache blocks of 64 positions, on one instruction set and cache format. Keys lie as [pairs of dimensions][64 positions], values as
/// [pairs of positions][stride], each pair of sixteen lanes as in a weight's <see cref="IWeightCodec"/>.
/// </summary>
/// <remarks>
/// Law 1: a score is one chain of fused multiply-adds in ascending dimension, a weighted value one in ascending position, a sum of weights keeps position i
/// in lane i mod 16. So a query's bits depend on its positions alone; how many queries share a read never shows.
/// A query's state is [largest score, 15 unused, sixteen sums of weights, weighted values (stride)].
/// </remarks>
internal abstract unsafe class AttentionKernels
{
    /// <summary>Positions of a block.</summary>
    public const int BlockPositions = 64;

    /// <summary>Floats of a query's state before the weighted values.</summary>
    public const int StateHead = 32;

    /// <summary>scores[q, i] = queries[q] · key i, for <paramref name="count"/> queries and at least the first <paramref name="end"/> positions of a block; scores are 64 apart.</summary>
    public abstract void Scores(float* queries, int count, nint queryStride, byte* keys, int headDimension, float* scores, int end = BlockPositions);

    /// <summary>Fetches <paramref name="bytes"/> that will be read soon into the second-level cache.</summary>
    public static void Fetch(byte* address, long bytes)
    {
        for (long at = 0; at < bytes && Sse.IsSupported; at += 64)
        {
            Sse.Prefetch1(address + at);
        }
    }

    /// <summary>
    /// Turns the scores of the positions <paramref name="first"/> … <paramref name="end"/> - 1 of a block into weights e^(score - largest so far), and
    /// scales the state where the largest has grown. Weights of other positions are not to be used.
    /// </summary>
    public abstract void Weigh(float* scores, int first, int end, float* state, int stride);

    /// <summary>
    /// state[q].values += weights[q, i] * values[i] for the positions i = <paramref name="first"/> … <paramref name="end"/> - 1 of a block, in order;
    /// weights are 64 apart. <paramref name="next"/> is what will be read after these values: the next block's keys; null if unknown.
    /// </summary>
    public abstract void Accumulate(
        float* weights, int count, byte* values, int first, int end, int stride, float* states, nint stateStride, byte* next = null);

    /// <summary>An empty state.</summary>
    public abstract void Clear(float* state, int stride);

    /// <summary>total = total and part together; the part's positions follow the total's.</summary>
    public abstract void Merge(float* total, float* part, int stride);

    /// <summary>output = weighted values / sum of weights, over whole vectors.</summary>
    public abstract void Finish(float* state, int stride, float* output);

    /// <summary>
    /// RoPE in the "rotate half" layout: turns (vector[i], vector[half + i]) by the angle whose cosine and sine the tables hold, times <paramref name="scale"/>.
    /// </summary>
    public abstract void Rotate(float* vector, float* cosines, float* sines, int half, float scale, float* output);

    /// <summary>The kernels of a path and a cache format.</summary>
    public static AttentionKernels For(KernelPath path, CacheFormat format) => (path, format) switch
    {
        (KernelPath.Avx512, CacheFormat.F32) => new AttentionKernels<Lanes512, F32Codec>(),
        (KernelPath.Avx512, CacheFormat.F16) => new AttentionKernels<Lanes512, F16Codec>(),
        (KernelPath.Avx2, CacheFormat.F32) => new AttentionKernels<Lanes256, F32Codec>(),
        (KernelPath.Avx2, CacheFormat.F16) => new AttentionKernels<Lanes256, F16Codec>(),
        (KernelPath.Vector128, CacheFormat.F32) => new AttentionKernels<Lanes128, F32Codec>(),
        (KernelPath.Vector128, CacheFormat.F16) => new AttentionKernels<Lanes128, F16Codec>(),
        (KernelPath.Scalar or KernelPath.Reference, CacheFormat.F32) => new AttentionKernels<LanesScalar, F32Codec>(),
        (KernelPath.Scalar or KernelPath.Reference, CacheFormat.F16) => new AttentionKernels<LanesScalar, F16Codec>(),
        _ => throw new ArgumentOutOfRangeException(nameof(path)),
    };
}
