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

    public static TheoryData<int, int, int, bool, bool> Runs => new()
    {
        // seed, tokens of the prompt, rounds that draft nothing, trees or chains, EAGLE-3
        { 1, 5, 0, false, false },
        { 2, 63, 0, false, false },
        { 3, 70, 3, false, false },
        { 4, 3, 280, false, false }, // the queue of 256 pairs overflows in mid-generation
        { 5, 300, 0, false, false }, // and in the prefill
        { 6, 256, 1, false, false },
        { 7, 257, 0, false, false },
        { 8, 5, 0, true, false },
        { 9, 62, 0, true, false },
        { 10, 257, 0, true, false },
        { 11, 5, 0, false, true },
        { 12, 70, 3, false, true },
        { 13, 3, 280, false, true },
        { 14, 300, 0, false, true },
        { 15, 257, 0, true, true },
    };

    [Theory]
    [MemberData(nameof(Runs))]
    public void After_any_rounds_the_caches_are_those_of_one_pass_over_the_committed_pairs(int seed, int promptLength, int idleRounds, bool trees, bool eagle3)
    {
        var random = new Random(seed);
        ModelConfig config = RandomModels.Target(random, vocabulary: 9);
        ModelConfig head = eagle3 ? RandomModels.Eagle3Head(random, config) : RandomModels.Head(random, config);
        using TinyPair pair = TinyModels.Load(config, seed, RandomModels.Type(random), head, scale: 0.2f, mimicry: 1);
        using var pool = new WorkerPool(1);
        using var target = new LlamaTarget(pair.Target, pool);
        using var drafter = new EagleDrafter(pair.Head, pool, trees ? 40 : MaxDraft);
        using var decoder = new SpeculativeDecoder(target, MaxDraft, maxPool: 80);
        var task = new DecodingTask(RandomModels.Tokens(random, 9, promptLength), new SamplingOptions { Temperature = 0.9f, Seed = 11 }, idleRounds + 60, []);
        IDraftPolicy policy = trees ? new RandomTreePolicy(seed, MaxDraft, 80, DraftNeeds.LogProbabilities)
            : idleRounds > 0 ? new LatePolicy(idleRounds, 5) : new RandomPolicy(seed, MaxDraft, true);
        int[] output = Decoding.Speculative(decoder, task, drafter, policy);
        // A random EAGLE-3 head may always propose what the target never says.
        Assert.InRange(decoder.Accepted, eagle3 ? 0 : 1, decoder.Drafted);

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
        float[] scratch = new float[pair.Head.InputWidth];
        KvCache cache = runner.CreateCache(sequence.Length);
        for (int i = 0; i < sequence.Length - 1; i++)
        {
            targetRows.Clear();
            targetRows.Add(targetCache, sequence[i]);
            target.Forward(targetRows, pair.Head.Inputs.In(PassRequest.FeaturesOnly));
            targetCache.CommitFirst(1);
            pair.Head.Inputs.At(target, 0, scratch).CopyTo(runner.TargetInput(i));
            rows.Add(cache, sequence[i + 1], i - 1);
        }

        runner.ForwardCommitted(rows, logitRows: 0);
        cache.CommitFirst(rows.Count);
        return cache;
    }
}
