using AdaEagle.Speculation.Oracle;
using AdaEagle.Speculation.Policies;

namespace AdaEagle.Tests.Cli;

public class OraclePlanTests
{
    // A round costs 4 for the pass, 1 besides, and a given time for each drafted token.
    private static RoundCosts Costs(double step) => new([0, step, 2 * step, 3 * step], [4, 4, 4, 4], 1, [1, 1, 1, 1]);

    [Theory]
    [InlineData(3, 1, 0.2, 3)] // 1 + k - 0.2 (5 + k) grows by 0.8 a token
    [InlineData(2, 1, 0.2, 2)] // no further than the run
    [InlineData(0, 1, 0.2, 0)]
    [InlineData(3, 6, 0.2, 0)] // a step costs 1.2 tokens
    [InlineData(3, 1, 1.0, 0)] // of equals the shorter
    [InlineData(3, 1, 0.99, 3)]
    public void The_best_length_gains_most_over_the_rate(int run, double step, double rate, int best) =>
        Assert.Equal(best, OraclePlan.Best(run, Costs(step), rate));

    [Fact]
    public void Verification_that_jumps_is_worth_stopping_before()
    {
        var costs = new RoundCosts([0, 1, 2, 3, 4], [4, 4, 4, 40, 40], 0, [1, 1, 1, 1, 1]);
        Assert.Equal(2, OraclePlan.Best(4, costs, 0.2));
        Assert.Equal(4, OraclePlan.Best(4, costs, 0.01));
    }

    [Fact]
    public void A_replay_counts_the_rounds_of_the_decoder()
    {
        RecordedOutput output = Output([2, 0, 1, 3, 0, 0, 0], endsWithEndToken: true);
        ReplayedOutput two = output.Replay(_ => 2);
        // Roots 0 and 3: two accepted and one more each; the last of these is the end token, which is never a draft's.
        Assert.Equal((3, 7, 4, 4), (two.Passes, two.Emitted, two.Drafted, two.Accepted));
        Assert.Equal(7 / 3.0, two.AcceptanceLength);
        ReplayedOutput none = output.Replay(_ => 0);
        Assert.Equal((7, 1.0), (none.Passes, none.AcceptanceLength));
        ReplayedOutput one = output.Replay(_ => 1);
        // Roots 0, 2, 4, 5.
        Assert.Equal((5, 7, 4, 2), (one.Passes, one.Emitted, one.Drafted, one.Accepted));
    }

    [Fact]
    public void A_replay_drafts_no_further_than_the_limit_of_tokens()
    {
        ReplayedOutput replay = new RecordedOutput([.. new[] { 3, 2, 1, 0 }.Select(run => new RecordedRoot(run, 0, 0))], 4, false).Replay(_ => 8);
        Assert.Equal((2, 4, 2, 2), (replay.Passes, replay.Emitted, replay.Drafted, replay.Accepted));
    }

    [Fact]
    public void Rho_is_the_rate_that_its_own_lengths_give()
    {
        RecordedOutput output = Output([3, 0, 0, 0, 0], endsWithEndToken: false);
        OraclePlan cheap = OraclePlan.Find([output], Costs(1), 8);
        Assert.Equal(3, cheap.Lengths[0][0]);
        Assert.Equal(4 / 8.0, cheap.TokensPerSecond, 12);
        OraclePlan dear = OraclePlan.Find([output], Costs(6), 8);
        Assert.All(dear.Lengths[0], length => Assert.Equal(0, length));
        Assert.Equal(1 / 5.0, dear.TokensPerSecond, 12);
        Assert.Equal(2, OraclePlan.Find([output], Costs(1), maxDraft: 2).Lengths[0][0]);
    }

    [Fact]
    public void The_oracle_never_drafts_what_the_output_leaves_no_room_for()
    {
        RecordedOutput output = Output([3, 2, 1, 0], endsWithEndToken: true);
        Assert.Equal([2, 1, 0, 0], Enumerable.Range(0, 4).Select(output.UsefulRun));
    }

    [Fact]
    public void Calibration_takes_medians_by_length_and_the_rest_of_a_round_as_overhead()
    {
        var clock = new ManualClock();
        var calibration = new CostCalibration(2, clock);
        (int Drafted, double Draft, double Verify, double Besides)[] rounds = [(0, 0, 4, 1), (2, 3, 6, 1), (0, 0, 5, 3), (2, 5, 8, 1), (0, 0, 9, 1)];
        foreach ((int drafted, double draft, double verify, double rest) in rounds)
        {
            clock.Advance(draft + verify + rest);
            calibration.Observe(new RoundObservation
            {
                Planned = drafted, Pool = drafted, DraftPasses = drafted, Drafted = drafted, Depth = drafted, Accepted = 0, Matched = 0, DraftSeconds = draft, VerifySeconds = verify,
            });
        }

        RoundCosts costs = calibration.Result();
        Assert.Equal([5, 6, 7], costs.VerifySeconds);
        Assert.Equal([0, 2, 4], costs.DraftSeconds);
        Assert.Equal(1, costs.OverheadSeconds);
        Assert.Equal([3, 0, 2], costs.Samples);
        Assert.Equal(4 + 7 + 1, costs.Round(2));
        Assert.Equal(2 / 5.0, costs.DraftStepOverPass);
        Assert.Equal(7 / 5.0, costs.VerifyOverPass(3));
        Assert.Throws<InvalidOperationException>(() => new CostCalibration(2).Result());
    }

    [Fact]
    public void Calibration_goes_through_all_lengths_before_it_repeats_one()
    {
        var calibration = new CostCalibration(4);
        int[] planned = [.. Enumerable.Range(0, 10).Select(_ => calibration.Plan(new PlanContext { Feature = [], Token = 0, Root = 0, RootIndex = 0 }))];
        Assert.Equal([0, 1, 2, 3, 4], planned[..5].Order());
        Assert.Equal([0, 1, 2, 3, 4], planned[5..].Order());
    }

    private static RecordedOutput Output(int[] runs, bool endsWithEndToken) =>
        new([.. runs.Select(run => new RecordedRoot(run, 0, 0))], MaxTokens: 10, endsWithEndToken);

    private sealed class ManualClock : TimeProvider
    {
        private long _now = 1;

        public override long TimestampFrequency => 1000;

        public override long GetTimestamp() => _now;

        public void Advance(double seconds) => _now += (long)(1000 * seconds);
    }
}
