using AdaEagle.Kernels;

namespace AdaEagle.Tests.Kernels;

/// <summary>The pool: every item of a phase once, no phase before the last is done, late workers, many callers, an end.</summary>
public class WorkerPoolTests
{
    public static TheoryData<int> Sizes => [1, 2, 3, 5];

    [Theory]
    [MemberData(nameof(Sizes))]
    public void Every_item_is_done_once_and_no_phase_begins_before_the_last_is_done(int workers)
    {
        using var pool = new WorkerPool(workers);
        Assert.Equal(workers, pool.WorkerCount);
        var job = new PhaseJob(phases: 4);
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
        var job = new PhaseJob(phases: 2);
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
        PhaseJob[] jobs = [.. Enumerable.Range(0, 4).Select(_ => new PhaseJob(phases: 2))];
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
        pool.Run(new PhaseJob(1));
        pool.Dispose();
        pool.Dispose();
        Assert.Throws<ObjectDisposedException>(() => pool.Run(new PhaseJob(1)));
    }

    [Fact]
    public void A_pool_can_end_before_its_first_job_and_while_its_workers_sleep()
    {
        new WorkerPool(4).Dispose();
        var pool = new WorkerPool(4);
        Thread.Sleep(30);
        pool.Dispose();
        Assert.Throws<ObjectDisposedException>(() => pool.Run(new PhaseJob(1)));
    }

    [Fact]
    public void The_shared_pool_is_as_wide_as_the_processors_that_the_process_may_use()
    {
        Assert.Same(WorkerPool.Shared, WorkerPool.Shared);
        Assert.Equal(Environment.ProcessorCount, WorkerPool.Shared.WorkerCount);
        Assert.Throws<ArgumentOutOfRangeException>(() => new WorkerPool(0));
    }

    [Fact]
    public void A_worker_that_is_held_back_is_not_waited_for_and_does_no_harm()
    {
        using var pool = new WorkerPool(3);
        var job = new PhaseJob(phases: 3) { Slow = worker => worker.Index == 2 };
        for (int i = 0; i < 60; i++)
        {
            pool.Run(job);
            job.Check(i + 1);
        }

        Assert.True(job.SlowRuns < 60, "the slow worker ran every job");
    }

    [Theory]
    [MemberData(nameof(Sizes))]
    public void Chunks_are_whole_grains_within_their_bounds(int workers)
    {
        using var pool = new WorkerPool(workers);
        foreach ((int items, int grain, int most) in ((int, int, int)[])[(1, 4, 64), (4, 4, 4), (7, 4, 8), (100, 1, 1), (1000, 4, 64), (130, 2, 16)])
        {
            var chunks = new System.Collections.Concurrent.ConcurrentBag<(int First, int Count)>();
            pool.Run(new ChunkJob(items, grain, most, chunks));
            (int First, int Count)[] sorted = [.. chunks.OrderBy(chunk => chunk.First)];
            int next = 0;
            foreach ((int first, int count) in sorted)
            {
                Assert.Equal(next, first);
                Assert.InRange(count, 1, most);
                Assert.True(count % grain == 0 || first + count == items);
                next += count;
            }

            Assert.Equal(items, next);
        }
    }

    private sealed class ChunkJob(int items, int grain, int most, System.Collections.Concurrent.ConcurrentBag<(int First, int Count)> chunks) : ParallelJob
    {
        public override void Execute(Worker worker)
        {
            while (worker.Take(items, grain, most, out int first, out int count))
            {
                chunks.Add((first, count));
            }
        }
    }

    /// <summary>Counts every item of every phase; an item of a phase looks whether all of the phase before are done.</summary>
    private sealed class PhaseJob(int phases) : ParallelJob
    {
        private const int Items = 37;
        private readonly int[] _done = new int[phases];
        private int _early;
        private int _runs;

        public Func<Worker, bool> Slow { get; init; } = _ => false;

        public int SlowRuns { get; private set; }

        public override void Execute(Worker worker)
        {
            if (Slow(worker))
            {
                SlowRuns++;
                Thread.Sleep(20);
            }

            for (int phase = 0; phase < phases; phase++)
            {
                while (worker.Take(Items, 1, 4, out _, out int count))
                {
                    if (phase > 0 && Volatile.Read(ref _done[phase - 1]) != Items * (_runs + 1))
                    {
                        Interlocked.Increment(ref _early);
                    }

                    Interlocked.Add(ref _done[phase], count);
                }

                if (phase == phases - 1 && worker.Index == 0)
                {
                    _runs++;
                }
            }
        }

        public void Check(int runs)
        {
            Assert.Equal(0, _early);
            Assert.Equal(runs, _runs);
            Assert.All(_done, count => Assert.Equal(runs * Items, count));
        }
    }
}
