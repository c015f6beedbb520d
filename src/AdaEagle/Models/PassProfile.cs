using System.Diagnostics;
using AdaEagle.Kernels;

namespace AdaEagle.Models;

/// <summary>What a pass spends time on.</summary>
internal enum PassPart
{
    /// <summary>Products with weights, and what is done to their outputs at once: biases, SwiGLU, the sum onto the residual stream.</summary>
    Products,

    /// <summary>Rotary positions, storing keys and values, scores, softmax, values.</summary>
    Attention,

    /// <summary>RMSNorms, embeddings, preparing (quantising) inputs.</summary>
    Norms,

    /// <summary>Waiting for the other workers.</summary>
    Synchronisation,
}

/// <summary>
/// The time of passes by part, worker by worker. Attached to a workspace where somebody wants to know; a pass without one pays a branch a part.
/// </summary>
internal sealed class PassProfile(int workers)
{
    private static readonly int s_parts = Enum.GetValues<PassPart>().Length;

    // A worker's figures lie a cache line or more from the next one's.
    private readonly long[] _ticks = new long[workers * 16];
    private readonly long[] _last = new long[workers * 16];

    /// <summary>Begins a pass on this worker.</summary>
    public void Begin(Worker worker) => _last[worker.Index * 16] = Stopwatch.GetTimestamp();

    /// <summary>Everything since the last call was <paramref name="part"/>.</summary>
    public void Lap(Worker worker, PassPart part)
    {
        long now = Stopwatch.GetTimestamp();
        _ticks[(worker.Index * 16) + (int)part] += now - _last[worker.Index * 16];
        _last[worker.Index * 16] = now;
    }

    /// <summary>Seconds of a part so far, the mean of the workers.</summary>
    public double Seconds(PassPart part) => Enumerable.Range(0, workers).Sum(worker => _ticks[(worker * 16) + (int)part]) / (double)Stopwatch.Frequency / workers;

    /// <summary>Seconds of all parts so far, the mean of the workers.</summary>
    public double TotalSeconds => Enumerable.Range(0, s_parts).Sum(part => Seconds((PassPart)part));
}
