using AdaEagle.Generation;
using AdaEagle.Kernels;
using AdaEagle.Models;
using AdaEagle.Sampling;
using AdaEagle.Speculation;
using AdaEagle.Speculation.Drafting;
using AdaEagle.Speculation.Policies;
using AdaEagle.Tests.Models;

namespace AdaEagle.Tests.Generation;

/// <summary>Times, by a clock that the test turns.</summary>
public class StatisticsTests
{
    [Theory]
    [InlineData("ar")]
    [InlineData("fixed:0")]
    [InlineData("fixed:4")]
    [InlineData("ldlp+threshold:-0.6")]
    public void The_five_times_add_up_and_each_look_at_the_clock_is_counted_once(string policy)
    {
        using var tiny = new TinyLanguage(1);
        var clock = new Clock { StepTicks = 1 };
        using var session = new GenerationSession(tiny.Model, clock);
        GenerationResult result = session.Generate(
            tiny.Prompt(new Random(1), 20), new GenerationOptions { Policy = policy, MaxTokens = 30, StopAtEndToken = false }, null, TestContext.Current.CancellationToken);
        GenerationStatistics statistics = result.Statistics;
        TimeSpan sum = statistics.PrefillTime + statistics.PlanTime + statistics.DraftTime + statistics.VerifyTime + statistics.OtherTime;
        Assert.Equal(statistics.TotalTime, sum);
        Assert.All(
            (TimeSpan[])[statistics.PrefillTime, statistics.PlanTime, statistics.DraftTime, statistics.VerifyTime, statistics.OtherTime],
            time => Assert.True(time >= TimeSpan.Zero, $"{time}"));
        Assert.True(statistics.VerifyTime >= TimeSpan.FromTicks(statistics.Passes - 1));
        Assert.Equal(statistics.VisibleTokens / statistics.TotalTime.TotalSeconds, statistics.TokensPerSecond, 1e-6 * statistics.TokensPerSecond);
        Assert.Equal(
            (statistics.VisibleTokens - 1) / (statistics.TotalTime - statistics.PrefillTime).TotalSeconds, statistics.DecodeTokensPerSecond, 1e-6 * statistics.DecodeTokensPerSecond);
    }

    [Fact]
    public void Each_part_of_a_round_is_charged_to_its_own_time()
    {
        using TinyPair pair = TinyModels.Load(TinyModels.Config, 1);
        using var pool = new WorkerPool(1);
        using var target = new LlamaTarget(pair.Target, pool);
        var clock = new Clock();
        using var decoder = new SpeculativeDecoder(target, 4, clock);
        using var drafter = new TimedDrafter(clock);
        var policy = new TimedPolicy(clock);
        decoder.Prefill([1, 2, 3, 4, 5], 50, new Sampler(SamplingOptions.Greedy), _ => false, drafter, policy, cancellation: TestContext.Current.CancellationToken);
        // What the drafter does with the prompt's pairs is drafting, though it runs in the prefill.
        Assert.Equal((TimeSpan.Zero, TimeSpan.FromSeconds(5)), (decoder.PrefillTime, decoder.DraftTime));
        decoder.Round(50, out RoundRecord record);
        Assert.Equal((2, 2), (record.Planned, record.Drafted));
        Assert.Equal((TimeSpan.FromSeconds(100), TimeSpan.FromSeconds(5 + 20), TimeSpan.Zero), (decoder.PlanTime, decoder.DraftTime, decoder.VerifyTime));
        RoundObservation seen = Assert.Single(policy.Observed);
        Assert.Equal((2, 2, record.Accepted, 20.0, 0.0), (seen.Planned, seen.Drafted, seen.Accepted, seen.DraftSeconds, seen.VerifySeconds));
    }

    [Fact]
    public void A_generation_of_one_token_has_no_rounds()
    {
        using var tiny = new TinyLanguage(1);
        GenerationResult result = tiny.Generate([1, 2], new GenerationOptions { MaxTokens = 1, KeepRounds = true, StopAtEndToken = false });
        Assert.Equal((1, 1, 0, 0, 1.0), (result.Tokens.Count, result.Statistics.Passes, result.Statistics.Drafted, result.Statistics.Rounds.Count, result.Statistics.AcceptanceLength));
        Assert.Equal(0, result.Statistics.DecodeTokensPerSecond);
    }

    /// <summary>Moves by <see cref="StepTicks"/> at every look, and when it is told to.</summary>
    private sealed class Clock : TimeProvider
    {
        private long _ticks = 1000;

        public long StepTicks { get; init; }

        public override long TimestampFrequency => TimeSpan.TicksPerSecond;

        public void Advance(double seconds) => _ticks += (long)(seconds * TimeSpan.TicksPerSecond);

        public override long GetTimestamp() => _ticks += StepTicks;
    }

    private sealed class TimedDrafter(Clock clock) : IDrafter
    {
        public string Name => "timed";

        public int MaxExpanded => 16;

        public void Reset(int capacity, int firstToken)
        {
        }

        public void Commit(ReadOnlySpan<float> state, int nextToken) => clock.Advance(1);

        public void Expand(DraftTree draft, ReadOnlySpan<Expansion> nodes, DraftNeeds needs)
        {
            clock.Advance(10);
            draft.Expand(nodes[0].Node);
            draft.Add(1, nodes[0].Node, 0);
        }

        public void EndRound()
        {
        }

        public void Dispose()
        {
        }
    }

    private sealed class TimedPolicy(Clock clock) : ChainPolicy
    {
        public List<RoundObservation> Observed { get; } = [];

        public override string Name => "timed";

        public override int MaxDraft => 4;

        public override int Plan(in PlanContext context)
        {
            clock.Advance(100);
            return 2;
        }

        public override bool Extends(DraftTree draft, int planned) => draft.Count < planned;

        public override void Observe(in RoundObservation round) => Observed.Add(round);
    }
}
