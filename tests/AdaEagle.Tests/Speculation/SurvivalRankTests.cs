using AdaEagle.Formats;
using AdaEagle.Kernels;
using AdaEagle.Models;
using AdaEagle.Sampling;
using AdaEagle.Speculation;
using AdaEagle.Speculation.Drafting;
using AdaEagle.Speculation.Oracle;
using AdaEagle.Speculation.Policies;
using AdaEagle.Tests.Formats;
using AdaEagle.Tests.Models;

namespace AdaEagle.Tests.Speculation;

/// <summary>What <c>survival-rank</c> verifies, learns and measures, on sequences worked out by hand.</summary>
public class SurvivalRankTests
{
    [Theory]
    // Probabilities 0.9, 0.5, 0.1: survivals 0.9, 0.45, 0.045; a round is 0.3 for three steps, and the verification.
    // Tokens per second: 1 / 1.3, 1.9 / 1.35, 2.35 / 1.4, 2.395 / 1.9.
    [InlineData(2, "1, 1.05, 1.1, 1.6", 0.9f, 0.5f, 0.1f)]
    // 2.395 / 1.42 is more than 2.35 / 1.4 = 1.679.
    [InlineData(3, "1, 1.05, 1.1, 1.12", 0.9f, 0.5f, 0.1f)]
    // 1.9 / 1.5 = 1.267, 2.35 / 1.9 = 1.237.
    [InlineData(1, "1, 1.2, 1.6, 2", 0.9f, 0.5f, 0.1f)]
    // 1 / 1.3 = 0.769, 1.9 / 3.3 = 0.576.
    [InlineData(0, "1, 3, 3, 3.5", 0.9f, 0.5f, 0.1f)]
    // A doubtful first token holds back all behind it: 0.2, 0.198, 0.196.
    [InlineData(0, "1, 1.4, 1.8, 2.2", 0.2f, 0.99f, 0.99f)]
    // Free rows: all.
    [InlineData(3, "1, 1, 1, 1", 0.01f, 0.01f, 0.01f)]
    public void It_verifies_as_many_as_give_the_most_expected_tokens_per_second(int expected, string verify, params float[] probabilities)
    {
        var policy = new SurvivalRankPolicy(3, Frozen(0.1, verify));
        Assert.Equal(expected, Keep(policy, probabilities));
    }

    [Fact]
    public void Acceptances_follow_the_survival_of_the_prefix_position_by_position()
    {
        var policy = new SurvivalRankPolicy(3, Frozen(0.1, "1, 1, 1, 1"));
        Assert.Equal(0.9, policy.Acceptance(1, 0.9), 1e-6);
        Keep(policy, 0.9f, 0.5f, 0.8f);
        Observe(policy, verified: 2, matched: 0);

        // Step 0.5 / 11. First: error -0.9, logit ln 9. Second: survival 0.45, error -0.45 x 0.5 / 0.55, logit 0. The third was not verified.
        double rate = 0.5 / 11;
        Assert.Equal(Sigmoid(((1 - (0.3 * rate * 0.9 * Math.Log(9))) * Math.Log(9)) - (rate * 0.9)), policy.Acceptance(1, 0.9), 1e-6);
        Assert.Equal(Sigmoid(-rate * 0.45 * 0.5 / 0.55), policy.Acceptance(2, 0.5), 1e-6);
        Assert.Equal(0.8, policy.Acceptance(3, 0.8), 1e-6);
    }

    [Fact]
    public void What_is_never_accepted_is_not_verified_in_the_end_and_the_drafters_certainty_is_no_obstacle()
    {
        var policy = new SurvivalRankPolicy(3, Frozen(0.1, "1, 1.05, 1.1, 1.15"));
        Assert.Equal(3, Keep(policy, 0.99f, 0.99f, 0.99f));
        int kept = 3;
        for (int round = 0; round < 2500; round++)
        {
            kept = Keep(policy, 0.99f, 0.99f, 0.99f);
            Observe(policy, kept, Math.Min(kept, 1));
        }

        Assert.Equal(1, kept);
        Assert.InRange(policy.Acceptance(1, 0.99), 0.95, 1);
        Assert.InRange(policy.Acceptance(2, 0.99), 0, 0.15);
    }

    [Fact]
    public void Survival_is_calibrated_on_what_is_observed()
    {
        // Accepted at shares 0.8 and 0.5, whatever the drafter says: 0.6 always.
        var policy = new SurvivalRankPolicy(2, Frozen(0.1, "1, 1, 1"));
        var random = new Random(5);
        double first = 0, both = 0;
        for (int round = 0; round < 6000; round++)
        {
            Keep(policy, 0.6f, 0.6f);
            if (round >= 5000)
            {
                (first, both) = (first + (policy.Acceptance(1, 0.6) / 1000), both + (policy.Acceptance(1, 0.6) * policy.Acceptance(2, 0.6) / 1000));
            }

            Observe(policy, 2, random.NextDouble() < 0.8 ? random.NextDouble() < 0.5 ? 2 : 1 : 0);
        }

        Assert.Equal(0.8, first, 0.03);
        Assert.Equal(0.4, both, 0.03);
    }

    [Fact]
    public void It_measures_set_numbers_first_and_leaves_out_those_in_which_code_is_compiled()
    {
        var costs = new DraftCosts(9);
        var policy = new SurvivalRankPolicy(6, costs);
        var kept = new List<int>();
        for (int round = 0; round < 9; round++)
        {
            kept.Add(Keep(policy, 0.9f, 0.9f, 0.9f, 0.9f, 0.9f, 0.9f));
            policy.Observe(Observation(kept[^1], 0, draft: round < 4 ? 60 : 0.6, verify: round < 4 ? 100 : 1 + (0.25 * kept[^1])));
        }

        Assert.Equal([6, 0, 1, 3, 6, 0, 1, 3], kept[..8]);
        Assert.Equal(0.1, costs.StepSeconds, 1e-9);
        Assert.Equal([1, 1.25, 1.5, 1.75, 2, 2.25, 2.5], costs.VerifySeconds[..7].ToArray());
        Assert.Equal([0, 1], new[] { new SurvivalRankPolicy(0, costs), new SurvivalRankPolicy(1, costs) }.Select(short_ => Keep(short_, [.. Enumerable.Repeat(0.5f, short_.MaxDraft)])));
    }

    [Theory]
    [InlineData(1)]
    [InlineData(2)]
    [InlineData(3)]
    public void It_changes_no_token_and_with_frozen_costs_is_replayed_and_rehearsed_as_it_decodes(int seed)
    {
        var random = new Random(600 + seed);
        ModelConfig config = RandomModels.Target(random, vocabulary: 9) with { TieWordEmbeddings = false };
        using TinyPair pair = TinyModels.Load(config, seed, RandomModels.Type(random), RandomModels.Head(random, config), scale: 0.15f, mimicry: 1);
        using var pool = new WorkerPool(1);
        using var target = new LlamaTarget(pair.Target, pool);
        using var eagle = new EagleDrafter(pair.Head, pool);
        using var shared = new EagleDrafter(pair.Head, pool, 256);
        using var recorder = new RunRecorder(pair.Target, pair.Head, pool, 8);
        using var decoder = new SpeculativeDecoder(target, 8);
        PolicyResources resources = new(null, 8) { Costs = Frozen(0.04, "1, 1.05, 1.1, 1.3, 1.35, 1.4, 1.8, 2, 2.2") };
        SurvivalRankPolicy[] policies = [.. Enumerable.Range(0, 3).Select(_ => Assert.IsType<SurvivalRankPolicy>(DraftPolicies.Create("survival-rank", resources)))];
        var costs = new RoundCosts(new double[9], new double[9], 0, new int[9]);
        var replay = new ChainReplay(costs);
        using var rehearsal = new Rehearsal(pair.Target, shared, pool, [policies[2]], _ => new TreeCosts(costs, [], [], []));
        var measuring = new SurvivalRankPolicy(5, new DraftCosts(9));
        (int rounds, int drafted) = (0, 0);
        var lengths = new List<int>();
        for (int i = 0; i < 6; i++)
        {
            var task = new DecodingTask(
                RandomModels.Tokens(random, 9, random.Next(1, 40)), i % 2 == 0 ? SamplingOptions.Greedy : new SamplingOptions { Temperature = 0.9f, Seed = (ulong)i }, random.Next(2, 60), i % 3 == 0 ? [4] : []);
            int[] output = Decoding.Plain(target, task);
            Assert.Equal(output, Decoding.Speculative(decoder, task, eagle, measuring));
            var own = new List<int>();
            Assert.Equal(output, Decoding.Speculative(decoder, task, eagle, policies[0], onRound: round => own.Add(round.Drafted)));
            RecordedChains chains = recorder.RecordChains(task.Prompt, output, task.MaxTokens, task.Ends(output[^1]), TestContext.Current.CancellationToken);
            Assert.Equal(own, replay.Play(chains, policies[1]).Rounds.Lengths);
            rehearsal.Play(task.Prompt, output, task.MaxTokens, task.Ends(output[^1]), cancellation: TestContext.Current.CancellationToken);
            (rounds, drafted) = (rounds + own.Count, drafted + own.Sum());
            Assert.Equal((rounds, drafted), (rehearsal.Policies[0].Rounds, rehearsal.Policies[0].Drafted));
            lengths.AddRange(own);
        }

        Assert.True(lengths.Distinct().Count() > 1, string.Join(' ', lengths));
    }

    [Theory]
    [InlineData("survival-rank:9")]
    [InlineData("survival-rank:-1")]
    [InlineData("survival-rank:2:3")]
    public void Its_argument_is_checked(string name) => Assert.Throws<ArgumentException>(() => DraftPolicies.Create(name, new PolicyResources(null, 8)));

    private static int Keep(SurvivalRankPolicy policy, params float[] probabilities)
    {
        var draft = new DraftTree(Math.Max(probabilities.Length, 1));
        int planned = policy.Plan(default);
        while (policy.Extends(draft, planned))
        {
            draft.Add(1, draft.Count - 1, MathF.Log(probabilities[draft.Count]));
        }

        Assert.Equal(policy.MaxDraft, draft.Count);
        return policy.Keep(draft, planned);
    }

    private static void Observe(SurvivalRankPolicy policy, int verified, int matched) => policy.Observe(Observation(verified, matched, 0.1, 1));

    private static RoundObservation Observation(int verified, int matched, double draft, double verify) => new()
    {
        Planned = 6, Pool = 6, DraftPasses = 6, Drafted = verified, Depth = verified, Accepted = matched, Matched = matched, DraftSeconds = draft, VerifySeconds = verify,
    };

    private static double Sigmoid(double logit) => 1 / (1 + Math.Exp(-logit));

    private static DraftCosts Frozen(double step, string verify)
    {
        using var folder = new TemporaryFolder();
        string file = folder.Write("costs.json", FormattableString.Invariant($$"""{"draft_step_seconds": {{step}}, "verify_seconds": [{{verify}}], "overhead_seconds": 0}"""));
        return DraftCosts.Read(file, 9);
    }
}
