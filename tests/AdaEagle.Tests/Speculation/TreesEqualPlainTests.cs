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

/// <summary>Laws 1 and 2 for trees: whatever a policy expands and keeps, the output is plain decoding's. 24 random models, 60 random cases each.</summary>
public class TreesEqualPlainTests(ITestOutputHelper output)
{
    private const int Models = 24;
    private const int CasesPerModel = 60;
    private const int MaxDraft = 30;
    private const int MaxPool = 80;

    public static TheoryData<int> Seeds => [.. Enumerable.Range(0, Models)];

    [Theory]
    [MemberData(nameof(Seeds))]
    public void Any_tree_gives_the_tokens_of_plain_decoding(int seed)
    {
        var random = new Random(7000 + seed);
        ModelConfig config = RandomModels.Target(random, vocabulary: seed % 4 == 0 ? 5 : random.Next(6, 40));
        using TinyPair pair = TinyModels.Load(
            config, seed, RandomModels.Type(random), RandomModels.Head(random, config), scale: RandomModels.Pick(random, 0.1f, 0.2f, 0.5f), headEmbedding: random.Next(2) == 0, mimicry: random.Next(3));
        using var pool = new WorkerPool(seed == 7 ? 2 : 1);
        using var target = new LlamaTarget(pair.Target, pool, maxRows: 64, maxLogitRows: MaxDraft + 1);
        using var eagle = new EagleDrafter(pair.Head, pool, RandomModels.Pick(random, 9, 40, 128));
        using var decoder = new SpeculativeDecoder(target, MaxDraft, maxPool: MaxPool);
        (int drafted, int accepted, int trees) = (0, 0, 0);
        for (int i = 0; i < CasesPerModel; i++)
        {
            var task = new DecodingTask(
                RandomModels.Tokens(random, config.VocabularySize, random.Next(10) == 0 ? random.Next(55, 75) : random.Next(1, 20)),
                random.Next(3) == 0 ? SamplingOptions.Greedy : new SamplingOptions { Temperature = RandomModels.Pick(random, 0.3f, 0.8f, 1.7f), TopK = RandomModels.Pick(random, 0, 3), Seed = (ulong)random.NextInt64() },
                random.Next(1, 30),
                random.Next(2) == 0 ? [] : [random.Next(config.VocabularySize)]);
            int[] expected = Decoding.Plain(target, task);
            using IDrafter? scripted = random.Next(2) == 0 ? new ScriptedTreeDrafter(task.Prompt, expected, config.VocabularySize, random.NextDouble(), new Random(i)) : null;
            IDraftPolicy policy = Policy(random);
            Func<int, int>? budget = random.Next(4) == 0 ? left => random.Next(1, left + 1) : null;
            int[] actual = Decoding.Speculative(decoder, task, scripted ?? eagle, policy, budget, record => trees += decoder.LastDraft.LongestPath < record.Drafted ? 1 : 0);
            Assert.True(
                expected.AsSpan().SequenceEqual(actual),
                $"model {seed}, case {i}, {task.Sampling}, {(scripted ?? eagle).Name}, {policy.Name}: [{string.Join(", ", actual)}] instead of [{string.Join(", ", expected)}]");
            drafted += decoder.Drafted;
            accepted += decoder.Accepted;
        }

        output.WriteLine(string.Create(CultureInfo.InvariantCulture, $"{trees} trees that are no chains; {accepted} of {drafted} drafts accepted"));
        Assert.InRange(accepted, 20, drafted - 1);
        Assert.True(trees > 50, $"{trees} trees");
    }

    [Fact]
    public void Rows_of_the_chain_of_best_children_come_first()
    {
        // Two children of the root, two of its best, two of that one's best, one of the root's second.
        var pool = new DraftTree(8);
        foreach (int parent in (int[])[-1, -1, 0, 0, 2, 2, 1])
        {
            pool.Add(10 + pool.Count, parent, -1);
        }

        int[] all = [0, 1, 2, 3, 4, 5, 6], some = [1, 6];
        pool.PutChainFirst(all);
        Assert.Equal([0, 2, 4, 1, 3, 5, 6], all);
        pool.PutChainFirst(some);
        Assert.Equal([1, 6], some);

        var draft = new DraftTree(8);
        draft.Take(pool, all);
        Assert.Equal([-1, 0, 1, -1, 0, 1, 3], Enumerable.Range(0, 7).Select(draft.Parent));
        Assert.Equal([10, 12, 14, 11, 13, 15, 16], Enumerable.Range(0, 7).Select(draft.Token));
    }

    [Fact]
    public void Choices_that_are_no_choices_are_refused()
    {
        ModelConfig config = TinyModels.Config;
        using TinyPair pair = TinyModels.Load(config, 1, head: config with { LayerCount = 1 });
        using var pool = new WorkerPool(1);
        using var target = new LlamaTarget(pair.Target, pool);
        using var eagle = new EagleDrafter(pair.Head, pool, 16);
        using var decoder = new SpeculativeDecoder(target, 8);
        Expansion root = new(-1, 2);
        Refused("wants 0 children", [[new Expansion(-1, 0)]]);
        Refused("node 0, of 0", [[new Expansion(0, 1)]]);
        Refused("first, and alone", [[root, root]]);
        Refused("of node -1", [[root], [root]]);
        Refused("of node 2, of 2", [[root], [new Expansion(2, 1)]]);
        Refused("without its parent", [[root], [new Expansion(0, 1)]], 1, 2);
        Refused("ascending", [[root]], 1, 0);
        Refused("ascending", [[root]], 0, 0);
        Refused("ascending", [[root]], 5);
        Refused("ascending", [[root]], -1);
        // And the decoder is none the worse.
        var task = new DecodingTask([1, 2, 3], SamplingOptions.Greedy, 20, []);
        Assert.Equal(Decoding.Plain(target, task), Decoding.Speculative(decoder, task, eagle, new Eagle2Policy(8, 2, 2)));

        void Refused(string message, Expansion[][] passes, params int[] keep)
        {
            decoder.Prefill([1, 2, 3], 20, new Sampler(SamplingOptions.Greedy), _ => false, eagle, new FaultyPolicy(passes, keep), cancellation: TestContext.Current.CancellationToken);
            InvalidOperationException failure = Assert.Throws<InvalidOperationException>(() => { decoder.Round(20, out _); });
            Assert.Contains(message, failure.Message, StringComparison.Ordinal);
        }
    }

    private static IDraftPolicy Policy(Random random) => random.Next(6) switch
    {
        0 => new Eagle2Policy(random.Next(2, MaxDraft + 2), random.Next(0, 6), random.Next(1, 5)),
        1 => StaticTreePolicy.Parse("tree:eagle1", "eagle1"),
        2 => StaticTreePolicy.Comb("comb", random.Next(0, 7), random.Next(0, 4)),
        _ => new RandomTreePolicy(random.Next(), MaxDraft, random.Next(1, MaxPool), (DraftNeeds)random.Next(16)),
    };

    private sealed class FaultyPolicy(Expansion[][] passes, int[] keep) : IDraftPolicy
    {
        private int _pass;

        public string Name => "faulty";

        public int MaxDraft => 8;

        public int MaxPool => 8;

        public DraftNeeds Needs => DraftNeeds.None;

        public int Plan(in PlanContext context) => 0;

        public int NextNodes(DraftTree pool, int planned, Span<Expansion> nodes)
        {
            if (_pass == passes.Length)
            {
                return 0;
            }

            passes[_pass].CopyTo(nodes);
            return passes[_pass++].Length;
        }

        public int SelectNodes(DraftTree pool, int planned, Span<int> kept)
        {
            keep.CopyTo(kept);
            return keep.Length;
        }

        public void Observe(in RoundObservation round)
        {
        }
    }
}
