using AdaEagle.Formats;
using AdaEagle.Kernels;
using AdaEagle.Models;
using AdaEagle.Sampling;
using AdaEagle.Speculation;
using AdaEagle.Speculation.Drafting;
using AdaEagle.Speculation.Oracle;
using AdaEagle.Speculation.Policies;
using AdaEagle.Tests.Models;

namespace AdaEagle.Tests.Speculation;

/// <summary>Recorded run lengths are the whole truth: replaying any policy over them gives what the decoder counts, round by round.</summary>
public class ReplayTests
{
    private const int MaxDraft = 8;

    [Theory]
    [InlineData(1)]
    [InlineData(2)]
    [InlineData(3)]
    [InlineData(4)]
    [InlineData(5)]
    [InlineData(6)]
    public void A_replay_counts_what_the_decoder_counts(int seed)
    {
        var random = new Random(seed);
        ModelConfig config = RandomModels.Target(random, vocabulary: 7) with { TieWordEmbeddings = false };
        using TinyPair pair = TinyModels.Load(config, seed, RandomModels.Type(random), RandomModels.Head(random, config), scale: 0.15f, mimicry: 1);
        using LdlpWeights weights = TinyPredictors.Load(pair.Target, seed, maxDraft: MaxDraft);
        using var predictor = new DraftLengthPredictor(weights);
        using var pool = new WorkerPool(1);
        using var target = new LlamaTarget(pair.Target, pool);
        using var eagle = new EagleDrafter(pair.Head, pool);
        using var decoder = new SpeculativeDecoder(target, 30, maxPool: 100);
        using var recorder = new RunRecorder(pair.Target, pair.Head, pool, MaxDraft);
        int accepted = 0;
        for (int i = 0; i < 8; i++)
        {
            SamplingOptions sampling = i % 2 == 0 ? SamplingOptions.Greedy : new SamplingOptions { Temperature = 0.8f, Seed = (ulong)i };
            var task = new DecodingTask(RandomModels.Tokens(random, 7, random.Next(1, 150)), sampling, random.Next(1, 60), i % 3 == 0 ? [random.Next(7)] : []);
            int[] output = Decoding.Plain(target, task);
            bool ended = task.Ends(output[^1]);
            foreach (IDraftPolicy policy in (IDraftPolicy[])
                [new Eagle2Policy(12, 3, 3), StaticTreePolicy.Comb("comb", 4, 2), StaticTreePolicy.Parse("tree", "eagle1"), new FixedLengthPolicy(0), new FixedLengthPolicy(1), new FixedLengthPolicy(5), new FixedLengthPolicy(MaxDraft), new ThresholdPolicy(-1, MaxDraft), new LdlpPolicy(predictor, null), new LdlpPolicy(predictor, -0.6f)])
            {
                RecordedOutput recorded = recorder.Record(task.Prompt, output, task.MaxTokens, ended, policy, TestContext.Current.CancellationToken);
                var drafted = new List<int>();
                Assert.Equal(output, Decoding.Speculative(decoder, task, eagle, policy, onRound: record => drafted.Add(record.Drafted)));
                ReplayedOutput replay = recorded.Replay();
                Assert.Equal(
                    (decoder.Passes, decoder.Generated, decoder.Drafted, decoder.Accepted, (double)decoder.Generated / decoder.Passes),
                    (replay.Passes, replay.Emitted, replay.Drafted, replay.Accepted, replay.AcceptanceLength));
                Assert.Equal(drafted, replay.Lengths);
                if (policy is ChainPolicy)
                {
                    Assert.Equal(replay.Lengths, recorded.Replay(root => recorded.Roots[root].Drafted).Lengths);
                }

                accepted += replay.Accepted;
            }
        }

        Assert.True(accepted > 30, $"{accepted} accepted");
    }

    [Fact]
    public void An_oracle_that_drafts_useful_runs_is_never_rejected()
    {
        ModelConfig config = RandomModels.Target(new Random(3), vocabulary: 7) with { TieWordEmbeddings = false };
        using TinyPair pair = TinyModels.Load(config, 3, TensorType.F32, RandomModels.Head(new Random(4), config), scale: 0.15f, mimicry: 1);
        using var pool = new WorkerPool(1);
        using var target = new LlamaTarget(pair.Target, pool);
        using var eagle = new EagleDrafter(pair.Head, pool, MaxDraft);
        using var decoder = new SpeculativeDecoder(target, MaxDraft);
        using var recorder = new RunRecorder(pair.Target, pair.Head, pool, MaxDraft);
        var task = new DecodingTask([1, 2, 3], new SamplingOptions { Temperature = 0.9f, Seed = 8 }, 60, []);
        int[] output = Decoding.Plain(target, task);
        RecordedOutput recorded = recorder.Record(task.Prompt, output, task.MaxTokens, false, cancellation: TestContext.Current.CancellationToken);
        var oracle = new OraclePolicy(MaxDraft) { Lengths = [.. Enumerable.Range(0, output.Length).Select(recorded.UsefulRun)] };
        Assert.Equal(output, Decoding.Speculative(decoder, task, eagle, oracle, onRound: record => Assert.Equal(record.Drafted, record.Accepted)));
        Assert.True(decoder.Accepted > 5, $"{decoder.Accepted} accepted");
    }

    [Fact]
    public void An_oracle_of_trees_that_drafts_the_right_candidates_is_never_rejected_and_goes_further()
    {
        ModelConfig config = RandomModels.Target(new Random(3), vocabulary: 7) with { TieWordEmbeddings = false };
        using TinyPair pair = TinyModels.Load(config, 3, TensorType.F32, RandomModels.Head(new Random(4), config), scale: 0.15f, mimicry: 1);
        using var pool = new WorkerPool(1);
        using var target = new LlamaTarget(pair.Target, pool);
        using var eagle = new EagleDrafter(pair.Head, pool);
        using var decoder = new SpeculativeDecoder(target, MaxDraft, maxPool: 3 * MaxDraft);
        using var chains = new RunRecorder(pair.Target, pair.Head, pool, MaxDraft);
        using var trees = new RunRecorder(pair.Target, pair.Head, pool, MaxDraft, candidates: 3);
        for (int seed = 0; seed < 4; seed++)
        {
            var task = new DecodingTask([1, 2, 3], new SamplingOptions { Temperature = 0.9f, Seed = (ulong)seed }, 60, []);
            int[] output = Decoding.Plain(target, task);
            RecordedOutput ofChains = chains.Record(task.Prompt, output, task.MaxTokens, false, cancellation: TestContext.Current.CancellationToken);
            RecordedOutput ofTrees = trees.Record(task.Prompt, output, task.MaxTokens, false, cancellation: TestContext.Current.CancellationToken);
            Assert.Equal(ofChains.Roots.Select(root => root.Run), ofTrees.Roots.Select(root => root.Run));
            Assert.All(ofTrees.Roots, root => Assert.All(root.Ranks, rank => Assert.InRange(rank, 0, 2)));
            var oracle = new TreeOraclePolicy(MaxDraft, 3) { Lengths = [.. Enumerable.Range(0, output.Length).Select(ofTrees.UsefulPath)], Roots = ofTrees.Roots };
            Assert.Equal(output, Decoding.Speculative(decoder, task, eagle, oracle, onRound: record => Assert.Equal((record.Drafted, record.Drafted), (record.Accepted, record.Depth))));
            ReplayedOutput replay = ofTrees.Replay(root => oracle.Lengths[root], knowsRanks: true);
            Assert.Equal((decoder.Passes, decoder.Generated, decoder.Drafted, decoder.Accepted), (replay.Passes, replay.Emitted, replay.Drafted, replay.Accepted));
            Assert.True(replay.Passes < ofChains.Replay(ofChains.UsefulRun).Passes);
        }
    }
}
