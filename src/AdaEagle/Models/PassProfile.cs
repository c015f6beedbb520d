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
    private readonly long[] _waited = new long[workers * 16];

    /// <summary>Begins a pass on this worker.</summary>
    public void Begin(Worker worker)
    {
        _last[worker.Index * 16] = Stopwatch.GetTimestamp();
        _waited[worker.Index * 16] = worker.WaitTicks;
    }

    /// <summary>Everything since the last call was <paramref name="part"/>, but for waiting at the end of phases.</summary>
    public void Lap(Worker worker, PassPart part)
    {
        int at = worker.Index * 16;
        if (_last[at] == 0)
        {
            // It began this pass before anybody wanted to know.
            return;
        }

        long now = Stopwatch.GetTimestamp(), waited = worker.WaitTicks - _waited[at];
        _ticks[at + (int)part] += now - _last[at] - waited;
        _ticks[at + (int)PassPart.Synchronisation] += waited;
        _last[at] = now;
        _waited[at] = worker.WaitTicks;
    }

    /// <summary>Seconds of a part so far, the mean of the workers.</summary>
    public double Seconds(PassPart part) => Enumerable.Range(0, workers).Sum(worker => _ticks[(worker * 16) + (int)part]) / (double)Stopwatch.Frequency / workers;

    /// <summary>Seconds of all parts so far, the mean of the workers.</summary>
    public double TotalSeconds => Enumerable.Range(0, s_parts).Sum(part => Seconds((PassPart)part));
}
