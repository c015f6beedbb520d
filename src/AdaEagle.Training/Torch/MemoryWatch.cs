namespace AdaEagle.Training.Torch;

/// <summary>
/// Ends a run whose memory grows without end, before the machine swaps: tensors are native memory, and what no scope disposes stays.
/// </summary>
internal sealed class MemoryWatch
{
    private const long Allowance = 3L << 30;
    private long _first;

    /// <summary>Called now and then after a checkpoint; the first call says what is normal.</summary>
    /// <exception cref="InvalidOperationException">The process has grown by gigabytes since.</exception>
    public void Check(long step)
    {
        long now = Environment.WorkingSet;
        _first = _first == 0 ? now : _first;
        if (now > _first + Allowance)
        {
            throw new InvalidDataException($"The trainer's memory has grown from {_first >> 20} to {now >> 20} MiB by step {step}: a defect. The checkpoint is written; go on with --resume.");
        }
    }
}
