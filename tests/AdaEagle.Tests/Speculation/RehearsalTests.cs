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

/// <summary>A rehearsal plays the very rounds of decoding, whatever the policy; what they would take is what costs say.</summary>
public class RehearsalTests
{
    private static readonly string[] s_policies =
    [
        "comb:4,2", "comb:0,0", "tree:eagle1", "tree:0,1,00,02", "eagle2:20,3,4", "eagle2:40,4,10", "opt-tree:20,4,3:0.1", "opt-tree:50,5,4:0", "cape:3", "cape:7", "fixed:5", "threshold:-1", "p-min:0.3",
        "hf-heuristic:3:0.3", "bucket:1", "ucb:0.5",
    ];

    private static readonly TreeCosts s_costs = new(new RoundCosts([0, 1, 2, 4], [10, 11, 13, 14], 0.5, [1, 1, 1, 1]), [1, 4, 12], [2, 2.6, 5], [11, 16, 24]);

    [Theory]
    [InlineData(1)]
    [InlineData(2)]
    [InlineData(3)]
    [InlineData(4)]
    public void Policies_do_side_by_side_what_each_does_in_decoding(int seed)
    {
        var random = new Random(9000 + seed);
        ModelConfig config = RandomModels.Target(random, vocabulary: 13) with { TieWordEmbeddings = false };
        using TinyPair pair = TinyModels.Load(config, seed, RandomModels.Type(random), RandomModels.Head(random, config), scale: 0.15f, mimicry: 1);
        using TinyPair other = TinyModels.Load(config, seed + 1, TensorType.BF16, scale: 0.15f);
        using var pool = new WorkerPool(1);
        using var target = new LlamaTarget(pair.Target, pool, maxLogitRows: 64);
        using var decoder = new SpeculativeDecoder(target, 63, maxPool: 1024);
        int accepted = 0, drafted = 0;
        foreach (string name in (string[])[Drafters.Eagle, "ngram:6,2", Drafters.Model])
        {
            using IDrafter drafter = Drafters.Create(name, new DrafterResources(pair.Target, pair.Head, other.Target, [4], pool, 128));
            using IDrafter shared = Drafters.Create(name, new DrafterResources(pair.Target, pair.Head, other.Target, [4], pool, 1024));
            IDraftPolicy[] decoding = Make();
            using var rehearsal = new Rehearsal(pair.Target, shared, pool, Make(), _ => s_costs);
            var totals = new (int Rounds, int Tokens, int Drafted, int Accepted)[decoding.Length];
            for (int i = 0; i < 4; i++)
            {
                var task = new DecodingTask(
                    RandomModels.Tokens(random, 13, random.Next(1, 80)), i % 2 == 0 ? SamplingOptions.Greedy : new SamplingOptions { Temperature = 0.9f, Seed = (ulong)i }, random.Next(1, 50), i % 3 == 0 ? [4] : []);
                int[] output = Decoding.Plain(target, task);
                for (int policy = 0; policy < decoding.Length; policy++)
                {
                    Assert.Equal(output, Decoding.Speculative(decoder, task, drafter, decoding[policy]));
                    (int rounds, int tokens, int nodes, int right) = totals[policy];
                    totals[policy] = (rounds + decoder.Passes - 1, tokens + output.Length - 1, nodes + decoder.Drafted, right + decoder.Accepted);
                }

                rehearsal.Play(task.Prompt, output, task.MaxTokens, task.Ends(output[^1]), cancellation: TestContext.Current.CancellationToken);
                for (int policy = 0; policy < decoding.Length; policy++)
                {
                    RehearsedPolicy played = rehearsal.Policies[policy];
                    Assert.True(totals[policy] == (played.Rounds, played.Tokens, played.Drafted, played.Accepted), $"{name}, {decoding[policy].Name}, case {i}: {totals[policy]}, rehearsed {played.Rounds}, {played.Tokens}, {played.Drafted}, {played.Accepted}");
                }
            }

            accepted += totals.Sum(total => total.Accepted);
            drafted += totals.Sum(total => total.Drafted);
        }

        Assert.InRange(accepted, 100, drafted * 3 / 4);

        static IDraftPolicy[] Make() => [.. s_policies.Select(policy => DraftPolicies.Create(policy, new PolicyResources(null, 8)))];
    }

    [Fact]
    public void A_policy_that_reads_the_heads_output_and_the_targets_signals_sees_what_it_sees_in_decoding()
    {
        using TinyPair pair = TinyModels.Load(TinyModels.Config, 3, head: TinyModels.Config with { LayerCount = 1 }, scale: 0.15f, mimicry: 1);
        using SurvivalWeights weights = TinySurvivals.Load(pair.Target, 3, maxDraft: 6);
        using var predictor = new SurvivalPredictor(weights);
        using var pool = new WorkerPool(1);
        using var target = new LlamaTarget(pair.Target, pool);
        using var eagle = new EagleDrafter(pair.Head, pool);
        using var shared = new EagleDrafter(pair.Head, pool, 256);
        using var decoder = new SpeculativeDecoder(target, 12, maxPool: 64);
        using var folder = new Formats.TemporaryFolder();
        string costs = folder.Write("costs.json", """{"draft_step_seconds": 0.04, "verify_seconds": [1, 1.02], "overhead_seconds": 0.01}""");
        AutoPolicy[] policies = [.. Enumerable.Range(0, 2).Select(_ => new AutoPolicy(predictor, DraftCosts.Read(costs, 13), predictor.MaxDraft, 12))];
        var task = new DecodingTask([5, 6, 7], SamplingOptions.Greedy, 80, []);
        int[] output = Decoding.Speculative(decoder, task, eagle, policies[0]);
        using var rehearsal = new Rehearsal(pair.Target, shared, pool, [policies[1], new FixedLengthPolicy(2)], _ => s_costs);
        rehearsal.Play(task.Prompt, output, task.MaxTokens, endsWithEndToken: false, cancellation: TestContext.Current.CancellationToken);
        Assert.Equal((decoder.Passes - 1, decoder.Drafted, decoder.Accepted), (rehearsal.Policies[0].Rounds, rehearsal.Policies[0].Drafted, rehearsal.Policies[0].Accepted));
        Assert.True(decoder.Drafted > decoder.Passes);
    }

    [Fact]
    public void A_node_that_two_policies_want_is_run_once()
    {
        using var counting = new CountingDrafter();
        using var remembering = new RememberingDrafter(counting, 3, 10, DraftNeeds.LogProbabilities);
        remembering.Reset(10, 0);
        remembering.Commit([], 1);
        var first = new DraftTree(20);
        remembering.Expand(first, [new Expansion(-1, 3)], DraftNeeds.LogProbabilities);
        remembering.Expand(first, [new Expansion(0, 1), new Expansion(2, 2)], DraftNeeds.LogProbabilities);
        Assert.Equal(3, counting.Expanded);
        Assert.Equal([1, 2], remembering.Passes);
        remembering.EndRound();
        var second = new DraftTree(20);
        remembering.Expand(second, [new Expansion(-1, 3)], DraftNeeds.None);
        remembering.Expand(second, [new Expansion(1, 1), new Expansion(2, 3)], DraftNeeds.None);
        Assert.Equal(4, counting.Expanded);
        Assert.Equal([1, 2], remembering.Passes);
        Assert.Equal([10, 11, 12, 110, 120, 121, 122], Enumerable.Range(0, second.Count).Select(second.Token));
        Assert.Equal([-1f, -2, -3, -1, -1, -2], Enumerable.Range(0, first.Count).Select(first.LogProbability));
        Assert.Equal([0f, 0, 0, 0, 0, 0, 0], Enumerable.Range(0, second.Count).Select(second.LogProbability));
        Assert.Throws<InvalidOperationException>(() => remembering.Expand(second, [new Expansion(0, 4)], DraftNeeds.None));

        // Another root: everything anew.
        remembering.Commit([], 2);
        first.Clear();
        remembering.Expand(first, [new Expansion(-1, 1)], DraftNeeds.None);
        Assert.Equal(20, first.Token(0));
        Assert.Equal(5, counting.Expanded);
    }

    [Fact]
    public void Trees_cost_what_chains_do_and_what_width_and_rows_add()
    {
        Assert.Equal(0, s_costs.Draft([]));
        Assert.Equal(2, s_costs.Draft([1, 1]));

        // Two passes of chains, and what four nodes take beyond one; between four and twelve on a line.
        Assert.Equal(2 + 0.6, s_costs.Draft([1, 4]), 1e-9);
        Assert.Equal(4 + 0.6 + (0.6 + (2.4 / 2)), s_costs.Draft([1, 4, 8]), 1e-9);

        // A pass more than the longest chain's: 1.5, the mean of its steps.
        Assert.Equal(4 + 1.5, s_costs.Draft([1, 1, 1, 1]), 1e-9);

        // Chains as chains; beyond three nodes as trees, which were measured with 1, 4 and 12.
        Assert.Equal([10, 11, 13, 14, 16, 17, 24, 26], ((int[])[0, 1, 2, 3, 4, 5, 12, 14]).Select(nodes => Math.Round(s_costs.Verify(nodes, nodes), 9)));

        // Three nodes as branches cost 11 + 5 x 2 / 3, a chain 14; with one of them off the path, halfway.
        Assert.Equal(14 + (1.0 / 3), s_costs.Verify(3, 1), 1e-9);
        Assert.Equal(14 + (1.0 / 6), s_costs.Verify(3, 2), 1e-9);
        Assert.Equal(24, s_costs.Verify(12, 4), 1e-9);
        TreeCosts chainsAlone = s_costs with { Sizes = [], DraftSeconds = [], VerifySeconds = [] };
        Assert.Equal(2, chainsAlone.Draft([1, 9]));
        Assert.Equal(14 + (2 * 1.5), chainsAlone.Verify(5, 2));
        Assert.Equal(13, chainsAlone.Verify(2, 1));
    }

    [Fact]
    public void Costs_of_trees_are_medians_of_rounds_that_were_whole()
    {
        var calibration = new TreeCalibration(4);
        Assert.Equal((4, 8), (calibration.MaxDraft, calibration.MaxPool));
        int[] sizes = [1, 2, 4];
        foreach (double slow in (double[])[1, 30, 1])
        {
            for (int i = 0; i < 3; i++)
            {
                int planned = calibration.Plan(default);
                Observe(planned, sizes[planned], slow);
            }
        }

        Observe(2, 1, 1000);
        Assert.Equal(3, calibration.Fewest);
        TreeCosts costs = calibration.Result(s_costs.Chains);
        Assert.Equal([1, 2, 4], costs.Sizes);
        Assert.Equal([0.1, 0.2, 0.4], costs.DraftSeconds);
        Assert.Equal([2, 3, 5], costs.VerifySeconds);

        void Observe(int planned, int size, double slow) => calibration.Observe(new RoundObservation
        {
            Planned = planned, Pool = 2 * size, DraftPasses = 2, Drafted = size, Depth = 1, Accepted = 0, Matched = 0, DraftSeconds = 0.1 * size * slow, VerifySeconds = (1 + size) * slow,
        });
    }

    [Fact]
    public void A_calibrating_tree_is_no_different_from_any_other()
    {
        using TinyPair pair = TinyModels.Load(TinyModels.Config, 4, head: TinyModels.Config with { LayerCount = 1 }, scale: 0.15f, mimicry: 1);
        using var pool = new WorkerPool(1);
        using var target = new LlamaTarget(pair.Target, pool, maxLogitRows: 64);
        using var eagle = new EagleDrafter(pair.Head, pool);
        using var decoder = new SpeculativeDecoder(target, 63, maxPool: 1024);
        var calibration = new TreeCalibration(63);
        var task = new DecodingTask([1, 2, 3], SamplingOptions.Greedy, 120, []);
        Assert.Equal(Decoding.Plain(target, task), Decoding.Speculative(decoder, task, eagle, calibration));

        // The vocabulary has 61 tokens: a root has no 63 children.
        Assert.Equal([1, 2, 4, 8, 12, 16, 24, 32, 48], calibration.Result(s_costs.Chains).Sizes);
    }

    /// <summary>Child r of a node with token t is 10 t + r, with log-probability -1 - r; the root's token is the one that was committed last.</summary>
    private sealed class CountingDrafter : IDrafter
    {
        private int _root;

        public int Expanded { get; private set; }

        public string Name => "counting";

        public int MaxExpanded => 20;

        public void Reset(int capacity, int firstToken)
        {
        }

        public void Commit(ReadOnlySpan<float> state, int nextToken) => _root = nextToken;

        public void Expand(DraftTree draft, ReadOnlySpan<Expansion> nodes, DraftNeeds needs)
        {
            foreach (Expansion node in nodes)
            {
                Expanded++;
                draft.Expand(node.Node);
                for (int rank = 0; rank < node.Children; rank++)
                {
                    draft.Add((10 * (node.Node < 0 ? _root : draft.Token(node.Node))) + rank, node.Node, -1 - rank);
                }
            }
        }

        public void EndRound()
        {
        }

        public void Dispose()
        {
        }
    }
}
