using System.Globalization;
using AdaEagle.Formats;
using AdaEagle.Kernels;
using AdaEagle.Models;
using AdaEagle.Sampling;
using AdaEagle.Speculation;
using AdaEagle.Speculation.Drafting;
using AdaEagle.Speculation.Policies;
using AdaEagle.Tests.Models;

namespace AdaEagle.Tests.Speculation;

/// <summary>
/// Laws 1 and 2: with any drafter and any policy the output is plain decoding's, token for token, greedy and sampling. 32 random models with
/// random heads and predictors, 40 random cases each.
/// </summary>
public class SpeculationEqualsPlainTests(ITestOutputHelper output)
{
    private const int Models = 32;
    private const int CasesPerModel = 40;
    private const int MaxDraft = 12;

    public static TheoryData<int> Seeds => [.. Enumerable.Range(0, Models)];

    [Fact]
    public void A_policy_that_adds_a_path_for_which_there_is_no_use_is_told_so()
    {
        using TinyPair pair = TinyModels.Load(TinyModels.Config, 4, head: TinyModels.Config with { LayerCount = 1 });
        using var pool = new WorkerPool(1);
        using var target = new LlamaTarget(pair.Target, pool);
        using var eagle = new EagleDrafter(pair.Head, pool);
        using var decoder = new SpeculativeDecoder(target, MaxDraft);
        decoder.Prefill([1, 2, 3], 20, new Sampler(SamplingOptions.Greedy), _ => false, eagle, new TooDeepPolicy(), cancellation: TestContext.Current.CancellationToken);
        Assert.Contains("too deep", Assert.Throws<InvalidOperationException>(() => decoder.Round(3, out _).Length).Message, StringComparison.Ordinal);
    }

    [Theory]
    [MemberData(nameof(Seeds))]
    public void Any_drafter_and_policy_gives_the_tokens_of_plain_decoding(int seed)
    {
        var random = new Random(1000 + seed);
        ModelConfig config = RandomModels.Target(random);
        TensorType type = RandomModels.Type(random);
        // Every third with an EAGLE-3 head.
        ModelConfig head = seed % 3 == 2 ? RandomModels.Eagle3Head(random, config) : RandomModels.Head(random, config);
        using TinyPair pair = TinyModels.Load(
            config, seed, type, head, scale: RandomModels.Pick(random, 0.1f, 0.2f, 0.5f), headEmbedding: random.Next(2) == 0, mimicry: random.Next(3));
        using LdlpWeights predictor = TinyPredictors.Load(pair.Target, seed);
        using var length = new DraftLengthPredictor(predictor);
        using var pool = new WorkerPool(seed == 7 ? 2 : 1);
        using var target = new LlamaTarget(pair.Target, pool, maxRows: RandomModels.Pick(random, 13, 32, 128), maxLogitRows: 13);
        using var eagle = new EagleDrafter(pair.Head, pool, MaxDraft);
        using var decoder = new SpeculativeDecoder(target, MaxDraft);
        (int drafted, int accepted) = (0, 0);
        for (int i = 0; i < CasesPerModel; i++)
        {
            DecodingTask task = Task(random, config.VocabularySize);
            int[] expected = Decoding.Plain(target, task);
            (IDrafter drafter, string drafterName) = Drafter(random, task.Prompt, expected, config.VocabularySize, eagle);
            IDraftPolicy policy = Policy(random, length);
            Func<int, int>? budget = random.Next(3) == 0 ? left => random.Next(1, left + 1) : null;
            int[] actual = Decoding.Speculative(decoder, task, drafter, policy, budget);
            Assert.True(
                expected.AsSpan().SequenceEqual(actual),
                $"model {seed}, case {i}, {task.Sampling}, {drafterName}, {policy.Name}: [{string.Join(", ", actual)}] instead of [{string.Join(", ", expected)}]");
            drafted += decoder.Drafted;
            accepted += decoder.Accepted;
        }

        output.WriteLine(string.Create(CultureInfo.InvariantCulture, $"{type}, vocabulary {config.VocabularySize}: {accepted} of {drafted} drafts accepted"));
        Assert.InRange(accepted, 1, drafted - 1);
    }

    [Theory]
    [InlineData(1, 100, false)]
    [InlineData(2, 130, false)]
    [InlineData(3, 300, false)]
    [InlineData(4, 560, false)]
    [InlineData(5, 130, true)]
    [InlineData(6, 560, true)]
    public void Long_prompts_and_the_end_of_the_context_change_nothing(int seed, int promptLength, bool eagle3)
    {
        var random = new Random(seed);
        ModelConfig config = RandomModels.Target(random, vocabulary: 7);
        using TinyPair pair = TinyModels.Load(config, seed, TensorType.BF16, eagle3 ? RandomModels.Eagle3Head(random, config) : RandomModels.Head(random, config), scale: 0.2f, mimicry: 1);
        using var pool = new WorkerPool(1);
        using var target = new LlamaTarget(pair.Target, pool);
        using var eagle = new EagleDrafter(pair.Head, pool, MaxDraft);
        using var decoder = new SpeculativeDecoder(target, MaxDraft);
        // The last token that fits the context is the one behind its last position.
        var task = new DecodingTask(RandomModels.Tokens(random, 7, promptLength), new SamplingOptions { Temperature = 0.7f, Seed = 5 }, config.MaxPositions - promptLength, []);
        task = task with { MaxTokens = Math.Min(task.MaxTokens, 90) };
        int[] expected = Decoding.Plain(target, task);
        foreach (IDraftPolicy policy in (IDraftPolicy[])[new FixedLengthPolicy(5), new ThresholdPolicy(-1.5f, 8), new RandomPolicy(seed, MaxDraft, false)])
        {
            Assert.Equal(expected, Decoding.Speculative(decoder, task, eagle, policy));
        }
    }

    [Fact]
    public void A_drafter_that_is_always_right_saves_all_the_passes_that_its_policy_allows()
    {
        var random = new Random(3);
        ModelConfig config = RandomModels.Target(random, vocabulary: 16);
        using TinyPair pair = TinyModels.Load(config, 3);
        using var pool = new WorkerPool(1);
        using var target = new LlamaTarget(pair.Target, pool);
        using var decoder = new SpeculativeDecoder(target, MaxDraft);
        var task = new DecodingTask([1, 2, 3], SamplingOptions.Greedy, 41, []);
        int[] expected = Decoding.Plain(target, task);
        for (int k = 0; k <= 8; k++)
        {
            using var right = ScriptedDrafter.Recorded(task.Prompt, expected, 16, share: 1, off: 1, random);
            Assert.Equal(expected, Decoding.Speculative(decoder, task, right, new FixedLengthPolicy(k)));
            // The first token comes from the prefill; a round gives k + 1.
            Assert.Equal(1 + ((40 + k) / (k + 1)), decoder.Passes);
            Assert.Equal(expected[..^1], right.Next.Skip(task.Prompt.Length - 1).Take(40));

            using var wrong = ScriptedDrafter.Recorded(task.Prompt, expected, 16, share: 0, off: 1, random);
            Assert.Equal(expected, Decoding.Speculative(decoder, task, wrong, new FixedLengthPolicy(k)));
            Assert.Equal((41, 0), (decoder.Passes, decoder.Accepted));
        }
    }

    private static DecodingTask Task(Random random, int vocabulary)
    {
        int[] ends = random.Next(3) switch
        {
            0 => [],
            1 => [random.Next(vocabulary)],
            _ => [random.Next(vocabulary), random.Next(vocabulary)],
        };
        int promptLength = random.Next(10) == 0 ? random.Next(55, 75) : random.Next(1, 20);
        return new DecodingTask(RandomModels.Tokens(random, vocabulary, promptLength), Sampling(random), random.Next(1, 26), ends);
    }

    private static SamplingOptions Sampling(Random random) => random.Next(3) == 0 ? SamplingOptions.Greedy : new SamplingOptions
    {
        Temperature = RandomModels.Pick(random, 0.3f, 0.8f, 1f, 1.7f),
        TopK = RandomModels.Pick(random, 0, 0, 1, 3, 20),
        TopP = RandomModels.Pick(random, 1f, 1f, 0.5f, 0.95f),
        MinP = RandomModels.Pick(random, 0f, 0f, 0.1f),
        Seed = (ulong)random.NextInt64(),
        Sequence = random.Next(3),
    };

    private static (IDrafter Drafter, string Name) Drafter(Random random, int[] prompt, int[] recorded, int vocabulary, EagleDrafter eagle)
    {
        int seed = random.Next();
        return random.Next(6) switch
        {
            0 => (ScriptedDrafter.Random(prompt, vocabulary, new Random(seed)), "random tokens"),
            1 => (ScriptedDrafter.Recorded(prompt, recorded, vocabulary, 1, 1, new Random(seed)), "always right"),
            2 => (ScriptedDrafter.Recorded(prompt, recorded, vocabulary, 0, 1, new Random(seed)), "always wrong"),
            3 => (ScriptedDrafter.Recorded(prompt, recorded, vocabulary, 0.8, 1, new Random(seed)), "mostly right"),
            _ => (eagle, "eagle"),
        };
    }

    private static IDraftPolicy Policy(Random random, DraftLengthPredictor length)
    {
        float threshold = -3 * random.NextSingle();
        return random.Next(7) switch
        {
            0 => new FixedLengthPolicy(random.Next(MaxDraft + 1)),
            1 => new ThresholdPolicy(threshold, 8),
            2 => new LdlpPolicy(length, null),
            3 => new LdlpPolicy(length, threshold),
            4 => new UnreasonablePolicy(),
            5 => new LatePolicy(random.Next(6), random.Next(1, 6)),
            _ => new RandomPolicy(random.Next(), MaxDraft, random.Next(2) == 0),
        };
    }
}
