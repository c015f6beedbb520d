using System.Diagnostics;
using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics.Arm;
using System.Runtime.Intrinsics.X86;

namespace AdaEagle.Kernels;

/// <summary>
/// Work that the workers of a pool share: a sequence of phases, each a number of items that are taken chunk by chunk (<see cref="Worker.Take"/>).
/// Every worker that has time runs <see cref="Execute"/>; one that comes late finds phases done and passes through. So between the phases nothing may be
/// done but what concerns the worker alone: everything shared is an item of a phase.
/// </summary>
internal abstract class ParallelJob
{
    /// <summary>Runs this worker's share.</summary>
    public abstract void Execute(Worker worker);
}

/// <summary>One of the threads of a <see cref="WorkerPool"/>; worker 0 is the caller's own.</summary>
internal sealed class Worker
{
    private readonly WorkerPool _pool;

    internal Worker(WorkerPool pool, int index)
    {
        _pool = pool;
        Index = index;
    }

    public int Index { get; }

    public int Count => _pool.WorkerCount;

    /// <summary>Where this worker is: the job's number, and its phase.</summary>
    internal ulong Phase { get; set; }

    /// <summary>True if the time of waiting for others is to be taken.</summary>
    internal bool TimesWaits { get; set; }

    /// <summary>How long it waited for others, where <see cref="TimesWaits"/> asked for it, in ticks of <see cref="Stopwatch"/>.</summary>
    internal long WaitTicks { get; private set; }

    /// <summary>Items that it took and has not reported.</summary>
    internal int Held { get; set; }

    /// <summary>
    /// Takes a chunk of a phase's items, large ones first, small ones at the end. False ends the phase for this worker: then all items are done,
    /// by whomever. Every worker asks for the same phases, in the same order, with the same number of items.
    /// </summary>
    /// <param name="items">Items of the phase, at least one.</param>
    /// <param name="grain">Chunks are multiples of it, the last one apart.</param>
    /// <param name="most">The most items of a chunk.</param>
    /// <param name="first">The chunk's first item.</param>
    /// <param name="count">How many it has.</param>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public bool Take(int items, int grain, int most, out int first, out int count)
    {
        if (_pool.WorkerCount > 1)
        {
            return _pool.Take(this, items, grain, most, out first, out count);
        }

        first = Held;
        count = Math.Min(most, items - first);
        Held = count > 0 ? first + count : 0;
        return count > 0;
    }

    internal void Wait()
    {
        long start = TimesWaits ? Stopwatch.GetTimestamp() : 0;
        _pool.WaitForEnd(this);
        WaitTicks += TimesWaits ? Stopwatch.GetTimestamp() - start : 0;
    }
}

/// <summary>
/// The process' threads for passes. One job at a time; callers queue on a lock. A phase is over when its items are done, not when all workers are there:
/// a thread that the system holds back is waited for only while it has a chunk. Who waits spins for some microseconds, then yields, then sleeps, so that
/// a core comes free for the one that is waited for: spinning alone collapses when other programs want the cores.
/// </summary>
public sealed class WorkerPool : IDisposable
{
    // About 40 and 400 microseconds of PAUSE on the processors met so far; a yield costs about one.
    private const int PhaseSpins = 2000;
    private const int PhaseYields = 20;
    private const int IdleSpins = 20000;

    // Progress is the number of the job (20 bits), of its phase (20), and of its next item (24). A running job's number is odd: between jobs nothing can be taken.
    private const int ItemBits = 24;
    private const int PhaseBits = 20;
    private const ulong JobMask = (1UL << (64 - ItemBits - PhaseBits)) - 1;

    private readonly Lock _oneJob = new();
    private readonly Worker[] _workers;
    private readonly Thread[] _threads;
    private readonly AutoResetEvent[] _wake;
    private readonly PaddedCounter[] _parked;
    private PaddedProgress _progress;
    private PaddedCounter _done;
    private PaddedCounter _jobNumber;
    private ParallelJob? _job;
    private volatile bool _disposed;

    /// <summary>Starts a pool of <paramref name="workerCount"/> workers, the calling thread counted.</summary>
    public WorkerPool(int workerCount)
    {
        ArgumentOutOfRangeException.ThrowIfNegativeOrZero(workerCount);
        WorkerCount = workerCount;
        _workers = [.. Enumerable.Range(0, workerCount).Select(index => new Worker(this, index))];
        _wake = [.. _workers.Select(_ => new AutoResetEvent(false))];
        _parked = new PaddedCounter[workerCount];
        _threads = [.. _workers.Skip(1).Select(StartThread)];
    }

    /// <summary>A pool as wide as the process may use processors; started at first use, never disposed.</summary>
    public static WorkerPool Shared => SharedPool.Instance;

    /// <summary>Threads that run a job, the caller's among them.</summary>
    public int WorkerCount { get; }

    /// <summary>Runs <paramref name="job"/> on all workers that have time, until it is done.</summary>
    internal void Run(ParallelJob job)
    {
        lock (_oneJob)
        {
            ObjectDisposedException.ThrowIf(_disposed, this);
            if (WorkerCount == 1)
            {
                Execute(_workers[0], job);
                return;
            }

            int number = _jobNumber.Value + 1;
            Volatile.Write(ref _job, job);
            Open(FirstPhase((2 * number) - 1));
            Interlocked.Exchange(ref _jobNumber.Value, number);
            WakeParked(0);
            _workers[0].Phase = FirstPhase((2 * number) - 1);
            Execute(_workers[0], job);
            Open(FirstPhase(2 * number));
            Volatile.Write(ref _job, null);
        }
    }

    internal bool Take(Worker worker, int items, int grain, int most, out int first, out int count)
    {
        Report(worker, items);
        while (true)
        {
            ulong progress = Volatile.Read(ref _progress.Value);
            if (progress >> ItemBits != worker.Phase)
            {
                break;
            }

            first = (int)(progress & ((1UL << ItemBits) - 1));
            if (first >= items)
            {
                worker.Wait();
                break;
            }

            int left = items - first;
            int share = ((left / (2 * WorkerCount)) + grain - 1) / grain * grain;
            count = Math.Min(Math.Clamp(share, grain, most), left);
            if (Interlocked.CompareExchange(ref _progress.Value, progress + (uint)count, progress) == progress)
            {
                worker.Held = count;
                return true;
            }
        }

        worker.Phase++;
        first = count = 0;
        return false;
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        lock (_oneJob)
        {
            if (_disposed)
            {
                return;
            }

            _disposed = true;
            Interlocked.Increment(ref _jobNumber.Value);
            foreach (AutoResetEvent wake in _wake)
            {
                wake.Set();
            }
        }

        foreach (Thread thread in _threads)
        {
            thread.Join();
        }

        foreach (AutoResetEvent wake in _wake)
        {
            wake.Dispose();
        }
    }

    private static ulong FirstPhase(int job) => ((uint)job & JobMask) << PhaseBits;

    // Whoever does the last items of a phase opens the next.
    private void Report(Worker worker, int items)
    {
        int held = worker.Held;
        if (held == 0)
        {
            return;
        }

        worker.Held = 0;
        if (Interlocked.Add(ref _done.Value, held) == items)
        {
            Open(worker.Phase + 1);
            WakeParked(worker.Index);
        }
    }

    private void Open(ulong phase)
    {
        _done.Value = 0;
        // A full fence: the parked flags are read after it.
        Interlocked.Exchange(ref _progress.Value, phase << ItemBits);
    }

    private void WakeParked(int self)
    {
        for (int i = 0; i < WorkerCount; i++)
        {
            if (i != self && Volatile.Read(ref _parked[i].Value) != 0 && Interlocked.Exchange(ref _parked[i].Value, 0) != 0)
            {
                _wake[i].Set();
            }
        }
    }

    private bool IsIn(ulong phase) => Volatile.Read(ref _progress.Value) >> ItemBits == phase;

    internal void WaitForEnd(Worker worker)
    {
        for (int spins = 0; IsIn(worker.Phase); spins++)
        {
            if (spins < PhaseSpins)
            {
                Pause();
            }
            else if (spins < PhaseSpins + PhaseYields)
            {
                Thread.Yield();
            }
            else
            {
                Interlocked.Exchange(ref _parked[worker.Index].Value, 1);
                SleepUnless(worker.Index, !IsIn(worker.Phase));
            }
        }
    }

    // Sleeps until woken. If what was waited for came meanwhile, whoever clears the flag decides whether a wake-up is on its way.
    private void SleepUnless(int index, bool came)
    {
        if (!came || Interlocked.Exchange(ref _parked[index].Value, 0) == 0)
        {
            _wake[index].WaitOne();
        }
    }

    private Thread StartThread(Worker worker)
    {
        var thread = new Thread(() => Serve(worker)) { IsBackground = true, Name = $"AdaEagle worker {worker.Index}" };
        thread.Start();
        return thread;
    }

    private void Serve(Worker worker)
    {
        int done = 0;
        while (true)
        {
            done = WaitForJob(worker.Index, done);
            if (_disposed)
            {
                return;
            }

            // A job that is over already lets nothing be taken, whichever object is found here.
            if (Volatile.Read(ref _job) is { } job)
            {
                worker.Phase = FirstPhase((2 * done) - 1);
                Execute(worker, job);
            }
        }
    }

    private int WaitForJob(int index, int done)
    {
        for (int spins = 0; Volatile.Read(ref _jobNumber.Value) == done; spins++)
        {
            if (spins < IdleSpins)
            {
                Pause();
            }
            else
            {
                Interlocked.Exchange(ref _parked[index].Value, 1);
                SleepUnless(index, Volatile.Read(ref _jobNumber.Value) != done);
            }
        }

        return Volatile.Read(ref _jobNumber.Value);
    }

    // Thread.SpinWait is calibrated in steps of 37 ns and more; a phase may be over in 150.
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static void Pause()
    {
        if (X86Base.IsSupported)
        {
            X86Base.Pause();
        }
        else if (ArmBase.IsSupported)
        {
            ArmBase.Yield();
        }
        else
        {
            Thread.SpinWait(1);
        }
    }

    // A failure inside a job would leave the others waiting for its items for ever, so it ends the process with its message;
    // arguments are checked before a job starts, and what reaches here is a defect of ours.
    private static void Execute(Worker worker, ParallelJob job)
    {
        try
        {
            job.Execute(worker);
        }
        catch (Exception failure)
        {
            Environment.FailFast("AdaEagle: a pass failed inside a parallel region.", failure);
        }
    }

    private static class SharedPool
    {
        public static readonly WorkerPool Instance = new(Environment.ProcessorCount);
    }
}

/// <summary>A counter on a cache line of its own.</summary>
[System.Runtime.InteropServices.StructLayout(System.Runtime.InteropServices.LayoutKind.Explicit, Size = 128)]
internal struct PaddedCounter
{
    [System.Runtime.InteropServices.FieldOffset(64)]
    public int Value;
}

/// <summary>A job's progress, on a cache line of its own.</summary>
[System.Runtime.InteropServices.StructLayout(System.Runtime.InteropServices.LayoutKind.Explicit, Size = 128)]
internal struct PaddedProgress
{
    [System.Runtime.InteropServices.FieldOffset(64)]
    public ulong Value;
}
