using System.Runtime.ExceptionServices;
using AdaEagle.Kernels;

namespace AdaEagle.Training.Answers;

/// <summary>
/// Runs engine work that is many independent sequences: a thread each with a worker pool of its own, so that no thread waits for another inside a
/// pass (on a shared machine the slowest would set the pace).
/// </summary>
internal static class EngineWork
{
    /// <summary>Runs <paramref name="work"/> once a thread and waits for all; the first exception is thrown.</summary>
    public static void OnThreads(int threads, Action<WorkerPool> work)
    {
        Exception? failure = null;
        Thread[] started = [.. Enumerable.Range(0, threads).Select(_ => new Thread(() =>
        {
            try
            {
                using var pool = new WorkerPool(1);
                work(pool);
            }
            catch (Exception exception)
            {
                Interlocked.CompareExchange(ref failure, exception, null);
            }
        }) { IsBackground = true })];
        foreach (Thread thread in started)
        {
            thread.Start();
        }

        foreach (Thread thread in started)
        {
            thread.Join();
        }

        if (failure is not null)
        {
            ExceptionDispatchInfo.Throw(failure);
        }
    }
}
