using AdaEagle.Formats;
using AdaEagle.Kernels;
using AdaEagle.Models;

namespace AdaEagle.Tests.Models;

/// <summary>
/// Law 1 where contexts are long: spans that workers share and spans that one walks through, windows that begin in the middle of a block or a span,
/// rows that share reads. Every way to run the same rows gives the same bits.
/// </summary>
public class AttentionTests
{
    private static readonly ModelConfig s_config = TinyModels.Config with { LayerCount = 2, HiddenSize = 24, IntermediateSize = 32, HeadDimension = 10, MaxPositions = 2048 };

    /// <summary>Heads, key/value heads, window, cache.</summary>
    public static TheoryData<int, int, int?, CacheFormat> Shapes => new()
    {
        { 3, 1, null, CacheFormat.F32 },
        { 9, 3, null, CacheFormat.F16 },
        { 4, 4, null, CacheFormat.F32 },
        { 10, 1, 700, CacheFormat.F32 },
        { 6, 3, 70, CacheFormat.F16 },
        { 2, 1, 512, CacheFormat.F32 },
        { 4, 2, 3, CacheFormat.F32 },
    };

    [Theory]
    [MemberData(nameof(Shapes))]
    public void Rows_far_into_a_context_have_the_same_bits_however_they_are_run(int heads, int keyValueHeads, int? window, CacheFormat format)
    {
        ModelConfig config = s_config with { ModelType = "mistral", HeadCount = heads, KeyValueHeadCount = keyValueHeads, SlidingWindow = window };
        using TinyPair pair = TinyModels.Load(config, heads, cache: format);
        var random = new Random(heads);
        // Around the edges of spans and blocks.
        foreach (int context in (int[])[505, 1018, 1030])
        {
            int[] prompt = RandomModels.Tokens(random, config.VocabularySize, context), draft = RandomModels.Tokens(random, config.VocabularySize, 12);
            float[][]? expected = null;
            foreach ((int workers, int chunk) in ((int, int)[])[(1, 1), (1, 12), (2, 1), (2, 5), (2, 12), (3, 12), (5, 4)])
            {
                float[][] actual = Run(pair.Target, workers, prompt, draft, chunk);
                AssertSame(expected ??= actual, actual, $"{workers} workers, {chunk} rows a pass, context {context}");
            }

            // Rows that share their pass with so many others that heads are stored in a phase of their own.
            AssertSame(expected!, Beside(pair.Target, prompt, draft, others: 60), $"beside others, context {context}");
        }
    }

    [Theory]
    [MemberData(nameof(Shapes))]
    public void A_tree_far_into_a_context_has_the_bits_of_its_paths(int heads, int keyValueHeads, int? window, CacheFormat format)
    {
        ModelConfig config = s_config with { ModelType = "mistral", HeadCount = heads, KeyValueHeadCount = keyValueHeads, SlidingWindow = window };
        using TinyPair pair = TinyModels.Load(config, heads, cache: format);
        var random = new Random(heads);
        int[] prompt = RandomModels.Tokens(random, config.VocabularySize, 1020), tokens = RandomModels.Tokens(random, config.VocabularySize, 20);
        int[] parents = [.. Enumerable.Range(0, 20).Select(i => random.Next(Math.Max(-1, i - 4), i))];
        foreach (int workers in (int[])[1, 2])
        {
            using var pool = new WorkerPool(workers);
            using var target = new LlamaTarget(pair.Target, pool, maxRows: 128, maxLogitRows: 32);
            using KvCache cache = Prefilled(target, prompt, 100);
            var rows = new PassRows(32);
            for (int i = 0; i < 20; i++)
            {
                rows.Add(cache, tokens[i], parents[i]);
            }

            target.Forward(rows, PassRequest.AllLogits);
            float[][] tree = [.. Enumerable.Range(0, 20).Select(row => target.Logits(row).ToArray())];
            cache.Discard();
            for (int node = 0; node < 20; node += 3)
            {
                var path = new List<int>();
                for (int at = node; at >= 0; at = parents[at])
                {
                    path.Insert(0, tokens[at]);
                }

                rows.Clear();
                path.ForEach(token => rows.Add(cache, token, rows.Count - 1));
                target.Forward(rows, PassRequest.AllLogits);
                AssertSame([target.Logits(path.Count - 1).ToArray()], [tree[node]], $"node {node}, {workers} workers");
                cache.Discard();
            }
        }
    }

    [Fact]
    public void A_window_wider_than_the_context_changes_nothing_and_a_narrow_one_does()
    {
        int[] tokens = RandomModels.Tokens(new Random(1), s_config.VocabularySize, 90);
        float[] of(int? window)
        {
            using TinyPair pair = TinyModels.Load(s_config with { ModelType = "mistral", SlidingWindow = window }, 4);
            return Run(pair.Target, 1, tokens[..80], tokens[80..], 10)[^1];
        }

        float[] full = of(null);
        Assert.Equal(full, of(90));
        Assert.NotEqual(full, of(89));
    }

    [Fact]
    public void A_half_precision_cache_is_near_a_full_one()
    {
        int[] tokens = RandomModels.Tokens(new Random(1), s_config.VocabularySize, 90);
        using TinyPair full = TinyModels.Load(s_config, 5), half = TinyModels.Load(s_config, 5, cache: CacheFormat.F16);
        Assert.Equal((CacheFormat.F32, CacheFormat.F16), (full.Target.Cache, half.Target.Cache));
        float[] expected = Run(full.Target, 1, tokens[..80], tokens[80..], 10)[^1], actual = Run(half.Target, 1, tokens[..80], tokens[80..], 10)[^1];
        Assert.NotEqual(expected, actual);
        for (int i = 0; i < expected.Length; i++)
        {
            Assert.Equal(expected[i], actual[i], 5e-3f * (1 + MathF.Abs(expected[i])));
        }
    }

    // Logits of the draft's rows, run in chunks behind the prompt.
    private static float[][] Run(LlamaModel model, int workers, int[] prompt, int[] draft, int chunk)
    {
        using var pool = new WorkerPool(workers);
        using var target = new LlamaTarget(model, pool, maxRows: 128, maxLogitRows: 32);
        using KvCache cache = Prefilled(target, prompt, draft.Length);
        var rows = new PassRows(32);
        var logits = new List<float[]>();
        while (logits.Count < draft.Length)
        {
            rows.Clear();
            int count = Math.Min(chunk, draft.Length - logits.Count);
            for (int i = 0; i < count; i++)
            {
                rows.Add(cache, draft[logits.Count + i], i - 1);
            }

            target.Forward(rows, PassRequest.AllLogits);
            cache.CommitFirst(count);
            for (int i = 0; i < count; i++)
            {
                logits.Add(target.Logits(i).ToArray());
            }
        }

        cache.CheckIntegrity();
        return [.. logits];
    }

    private static float[][] Beside(LlamaModel model, int[] prompt, int[] draft, int others)
    {
        using var pool = new WorkerPool(2);
        using var target = new LlamaTarget(model, pool, maxRows: 128, maxLogitRows: 128);
        using KvCache cache = Prefilled(target, prompt, draft.Length), other = target.CreateCache(others);
        var rows = new PassRows(128);
        int[] own = new int[draft.Length];
        int last = -1, lastOther = -1;
        for (int i = 0; i < draft.Length || other.Staged < others;)
        {
            if (i < draft.Length)
            {
                own[i] = last = rows.Add(cache, draft[i++], last);
            }

            for (int j = 0; j < 5 && other.Staged < others; j++)
            {
                lastOther = rows.Add(other, j, lastOther);
            }
        }

        target.Forward(rows, PassRequest.AllLogits);
        return [.. own.Select(row => target.Logits(row).ToArray())];
    }

    private static KvCache Prefilled(LlamaTarget target, int[] prompt, int more)
    {
        KvCache cache = target.CreateCache(prompt.Length + more);
        var rows = new PassRows(target.MaxRows);
        for (int done = 0; done < prompt.Length;)
        {
            rows.Clear();
            for (; done < prompt.Length && rows.Count < target.MaxRows; done++)
            {
                rows.Add(cache, prompt[done], rows.Count - 1);
            }

            target.Forward(rows, PassRequest.FeaturesOnly);
            cache.CommitFirst(rows.Count);
        }

        return cache;
    }

    private static void AssertSame(float[][] expected, float[][] actual, string how)
    {
        Assert.Equal(expected.Length, actual.Length);
        for (int i = 0; i < expected.Length; i++)
        {
            Assert.Contains(expected[i], value => value != 0);
            Assert.True(expected[i].AsSpan().SequenceEqual(actual[i]), $"{how}: row {i}");
        }
    }
}
