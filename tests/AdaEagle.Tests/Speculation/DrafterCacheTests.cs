using AdaEagle.Formats;
using AdaEagle.Kernels;
using AdaEagle.Models;
using AdaEagle.Sampling;
using AdaEagle.Speculation;
using AdaEagle.Speculation.Drafting;
using AdaEagle.Speculation.Policies;
using AdaEagle.Tests.Models;

namespace AdaEagle.Tests.Speculation;

/// <summary>Law 5 for the head: whatever was drafted and dropped, its cache is that of one full pass over the committed pairs, to the bit.</summary>
public class DrafterCacheTests
{
    private const int MaxDraft = 8;

    public static TheoryData<int, int, int> Runs => new()
    {
        // seed, tokens of the prompt, rounds that draft nothing
        { 1, 5, 0 },
        { 2, 63, 0 },
        { 3, 70, 3 },
        { 4, 3, 280 }, // the queue of 256 pairs overflows in mid-generation
        { 5, 300, 0 }, // and in the prefill
        { 6, 256, 1 },
        { 7, 257, 0 },
    };

    [Theory]
    [MemberData(nameof(Runs))]
    public void After_any_rounds_the_cache_is_that_of_one_pass_over_the_committed_pairs(int seed, int promptLength, int idleRounds)
    {
        var random = new Random(seed);
        ModelConfig config = RandomModels.Target(random, vocabulary: 9);
        using TinyPair pair = TinyModels.Load(config, seed, RandomModels.Type(random), RandomModels.Head(random, config), scale: 0.2f, mimicry: 1);
        using var pool = new WorkerPool(1);
        using var target = new LlamaTarget(pair.Target, pool);
        using var drafter = new EagleDrafter(pair.Head, pool, MaxDraft);
        using var decoder = new SpeculativeDecoder(target, MaxDraft);
        var task = new DecodingTask(RandomModels.Tokens(random, 9, promptLength), new SamplingOptions { Temperature = 0.9f, Seed = 11 }, idleRounds + 60, []);
        int[] output = Decoding.Speculative(decoder, task, drafter, idleRounds > 0 ? new LatePolicy(idleRounds, 5) : new RandomPolicy(seed, MaxDraft, true));
        Assert.InRange(decoder.Accepted, 1, decoder.Drafted);

        // The queued pairs are worked off by the next draft.
        drafter.Expand(new DraftTree(1), -1, new DraftCandidate[1], logProbabilities: false);
        drafter.EndRound();
        int[] sequence = [.. task.Prompt, .. output];
        Assert.Equal((sequence.Length - 1, 0), (drafter.CommittedRows, drafter.QueuedRows));
        drafter.Cache!.CheckIntegrity();

        using KvCache expected = OnePass(pair, pool, target, sequence);
        for (int position = 0; position < sequence.Length - 1; position++)
        {
            Assert.True(expected.Snapshot(position).AsSpan().SequenceEqual(drafter.Cache!.Snapshot(position)), $"Position {position} differs.");
        }
    }

    [Fact]
    public void A_round_that_drafts_nothing_leaves_the_head_alone()
    {
        ModelConfig config = TinyModels.Config;
        using TinyPair pair = TinyModels.Load(config, 1, head: config with { LayerCount = 1 });
        using var pool = new WorkerPool(1);
        using var target = new LlamaTarget(pair.Target, pool);
        using var drafter = new EagleDrafter(pair.Head, pool, MaxDraft);
        using var decoder = new SpeculativeDecoder(target, MaxDraft);
        var task = new DecodingTask([1, 2, 3], SamplingOptions.Greedy, 30, []);
        Decoding.Speculative(decoder, task, drafter, new FixedLengthPolicy(0), onRound: record => Assert.Equal(0, record.Drafted));
        Assert.Equal((0, 32), (drafter.CommittedRows, drafter.QueuedRows));
    }

    [Fact]
    public void The_drafter_says_what_is_wrong_with_how_it_is_called()
    {
        ModelConfig config = TinyModels.Config;
        using TinyPair pair = TinyModels.Load(config, 1, head: config with { LayerCount = 1 });
        using var pool = new WorkerPool(1);
        using var drafter = new EagleDrafter(pair.Head, pool, MaxDraft);
        drafter.Reset(10, 0);
        var best = new DraftCandidate[1];
        var draft = new DraftTree(4);
        Assert.Throws<InvalidOperationException>(() => drafter.Expand(draft, -1, best, false));
        Assert.Throws<ArgumentOutOfRangeException>(() => drafter.Commit(new float[config.HiddenSize - 1], 1));
        Assert.Throws<ArgumentOutOfRangeException>(() => drafter.Commit(new float[config.HiddenSize + 1], 1));
        drafter.Commit(new float[config.HiddenSize], config.VocabularySize);
        // A token that is none must not reach the parallel region, where a failure ends the process.
        Assert.Throws<ArgumentException>(() => drafter.Expand(draft, -1, best, false));
        drafter.Reset(10, 0);
        drafter.Commit(new float[config.HiddenSize], 1);
        drafter.Expand(draft, -1, best, false);
        Assert.InRange(best[0].Token, 0, config.VocabularySize - 1);
    }

    private static KvCache OnePass(TinyPair pair, WorkerPool pool, LlamaTarget target, int[] sequence)
    {
        using var runner = new EagleHeadRunner(pair.Head, pool, sequence.Length);
        using KvCache targetCache = target.CreateCache(sequence.Length);
        var targetRows = new PassRows(1);
        var rows = new PassRows(sequence.Length);
        KvCache cache = runner.CreateCache(sequence.Length);
        for (int i = 0; i < sequence.Length - 1; i++)
        {
            targetRows.Clear();
            targetRows.Add(targetCache, sequence[i]);
            target.Forward(targetRows, PassRequest.FeaturesOnly);
            targetCache.CommitFirst(1);
            target.Feature(0).CopyTo(runner.FeatureInput(i));
            rows.Add(cache, sequence[i + 1], i - 1);
        }

        runner.Forward(rows, logitRows: 0);
        cache.CommitFirst(rows.Count);
        return cache;
    }
}
