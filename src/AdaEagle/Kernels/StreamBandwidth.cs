using System.Diagnostics;
using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;

namespace AdaEagle.Kernels;

/// <summary>
/// How fast this machine reads memory with all workers, for a working set of a given size: the ceiling that a pass over weights of that size is
/// compared with. Nothing but vector loads and additions in four chains.
/// </summary>
internal sealed unsafe class StreamBandwidth : ParallelJob, IDisposable
{
    // Bytes that are taken as one: a multiple of what a loop's turn reads.
    private const int Chunk = 64 << 10;
    private const double MinimumSeconds = 0.25;
    private readonly NativeBuffer _buffer;
    private readonly int _chunks;
    private float _sink;

    private StreamBandwidth(long byteLength)
    {
        _chunks = checked((int)Math.Max(byteLength / Chunk, 1));
        _buffer = new NativeBuffer((long)_chunks * Chunk);
    }

    /// <summary>Bytes per second, the median of many runs over <paramref name="byteLength"/> bytes: what passes, whose medians are taken too, are to be compared with.</summary>
    public static double Measure(WorkerPool pool, long byteLength)
    {
        using var stream = new StreamBandwidth(byteLength);
        var seconds = new List<double>();
        var total = Stopwatch.StartNew();
        while (seconds.Count < 5 || total.Elapsed.TotalSeconds < MinimumSeconds)
        {
            long start = Stopwatch.GetTimestamp();
            pool.Run(stream);
            seconds.Add(Stopwatch.GetElapsedTime(start).TotalSeconds);
        }

        seconds.Sort();
        return stream._buffer.ByteLength / seconds[seconds.Count / 2];
    }

    public override void Execute(Worker worker)
    {
        while (worker.Take(_chunks, 1, _chunks, out int first, out int count))
        {
            float* from = (float*)(_buffer.Bytes + ((long)first * Chunk));
            long floats = (long)count * (Chunk / sizeof(float));
            _sink += Vector512.IsHardwareAccelerated ? Read512(from, floats) : Read256(from, floats);
        }
    }

    public void Dispose() => _buffer.Dispose();

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static float Read512(float* from, long count)
    {
        Vector512<float> a = default, b = default, c = default, d = default;
        for (float* end = from + count; from < end; from += 64)
        {
            a += Vector512.Load(from);
            b += Vector512.Load(from + 16);
            c += Vector512.Load(from + 32);
            d += Vector512.Load(from + 48);
        }

        return Vector512.Sum(a + b + c + d);
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static float Read256(float* from, long count)
    {
        Vector256<float> a = default, b = default, c = default, d = default;
        for (float* end = from + count; from < end; from += 32)
        {
            a += Vector256.Load(from);
            b += Vector256.Load(from + 8);
            c += Vector256.Load(from + 16);
            d += Vector256.Load(from + 24);
        }

        return Vector256.Sum(a + b + c + d);
    }
}
