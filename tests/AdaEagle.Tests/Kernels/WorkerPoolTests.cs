using AdaEagle.Kernels;

namespace AdaEagle.Tests.Kernels;

/// <summary>The pool: every worker once per job, barriers that hold, many callers, an end.</summary>
public class WorkerPoolTests
{
    public static TheoryData<int> Sizes => [1, 2, 3, 5];

    [Theory]
    [MemberData(nameof(Sizes))]
    public void Every_worker_runs_every_job_once_and_none_passes_a_barrier_alone(int workers)
    {
        using var pool = new WorkerPool(workers);
        Assert.Equal(workers, pool.WorkerCount);
        var job = new PhaseJob(workers, phases: 4);
        for (int i = 0; i < 40; i++)
        {
            pool.Run(job);
            job.Check(runs: i + 1);
        }
    }

    [Fact]
    public void Workers_that_went_to_sleep_wake_for_the_next_job()
    {
        using var pool = new WorkerPool(3);
        var job = new PhaseJob(3, phases: 2);
        for (int i = 0; i < 5; i++)
        {
            pool.Run(job);
            job.Check(i + 1);
            Thread.Sleep(15); // longer than they spin
        }
    }

    [Fact]
    public async Task Several_callers_take_turns()
    {
        using var pool = new WorkerPool(3);
        PhaseJob[] jobs = [.. Enumerable.Range(0, 4).Select(_ => new PhaseJob(3, phases: 2))];
        await Task.WhenAll(jobs.Select(job => Task.Run(() =>
        {
            for (int i = 0; i < 25; i++)
            {
                pool.Run(job);
                job.Check(i + 1);
            }
        })));
    }

    [Theory]
    [MemberData(nameof(Sizes))]
    public void A_disposed_pool_refuses_jobs(int workers)
    {
        var pool = new WorkerPool(workers);
        pool.Run(new PhaseJob(workers, 1));
        pool.Dispose();
        pool.Dispose();
        Assert.Throws<ObjectDisposedException>(() => pool.Run(new PhaseJob(workers, 1)));
    }

    [Fact]
    public void A_pool_can_end_before_its_first_job_and_while_its_workers_sleep()
    {
        new WorkerPool(4).Dispose();
        var pool = new WorkerPool(4);
        Thread.Sleep(30);
        pool.Dispose();
        Assert.Throws<ObjectDisposedException>(() => pool.Run(new PhaseJob(4, 1)));
    }

    [Fact]
    public void The_shared_pool_is_as_wide_as_the_processors_that_the_process_may_use()
    {
        Assert.Same(WorkerPool.Shared, WorkerPool.Shared);
        Assert.Equal(Environment.ProcessorCount, WorkerPool.Shared.WorkerCount);
        Assert.Throws<ArgumentOutOfRangeException>(() => new WorkerPool(0));
    }

    /// <summary>In each phase every worker leaves a mark; behind the barrier all marks of the phase must be there.</summary>
    private sealed class PhaseJob(int workers, int phases) : ParallelJob
    {
        private readonly int[] _marks = new int[workers];
        private readonly int[] _runs = new int[workers];
        private int _early;

        public override void Execute(Worker worker)
        {
            _runs[worker.Index]++;
            for (int phase = 1; phase <= phases; phase++)
            {
                Volatile.Write(ref _marks[worker.Index], ((_runs[worker.Index] - 1) * phases) + phase);
                worker.Barrier();
                foreach (ref int mark in _marks.AsSpan())
                {
                    if (Volatile.Read(ref mark) < ((_runs[worker.Index] - 1) * phases) + phase)
                    {
                        Interlocked.Increment(ref _early);
                    }
                }
            }
        }

        public void Check(int runs)
        {
            Assert.Equal(0, _early);
            Assert.All(_runs, count => Assert.Equal(runs, count));
            Assert.All(_marks, mark => Assert.Equal(runs * phases, mark));
        }
    }
}
