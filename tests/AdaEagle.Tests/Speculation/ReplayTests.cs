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
        using var eagle = new EagleDrafter(pair.Head, pool, MaxDraft);
        using var decoder = new SpeculativeDecoder(target, MaxDraft);
        using var recorder = new RunRecorder(pair.Target, pair.Head, pool, MaxDraft);
        int accepted = 0;
        for (int i = 0; i < 8; i++)
        {
            SamplingOptions sampling = i % 2 == 0 ? SamplingOptions.Greedy : new SamplingOptions { Temperature = 0.8f, Seed = (ulong)i };
            var task = new DecodingTask(RandomModels.Tokens(random, 7, random.Next(1, 150)), sampling, random.Next(1, 60), i % 3 == 0 ? [random.Next(7)] : []);
            int[] output = Decoding.Plain(target, task);
            bool ended = task.Ends(output[^1]);
            foreach (ChainPolicy policy in (ChainPolicy[])
                [new FixedLengthPolicy(0), new FixedLengthPolicy(1), new FixedLengthPolicy(5), new FixedLengthPolicy(MaxDraft), new ThresholdPolicy(-1, MaxDraft), new LdlpPolicy(predictor, null), new LdlpPolicy(predictor, -0.6f)])
            {
                RecordedOutput recorded = recorder.Record(task.Prompt, output, task.MaxTokens, ended, policy, TestContext.Current.CancellationToken);
                var drafted = new List<int>();
                Assert.Equal(output, Decoding.Speculative(decoder, task, eagle, policy, onRound: record => drafted.Add(record.Drafted)));
                ReplayedOutput replay = recorded.Replay(root => recorded.Roots[root].Drafted);
                Assert.Equal(
                    (decoder.Passes, decoder.Generated, decoder.Drafted, decoder.Accepted, (double)decoder.Generated / decoder.Passes),
                    (replay.Passes, replay.Emitted, replay.Drafted, replay.Accepted, replay.AcceptanceLength));
                Assert.Equal(drafted, replay.Lengths);
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
}
