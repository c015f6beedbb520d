using AdaEagle.Formats;
using AdaEagle.Kernels;
using AdaEagle.Models;

namespace AdaEagle.Tests.Models;

/// <summary>
/// Law 1 for passes: what a row gives (logits, feature, boundaries, cache row) depends on the tokens before it and on nothing else: not on how
/// the rows are chunked, laid out, mixed with other sequences, shared among threads, nor on the instruction set.
/// </summary>
public class PassInvarianceTests
{
    public static TheoryData<int> Seeds => [.. Enumerable.Range(0, 12)];

    [Theory]
    [MemberData(nameof(Seeds))]
    public void Any_chunking_gives_what_one_row_a_pass_gives(int seed)
    {
        var random = new Random(seed);
        ModelConfig config = RandomModels.Target(random);
        using TinyPair pair = TinyModels.Load(config, seed, RandomModels.Type(random), cache: RandomModels.Cache(random));
        using var pool = new WorkerPool(1);
        using var target = new LlamaTarget(pair.Target, pool, maxRows: 96, maxLogitRows: 96);
        int[] tokens = RandomModels.Tokens(random, config.VocabularySize, random.Next(60, 96));
        Row[] expected = Chunked(target, tokens, _ => 1);
        AssertSame(expected, Chunked(target, tokens, left => left), "one pass");
        for (int i = 0; i < 4; i++)
        {
            int most = random.Next(2, 40);
            AssertSame(expected, Chunked(target, tokens, left => random.Next(1, Math.Min(most, left) + 1)), $"chunks of at most {most}");
        }
    }

    [Theory]
    [MemberData(nameof(Seeds))]
    public void Rows_of_a_random_tree_are_those_of_their_paths_alone(int seed)
    {
        var random = new Random(100 + seed);
        ModelConfig config = RandomModels.Target(random);
        using TinyPair pair = TinyModels.Load(config, seed, RandomModels.Type(random), cache: RandomModels.Cache(random));
        using var pool = new WorkerPool(1);
        using var target = new LlamaTarget(pair.Target, pool, maxRows: 96, maxLogitRows: 96);
        // Around the edge of a block, where staged rows lie in two.
        int[] prompt = RandomModels.Tokens(random, config.VocabularySize, random.Next(2) == 0 ? random.Next(50, 70) : random.Next(1, 20));
        using KvCache cache = target.CreateCache(400);
        Run(target, cache, prompt);
        int nodes = random.Next(4, 30);
        var rows = new PassRows(96);
        for (int i = 0; i < nodes; i++)
        {
            rows.Add(cache, random.Next(config.VocabularySize), random.Next(-1, i));
        }

        target.Forward(rows, Everything(config));
        Row[] tree = [.. Enumerable.Range(0, nodes).Select(row => Row.Of(target, row))];
        int kept = random.Next(nodes);
        int[] keptPath = PathOf(rows, kept);
        cache.Commit(keptPath);
        cache.CheckIntegrity();
        for (int node = 0; node < nodes; node++)
        {
            int[] path = PathOf(rows, node);
            Row[] alone = Chunked(target, [.. prompt, .. path.Select(rows.Token)], _ => 1, node == kept ? cache : null);
            Row expected = alone[^1];
            Assert.True(expected.SameResults(tree[node]), $"node {node} of {nodes}, path [{string.Join(", ", path)}]");
        }
    }

    [Theory]
    [MemberData(nameof(Seeds))]
    public void Sequences_that_share_passes_give_what_they_give_alone(int seed)
    {
        var random = new Random(200 + seed);
        ModelConfig config = RandomModels.Target(random);
        using TinyPair pair = TinyModels.Load(config, seed, RandomModels.Type(random), cache: RandomModels.Cache(random));
        using var pool = new WorkerPool(1);
        using var target = new LlamaTarget(pair.Target, pool, maxRows: 96, maxLogitRows: 96);
        int[][] sequences = [.. Enumerable.Range(0, 4).Select(_ => RandomModels.Tokens(random, config.VocabularySize, random.Next(5, 80)))];
        Row[][] expected = [.. sequences.Select(tokens => Chunked(target, tokens, _ => 1))];
        KvCache[] caches = [.. sequences.Select(_ => target.CreateCache(96))];
        var rows = new PassRows(96);
        while (caches.Zip(sequences).Any(pair => pair.First.Length < pair.Second.Length))
        {
            rows.Clear();
            var owners = new List<(int Sequence, int Position)>();
            int[] lastRow = [-1, -1, -1, -1];
            // Rows of the sequences in random turns.
            for (int i = 0; i < 30; i++)
            {
                int sequence = random.Next(4), position = caches[sequence].Length + caches[sequence].Staged;
                if (position < sequences[sequence].Length)
                {
                    lastRow[sequence] = rows.Add(caches[sequence], sequences[sequence][position], lastRow[sequence]);
                    owners.Add((sequence, position));
                }
            }

            if (rows.Count == 0)
            {
                continue;
            }

            target.Forward(rows, Everything(config));
            for (int row = 0; row < rows.Count; row++)
            {
                Assert.True(expected[owners[row].Sequence][owners[row].Position].SameResults(Row.Of(target, row)), $"sequence {owners[row]}");
            }

            foreach (KvCache cache in caches)
            {
                cache.CommitFirst(cache.Staged);
                cache.CheckIntegrity();
            }
        }

        for (int sequence = 0; sequence < 4; sequence++)
        {
            for (int position = 0; position < sequences[sequence].Length; position++)
            {
                Assert.Equal(expected[sequence][position].Cache, caches[sequence].Snapshot(position));
            }

            caches[sequence].Dispose();
        }

        Assert.Equal(0, pair.Target.Blocks.Rented);
    }

    [Theory]
    [InlineData(1)]
    [InlineData(2)]
    [InlineData(3)]
    [InlineData(5)]
    public void Any_number_of_threads_gives_the_same_bits(int workers)
    {
        // Key/value heads that the workers divide evenly, and that they don't: the attention is shared in two ways.
        foreach ((int heads, int keyValueHeads) in ((int, int)[])[(6, 3), (5, 5), (4, 1), (10, 10)])
        {
            ModelConfig config = TinyModels.Config with { HeadCount = heads, KeyValueHeadCount = keyValueHeads, HeadDimension = 6, AttentionBias = true, MlpBias = true, IntermediateSize = 301 };
            using TinyPair pair = TinyModels.Load(config, 7, TensorType.BF16);
            using var one = new WorkerPool(1);
            using var pool = new WorkerPool(workers);
            using var alone = new LlamaTarget(pair.Target, one, maxRows: 96, maxLogitRows: 96);
            using var shared = new LlamaTarget(pair.Target, pool, maxRows: 96, maxLogitRows: 96);
            int[] tokens = RandomModels.Tokens(new Random(3), config.VocabularySize, 70);
            Row[] expected = Chunked(alone, tokens, left => Math.Min(left, 64));
            AssertSame(expected, Chunked(shared, tokens, left => Math.Min(left, 64)), $"{workers} workers, {heads}/{keyValueHeads} heads");
            AssertSame(expected[..6], Chunked(shared, tokens[..6], _ => 1), $"{workers} workers, one row a pass");
        }
    }

    [Theory]
    [MemberData(nameof(Seeds))]
    public void Every_instruction_set_gives_the_bits_of_the_scalar_twin(int seed)
    {
        var random = new Random(300 + seed);
        ModelConfig config = RandomModels.Target(random);
        TensorType type = RandomModels.Type(random);
        int[] tokens = RandomModels.Tokens(random, config.VocabularySize, 70);
        Row[]? expected = null;
        CacheFormat cache = RandomModels.Cache(random);
        foreach (KernelPath path in KernelPaths.Available)
        {
            using TinyPair pair = TinyModels.Load(config, seed, type, path: path, cache: cache);
            using var pool = new WorkerPool(1);
            using var target = new LlamaTarget(pair.Target, pool, maxRows: 96, maxLogitRows: 96);
            Row[] rows = Chunked(target, tokens, left => Math.Min(left, 7));
            AssertSame(expected ??= rows, rows, $"{path}");
        }
    }

    [Fact]
    public void Blocks_that_other_sequences_used_before_give_the_same_bits()
    {
        ModelConfig config = TinyModels.Config;
        using TinyPair pair = TinyModels.Load(config, 1);
        using var pool = new WorkerPool(1);
        using var target = new LlamaTarget(pair.Target, pool, maxRows: 96, maxLogitRows: 96);
        int[] tokens = RandomModels.Tokens(new Random(1), config.VocabularySize, 90);
        Row[] expected = Chunked(target, tokens, left => left);
        for (int i = 0; i < 3; i++)
        {
            Chunked(target, RandomModels.Tokens(new Random(i + 10), config.VocabularySize, 70), _ => 1);
            AssertSame(expected, Chunked(target, tokens, left => Math.Min(left, 50)), "reused blocks");
        }
    }

    [Fact]
    public void A_draft_that_grows_pass_by_pass_gives_what_one_pass_gives()
    {
        // PassRows.Continue: rows of earlier passes stay staged as ancestors.
        var random = new Random(5);
        ModelConfig config = TinyModels.Config;
        using TinyPair pair = TinyModels.Load(config, 2);
        using var pool = new WorkerPool(1);
        using var target = new LlamaTarget(pair.Target, pool, maxRows: 96, maxLogitRows: 96);
        int[] prompt = RandomModels.Tokens(random, config.VocabularySize, 60);
        int[] tokens = RandomModels.Tokens(random, config.VocabularySize, 12);
        int[] parents = [.. Enumerable.Range(0, 12).Select(i => random.Next(-1, i))];
        using KvCache whole = target.CreateCache(100);
        using KvCache grown = target.CreateCache(100);
        Run(target, whole, prompt);
        Run(target, grown, prompt);
        var rows = new PassRows(96);
        for (int i = 0; i < 12; i++)
        {
            rows.Add(whole, tokens[i], parents[i]);
        }

        target.Forward(rows, Everything(config));
        Row[] expected = [.. Enumerable.Range(0, 12).Select(row => Row.Of(target, row))];
        rows.Clear();
        for (int done = 0; done < 12;)
        {
            rows.Continue();
            int count = Math.Min(random.Next(1, 5), 12 - done);
            for (int i = done; i < done + count; i++)
            {
                rows.Add(grown, tokens[i], parents[i]);
            }

            target.Forward(rows, Everything(config));
            Assert.Equal(count, rows.Active);
            for (int i = 0; i < count; i++)
            {
                Assert.True(expected[done + i].SameResults(Row.Of(target, i)));
            }

            done += count;
        }
    }

    private static PassRequest Everything(ModelConfig config) => new() { LogitsFrom = 0, Boundaries = [.. Enumerable.Range(0, config.LayerCount + 1)] };

    private static int[] PathOf(PassRows rows, int row)
    {
        var path = new List<int>();
        for (int at = row; at >= 0; at = rows.Parent(at))
        {
            path.Insert(0, at);
        }

        return [.. path];
    }

    private static void Run(LlamaTarget target, KvCache cache, int[] tokens)
    {
        var rows = new PassRows(target.MaxRows);
        for (int i = 0; i < tokens.Length; i++)
        {
            rows.Add(cache, tokens[i], i - 1);
        }

        target.Forward(rows, PassRequest.FeaturesOnly);
        cache.CommitFirst(tokens.Length);
    }

    /// <summary>Runs a sequence in chunks; what every position gave. Compares the cache with one that must hold the same, if there is one.</summary>
    private static Row[] Chunked(LlamaTarget target, int[] tokens, Func<int, int> chunk, KvCache? sameAs = null)
    {
        using KvCache cache = target.CreateCache(tokens.Length);
        var rows = new PassRows(target.MaxRows);
        var results = new List<Row>();
        while (results.Count < tokens.Length)
        {
            rows.Clear();
            int count = chunk(tokens.Length - results.Count);
            for (int i = 0; i < count; i++)
            {
                rows.Add(cache, tokens[results.Count + i], i - 1);
            }

            target.Forward(rows, new PassRequest { LogitsFrom = 0, Boundaries = [0, 1] });
            cache.CommitFirst(count);
            cache.CheckIntegrity();
            for (int row = 0; row < count; row++)
            {
                results.Add(Row.Of(target, row));
            }
        }

        for (int position = 0; position < tokens.Length; position++)
        {
            results[position] = results[position] with { Cache = cache.Snapshot(position) };
            if (sameAs is not null)
            {
                Assert.Equal(results[position].Cache, sameAs.Snapshot(position));
            }
        }

        return [.. results];
    }

    private static void AssertSame(Row[] expected, Row[] actual, string how)
    {
        Assert.Equal(expected.Length, actual.Length);
        for (int position = 0; position < expected.Length; position++)
        {
            Assert.True(expected[position].SameResults(actual[position]), $"{how}: position {position}");
            Assert.True(expected[position].Cache.AsSpan().SequenceEqual(actual[position].Cache), $"{how}: cache at {position}");
        }
    }

    /// <summary>What a row gave.</summary>
    private sealed record Row(float[] Logits, float[] Feature, float[] Boundaries, int ArgMax, float[] Cache)
    {
        public static Row Of(LlamaTarget target, int row) => new(
            target.Logits(row).ToArray(), target.Feature(row).ToArray(), [.. target.Boundary(0, row), .. target.Boundary(1, row)], target.ArgMax(row), []);

        /// <summary>Bit for bit, the cache apart.</summary>
        public bool SameResults(Row other) =>
            Same(Logits, other.Logits) && Same(Feature, other.Feature) && Same(Boundaries, other.Boundaries) && ArgMax == other.ArgMax && Feature.Any(value => value != 0);

        private static bool Same(float[] left, float[] right) =>
            System.Runtime.InteropServices.MemoryMarshal.AsBytes<float>(left).SequenceEqual(System.Runtime.InteropServices.MemoryMarshal.AsBytes<float>(right));
    }
}
