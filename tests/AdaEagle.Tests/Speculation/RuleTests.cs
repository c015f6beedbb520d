using AdaEagle.Speculation;
using AdaEagle.Speculation.Policies;

namespace AdaEagle.Tests.Speculation;

/// <summary>The rules that people use elsewhere: where drafts stop, and how lengths move, on sequences computed by hand.</summary>
public class RuleTests
{
    private static readonly PolicyResources s_resources = new(null, 16) { EndTokens = [99] };

    [Theory]
    // Probabilities 0.9, 0.8, 0.3, 0.95: the token below P is drafted, not verified.
    [InlineData(0.5f, 3, 2)]
    [InlineData(0.85f, 2, 1)]
    [InlineData(0.95f, 1, 0)]
    [InlineData(0.2f, 4, 4)]
    [InlineData(0f, 4, 4)]
    public void P_min_drops_the_token_that_falls_below(float least, int drafted, int kept)
    {
        var policy = new PMinPolicy(least, 4);
        DraftTree draft = Draft(policy, [(0.9f, 0), (0.8f, 0), (0.3f, 0), (0.95f, 0), (0.9f, 0)]);
        Assert.Equal((drafted, kept), (draft.Count, policy.Keep(draft, 4)));
    }

    [Theory]
    // sqrt(0.15 x entropy) of 0.1, 0.4, 0.7, 1.5, 0.2: 0.122, 0.245, 0.324, 0.474, 0.173. The token that was too uncertain stays.
    [InlineData(0.3f, 3)]
    [InlineData(0.4f, 4)]
    [InlineData(0.5f, 5)]
    [InlineData(0.2f, 2)]
    [InlineData(0.1f, 1)]
    public void Svip_stops_behind_the_first_uncertain_token(float most, int expected) =>
        Assert.Equal(expected, Draft(new SvipPolicy(most, 6), [(1, 0.1f), (1, 0.4f), (1, 0.7f), (1, 1.5f), (1, 0.2f)]).Count);

    [Theory]
    // 1 - sqrt(0.2 x entropy) of 0.05, 0.45, 1.25, 0.2: 0.9, 0.7, 0.5, 0.8.
    [InlineData(0.6f, 3)]
    [InlineData(0.75f, 2)]
    [InlineData(0.95f, 1)]
    [InlineData(0.4f, 4)]
    public void AdaEdl_stops_behind_the_first_token_whose_bound_is_too_low(float threshold, int expected)
    {
        var policy = new AdaEdlPolicy(threshold, 0.9f, 8);
        Assert.Equal(expected, Draft(policy, [(1, 0.05f), (1, 0.45f), (1, 1.25f), (1, 0.2f)]).Count);
    }

    [Fact]
    public void AdaEdl_moves_its_threshold_towards_the_share_it_wants()
    {
        var policy = new AdaEdlPolicy(0.4f, 0.75f, 4);
        policy.Plan(Root(0));
        // r = 0.5: below 0.75, so lambda rises by a tenth of 0.01.
        policy.Observe(Round(drafted: 3, accepted: 3));
        Assert.Equal(0.401f, policy.Threshold, 1e-6);
        // r = 0.75: not below, so it falls.
        policy.Observe(Round(drafted: 3, accepted: 3));
        Assert.Equal(0.4f, policy.Threshold, 1e-6);
        // r = 0.875, but the draft was as long as may be.
        policy.Observe(Round(drafted: 4, accepted: 4));
        Assert.Equal(0.4f, policy.Threshold, 1e-6);
        // A round that drafts nothing says nothing.
        policy.Observe(Round(0, 0));
        Assert.Equal(0.4f, policy.Threshold, 1e-6);
        // r = 0.4375.
        policy.Observe(Round(drafted: 2, accepted: 0));
        Assert.Equal(0.401f, policy.Threshold, 1e-6);
        policy.Plan(Root(5));
        Assert.Equal(0.401f, policy.Threshold, 1e-6);
        // Another output begins anew.
        policy.Plan(Root(0));
        Assert.Equal(0.4f, policy.Threshold);
    }

    [Fact]
    public void The_heuristic_grows_by_two_and_falls_by_one()
    {
        HuggingFacePolicy policy = Make<HuggingFacePolicy>("hf-heuristic:5");
        Assert.Equal(5, policy.Plan(Root(0)));
        int[] expected = [7, 9, 8, 7, 9, 11, 10];
        (int, int)[] rounds = [(5, 5), (0, 0), (9, 8), (8, 0), (7, 7), (2, 2), (11, 3)];
        Assert.Equal(expected, rounds.Select(round =>
        {
            policy.Observe(Round(round.Item1, round.Item2));
            return policy.Plan(Root(1));
        }));
        for (int i = 0; i < 20; i++)
        {
            policy.Observe(Round(1, 0));
        }

        Assert.Equal(1, policy.Tokens);
        for (int i = 0; i < 20; i++)
        {
            policy.Observe(Round(1, 1));
        }

        // Held within k_max, and kept for the next output.
        Assert.Equal(16, policy.Plan(Root(0)));
    }

    [Fact]
    public void The_confidence_threshold_and_end_tokens_end_a_draft()
    {
        HuggingFacePolicy policy = Make<HuggingFacePolicy>("hf-confidence:0.5:6");
        int planned = policy.Plan(Root(0));
        Assert.Equal(6, planned);
        Assert.Equal(3, Draft(policy, [(0.9f, 0), (0.5f, 0), (0.49f, 0), (0.9f, 0)]).Count);
        Assert.Equal(6, Draft(policy, [.. Enumerable.Repeat((0.9f, 0f), 8)]).Count);
        Assert.Equal(2, Draft(policy, [.. Enumerable.Repeat((0.9f, 0f), 8)], token: node => node == 1 ? 99 : 1).Count);
        // Without a threshold probabilities don't count.
        HuggingFacePolicy plain = Make<HuggingFacePolicy>("hf-confidence:0:6");
        plain.Plan(Root(0));
        Assert.Equal(6, Draft(plain, [.. Enumerable.Repeat((0.01f, 0f), 8)]).Count);
    }

    [Fact]
    public void The_fitted_threshold_is_the_probability_of_least_cost()
    {
        var threshold = new ConfidenceThreshold(0.4f);
        foreach ((float probability, bool accepted) in ((float, bool)[])[(0.9f, true), (0.6f, false), (0.8f, true), (0.3f, false), (0.7f, true)])
        {
            threshold.Add(probability, accepted);
            threshold.Fit();
            Assert.Equal(0.4f, threshold.Value);
        }

        // With six tokens: at 0.7 all three accepted and no rejected one are as probable, cost 0.
        threshold.Add(0.2f, false);
        threshold.Fit();
        Assert.Equal(0.7f, threshold.Value);
        // An accepted one at 0.5: at 0.7 the cost is 0 + 3 x 1/4; at 0.5 it is 1/3 + 0.
        threshold.Add(0.5f, true);
        threshold.Fit();
        Assert.Equal(0.5f, threshold.Value);
        threshold.Begin();
        Assert.Equal(0.4f, threshold.Value);
    }

    [Fact]
    public void Tiers_follow_the_moving_average()
    {
        EmaTiersPolicy policy = Make<EmaTiersPolicy>("ema-tiers");
        Assert.Equal((3, 2.0, 7), (policy.Length, policy.Average, policy.MaxDraft));
        policy.Observe(Round(3, 3));
        Assert.Equal(2.2, policy.Average, 1e-12);
        for (int i = 0; i < 13; i++)
        {
            policy.Observe(Round(3, 3));
            Assert.Equal(3, policy.Length);
        }

        // The 15th round is the first look: the average is 3 - 0.8^15 = 2.965, above 3 - 0.5.
        policy.Observe(Round(3, 3));
        Assert.Equal(3 - Math.Pow(0.8, 15), policy.Average, 1e-12);
        Assert.Equal(7, policy.Length);
        // Five rounds of 1: 1 + 1.965 x 0.8^5 = 1.644, not at or below 3 - 0.75 … it is: back to 3; above 1 - 0.75, so no further.
        for (int i = 0; i < 5; i++)
        {
            policy.Observe(Round(7, 1));
        }

        Assert.Equal(3, policy.Length);
        // Ten rounds of nothing: 1.644 x 0.8^10 = 0.177, at or below 1 - 0.75.
        for (int i = 0; i < 10; i++)
        {
            policy.Observe(Round(3, 0));
        }

        Assert.Equal(1, policy.Length);
    }

    [Fact]
    public void The_bucket_climbs_on_surplus_and_falls_on_misses()
    {
        BucketPolicy policy = Make<BucketPolicy>("bucket");
        Assert.Equal((3, 20), (policy.Length, policy.Bucket));
        // climb(3) = 10 full successes.
        for (int i = 0; i < 9; i++)
        {
            policy.Observe(Round(3, 3));
        }

        Assert.Equal((3, 29), (policy.Length, policy.Bucket));
        // A near miss changes nothing.
        policy.Observe(Round(3, 2));
        Assert.Equal((3, 29), (policy.Length, policy.Bucket));
        policy.Observe(Round(3, 3));
        Assert.Equal((4, 20), (policy.Length, policy.Bucket));
        // Nothing accepted of 4: -3.
        policy.Observe(Round(4, 0));
        Assert.Equal((4, 17), (policy.Length, policy.Bucket));
        // Cut short and accepted in full: (1 - 4 - 1) / 2 = -2; (2 - 4 - 1) / 2 = -1, towards zero.
        policy.Observe(Round(1, 1));
        Assert.Equal((4, 15), (policy.Length, policy.Bucket));
        policy.Observe(Round(2, 2));
        Assert.Equal((4, 14), (policy.Length, policy.Bucket));
        for (int i = 0; i < 5; i++)
        {
            policy.Observe(Round(4, 0));
        }

        Assert.Equal((3, 20), (policy.Length, policy.Bucket));
        // At the floor it stays, the bucket at 0.
        for (int i = 0; i < 12; i++)
        {
            policy.Observe(Round(3, 0));
        }

        Assert.Equal((3, 0), (policy.Length, policy.Bucket));
        policy.Plan(Root(0));
        Assert.Equal((3, 20), (policy.Length, policy.Bucket));
        // At the ceiling (16) the bucket is held at its top: 80 + 2.
        for (int i = 0; i < 100; i++)
        {
            policy.Observe(Round(policy.Length, policy.Length));
        }

        Assert.Equal((16, 82), (policy.Length, policy.Bucket));
    }

    [Fact]
    public void The_bandit_tries_all_lengths_and_then_the_most_promising()
    {
        var policy = new UcbPolicy(0.5f, 3);
        // Rewards: 1 of 1: (1/3 + 1) / 2 = 0.667; 2 of 2: 0.833; 0 of 3: 0.
        foreach ((int length, int accepted) in ((int, int)[])[(1, 1), (2, 2), (3, 0)])
        {
            Assert.Equal(length, policy.Plan(Root(1)));
            policy.Observe(Round(length, accepted, length));
        }

        // All bounds are equally wide, so the highest mean: 2. It fails: its mean is 0.417.
        Assert.Equal(2, policy.Plan(Root(1)));
        policy.Observe(Round(2, 0, 2));

        // n = 4, ln 4 = 1.386: 1 has 0.667 + 1.665, 2 has 0.417 + 1.177, 3 has 0 + 1.665.
        Assert.Equal(1, policy.Plan(Root(1)));
        policy.Observe(Round(1, 0, 1));
        // n = 5, ln 5 = 1.609: 1 has 0.333 + 1.269, 2 has 0.417 + 1.269, 3 has 0 + 1.794.
        Assert.Equal(3, policy.Plan(Root(1)));
        // A draft that the end cut short teaches nothing.
        policy.Observe(Round(1, 1, 3));
        Assert.Equal(3, policy.Plan(Root(1)));
    }

    [Fact]
    public void The_argmax_takes_the_length_with_most_tokens_per_second()
    {
        var policy = new PositionArgmaxPolicy(0.5f, 4);
        // Verification is free, a draft step costs a tenth of a pass: seconds 1.4, 1, 1.1, 1.2.
        foreach ((int length, int matched) in ((int, int)[])[(4, 4), (0, 0), (1, 1), (2, 2)])
        {
            Assert.Equal(length, policy.Plan(Root(1)));
            policy.Observe(Round(length, matched) with { DraftSeconds = 0.1 * length, VerifySeconds = 1 });
        }

        // a = 0.7 moved half way to 1: three times, twice, once, once: 0.9625, 0.925, 0.85, 0.85.
        Assert.Equal([0.9625, 0.925, 0.85, 0.85], Enumerable.Range(1, 4).Select(position => Math.Round(policy.Acceptance(position), 6)));
        Assert.Equal(4, policy.Plan(Root(1)));
        // Wrong at position 1, again and again: only its acceptance falls, and drafting ends.
        for (int i = 0; i < 6; i++)
        {
            policy.Observe(Round(4, 0) with { DraftSeconds = 0.4, VerifySeconds = 1 });
        }

        Assert.Equal(0.85, policy.Acceptance(3), 1e-9);
        Assert.Equal(0.9625 / 64, policy.Acceptance(1), 1e-9);
        int[] plans = [.. Enumerable.Range(0, 64).Select(_ => policy.Plan(Root(1)))];
        // The probe comes every 32nd round.
        Assert.Equal([31, 63], Enumerable.Range(0, 64).Where(i => plans[i] == 1));
        Assert.All(plans, plan => Assert.InRange(plan, 0, 1));
    }

    [Theory]
    [InlineData("p-min:0.75", "p-min:0.75")]
    [InlineData("svip", "svip:0.3")]
    [InlineData("svip:0.45", "svip:0.45")]
    [InlineData("adaedl", "adaedl:0.4:0.9")]
    [InlineData("adaedl:0.2:0.8", "adaedl:0.2:0.8")]
    [InlineData("hf-heuristic", "hf-heuristic:5")]
    [InlineData("hf-heuristic:4:0.3", "hf-heuristic:4:0.3")]
    [InlineData("hf-confidence", "hf-confidence:0.4:16")]
    [InlineData("hf-confidence:0.7:8", "hf-confidence:0.7:8")]
    [InlineData("hf-adaptive:0.3", "hf-adaptive:0.3:16")]
    [InlineData("ema-tiers", "ema-tiers:1-3-7")]
    [InlineData("ema-tiers:2-5", "ema-tiers:2-5")]
    [InlineData("bucket", "bucket:3")]
    [InlineData("bucket:1", "bucket:1")]
    [InlineData("ucb", "ucb:0.5")]
    [InlineData("position-argmax", "position-argmax:0.05")]
    public void Names_make_rules_and_come_back_with_all_their_numbers(string name, string full)
    {
        Assert.Equal(full, DraftPolicies.Create(name, s_resources).Name);
        Assert.Equal(full, DraftPolicies.Create(full, s_resources).Name);
    }

    [Theory]
    [InlineData("p-min", "P must be a number from 0 to 1")]
    [InlineData("p-min:1.5", "P must be a number from 0 to 1")]
    [InlineData("p-min:NaN", "P must be a number from 0 to 1")]
    [InlineData("p-min:0.5:1", "'1' means nothing there")]
    [InlineData("svip:-1", "H must be")]
    [InlineData("hf-heuristic:0", "N must be a whole number from 1 to 16")]
    [InlineData("hf-confidence:0.4:17", "N must be a whole number from 1 to 16")]
    [InlineData("ema-tiers:3", "ascending")]
    [InlineData("ema-tiers:3-1", "ascending")]
    [InlineData("ema-tiers:1-x", "a tier must be a whole number")]
    [InlineData("bucket:17", "F must be a whole number from 1 to 16")]
    [InlineData("ucb:2", "W must be")]
    [InlineData("p-minimum", "Supported: ar")]
    public void Names_that_make_no_rule_are_refused(string name, string message) =>
        Assert.Contains(message, Assert.Throws<ArgumentException>(() => DraftPolicies.Create(name, s_resources)).Message, StringComparison.Ordinal);

    private static T Make<T>(string name)
        where T : IDraftPolicy => Assert.IsType<T>(DraftPolicies.Create(name, s_resources));

    private static PlanContext Root(int index) => new() { Feature = default, Token = 0, Root = 0, RootIndex = index };

    private static RoundObservation Round(int drafted, int accepted, int planned = 0) => new()
    {
        Planned = planned, Pool = drafted, DraftPasses = drafted, Drafted = drafted, Depth = drafted, Accepted = accepted, Matched = accepted, DraftSeconds = 0, VerifySeconds = 0,
    };

    // Drafts tokens with these probabilities, from distributions with these entropies, while the policy says so.
    private static DraftTree Draft(ChainPolicy policy, (float Probability, float Entropy)[] steps, Func<int, int>? token = null)
    {
        var draft = new DraftTree(steps.Length);
        int planned = policy.Plan(Root(1));
        while (draft.Count < steps.Length && policy.Extends(draft, planned))
        {
            int node = draft.Count;
            draft.Expand(node - 1);
            draft.SetSignals(node - 1, new DraftSignals(steps[node].Probability, 0, steps[node].Entropy));
            draft.Add(token?.Invoke(node) ?? 1, node - 1, MathF.Log(steps[node].Probability));
        }

        return draft;
    }
}
