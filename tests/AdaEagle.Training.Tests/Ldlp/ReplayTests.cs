using AdaEagle.Models;
using AdaEagle.Sampling;
using AdaEagle.Speculation;
using AdaEagle.Speculation.Drafting;
using AdaEagle.Speculation.Policies;
using AdaEagle.Training.Answers;
using AdaEagle.Training.Eagle;
using AdaEagle.Training.Ldlp;
using AdaEagle.Training.Tests.Answers;
using AdaEagle.Training.Tests.Eagle;

namespace AdaEagle.Training.Tests.Ldlp;

public class ReplayTests
{
    private static readonly AnswerRoots Ended = Answer(isCut: false, 3, 2, 1, 0, 1);

    [Theory]
    [InlineData(0, 5, 5, 0)]
    [InlineData(1, 5, 3, 3)] // 1 accepted, 1 accepted, then the end token itself
    [InlineData(8, 5, 2, 16)] // 3 accepted and one more, then the end token
    public void A_fixed_length_accepts_what_the_run_allows(int length, int emitted, int rounds, int drafted) =>
        Assert.Equal(new ReplayResult(emitted, rounds, drafted), Replay.Run(Ended, [], ReplayPolicy.Fixed(length)));

    [Fact]
    public void After_an_accepted_end_token_nothing_follows_but_after_a_cut_answer_something_does()
    {
        Assert.Equal(2, Replay.Run(Answer(isCut: false, 2, 1), [], ReplayPolicy.Fixed(2)).Emitted);
        Assert.Equal(3, Replay.Run(Answer(isCut: true, 2, 1), [], ReplayPolicy.Fixed(2)).Emitted);
    }

    [Fact]
    public void Lengths_follow_the_thresholds_rule()
    {
        var root = new PredictorRoot(0, 4, [-0.1f, -0.5f, -0.7f, -2]);
        Assert.Equal(3, ReplayPolicy.Threshold(-0.6, 4).Length(root, double.NaN)); // the token that crossed stays
        Assert.Equal(1, ReplayPolicy.Threshold(-0.05, 4).Length(root, double.NaN));
        Assert.Equal(4, ReplayPolicy.LdlpThreshold(-0.6, 4, 4).Length(root, 3.6));
        Assert.Equal(3, ReplayPolicy.LdlpThreshold(-0.6, 4, 4).Length(root, 1.2));
        Assert.Equal(3, ReplayPolicy.LdlpThreshold(-0.6, 2, 4).Length(root, 3.6));
        Assert.Equal(2, ReplayPolicy.Ldlp(2).Length(root, 3.6));
        Assert.Equal((0, 4, 2, 0), (ReplayPolicy.Clamp(-3, 4), ReplayPolicy.Clamp(9, 4), ReplayPolicy.Clamp(2.4, 4), ReplayPolicy.Clamp(double.NaN, 4)));
    }

    [Fact]
    public void The_oracle_is_never_behind_and_costs_count()
    {
        AnswerRoots[] answers = [Ended, Answer(isCut: true, 0, 0, 8, 7, 6, 5, 4, 3, 2, 1, 0, 0)];
        (ReplayResult oracle, double speed) = Replay.Oracle(answers, 0.1, 0.05);
        Assert.Equal(speed, oracle.TokensPerPass(0.1, 0.05), 1e-6);
        Assert.All(Enumerable.Range(0, 9), length => Assert.True(Replay.Run(answers, [], ReplayPolicy.Fixed(length)).TokensPerPass(0.1, 0.05) <= speed));
        Assert.Equal(20 / (6 + 8 * 0.15), new ReplayResult(20, 6, 8).TokensPerPass(0.1, 0.05), 1e-9);
    }

    /// <summary>Issue: every policy's acceptance length equals its replay from the recorded run lengths.</summary>
    [Theory]
    [InlineData("fixed:1")]
    [InlineData("fixed:4")]
    [InlineData("threshold:-1")]
    public void Decoding_accepts_what_the_replay_says(string name)
    {
        using var head = new SmallHead();
        Answer[] answers = [.. head.Small.Answer(head.Small.Settings(40), SmallTarget.Jobs(8).Select(job => job with { IsSampled = false }), 1, [.. Enumerable.Range(0, 4)]).Select(item => item.Answer)];
        ReplayPolicy policy = name.StartsWith("fixed", StringComparison.Ordinal) ? ReplayPolicy.Fixed(name[^1] - '0') : ReplayPolicy.Threshold(-1, 8);
        var recorded = new List<AnswerRuns>();
        new RunLengths(head.Small.Target.Model, head.Engine, 8, wholeDrafts: true).Record(answers, 1, recorded.Add);
        using var target = new LlamaTarget(head.Small.Target.Model);
        using var decoder = new SpeculativeDecoder(target, 8);
        using var drafter = new EagleDrafter(head.Engine, maxExpanded: 8);
        foreach (AnswerRuns runs in recorded)
        {
            AnswerRoots roots = RootTable.Of(runs, head.Small.Target.Model.Config.HiddenSize);
            int root = 0;
            decoder.Prefill(
                runs.Answer.Tokens.AsSpan(0, runs.Answer.PromptLength), 200, new Sampler(SamplingOptions.Greedy), token => token < 4, drafter, DraftPolicies.Create(name, new PolicyResources(null, 8)),
                cancellation: TestContext.Current.CancellationToken);
            var replayed = new List<int>();
            Replay.Run(roots, [], policy, replayed.Add);
            foreach (int start in replayed)
            {
                Assert.Equal(start, root);
                decoder.Round(100, out RoundRecord record);
                int length = policy.Length(roots.Roots[start], double.NaN);
                Assert.Equal((length, Math.Min(length, roots.Roots[start].Label)), (record.Drafted, record.Accepted));
                root += record.Accepted + 1;
            }
        }
    }

    private static AnswerRoots Answer(bool isCut, params int[] labels) =>
        new(0, "c", false, isCut, [.. labels.Select(label => new PredictorRoot(0, label, []))], []);
}
