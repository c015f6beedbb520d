using AdaEagle.Cli.Bench.Levels;
using AdaEagle.Formats;
using AdaEagle.Kernels;
using AdaEagle.Models;
using AdaEagle.Sampling;
using AdaEagle.Speculation;
using AdaEagle.Speculation.Drafting;
using AdaEagle.Speculation.Policies;
using AdaEagle.Tests.Formats;
using AdaEagle.Tests.Models;

namespace AdaEagle.Tests.Speculation;

/// <summary>The cost-aware policy: it changes nothing, finds what pays, and with frozen costs does the same again.</summary>
public class AutoPolicyTests
{
    private const int MaxNodes = 12;
    private const int MaxDraft = 8;

    [Theory]
    [InlineData(1)]
    [InlineData(2)]
    [InlineData(3)]
    [InlineData(4)]
    [InlineData(5)]
    [InlineData(6)]
    public void With_any_costs_and_any_predictor_the_tokens_are_those_of_plain_decoding(int seed)
    {
        var random = new Random(2000 + seed);
        ModelConfig config = RandomModels.Target(random);
        using TinyPair pair = TinyModels.Load(config, seed, RandomModels.Type(random), RandomModels.Head(random, config), scale: RandomModels.Pick(random, 0.1f, 0.2f), mimicry: random.Next(1, 3));
        using SurvivalWeights weights = TinySurvivals.Load(pair.Target, seed, maxDraft: random.Next(1, 9), scale: RandomModels.Pick(random, 0.2f, 1f, 3f), resolved: random.NextDouble());
        using var predictor = new SurvivalPredictor(weights);
        using var pool = new WorkerPool(1);
        using var target = new LlamaTarget(pair.Target, pool, maxLogitRows: MaxNodes + 1);
        using var eagle = new EagleDrafter(pair.Head, pool);
        using var decoder = new SpeculativeDecoder(target, MaxNodes);
        (int drafted, int accepted) = (0, 0);
        for (int i = 0; i < 30; i++)
        {
            bool measured = random.Next(4) == 0;
            var policy = new AutoPolicy(random.Next(3) == 0 ? null : predictor, measured ? new DraftCosts(MaxNodes + 1) : Frozen(random), random.Next(1, MaxNodes + 1), MaxNodes, random.Next(2) == 0, random.Next(3) > 0);
            for (int generation = 0; generation < 2; generation++)
            {
                SamplingOptions sampling = random.Next(2) == 0 ? SamplingOptions.Greedy : new SamplingOptions { Temperature = 0.8f, Seed = (ulong)random.Next(), TopK = random.Next(2) * 5 };
                int[] prompt = RandomModels.Tokens(random, config.VocabularySize, random.Next(1, 20));
                var task = new DecodingTask(prompt, sampling, random.Next(1, 40), random.Next(2) == 0 ? [] : [random.Next(config.VocabularySize)]);
                policy.Begin(sampling.Temperature);
                Assert.Equal(Decoding.Plain(target, task), Decoding.Speculative(decoder, task, eagle, policy));
                (drafted, accepted) = (drafted + decoder.Drafted, accepted + decoder.Accepted);
            }
        }

        Assert.InRange(accepted, 1, drafted);
    }

    [Fact]
    public void With_frozen_costs_the_same_text_is_drafted_the_same_way()
    {
        using TinyPair pair = TinyModels.Load(TinyModels.Config, 3, head: TinyModels.Config with { LayerCount = 1 }, scale: 0.15f, mimicry: 1);
        using SurvivalWeights weights = TinySurvivals.Load(pair.Target, 3, maxDraft: 6);
        using var predictor = new SurvivalPredictor(weights);
        using var pool = new WorkerPool(1);
        using var target = new LlamaTarget(pair.Target, pool);
        using var eagle = new EagleDrafter(pair.Head, pool);
        using var decoder = new SpeculativeDecoder(target, MaxNodes);
        var task = new DecodingTask([5, 6, 7], SamplingOptions.Greedy, 80, []);
        List<RoundRecord>[] runs = [.. Enumerable.Range(0, 2).Select(_ =>
        {
            var rounds = new List<RoundRecord>();
            Decoding.Speculative(decoder, task, eagle, new AutoPolicy(predictor, Frozen(0.04, 0.02), predictor.MaxDraft, MaxNodes), onRound: rounds.Add);
            return rounds;
        })];
        Assert.Equal(runs[0], runs[1]);
        Assert.Contains(runs[0], round => round.Drafted > 0);
    }

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public void Where_nothing_can_pay_nothing_is_drafted(bool learns)
    {
        using TinyPair pair = TinyModels.Load(TinyModels.Config, 3, head: TinyModels.Config with { LayerCount = 1 }, scale: 0.15f, mimicry: 1);
        using SurvivalWeights weights = TinySurvivals.Load(pair.Target, 3, maxDraft: 6);
        using var predictor = new SurvivalPredictor(weights);
        using var pool = new WorkerPool(1);
        using var target = new LlamaTarget(pair.Target, pool);
        using var eagle = new EagleDrafter(pair.Head, pool);
        using var decoder = new SpeculativeDecoder(target, MaxNodes);
        var task = new DecodingTask([5, 6, 7], SamplingOptions.Greedy, 40, []);
        Decoding.Speculative(decoder, task, eagle, new AutoPolicy(learns ? null : predictor, Frozen(1.5, 1.1), predictor.MaxDraft, MaxNodes));
        Assert.Equal(0, decoder.Drafted);
    }

    [Theory]
    [InlineData(0, 0, 0.4)]
    [InlineData(0.5, 0.5, 3.5)]
    [InlineData(1, 3, 11)]
    public void Without_a_predictor_it_learns_what_siblings_are_worth_and_what_it_never_verified(double right, double least, double most)
    {
        // A head whose probabilities mean nothing, and whose second children are always wrong.
        using TinyPair pair = TinyModels.Load(TinyModels.Config, 4, head: TinyModels.Config with { LayerCount = 1 });
        using var pool = new WorkerPool(1);
        using var target = new LlamaTarget(pair.Target, pool);
        using var decoder = new SpeculativeDecoder(target, MaxNodes, maxPool: 64);
        using var drafter = new OverriddenDrafter(new EagleDrafter(pair.Head, pool), right, 1, TinyModels.Config.VocabularySize);
        var policy = new AutoPolicy(null, Frozen(0.05, 0.02), MaxDraft, MaxNodes, copies: false);
        var rounds = new List<RoundRecord>();
        for (int i = 0; i < 3; i++)
        {
            var task = new DecodingTask([1, 2, i], SamplingOptions.Greedy, 150, []);
            int[] expected = Decoding.Plain(target, task);
            drafter.Begin(i, task.Prompt.Length, expected);
            policy.Begin(0);
            Assert.Equal(expected, Decoding.Speculative(decoder, task, drafter, policy, onRound: rounds.Add));
        }

        Assert.InRange(rounds.Skip(rounds.Count / 2).Average(round => round.Drafted), least, most);
        Assert.InRange(rounds.Skip(rounds.Count / 2).Average(round => round.Accepted), right, MaxNodes);
    }

    [Fact]
    public void Without_a_predictor_it_learns_what_the_drafter_is_worth()
    {
        using TinyPair pair = TinyModels.Load(TinyModels.Config, 4);
        using var pool = new WorkerPool(1);
        using var target = new LlamaTarget(pair.Target, pool);
        using var decoder = new SpeculativeDecoder(target, MaxNodes);
        var task = new DecodingTask([1, 2, 3], SamplingOptions.Greedy, 150, []);
        int[] expected = Decoding.Plain(target, task);
        foreach ((double share, int least, int most) in ((double, int, int)[])[(1, 1, 30), (0, 110, 150)])
        {
            var policy = new AutoPolicy(null, Frozen(0.1, 0.05), MaxDraft, MaxNodes, siblings: false, copies: false);
            using var drafter = ScriptedDrafter.Recorded(task.Prompt, expected, TinyModels.Config.VocabularySize, share, 1, new Random(1));
            var rounds = new List<RoundRecord>();
            Assert.Equal(expected, Decoding.Speculative(decoder, task, drafter, policy, onRound: rounds.Add));

            // Always right: soon the longest drafts. Always wrong: soon none.
            Assert.InRange(rounds.Count, least, most);
            Assert.All(rounds[^12..^2], round => Assert.Equal(share == 1 ? MaxDraft : 0, round.Drafted));
        }
    }

    [Fact]
    public void What_the_text_said_before_is_drafted_where_the_drafter_knows_nothing()
    {
        // Greedy outputs of so small a model repeat themselves.
        using TinyPair pair = TinyModels.Load(TinyModels.Config, 3, scale: 0.15f);
        using var pool = new WorkerPool(1);
        using var target = new LlamaTarget(pair.Target, pool);
        using var decoder = new SpeculativeDecoder(target, MaxNodes);
        var task = new DecodingTask([5, 6, 7], SamplingOptions.Greedy, 300, []);
        int[] expected = Decoding.Plain(target, task);
        Assert.Contains(Enumerable.Range(1, 60), period => expected.Skip(240).SequenceEqual(expected.Skip(240 - period).Take(60))); // else this tests nothing
        int[] rounds = [.. ((bool[])[true, false]).Select(copies =>
        {
            var policy = new AutoPolicy(null, Frozen(0.1, 0.05), MaxDraft, MaxNodes, siblings: false, copies: copies);
            using var drafter = ScriptedDrafter.Recorded(task.Prompt, expected, TinyModels.Config.VocabularySize, 0, 1, new Random(1));
            var records = new List<RoundRecord>();
            Assert.Equal(expected, Decoding.Speculative(decoder, task, drafter, policy, onRound: records.Add));
            return records.Count;
        })];
        Assert.InRange(rounds[0], 300 / (MaxDraft + 1), 120);
        Assert.InRange(rounds[1], 250, 300);
    }

    [Fact]
    public void It_measures_at_first_and_then_decides()
    {
        using TinyPair pair = TinyModels.Load(TinyModels.Config, 3, head: TinyModels.Config with { LayerCount = 1 }, scale: 0.15f, mimicry: 1);
        using var pool = new WorkerPool(1);
        using var target = new LlamaTarget(pair.Target, pool);
        using var eagle = new EagleDrafter(pair.Head, pool);
        using var decoder = new SpeculativeDecoder(target, MaxNodes);
        var costs = new DraftCosts(MaxNodes + 1);
        var policy = new AutoPolicy(null, costs, MaxDraft, MaxNodes, siblings: false);
        var rounds = new List<RoundRecord>();
        Decoding.Speculative(decoder, new DecodingTask([5, 6, 7], SamplingOptions.Greedy, 100, []), eagle, policy, onRound: rounds.Add);
        Assert.Equal([4, 0, 8, 4, 0, 8], rounds.Take(6).Select(round => round.Drafted));
        Assert.True(costs.StepSeconds > 0 && costs.VerifySeconds[0] > 0 && costs.VerifySeconds[8] >= costs.VerifySeconds[0]);
        Assert.InRange(policy.Rate, 1e-3 / costs.Round(0, 1), 20 / costs.Round(0, 1));
    }

    // The first of so many rows counts for nothing: code is being compiled in it.
    private static DraftCosts Met(int maxRows)
    {
        var costs = new DraftCosts(maxRows);
        for (int rows = 1; rows <= maxRows; rows++)
        {
            costs.Observe(1, 90, rows, 90, 90);
        }

        Assert.Equal((0, 0, 0), (costs.StepSeconds, costs.OverheadSeconds, costs.VerifySeconds[0]));
        return costs;
    }

    // The passes are even, so that nothing is corrected for the machine's pace; many steps are equal.
    [Fact]
    public void A_step_costs_the_median_of_the_last_fifteen()
    {
        var random = new Random(3);
        DraftCosts costs = Met(8);
        var steps = new List<double>();
        for (int round = 0; round < 200; round++)
        {
            steps.Add(random.Next(1, 12) * 0.5);
            costs.Observe(1, steps[^1], 3, 2, 0);
            double[] last = [.. steps.TakeLast(15).Order()];
            Assert.Equal((last[(last.Length - 1) / 2] + last[last.Length / 2]) / 2, costs.StepSeconds, 12);
        }
    }

    [Fact]
    public void The_first_step_of_a_round_tells_only_what_a_step_costs_at_most()
    {
        DraftCosts costs = Met(8);
        costs.Observe(1, 7, 2, 2, 0, 7);
        Assert.Equal(7, costs.StepSeconds); // better than nothing
        costs.Observe(3, 5, 4, 2, 0, 4);
        costs.Observe(3, 5, 4, 2, 0, 4);
        Assert.Equal(0.5, costs.StepSeconds);
        for (int i = 0; i < 20; i++)
        {
            costs.Observe(1, 7, 2, 2, 0, 7); // hundreds of tokens were committed since the last
        }

        Assert.Equal(0.5, costs.StepSeconds);
        for (int i = 0; i < 20; i++)
        {
            costs.Observe(1, 0.25, 2, 2, 0, 0.25);
        }

        Assert.Equal(0.25, costs.StepSeconds);
    }

    [Fact]
    public void Where_all_becomes_much_faster_costs_are_forgotten()
    {
        DraftCosts costs = Met(8);
        for (int i = 0; i < 20; i++)
        {
            costs.Observe(2, 8, 3, 10, 1); // while code is being compiled
        }

        for (int i = 0; i < 20; i++)
        {
            costs.Observe(2, 0.4, 3, 7, 0.1); // a quieter machine
        }

        Assert.Equal((0, 10.0), (costs.Beginnings, costs.VerifySeconds[2]));
        for (int i = 0; i < 20; i++)
        {
            costs.Observe(2, 0.4, 3, 2, 0.1);
        }

        Assert.Equal((1, 0.2, 0.1, 2.0), (costs.Beginnings, costs.StepSeconds, costs.OverheadSeconds, costs.VerifySeconds[2]));
    }

    [Fact]
    public void Costs_are_medians_that_rise_with_the_rows()
    {
        DraftCosts costs = Met(8);
        foreach (double draft in (double[])[0.4, 0.4, 20])
        {
            costs.Observe(4, draft, 5, 3, draft / 4);
        }

        Assert.Equal((0.1, 0.1), (costs.StepSeconds, costs.OverheadSeconds));
        Assert.Equal([3, 3, 3, 3, 3, 3, 3, 3], costs.VerifySeconds.ToArray());
        costs.Observe(0, 0, 1, 1, double.NaN);
        Assert.Equal([1, 1.5, 2, 2.5, 3, 3.25, 3.5, 3.75], costs.VerifySeconds.ToArray());

        // More rows than any that were measured three times: 3.5 is hoped for, and that a row costs more than twice as much as before is not believed.
        costs.Observe(6, 0.6, 7, 4, double.NaN);
        Assert.Equal([1, 1.5, 2, 2.5, 3, 3.3125, 3.625, 3.875], costs.VerifySeconds.ToArray());
        costs.Observe(6, 0.6, 7, 90, double.NaN);
        Assert.Equal([1, 1.5, 2, 2.5, 3, 4, 5, 5.25], costs.VerifySeconds.ToArray());
        costs.Observe(6, 0.6, 7, 4, double.NaN);
        Assert.Equal([1, 1.5, 2, 2.5, 3, 3.5, 4, 4.25], costs.VerifySeconds.ToArray());
    }

    [Fact]
    public void Costs_that_fall_with_the_rows_are_pooled_and_what_was_measured_once_between_others_is_believed_by_a_quarter()
    {
        DraftCosts costs = Met(8);
        costs.Observe(0, 0, 1, 1, 0.1);
        for (int i = 0; i < 3; i++)
        {
            costs.Observe(4, 0.4, 5, 3, 0.1);
            costs.Observe(6, 0.6, 7, 2, 0.1);
        }

        Assert.Equal([1, 1.375, 1.75, 2.125, 2.5, 2.5, 2.5, 2.625], costs.VerifySeconds.ToArray());
        Assert.Equal((2 * 0.1) + 1.75 + 0.1, costs.Round(2, 3), 1e-9);
        costs.Observe(2, 0.2, 3, 1.95, 0.1);
        Assert.Equal(1.8, costs.VerifySeconds[2], 1e-9);
        costs.Observe(3, 0.3, 4, 90, 0.1); // no more than what more rows cost
        Assert.Equal(2.5, costs.VerifySeconds[3], 1e-9);
    }

    [Fact]
    public void A_slower_machine_is_a_slower_pace_not_dearer_rows()
    {
        DraftCosts costs = Met(8);
        for (int i = 0; i < 20; i++)
        {
            costs.Observe(2, 0.2, 3, 2, 0.1);
        }

        // Half as fast from now on. Four rows, met only now, are dearer than three by what they cost, not by the time they were met in.
        for (int i = 0; i < 40; i++)
        {
            costs.Observe(2, 0.4, 3, 4, 0.2);
        }

        for (int i = 0; i < 3; i++)
        {
            Assert.InRange(costs.VerifySeconds[3], 2, 2.5);
            costs.Observe(2, 0.4, 4, 5, 0.2);
        }

        Assert.Equal((2, 2.5), (costs.VerifySeconds[2], costs.VerifySeconds[3]));
        Assert.Equal((0.1, 0.1), (costs.StepSeconds, costs.OverheadSeconds));
    }

    // Rows of 1, 2, 4 and 5 seconds, the second standing out by 0.5 below the line.
    [Theory]
    [InlineData(1, 1, 2.25)]
    [InlineData(9, 3, 2.125)]
    [InlineData(1, 9, 2.375)]
    public void What_a_row_stands_out_by_is_its_own_as_far_as_it_was_measured_more_often(int own, int beside, double expected)
    {
        DraftCosts costs = Met(4);
        foreach ((int rows, double seconds, int times) in (ReadOnlySpan<(int, double, int)>)[(1, 1, 9), (3, 4, beside), (4, 5, 9), (2, 2, own)])
        {
            for (int i = 0; i < times; i++)
            {
                costs.Observe(0, 0, rows, seconds, double.NaN);
            }
        }

        Assert.Equal(expected, costs.VerifySeconds[1], 9);
    }

    [Fact]
    public void Frozen_costs_come_back_from_their_file_and_stay()
    {
        using var folder = new TemporaryFolder();
        DraftCosts costs = Met(8);
        costs.Observe(2, 0.2, 3, 2, 0.5);
        costs.Observe(0, 0, 1, 1, double.NaN);
        string file = folder.File("costs.json");
        costs.Write(file);
        DraftCosts read = DraftCosts.Read(file, 6);
        Assert.Equal((true, 0.1, 0.5), (read.IsFrozen, read.StepSeconds, read.OverheadSeconds));
        Assert.Equal([1, 1.5, 2, 2.5, 3, 3.5], read.VerifySeconds.ToArray()); // on along the last slope
        read.Observe(1, 9, 1, 9, 9);
        Assert.Equal((0.1, 1.0, 0.5), (read.StepSeconds, read.VerifySeconds[0], read.OverheadSeconds));
    }

    [Theory]
    [InlineData("", null)]
    [InlineData("[]", "verify_seconds")]
    [InlineData("""{"draft_step_seconds": 1, "verify_seconds": [], "overhead_seconds": 0}""", "verify_seconds")]
    [InlineData("""{"draft_step_seconds": 1, "verify_seconds": [0], "overhead_seconds": 0}""", "verify_seconds")]
    [InlineData("""{"draft_step_seconds": 1, "verify_seconds": [1, "2"], "overhead_seconds": 0}""", "verify_seconds")]
    [InlineData("""{"draft_step_seconds": -1, "verify_seconds": [1], "overhead_seconds": 0}""", "draft_step_seconds")]
    [InlineData("""{"draft_step_seconds": 1, "verify_seconds": [1], "overhead_seconds": 1e99}""", "overhead_seconds")]
    [InlineData("""{"draft_step_seconds": 1, "verify_seconds": [1]}""", "overhead_seconds")]
    public void Files_of_costs_are_checked(string json, string? item)
    {
        using var folder = new TemporaryFolder();
        folder.Write("costs.json", json);
        ModelFormatException failure = Assert.Throws<ModelFormatException>(() => DraftCosts.Read(folder.File("costs.json"), 4));
        Assert.Equal((folder.File("costs.json"), item), (failure.File, failure.Item));
    }

    private static DraftCosts Frozen(Random random) => Frozen(0.3 * random.NextDouble(), 0.3 * random.NextDouble());

    private static DraftCosts Frozen(double step, double row)
    {
        using var folder = new TemporaryFolder();
        string file = folder.Write("costs.json", FormattableString.Invariant($$"""{"draft_step_seconds": {{step}}, "verify_seconds": [1, {{1 + row}}], "overhead_seconds": 0.01}"""));
        return DraftCosts.Read(file, MaxNodes + 1);
    }
}
