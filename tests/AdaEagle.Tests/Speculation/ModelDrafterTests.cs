using AdaEagle.Formats;
using AdaEagle.Kernels;
using AdaEagle.Models;
using AdaEagle.Sampling;
using AdaEagle.Speculation;
using AdaEagle.Speculation.Drafting;
using AdaEagle.Speculation.Policies;
using AdaEagle.Tests.Models;

namespace AdaEagle.Tests.Speculation;

/// <summary>A second model as drafter: laws 1, 2 and 5, what it proposes, and where it has nothing to say.</summary>
public class ModelDrafterTests
{
    private const int MaxDraft = 12;

    [Theory]
    [InlineData(1)]
    [InlineData(2)]
    [InlineData(3)]
    [InlineData(4)]
    [InlineData(5)]
    [InlineData(6)]
    [InlineData(7)]
    [InlineData(8)]
    public void A_draft_model_or_prompt_lookup_gives_the_tokens_of_plain_decoding(int seed)
    {
        var random = new Random(4000 + seed);
        ModelConfig config = RandomModels.Target(random, vocabulary: RandomModels.Pick(random, 5, 9, 16));
        using TinyPair pair = TinyModels.Load(config, seed, RandomModels.Type(random), scale: 0.2f);
        // Another random model, the target itself, or one that knows fewer or more tokens.
        ModelConfig draftConfig = RandomModels.Target(random, vocabulary: config.VocabularySize + RandomModels.Pick(random, 0, 0, 3, -2));
        bool itself = seed % 3 == 0;
        using TinyPair other = TinyModels.Load(itself ? config : draftConfig, itself ? seed : seed + 1, TensorType.F32, scale: 0.2f);
        using var pool = new WorkerPool(1);
        using var target = new LlamaTarget(pair.Target, pool);
        using var second = new ModelDrafter(other.Target, pair.Target, pool, MaxDraft);
        using var lookup = new NgramDrafter(random.Next(1, 12), random.Next(1, 4), [1]);
        using var decoder = new SpeculativeDecoder(target, MaxDraft);
        (int drafted, int accepted) = (0, 0);
        for (int i = 0; i < 30; i++)
        {
            int promptLength = random.Next(6) == 0 ? random.Next(60, 140) : random.Next(1, 20);
            var task = new DecodingTask(
                RandomModels.Tokens(random, config.VocabularySize, promptLength),
                i % 3 == 0 ? SamplingOptions.Greedy : new SamplingOptions { Temperature = RandomModels.Pick(random, 0.3f, 0.8f, 1.5f), TopK = random.Next(6), Seed = (ulong)random.NextInt64() },
                random.Next(1, 40), random.Next(3) == 0 ? [random.Next(config.VocabularySize)] : []);
            IDrafter drafter = i % 2 == 0 ? second : lookup;
            IDraftPolicy policy = random.Next(4) switch
            {
                0 => new FixedLengthPolicy(random.Next(MaxDraft + 1)),
                1 => new ThresholdPolicy(-2, 8),
                2 => new UnreasonablePolicy(),
                _ => new RandomPolicy(random.Next(), MaxDraft, true),
            };
            Assert.Equal(Decoding.Plain(target, task), Decoding.Speculative(decoder, task, drafter, policy));
            drafted += decoder.Drafted;
            accepted += decoder.Accepted;
        }

        Assert.InRange(accepted, 1, drafted);
    }

    [Fact]
    public void A_model_that_drafts_for_itself_is_always_right()
    {
        using TinyPair pair = TinyModels.Load(TinyModels.Config, 5);
        using var pool = new WorkerPool(1);
        using var target = new LlamaTarget(pair.Target, pool);
        using var drafter = new ModelDrafter(pair.Target, pair.Target, pool, MaxDraft);
        using var decoder = new SpeculativeDecoder(target, MaxDraft);
        var task = new DecodingTask([3, 1, 4], SamplingOptions.Greedy, 61, []);
        Assert.Equal(Decoding.Plain(target, task), Decoding.Speculative(decoder, task, drafter, new FixedLengthPolicy(5)));
        Assert.Equal((11, 50, 50), (decoder.Passes, decoder.Drafted, decoder.Accepted));
    }

    [Theory]
    [InlineData(1, 5, 0)]
    [InlineData(2, 63, 0)]
    [InlineData(3, 64, 3)]
    [InlineData(4, 3, 90)]
    [InlineData(5, 130, 1)]
    public void After_any_rounds_its_cache_is_that_of_one_pass_over_the_committed_tokens(int seed, int promptLength, int idleRounds)
    {
        var random = new Random(seed);
        ModelConfig config = RandomModels.Target(random, vocabulary: 9);
        using TinyPair pair = TinyModels.Load(config, seed, RandomModels.Type(random), scale: 0.2f);
        using TinyPair other = TinyModels.Load(RandomModels.Target(random, vocabulary: 9), seed + 1, scale: 0.2f);
        using var pool = new WorkerPool(1);
        using var target = new LlamaTarget(pair.Target, pool);
        using var drafter = new ModelDrafter(other.Target, pair.Target, pool, MaxDraft);
        using var decoder = new SpeculativeDecoder(target, MaxDraft);
        var task = new DecodingTask(RandomModels.Tokens(random, 9, promptLength), new SamplingOptions { Temperature = 0.9f, Seed = 11 }, idleRounds + 60, []);
        int[] output = Decoding.Speculative(decoder, task, drafter, idleRounds > 0 ? new LatePolicy(idleRounds, 5) : new RandomPolicy(seed, MaxDraft, true));
        drafter.Extend(new DraftTree(1), DraftNeeds.None);
        drafter.EndRound();
        int[] sequence = [.. task.Prompt, .. output];
        Assert.Equal((sequence.Length, 0), (drafter.CommittedRows, drafter.QueuedRows));

        using var runner = new LlamaTarget(other.Target, pool, maxRows: 256);
        using KvCache expected = runner.CreateCache(sequence.Length);
        var rows = new PassRows(256);
        foreach (int token in sequence)
        {
            rows.Add(expected, token, rows.Count - 1);
        }

        runner.Forward(rows, PassRequest.FeaturesOnly);
        expected.CommitFirst(sequence.Length);
        for (int position = 0; position < sequence.Length; position++)
        {
            Assert.True(expected.Snapshot(position).AsSpan().SequenceEqual(drafter.Cache!.Snapshot(position)), $"Position {position} differs.");
        }
    }

    [Fact]
    public void A_round_that_drafts_nothing_leaves_the_draft_model_alone()
    {
        using TinyPair pair = TinyModels.Load(TinyModels.Config, 5);
        using var pool = new WorkerPool(1);
        using var target = new LlamaTarget(pair.Target, pool);
        using var drafter = new ModelDrafter(pair.Target, pair.Target, pool, MaxDraft);
        using var decoder = new SpeculativeDecoder(target, MaxDraft);
        Decoding.Speculative(decoder, new DecodingTask([3, 1, 4], SamplingOptions.Greedy, 20, []), drafter, new FixedLengthPolicy(0));
        Assert.Equal((0, 23), (drafter.CommittedRows, drafter.QueuedRows));
    }

    [Fact]
    public void Proposals_are_the_most_probable_tokens_with_their_log_probabilities()
    {
        using TinyPair pair = TinyModels.Load(TinyModels.Config, 6);
        using var drafter = new ModelDrafter(pair.Target, pair.Target);
        int[] tokens = [5, 9, 2, 60];
        drafter.Reset(10, tokens[0]);
        foreach (int token in tokens[1..])
        {
            drafter.Commit([], token);
        }

        float[] logits = TinyModels.Logits(pair.Target, tokens)[^1];
        double normalizer = Math.Log(logits.Sum(logit => Math.Exp(logit)));
        int[] order = [.. Enumerable.Range(0, logits.Length).OrderByDescending(token => logits[token]).ThenBy(token => token)];
        var draft = new DraftTree(9);
        drafter.Expand(draft, [new Expansion(-1, 5)], DraftNeeds.LogProbabilities | DraftNeeds.Signals);
        Assert.Equal(order[..5], Enumerable.Range(0, 5).Select(draft.Token));
        Assert.All(Enumerable.Range(0, 5), node => Assert.Equal(logits[draft.Token(node)] - normalizer, draft.LogProbability(node), 1e-4));
        Assert.Equal(Math.Exp(logits[order[0]] - normalizer), draft.Signals(-1).Top, 1e-4);
        // A batch of siblings is what each of them alone is.
        drafter.Expand(draft, [new Expansion(0, 2), new Expansion(3, 2)], DraftNeeds.LogProbabilities);
        foreach ((int parent, int first) in ((int, int)[])[(0, 5), (3, 7)])
        {
            float[] after = TinyModels.Logits(pair.Target, [.. tokens, draft.Token(parent)])[^1];
            Assert.Equal(Enumerable.Range(0, after.Length).OrderByDescending(token => after[token]).Take(2), (int[])[draft.Token(first), draft.Token(first + 1)]);
            Assert.Equal((parent, 2), (draft.Parent(first), draft.Depth(first)));
        }
    }

    [Fact]
    public void Beyond_its_own_context_and_vocabulary_it_proposes_nothing()
    {
        using TinyPair pair = TinyModels.Load(TinyModels.Config, 6);
        using TinyPair small = TinyModels.Load(TinyModels.Config with { VocabularySize = 40, MaxPositions = 12 }, 7);
        using var pool = new WorkerPool(1);
        using var target = new LlamaTarget(pair.Target, pool);
        using var drafter = new ModelDrafter(small.Target, pair.Target, pool, 8);
        var draft = new DraftTree(8);
        drafter.Reset(40, 3);
        for (int i = 1; i < 10; i++)
        {
            drafter.Commit([], i);
        }

        // Ten tokens are known; drafted tokens 11 and 12 can be read, what comes after the last position can still be told.
        while (draft.Count < 8 && drafter.Extend(draft, DraftNeeds.None) is >= 0 and int token)
        {
            Assert.InRange(token, 0, 39);
        }

        drafter.EndRound();
        Assert.Equal(3, draft.Count);
        // A token that it doesn't know.
        drafter.Reset(40, 3);
        drafter.Commit([], 40);
        Assert.Equal(-1, drafter.Extend(new DraftTree(1), DraftNeeds.None));
        var task = new DecodingTask([3, 1, 4], SamplingOptions.Greedy, 40, []);
        using var decoder = new SpeculativeDecoder(target, 8);
        Assert.Equal(Decoding.Plain(target, task), Decoding.Speculative(decoder, task, drafter, new FixedLengthPolicy(8)));
    }
}
