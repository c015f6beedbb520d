using AdaEagle.Formats;
using AdaEagle.Kernels;
using AdaEagle.Models;

namespace AdaEagle.Tests.Models;

/// <summary>Stage, then commit: kept paths, dropped rows, blocks that come and go, and what is refused.</summary>
public class KvCacheTests
{
    private const int Block = KvLayout.BlockPositions;

    [Theory]
    [InlineData(1)]
    [InlineData(2)]
    [InlineData(3)]
    public void Random_commits_keep_what_was_kept_in_order(int seed)
    {
        var random = new Random(seed);
        var layout = new KvLayout(random.Next(1, 4), random.Next(1, 4), 2 * random.Next(1, 12), seed % 2 == 0 ? CacheFormat.F16 : CacheFormat.F32);
        using var pool = new KvBlockPool(layout);
        using var cache = new KvCache(pool, 5 * Block);
        var expected = new List<float>();
        int mark = 0;
        for (int round = 0; round < 400; round++)
        {
            int staged = random.Next(0, Math.Min(90, cache.Capacity - cache.Length) + 1);
            float[] marks = [.. Enumerable.Range(0, staged).Select(_ => (float)((mark++ % 2000) + 1))];
            foreach (float value in marks)
            {
                Fill(cache, layout, cache.Stage(), value);
            }

            switch (random.Next(6))
            {
                case 0:
                    cache.Discard();
                    break;
                case 1:
                    int first = random.Next(staged + 1);
                    cache.CommitFirst(first);
                    expected.AddRange(marks[..first]);
                    break;
                case 2:
                    int length = random.Next(cache.Length + 1);
                    cache.Truncate(length);
                    expected.RemoveRange(length, expected.Count - length);
                    break;
                default:
                    int[] kept = [.. Enumerable.Range(0, staged).Where(_ => random.Next(3) == 0)];
                    cache.Commit(kept);
                    expected.AddRange(kept.Select(row => marks[row]));
                    break;
            }

            cache.CheckIntegrity();
            Assert.Equal((expected.Count, 0), (cache.Length, cache.Staged));
            Assert.Equal((cache.Length / Block) + 1, Math.Max(pool.Rented, (cache.Length / Block) + 1));
        }

        for (int position = 0; position < expected.Count; position++)
        {
            Assert.All(cache.Snapshot(position), value => Assert.Equal(expected[position], value));
        }
    }

    [Fact]
    public void Commit_refuses_rows_that_are_not_staged_or_not_in_order()
    {
        using var pool = new KvBlockPool(new KvLayout(1, 1, 2));
        using var cache = new KvCache(pool, Block);
        for (int i = 0; i < 4; i++)
        {
            cache.Stage();
        }

        Assert.Throws<ArgumentException>(() => cache.Commit([4]));
        Assert.Throws<ArgumentException>(() => cache.Commit([-1]));
        Assert.Throws<ArgumentException>(() => cache.Commit([0, 0]));
        Assert.Throws<ArgumentException>(() => cache.Commit([2, 1]));
        Assert.Throws<ArgumentOutOfRangeException>(() => cache.CommitFirst(5));
        Assert.Throws<ArgumentOutOfRangeException>(() => cache.CommitFirst(-1));
        Assert.Equal((0, 4), (cache.Length, cache.Staged));
        cache.Commit([1, 3]);
        Assert.Equal((2, 0), (cache.Length, cache.Staged));
        Assert.Throws<ArgumentOutOfRangeException>(() => cache.Truncate(3));
        Assert.Throws<ArgumentOutOfRangeException>(() => cache.Snapshot(2));
    }

    [Fact]
    public void A_refused_commit_leaves_the_rows_as_they_were()
    {
        var layout = new KvLayout(1, 1, 2);
        using var pool = new KvBlockPool(layout);
        using var cache = new KvCache(pool, Block);
        for (int i = 0; i < 4; i++)
        {
            Fill(cache, layout, cache.Stage(), i + 1);
        }

        // The second index is wrong: the first must not have moved.
        Assert.Throws<ArgumentException>(() => cache.Commit([2, 9]));
        cache.CommitFirst(4);
        Assert.Equal([1, 2, 3, 4], Enumerable.Range(0, 4).Select(position => cache.Snapshot(position)[0]));
    }

    [Fact]
    public void A_full_cache_says_so_and_stays_usable()
    {
        using var pool = new KvBlockPool(new KvLayout(1, 1, 2));
        using var cache = new KvCache(pool, Block + 3);
        for (int i = 0; i < Block + 3; i++)
        {
            Assert.Equal(i, cache.Stage());
        }

        Assert.Contains($"{Block + 3} positions", Assert.Throws<InvalidOperationException>(() => cache.Stage()).Message, StringComparison.Ordinal);
        cache.CheckIntegrity();
        cache.CommitFirst(Block);
        Assert.Equal(Block, cache.Stage());
        cache.CheckIntegrity();
    }

    [Fact]
    public void Blocks_go_back_to_the_pool_and_are_used_again()
    {
        using var pool = new KvBlockPool(new KvLayout(2, 1, 4));
        KvCache[] caches = [.. Enumerable.Range(0, 5).Select(_ => new KvCache(pool, 4 * Block))];
        foreach (KvCache cache in caches)
        {
            for (int i = 0; i < 3 * Block; i++)
            {
                cache.Stage();
            }

            cache.CommitFirst((2 * Block) + 1);
            cache.CheckIntegrity();
        }

        Assert.Equal(15, pool.Rented);
        caches[0].Truncate(0);
        Assert.Equal(13, pool.Rented);
        foreach (KvCache cache in caches)
        {
            cache.Dispose();
            cache.Dispose();
        }

        Assert.Equal(0, pool.Rented);
        pool.CheckIntegrity();
        Assert.Throws<ObjectDisposedException>(() => caches[0].Stage());
        using var next = new KvCache(pool, Block);
        next.Stage();
        next.CheckIntegrity();
        Assert.Equal(1, pool.Rented);
    }

    [Fact]
    public void Passes_refuse_rows_that_they_cannot_run()
    {
        // All of these would end the process, or write elsewhere, if they reached the parallel region.
        using TinyPair pair = TinyModels.Load(TinyModels.Config, 1);
        using TinyPair other = TinyModels.Load(TinyModels.Config with { LayerCount = 1 }, 2);
        using var pool = new WorkerPool(1);
        using var target = new LlamaTarget(pair.Target, pool, maxRows: 4, maxLogitRows: 2);
        using var stranger = new LlamaTarget(other.Target, pool);
        using KvCache cache = target.CreateCache(100);
        var rows = new PassRows(8);
        Assert.Throws<ArgumentException>(() => target.Forward(rows, PassRequest.FeaturesOnly));

        rows.Add(cache, TinyModels.Config.VocabularySize);
        Assert.Contains("vocabulary", Assert.Throws<ArgumentException>(() => target.Forward(rows, PassRequest.FeaturesOnly)).Message, StringComparison.Ordinal);
        rows.Clear();
        rows.Add(cache, -1);
        Assert.Throws<ArgumentException>(() => target.Forward(rows, PassRequest.FeaturesOnly));
        Clear();

        rows.Add(cache, 1);
        Assert.Throws<ArgumentOutOfRangeException>(() => target.Forward(rows, new PassRequest { LogitsFrom = -1 }));
        Assert.Throws<ArgumentException>(() => target.Forward(rows, new PassRequest { Boundaries = [4] }));
        Assert.Throws<ArgumentException>(() => target.Forward(rows, new PassRequest { Boundaries = [-1] }));
        Assert.Contains("another model", Assert.Throws<ArgumentException>(() => stranger.Forward(rows, PassRequest.FeaturesOnly)).Message, StringComparison.Ordinal);
        cache.CommitFirst(1);
        Assert.Contains("not staged", Assert.Throws<ArgumentException>(() => target.Forward(rows, PassRequest.FeaturesOnly)).Message, StringComparison.Ordinal);
        Clear();

        for (int i = 0; i < 5; i++)
        {
            rows.Add(cache, 1, i - 1);
        }

        Assert.Contains("1 to 4 rows", Assert.Throws<ArgumentException>(() => target.Forward(rows, PassRequest.FeaturesOnly)).Message, StringComparison.Ordinal);
        Clear();
        for (int i = 0; i < 3; i++)
        {
            rows.Add(cache, 1, i - 1);
        }

        Assert.Contains("2 rows get logits", Assert.Throws<ArgumentException>(() => target.Forward(rows, PassRequest.AllLogits)).Message, StringComparison.Ordinal);
        target.Forward(rows, new PassRequest { LogitsFrom = 1 });
        Assert.Throws<InvalidOperationException>(() => target.ArgMax(0));
        Assert.Throws<InvalidOperationException>(() => target.Logits(3).ToArray());
        Assert.Throws<ArgumentOutOfRangeException>(() => target.Feature(3).ToArray());
        Assert.InRange(target.ArgMax(2), 0, TinyModels.Config.VocabularySize - 1);

        // A chain of staged rows longer than a pass, grown pass by pass.
        rows.Continue();
        rows.Add(cache, 1, 2);
        target.Forward(rows, PassRequest.FeaturesOnly);
        rows.Continue();
        rows.Add(cache, 1, 3);
        Assert.Contains("staged rows", Assert.Throws<ArgumentException>(() => target.Forward(rows, PassRequest.FeaturesOnly)).Message, StringComparison.Ordinal);

        void Clear()
        {
            cache.Discard();
            rows.Clear();
        }
    }

    [Fact]
    public void Rows_have_parents_of_their_own_sequence_that_come_before_them()
    {
        using var pool = new KvBlockPool(new KvLayout(1, 1, 2));
        using var one = new KvCache(pool, 10);
        using var two = new KvCache(pool, 10);
        var rows = new PassRows(3);
        Assert.Equal(0, rows.Add(one, 5));
        Assert.Throws<ArgumentException>(() => rows.Add(two, 5, 0));
        Assert.Throws<ArgumentException>(() => rows.Add(one, 5, 1));
        Assert.Throws<ArgumentException>(() => rows.Add(one, 5, -2));
        Assert.Equal((1, 0), (one.Staged, two.Staged));
        rows.Add(one, 6, 0);
        rows.Add(two, 7);
        Assert.Throws<InvalidOperationException>(() => rows.Add(one, 8, 1));
        Assert.Equal(2, one.Staged);
        Assert.Equal([(5, 0, -1), (6, 1, 0), (7, 0, -1)], Enumerable.Range(0, 3).Select(row => (rows.Token(row), rows.Position(row), rows.Parent(row))));
    }

    private static unsafe void Fill(KvCache cache, KvLayout layout, int slot, float value)
    {
        float* key = stackalloc float[layout.HeadDimension];
        new Span<float>(key, layout.HeadDimension).Fill(value);
        for (int layer = 0; layer < layout.Layers; layer++)
        {
            for (int head = 0; head < layout.Heads; head++)
            {
                cache.Store(layer, head, slot, key, key);
            }
        }
    }
}
