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

/// <summary>Law 2 for the rules that people use elsewhere, with every drafter; and that a replay over recorded chains plays the very rounds of decoding.</summary>
public class RulesAreLosslessTests
{
    private const int MaxDraft = 8;

    private static readonly string[] s_rules =
    [
        "fixed:3", "threshold:-1", "p-min:0.3", "p-min:0", "svip:0.3", "svip:0.5", "adaedl:0.4:0.9", "adaedl:-0.5:0.5", "hf-heuristic:5", "hf-heuristic:3:0.3", "hf-confidence:0.4:8", "hf-adaptive:0.3:8",
        "ema-tiers:1-3-7", "bucket:1", "ucb:0.5",
    ];

    [Theory]
    [InlineData(1)]
    [InlineData(2)]
    [InlineData(3)]
    [InlineData(4)]
    [InlineData(5)]
    [InlineData(6)]
    public void Any_rule_and_drafter_gives_the_tokens_of_plain_decoding_and_replays_as_it_decoded(int seed)
    {
        var random = new Random(7000 + seed);
        ModelConfig config = RandomModels.Target(random, vocabulary: 9) with { TieWordEmbeddings = false };
        using TinyPair pair = TinyModels.Load(config, seed, RandomModels.Type(random), RandomModels.Head(random, config), scale: 0.15f, mimicry: 1);
        using TinyPair other = TinyModels.Load(config, seed % 2 == 0 ? seed : seed + 1, TensorType.BF16, scale: 0.15f);
        using var pool = new WorkerPool(1);
        using var target = new LlamaTarget(pair.Target, pool);
        using var decoder = new SpeculativeDecoder(target, 16);
        var resources = new PolicyResources(null, MaxDraft) { EndTokens = [4] };
        var replay = new ChainReplay(new RoundCosts(new double[MaxDraft + 1], new double[MaxDraft + 1], 0, new int[MaxDraft + 1]));
        int accepted = 0;
        foreach (string drafterName in (string[])[Drafters.Eagle, "ngram:6,2", Drafters.Model])
        {
            using IDrafter drafter = Drafters.Create(drafterName, new DrafterResources(pair.Target, pair.Head, other.Target, [4], pool, 32));
            using var recorder = new RunRecorder(pair.Target, drafter, pool, MaxDraft);
            ChainPolicy[] decoding = [.. s_rules.Select(rule => Make(rule, resources))], replaying = [.. s_rules.Select(rule => Make(rule, resources))];
            for (int i = 0; i < 6; i++)
            {
                var task = new DecodingTask(
                    RandomModels.Tokens(random, 9, random.Next(1, 40)),
                    i % 2 == 0 ? SamplingOptions.Greedy : new SamplingOptions { Temperature = RandomModels.Pick(random, 0.5f, 0.9f), Seed = (ulong)random.NextInt64() },
                    random.Next(1, 60), i % 3 == 0 ? [4] : []);
                int[] expected = Decoding.Plain(target, task);
                RecordedChains chains = recorder.RecordChains(task.Prompt, expected, task.MaxTokens, task.Ends(expected[^1]), TestContext.Current.CancellationToken);
                for (int rule = 0; rule < s_rules.Length; rule++)
                {
                    var lengths = new List<int>();
                    int[] actual = Decoding.Speculative(decoder, task, drafter, decoding[rule], onRound: round => lengths.Add(round.Drafted));
                    Assert.True(expected.AsSpan().SequenceEqual(actual), $"{drafterName}, {s_rules[rule]}, case {i}");
                    ReplayedOutput replayed = replay.Play(chains, replaying[rule]).Rounds;
                    Assert.True(lengths.SequenceEqual(replayed.Lengths), $"{drafterName}, {s_rules[rule]}, case {i}: [{string.Join(' ', lengths)}], replayed [{string.Join(' ', replayed.Lengths)}]");
                    Assert.Equal((decoder.Passes, decoder.Drafted, decoder.Accepted), (replayed.Passes, replayed.Drafted, replayed.Accepted));
                    accepted += decoder.Accepted;
                }
            }
        }

        Assert.True(accepted > 100, $"{accepted} accepted");
    }

    [Theory]
    [InlineData("eagle", 1)]
    [InlineData("ngram:4,2", 2)]
    [InlineData("model", 3)]
    public void Tree_rules_are_lossless_with_every_drafter(string drafterName, int seed)
    {
        var random = new Random(seed);
        ModelConfig config = RandomModels.Target(random, vocabulary: 9) with { TieWordEmbeddings = false };
        using TinyPair pair = TinyModels.Load(config, seed, TensorType.BF16, RandomModels.Head(random, config), scale: 0.15f, mimicry: 1);
        using TinyPair other = TinyModels.Load(config, seed + 1, TensorType.BF16, scale: 0.15f);
        using var pool = new WorkerPool(1);
        using var target = new LlamaTarget(pair.Target, pool, maxLogitRows: 64);
        using var decoder = new SpeculativeDecoder(target, 63, maxPool: 1024);
        using IDrafter drafter = Drafters.Create(drafterName, new DrafterResources(pair.Target, pair.Head, other.Target, [], pool, 128));
        IDraftPolicy[] policies = [.. ((string[])["opt-tree:20,4,3:0.1", "opt-tree:50,5,4:0", "cape:3", "cape:7", "eagle2:20,3,4", "comb:4,2"]).Select(name => DraftPolicies.Create(name, new PolicyResources(null, 16)))];
        int accepted = 0;
        for (int i = 0; i < 12; i++)
        {
            var task = new DecodingTask(
                RandomModels.Tokens(random, 9, random.Next(1, 40)), i % 2 == 0 ? SamplingOptions.Greedy : new SamplingOptions { Temperature = 0.9f, Seed = (ulong)i }, random.Next(1, 60), i % 3 == 0 ? [4] : []);
            int[] expected = Decoding.Plain(target, task);
            foreach (IDraftPolicy policy in policies)
            {
                Assert.Equal(expected, Decoding.Speculative(decoder, task, drafter, policy));
                accepted += decoder.Accepted;
            }
        }

        Assert.True(accepted > 20, $"{accepted} accepted");
    }

    [Theory]
    [InlineData("eagle")]
    [InlineData("ngram:4,2")]
    [InlineData("model")]
    public void The_rule_that_looks_at_the_clock_is_lossless_too(string drafterName)
    {
        using TinyPair pair = TinyModels.Load(TinyModels.Config, 4, TensorType.BF16, TinyModels.Config with { LayerCount = 1 }, scale: 0.15f, mimicry: 1);
        using var pool = new WorkerPool(1);
        using var target = new LlamaTarget(pair.Target, pool);
        using var decoder = new SpeculativeDecoder(target, 16);
        using IDrafter drafter = Drafters.Create(drafterName, new DrafterResources(pair.Target, pair.Head, pair.Target, [], pool, 32));
        var policy = new PositionArgmaxPolicy(0.05f, MaxDraft);
        for (int i = 0; i < 5; i++)
        {
            var task = new DecodingTask([7, 7, i, 7], new SamplingOptions { Temperature = i * 0.2f, Seed = (ulong)i }, 50, []);
            Assert.Equal(Decoding.Plain(target, task), Decoding.Speculative(decoder, task, drafter, policy));
        }
    }

    [Fact]
    public void Costs_are_those_of_the_draft_and_of_what_is_verified_of_it()
    {
        // Drafts 1 2 (probabilities 0.9, 0.2) at the first root and 3 at the second; the output goes on with 1, 5, 3.
        RecordedToken token(int id, float probability) => new(id, MathF.Log(probability), default);
        RecordedChain root(int run, params RecordedToken[] chain) => new([], 0, 0, default, chain, run);
        var output = new RecordedChains([root(1, token(1, 0.9f), token(2, 0.2f)), root(0, token(6, 0.3f)), root(0, token(6, 0.1f))], MaxTokens: 10, EndsWithEndToken: false);
        var replay = new ChainReplay(new RoundCosts([1, 10, 100], [0.1, 0.2, 0.3], 0.01, [1, 1, 1]));
        // p-min drafts two and has one verified, which is right; the next root drafts one and has none verified.
        PricedReplay result = replay.Play(output, new PMinPolicy(0.5f, 2));
        Assert.Equal((3, 4, 1, 1), (result.Rounds.Passes, result.Rounds.Emitted, result.Rounds.Drafted, result.Rounds.Accepted));
        Assert.Equal([1, 0], result.Rounds.Lengths);
        Assert.Equal(100 + 0.2 + 0.01 + 10 + 0.1 + 0.01, result.Seconds, 1e-9);
    }

    private static ChainPolicy Make(string rule, PolicyResources resources) => Assert.IsType<ChainPolicy>(DraftPolicies.Create(rule, resources), exactMatch: false);
}
