using AdaEagle.Generation;
using AdaEagle.Sampling;
using AdaEagle.Speculation.Oracle;
using AdaEagle.Speculation.Policies;

namespace AdaEagle.Tests.Cli;

/// <summary>Every policy does in decoding what the replay of the recorded run lengths says it does.</summary>
public class ReplayTests(TinyCliModel folder) : IClassFixture<TinyCliModel>
{
    private static readonly string[] s_policies =
        ["fixed:0", "fixed:1", "fixed:2", "fixed:5", "fixed:8", "threshold:-0.6", "threshold:-3", "threshold:0", "ldlp", "ldlp+threshold:-0.6", "ldlp+threshold:-2", "eagle2:6,3,2", "comb:2,1"];

    private static readonly string[] s_prompts = ["a", "hello", "what is 17 + 4?", "ls -la | grep x", new('z', 130)];

    [Theory]
    [InlineData(0f, 60)]
    [InlineData(0f, 7)]
    [InlineData(0.8f, 60)]
    [InlineData(1.3f, 40)]
    public void Acceptance_length_passes_and_drafts_equal_the_replay(float temperature, int maxTokens)
    {
        using LanguageModel model = folder.Load();
        using var session = new GenerationSession(model);
        using var recorder = new RunRecorder(model.Target, model.Head!, model.Pool, GenerationSession.MaxDraft);
        int accepted = 0, drafted = 0;
        for (int i = 0; i < s_prompts.Length; i++)
        {
            var options = new GenerationOptions { MaxTokens = maxTokens, KeepRounds = true, Sampling = new SamplingOptions { Temperature = temperature, Seed = 5, Sequence = i } };
            IReadOnlyList<int> prompt = model.Encode(s_prompts[i], options);
            foreach (string name in s_policies)
            {
                IDraftPolicy policy = DraftPolicies.Create(name, session.PolicyResources);
                GenerationResult result = session.Generate(prompt, options, policy, null, CancellationToken.None);
                ReplayedOutput replay = Record(recorder, model, prompt, result, options, policy, out RecordedOutput _).Replay();
                AssertEqual(result.Statistics, replay);
                (accepted, drafted) = (accepted + replay.Accepted, drafted + replay.Drafted);
            }
        }

        // Otherwise the test would say little.
        Assert.InRange(accepted, drafted / 20, drafted * 19 / 20);
    }

    [Theory]
    [InlineData(0f)]
    [InlineData(0.8f)]
    public void The_oracle_does_what_it_planned_and_no_draft_of_its_is_rejected(float temperature)
    {
        using LanguageModel model = folder.Load();
        using var session = new GenerationSession(model);
        using var recorder = new RunRecorder(model.Target, model.Head!, model.Pool, 8);
        var oracle = new OraclePolicy(8);
        var costs = new RoundCosts([.. Enumerable.Range(0, 9).Select(k => 0.1 * k)], [.. Enumerable.Range(0, 9).Select(k => 1 + (0.05 * k))], 0.01, new int[9]);
        for (int i = 0; i < s_prompts.Length; i++)
        {
            var options = new GenerationOptions { MaxTokens = 60, KeepRounds = true, Sampling = new SamplingOptions { Temperature = temperature, Seed = 9, Sequence = i } };
            IReadOnlyList<int> prompt = model.Encode(s_prompts[i], options);
            GenerationResult plain = session.Generate(prompt, options, (IDraftPolicy?)null, null, CancellationToken.None);
            RecordedOutput recorded = Record(recorder, model, prompt, plain, options, null, out _);
            oracle.Lengths = OraclePlan.Find([recorded], costs, 8).Lengths[0];
            GenerationResult result = session.Generate(prompt, options, oracle, null, CancellationToken.None);
            Assert.Equal(plain.Tokens, result.Tokens);
            Assert.Equal(result.Statistics.Drafted, result.Statistics.Accepted);
            AssertEqual(result.Statistics, recorded.Replay(root => oracle.Lengths[root]));
        }
    }

    [Fact]
    public void A_stop_string_that_cuts_a_draft_is_replayed_too()
    {
        using LanguageModel model = folder.Load();
        using var session = new GenerationSession(model);
        using var recorder = new RunRecorder(model.Target, model.Head!, model.Pool, 8);
        var options = new GenerationOptions { MaxTokens = 60, KeepRounds = true };
        IReadOnlyList<int> prompt = model.Encode("abc", options);
        string text = session.Generate(prompt, options, (IDraftPolicy?)null, null, CancellationToken.None).Text;
        IDraftPolicy policy = DraftPolicies.Create("fixed:8", session.PolicyResources);
        for (int at = 1; at < Math.Min(text.Length - 2, 20); at++)
        {
            GenerationOptions stopping = options with { StopStrings = [text.Substring(at, 2)] };
            GenerationResult result = session.Generate(prompt, stopping, policy, null, CancellationToken.None);
            AssertEqual(result.Statistics, Record(recorder, model, prompt, result, stopping, null, out _).Replay(_ => 8));
        }
    }

    private static RecordedOutput Record(
        RunRecorder recorder, LanguageModel model, IReadOnlyList<int> prompt, GenerationResult result, GenerationOptions options, IDraftPolicy? policy, out RecordedOutput recorded) =>
        recorded = recorder.Record(prompt, result.Tokens, options.MaxTokens, model.EndTokens.Contains(result.Tokens[^1]), policy);

    private static void AssertEqual(GenerationStatistics stats, ReplayedOutput replay)
    {
        Assert.Equal(stats.AcceptanceLength, replay.AcceptanceLength);
        Assert.Equal((stats.Passes, stats.EmittedTokens, stats.Drafted, stats.Accepted), (replay.Passes, replay.Emitted, replay.Drafted, replay.Accepted));
        Assert.Equal(stats.Rounds.Select(round => round.Drafted), replay.Lengths);
    }
}
