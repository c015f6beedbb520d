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

    public static TheoryData<int, int, int, bool> Runs => new()
    {
        // seed, tokens of the prompt, rounds that draft nothing, trees or chains
        { 1, 5, 0, false },
        { 2, 63, 0, false },
        { 3, 70, 3, false },
        { 4, 3, 280, false }, // the queue of 256 pairs overflows in mid-generation
        { 5, 300, 0, false }, // and in the prefill
        { 6, 256, 1, false },
        { 7, 257, 0, false },
        { 8, 5, 0, true },
        { 9, 62, 0, true },
        { 10, 257, 0, true },
    };

    [Theory]
    [MemberData(nameof(Runs))]
    public void After_any_rounds_the_caches_are_those_of_one_pass_over_the_committed_pairs(int seed, int promptLength, int idleRounds, bool trees)
    {
        var random = new Random(seed);
        ModelConfig config = RandomModels.Target(random, vocabulary: 9);
        using TinyPair pair = TinyModels.Load(config, seed, RandomModels.Type(random), RandomModels.Head(random, config), scale: 0.2f, mimicry: 1);
        using var pool = new WorkerPool(1);
        using var target = new LlamaTarget(pair.Target, pool);
        using var drafter = new EagleDrafter(pair.Head, pool, trees ? 40 : MaxDraft);
        using var decoder = new SpeculativeDecoder(target, MaxDraft, maxPool: 80);
        var task = new DecodingTask(RandomModels.Tokens(random, 9, promptLength), new SamplingOptions { Temperature = 0.9f, Seed = 11 }, idleRounds + 60, []);
        IDraftPolicy policy = trees ? new RandomTreePolicy(seed, MaxDraft, 80, DraftNeeds.LogProbabilities)
            : idleRounds > 0 ? new LatePolicy(idleRounds, 5) : new RandomPolicy(seed, MaxDraft, true);
        int[] output = Decoding.Speculative(decoder, task, drafter, policy);
        Assert.InRange(decoder.Accepted, 1, decoder.Drafted);

        // The queued pairs are worked off by the next draft.
        drafter.Extend(new DraftTree(1), DraftNeeds.None);
        drafter.EndRound();
        int[] sequence = [.. task.Prompt, .. output];
        Assert.Equal((sequence.Length - 1, 0), (drafter.CommittedRows, drafter.QueuedRows));
        drafter.Cache!.CheckIntegrity();

        using KvCache expected = OnePass(pair, pool, target, sequence, out KvCache expectedOfTarget);
        using KvCache _ = expectedOfTarget;
        for (int position = 0; position < sequence.Length - 1; position++)
        {
            Assert.True(expected.Snapshot(position).AsSpan().SequenceEqual(drafter.Cache!.Snapshot(position)), $"Position {position} differs.");
            Assert.True(expectedOfTarget.Snapshot(position).AsSpan().SequenceEqual(decoder.Cache!.Snapshot(position)), $"Position {position} of the target's cache differs.");
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
        var draft = new DraftTree(4);
        Assert.Throws<InvalidOperationException>(() => drafter.Extend(draft, DraftNeeds.None));
        Assert.Throws<ArgumentOutOfRangeException>(() => drafter.Commit(new float[config.HiddenSize - 1], 1));
        Assert.Throws<ArgumentOutOfRangeException>(() => drafter.Commit(new float[config.HiddenSize + 1], 1));
        drafter.Commit(new float[config.HiddenSize], config.VocabularySize);
        // A token that is none must not reach the parallel region, where a failure ends the process.
        Assert.Throws<ArgumentException>(() => drafter.Extend(draft, DraftNeeds.None));
        drafter.Reset(10, 0);
        drafter.Commit(new float[config.HiddenSize], 1);
        Assert.InRange(drafter.Extend(draft, DraftNeeds.None), 0, config.VocabularySize - 1);
    }

    private static KvCache OnePass(TinyPair pair, WorkerPool pool, LlamaTarget target, int[] sequence, out KvCache targetCache)
    {
        using var runner = new EagleHeadRunner(pair.Head, pool, sequence.Length);
        targetCache = target.CreateCache(sequence.Length);
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
