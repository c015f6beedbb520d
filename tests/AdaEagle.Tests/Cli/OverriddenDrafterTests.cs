using AdaEagle.Cli.Bench.Levels;
using AdaEagle.Formats;
using AdaEagle.Kernels;
using AdaEagle.Models;
using AdaEagle.Sampling;
using AdaEagle.Speculation;
using AdaEagle.Speculation.Drafting;
using AdaEagle.Speculation.Policies;
using AdaEagle.Tests.Models;
using AdaEagle.Tests.Speculation;

namespace AdaEagle.Tests.Cli;

/// <summary>A head that is right to order: as often as it is told to, in the same places whoever asks, and without changing an output.</summary>
public sealed class OverriddenDrafterTests : IDisposable
{
    private const int Vocabulary = 61;
    private const int MaxNodes = 30;
    private const int Tokens = 60;
    private const ulong Seed = 11;

    private static readonly string[] s_policies = ["fixed:1", "fixed:6", "comb:4,2", "eagle2:20,4,4", "auto"];

    // With mimicry the head is often right by itself, which must not count.
    private readonly TinyPair _pair = TinyModels.Load(TinyModels.Config, 4, head: TinyModels.Config with { LayerCount = 1 }, scale: 0.15f, mimicry: 2);
    private readonly WorkerPool _pool = new(1);
    private readonly LlamaTarget _target;
    private readonly SpeculativeDecoder _decoder;

    public OverriddenDrafterTests()
    {
        _target = new LlamaTarget(_pair.Target, _pool, maxRows: 64, maxLogitRows: MaxNodes + 1);
        _decoder = new SpeculativeDecoder(_target, MaxNodes, maxPool: 200);
    }

    public static TheoryData<string> Policies => [.. s_policies];

    [Theory]
    [MemberData(nameof(Policies))]
    public void Never_right_accepts_nothing_and_always_right_accepts_all_of_the_best(string name)
    {
        foreach (DecodingTask task in Tasks())
        {
            Run(name, task, 0, record => Assert.Equal(0, record.Accepted));
            Assert.Equal(0, _decoder.Accepted);
            Assert.True(_decoder.Drafted > 0);
            Run(name, task, 1, record =>
            {
                int best = -1, depth = 0;
                for (; (best = BestChild(_decoder.LastDraft, best)) >= 0; depth++)
                {
                }

                Assert.Equal(depth, record.Accepted);
            });
            Assert.True(_decoder.Accepted > 0);
        }
    }

    [Theory]
    [MemberData(nameof(Policies))]
    public void Best_children_of_right_paths_are_right_as_often_as_asked_and_nothing_else_is(string name)
    {
        (int right, int all) = (0, 0);
        foreach (DecodingTask task in Tasks())
        {
            foreach ((int index, bool isRight) in World(name, task, 0.5))
            {
                (right, all) = (right + (isRight ? 1 : 0), all + 1);
            }
        }

        Assert.True(all > 150, $"{all} positions");
        Assert.InRange((double)right / all, 0.4, 0.6);
    }

    [Fact]
    public void Every_policy_meets_the_same_world_and_a_higher_level_only_adds_to_it()
    {
        foreach (DecodingTask task in Tasks())
        {
            Dictionary<int, bool> low = World("fixed:6", task, 0.3), high = World("fixed:6", task, 0.7);
            Assert.All(low.Where(item => item.Value && high.ContainsKey(item.Key)), item => Assert.True(high[item.Key]));
            foreach (string name in s_policies)
            {
                Dictionary<int, bool> other = World(name, task, 0.3);
                int[] common = [.. low.Keys.Where(other.ContainsKey)];
                Assert.True(common.Length > 10);
                Assert.All(common, index => Assert.Equal(low[index], other[index]));
            }
        }

        // Another prompt, another world.
        DecodingTask[] tasks = [.. Tasks()];
        Assert.NotEqual(World("fixed:6", tasks[0], 0.5).Values.Take(20), World("fixed:6", tasks[2], 0.5).Values.Take(20));
    }

    [Fact]
    public void Any_tree_gives_the_tokens_of_plain_decoding_at_any_level()
    {
        var random = new Random(3);
        for (int seed = 0; seed < 6; seed++)
        {
            // A vocabulary of five: a node may have all of it for children.
            ModelConfig config = RandomModels.Target(random, vocabulary: seed % 2 == 0 ? 5 : 30);
            using TinyPair pair = TinyModels.Load(config, seed, head: RandomModels.Head(random, config), scale: 0.2f);
            using var target = new LlamaTarget(pair.Target, _pool, maxRows: 64, maxLogitRows: MaxNodes + 1);
            using var decoder = new SpeculativeDecoder(target, MaxNodes, maxPool: 80);
            for (int i = 0; i < 25; i++)
            {
                int[] ends = random.Next(2) == 0 ? [] : [random.Next(config.VocabularySize)];
                var sampling = random.Next(2) == 0 ? SamplingOptions.Greedy : new SamplingOptions { Temperature = 0.8f, Seed = (ulong)i };
                var task = new DecodingTask(RandomModels.Tokens(random, config.VocabularySize, random.Next(1, 20)), sampling, random.Next(1, 30), ends);
                int[] expected = Decoding.Plain(target, task);
                using var drafter = new OverriddenDrafter(new EagleDrafter(pair.Head, _pool), random.NextDouble(), Seed, config.VocabularySize);
                // As in a calibration, what is known may be less than what is said.
                drafter.Begin(i, task.Prompt.Length, expected[..random.Next(expected.Length + 1)]);
                IDraftPolicy policy = random.Next(2) == 0 ? new RandomPolicy(i, 9, true) : new RandomTreePolicy(i, MaxNodes, random.Next(1, 80), (DraftNeeds)random.Next(16));
                Assert.Equal(expected, Decoding.Speculative(decoder, task, drafter, policy));
            }
        }
    }

    [Fact]
    public void What_the_head_says_of_its_tokens_stays_and_it_is_told_all_it_would_be_told()
    {
        DecodingTask task = Tasks().First();
        using var head = new EagleDrafter(_pair.Head, _pool);
        using var drafter = new OverriddenDrafter(new EagleDrafter(_pair.Head, _pool), 0.5, Seed, Vocabulary);
        drafter.Begin(0, task.Prompt.Length, Decoding.Plain(_target, task));
        Assert.Equal((head.Name, head.MaxExpanded, head.Inputs), (drafter.Name, drafter.MaxExpanded, drafter.Inputs));
        (float[] ownProbabilities, DraftSignals ownSignals) = FirstRound(head);
        (float[] probabilities, DraftSignals signals) = FirstRound(drafter);
        Assert.Equal(ownProbabilities, probabilities);
        Assert.Equal(ownSignals, signals);

        // Of the first draft pass of the first round, whose tokens alone are overridden.
        (float[] Probabilities, DraftSignals Signals) FirstRound(IDrafter one)
        {
            _decoder.Prefill(task.Prompt, task.MaxTokens, new Sampler(task.Sampling), task.Ends, one, new Probe(), cancellation: TestContext.Current.CancellationToken);
            _decoder.Round(20, out _);
            one.CheckIntegrity(task.Prompt.Length + _decoder.Generated - 1);
            DraftTree pool = _decoder.LastPool;
            return ([.. Enumerable.Range(0, pool.Count).Select(pool.LogProbability)], pool.Signals(-1));
        }
    }

    public void Dispose()
    {
        _decoder.Dispose();
        _target.Dispose();
        _pool.Dispose();
        _pair.Dispose();
    }

    private static IEnumerable<DecodingTask> Tasks()
    {
        for (int i = 0; i < 6; i++)
        {
            yield return new DecodingTask(
                [i + 1, 7, (i * i) + 2], i % 2 == 0 ? SamplingOptions.Greedy : new SamplingOptions { Temperature = 0.9f, Seed = 5, Sequence = i }, Tokens, []);
        }
    }

    // The output's places where the drafter was asked for a best child on a right path, and whether that was right. Checks all other nodes.
    private Dictionary<int, bool> World(string name, DecodingTask task, double right)
    {
        var world = new Dictionary<int, bool>();
        int[] output = Decoding.Plain(_target, task);
        Run(name, task, right, record =>
        {
            DraftTree pool = _decoder.LastPool;
            int root = _decoder.Generated - record.Emitted - 1;
            bool[] isRight = new bool[pool.Count];
            for (int node = 0; node < pool.Count; node++)
            {
                int index = root + pool.Depth(node), parent = pool.Parent(node);
                isRight[node] = (parent < 0 || isRight[parent]) && pool.Token(node) == output[index];
                Assert.True(!isRight[node] || pool.Rank(node) == 0, "A second child is right.");
                Assert.InRange(pool.Token(node), 0, Vocabulary - 1);
                if ((parent < 0 || isRight[parent]) && pool.Rank(node) == 0)
                {
                    Assert.True(world.TryAdd(index, isRight[node]) || world[index] == isRight[node], "A place is right and wrong.");
                }
            }

            foreach (IGrouping<int, int> siblings in Enumerable.Range(0, pool.Count).GroupBy(pool.Parent))
            {
                Assert.Distinct(siblings.Select(pool.Token));
            }
        });
        return world;
    }

    private void Run(string name, DecodingTask task, double right, Action<RoundRecord> onRound)
    {
        int[] expected = Decoding.Plain(_target, task);
        using var drafter = new OverriddenDrafter(new EagleDrafter(_pair.Head, _pool), right, Seed, Vocabulary);
        drafter.Begin(task.Prompt[0], task.Prompt.Length, expected);
        IDraftPolicy policy = DraftPolicies.Create(name, new PolicyResources(null, 16, MaxNodes, 200) { Costs = Frozen(), MayCopy = false });
        Assert.Equal(expected, Decoding.Speculative(_decoder, task, drafter, policy, onRound: onRound));
    }

    // So that auto's decisions are the same again.
    private static DraftCosts Frozen()
    {
        string file = Path.GetTempFileName();
        File.WriteAllText(file, """{"draft_step_seconds": 0.04, "verify_seconds": [1, 1.02, 1.04, 1.06, 1.08, 1.1, 1.2], "overhead_seconds": 0.001}""");
        DraftCosts costs = DraftCosts.Read(file, MaxNodes + 1);
        File.Delete(file);
        return costs;
    }

    private static int BestChild(DraftTree draft, int node)
    {
        for (int child = node + 1; child < draft.Count; child++)
        {
            if (draft.Parent(child) == node && draft.Rank(child) == 0)
            {
                return child;
            }
        }

        return -1;
    }

    /// <summary>Looks at the root's five best children.</summary>
    private sealed class Probe : IDraftPolicy
    {
        public string Name => "probe";

        public int MaxDraft => 5;

        public int MaxPool => 5;

        public DraftNeeds Needs => DraftNeeds.LogProbabilities | DraftNeeds.Signals;

        public int Plan(in PlanContext context) => 0;

        public int NextNodes(DraftTree pool, int planned, Span<Expansion> nodes)
        {
            nodes[0] = new Expansion(-1, 5);
            return pool.Expanded == 0 ? 1 : 0;
        }

        public void Observe(in RoundObservation round)
        {
        }
    }
}
