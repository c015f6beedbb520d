using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics.Arm;
using System.Runtime.Intrinsics.X86;

namespace AdaEagle.Kernels;

/// <summary>
/// Work that all workers run together: every worker calls <see cref="Execute"/> once, and inside they meet at
/// <see cref="Worker.Barrier"/> as often as each other.
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

    /// <summary>Waits until all workers of the running job are here.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public void Barrier()
    {
        if (_pool.WorkerCount > 1)
        {
            _pool.WaitForAll();
        }
    }
}

/// <summary>
/// The process' threads for passes. Waiting threads spin for some microseconds, then give their core away:
/// spinning alone collapses when other programs want the cores. One job at a time; callers queue on a lock.
/// </summary>
public sealed class WorkerPool : IDisposable
{
    // About 40 and 400 microseconds of PAUSE on the processors met so far.
    private const int BarrierSpins = 2000;
    private const int IdleSpins = 20000;

    private readonly Lock _oneJob = new();
    private readonly Worker[] _workers;
    private readonly Thread[] _threads;
    private readonly SemaphoreSlim[] _wake;
    private readonly PaddedCounter[] _parked;
    private PaddedCounter _arrived;
    private PaddedCounter _generation;
    private PaddedCounter _jobNumber;
    private ParallelJob? _job;
    private volatile bool _disposed;

    /// <summary>Starts a pool of <paramref name="workerCount"/> workers, the calling thread counted.</summary>
    public WorkerPool(int workerCount)
    {
        ArgumentOutOfRangeException.ThrowIfNegativeOrZero(workerCount);
        WorkerCount = workerCount;
        _workers = [.. Enumerable.Range(0, workerCount).Select(index => new Worker(this, index))];
        _wake = [.. _workers.Select(_ => new SemaphoreSlim(0))];
        _parked = new PaddedCounter[workerCount];
        _threads = [.. _workers.Skip(1).Select(StartThread)];
    }

    /// <summary>A pool as wide as the process may use processors; started at first use, never disposed.</summary>
    public static WorkerPool Shared => SharedPool.Instance;

    /// <summary>Threads that run a job, the caller's among them.</summary>
    public int WorkerCount { get; }

    /// <summary>Runs <paramref name="job"/> on all workers and waits for them.</summary>
    internal void Run(ParallelJob job)
    {
        lock (_oneJob)
        {
            ObjectDisposedException.ThrowIf(_disposed, this);
            if (WorkerCount == 1)
            {
                job.Execute(_workers[0]);
                return;
            }

            Volatile.Write(ref _job, job);
            Interlocked.Increment(ref _jobNumber.Value);
            for (int i = 1; i < WorkerCount; i++)
            {
                if (Volatile.Read(ref _parked[i].Value) != 0 && Interlocked.Exchange(ref _parked[i].Value, 0) != 0)
                {
                    _wake[i].Release();
                }
            }

            Execute(_workers[0], job);
            WaitForAll();
            _job = null;
        }
    }

    internal void WaitForAll()
    {
        int generation = Volatile.Read(ref _generation.Value);
        if (Interlocked.Increment(ref _arrived.Value) == WorkerCount)
        {
            Volatile.Write(ref _arrived.Value, 0);
            Volatile.Write(ref _generation.Value, generation + 1);
            return;
        }

        int spins = 0;
        while (Volatile.Read(ref _generation.Value) == generation)
        {
            if (++spins < BarrierSpins)
            {
                Pause();
            }
            else
            {
                Thread.Yield();
            }
        }
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
            foreach (SemaphoreSlim wake in _wake)
            {
                wake.Release();
            }
        }

        foreach (Thread thread in _threads)
        {
            thread.Join();
        }

        foreach (SemaphoreSlim wake in _wake)
        {
            wake.Dispose();
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
            WaitForJob(worker.Index, done);
            if (_disposed)
            {
                return;
            }

            done++;
            Execute(worker, Volatile.Read(ref _job)!);
            WaitForAll();
        }
    }

    private void WaitForJob(int index, int done)
    {
        for (int spins = 0; spins < IdleSpins; spins++)
        {
            if (Volatile.Read(ref _jobNumber.Value) != done)
            {
                return;
            }

            Pause();
        }

        while (Volatile.Read(ref _jobNumber.Value) == done)
        {
            Interlocked.Exchange(ref _parked[index].Value, 1);
            if (Volatile.Read(ref _jobNumber.Value) != done)
            {
                // The job came meanwhile: whoever clears the flag decides whether a release is on its way.
                if (Interlocked.Exchange(ref _parked[index].Value, 0) == 0)
                {
                    _wake[index].Wait();
                }

                return;
            }

            _wake[index].Wait();
        }
    }

    // Thread.SpinWait is calibrated in steps of 37 ns and more; a barrier is over in 150.
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

    // A failure inside a job would leave the others waiting at a barrier for ever, so it ends the process with its message;
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
