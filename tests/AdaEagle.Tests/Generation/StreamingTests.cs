using AdaEagle.Generation;
using AdaEagle.Models;
using AdaEagle.Sampling;
using AdaEagle.Speculation.Policies;
using AdaEagle.Tests.Models;

namespace AdaEagle.Tests.Generation;

/// <summary>Streams, cancellation, several generations at once, and a model that stays usable through all of it.</summary>
public class StreamingTests
{
    private static readonly GenerationOptions s_options = new()
    {
        Policy = "fixed:3", MaxTokens = 40, StopAtEndToken = false, Sampling = new SamplingOptions { Temperature = 1.1f, Seed = 5 },
    };

    [Theory]
    [InlineData("ar")]
    [InlineData("fixed:4")]
    [InlineData("ldlp+threshold:-0.6")]
    public async Task Pieces_join_to_the_text_and_the_last_one_holds_the_result(string policy)
    {
        using var tiny = new TinyLanguage(2);
        var random = new Random(2);
        for (int i = 0; i < 8; i++)
        {
            int[] prompt = tiny.Prompt(random, 10);
            GenerationOptions options = s_options with { Policy = policy, StopAtEndToken = i % 2 == 0, StopStrings = i % 3 == 0 ? ["ab", "e\n"] : [], KeepRounds = true };
            GenerationResult expected = tiny.Generate(prompt, options);
            var pieces = new List<GenerationUpdate>();
            await foreach (GenerationUpdate piece in tiny.Model.StreamAsync(prompt, options, TestContext.Current.CancellationToken))
            {
                pieces.Add(piece);
            }

            Assert.Equal(expected.Tokens.Count, pieces.Count);
            GenerationResult result = Assert.IsType<GenerationResult>(pieces[^1].Result);
            Assert.All(pieces.SkipLast(1), piece => Assert.Null(piece.Result));
            Assert.Equal(expected.Text, string.Concat(pieces.Select(piece => piece.Text)));
            Assert.Equal((expected.Text, expected.FinishReason), (result.Text, result.FinishReason));
            Assert.Equal(expected.Tokens, result.Tokens);
            Assert.Equal(expected.Statistics.Rounds, result.Statistics.Rounds);
            // Rounds and the marks of drafted tokens are those of the records.
            int[] rounds = [0, .. expected.Statistics.Rounds.SelectMany((round, number) => Enumerable.Repeat(number + 1, round.Emitted))];
            bool[] drafted = [false, .. expected.Statistics.Rounds.SelectMany(round => Enumerable.Range(0, round.Emitted).Select(token => token < round.Accepted))];
            Assert.Equal(rounds, pieces.Select(piece => piece.Round));
            Assert.Equal(drafted, pieces.Select(piece => piece.Drafted));
        }
    }

    [Fact]
    public void The_reading_of_a_prompt_is_reported_part_by_part_and_changes_nothing()
    {
        using var tiny = new TinyLanguage(2);
        int[] prompt = tiny.Prompt(new Random(4), 150);
        var reports = new Reports();
        GenerationResult expected = tiny.Generate(prompt, s_options);
        AssertSame(expected, tiny.Generate(prompt, s_options with { Progress = reports }));
        Assert.Equal([128, 150], reports.Seen.Select(report => report.Done));
        Assert.All(reports.Seen, report => Assert.Equal(150, report.Total));
    }

    [Fact]
    public async Task A_cancelled_generation_leaves_the_model_usable()
    {
        using var tiny = new TinyLanguage(3);
        int[] prompt = tiny.Prompt(new Random(3), 70);
        GenerationResult expected = tiny.Generate(prompt, s_options);
        for (int tokens = 0; tokens < 12; tokens++)
        {
            // In the middle of it, from the listener.
            using var cancellation = new CancellationTokenSource();
            int seen = 0;
            Action<GenerationUpdate> cancel = _ =>
            {
                if (seen++ == tokens)
                {
                    cancellation.Cancel();
                }
            };
            Assert.Throws<OperationCanceledException>(() => tiny.Model.Generate(prompt, s_options, cancel, cancellation.Token));
            AssertSame(expected, tiny.Generate(prompt, s_options));
        }

        // Before it began; by leaving the loop; by the token while reading.
        using var cancelled = new CancellationTokenSource();
        await cancelled.CancelAsync();
        Assert.Throws<OperationCanceledException>(() => tiny.Model.Generate(prompt, s_options, null, cancelled.Token));
        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => tiny.Model.GenerateAsync("ab", s_options, cancelled.Token));
        await foreach (GenerationUpdate piece in tiny.Model.StreamAsync(prompt, s_options, TestContext.Current.CancellationToken))
        {
            Assert.Null(piece.Result);
            break;
        }

        using var late = new CancellationTokenSource();
        await Assert.ThrowsAnyAsync<OperationCanceledException>(async () =>
        {
            await foreach (GenerationUpdate _ in tiny.Model.StreamAsync(prompt, s_options with { MaxTokens = 120 }, late.Token))
            {
                await late.CancelAsync();
            }
        });
        AssertSame(expected, tiny.Generate(prompt, s_options));
    }

    [Fact]
    public void A_listener_that_throws_ends_the_generation_and_nothing_else()
    {
        using var tiny = new TinyLanguage(4);
        int[] prompt = tiny.Prompt(new Random(4), 10);
        GenerationResult expected = tiny.Generate(prompt, s_options);
        Assert.Throws<TimeZoneNotFoundException>(() => tiny.Model.Generate(
            prompt, s_options, update => throw (update.Round < 3 ? new TimeZoneNotFoundException() : new InvalidOperationException()), TestContext.Current.CancellationToken));
        AssertSame(expected, tiny.Generate(prompt, s_options));
    }

    [Fact]
    public async Task Failures_reach_the_reader_of_a_stream()
    {
        using var tiny = new TinyLanguage(4);
        CancellationToken never = TestContext.Current.CancellationToken;
        await Assert.ThrowsAsync<ArgumentException>(async () =>
        {
            await foreach (GenerationUpdate _ in tiny.Model.StreamAsync((int[])[], s_options, never))
            {
            }
        });
        await Assert.ThrowsAsync<ArgumentException>(async () =>
        {
            await foreach (GenerationUpdate _ in tiny.Model.StreamAsync((int[])[1], s_options with { Policy = "fixed" }, never))
            {
            }
        });
    }

    [Fact]
    public void No_cache_block_stays_out_when_all_sessions_are_gone()
    {
        var tiny = new TinyLanguage(5);
        (LlamaModel target, EagleHead head) = (tiny.Model.Target, tiny.Model.Head!);
        int[] prompt = tiny.Prompt(new Random(5), 100);
        using var cancellation = new CancellationTokenSource();
        tiny.Generate(prompt, s_options);
        Assert.Throws<OperationCanceledException>(() => tiny.Model.Generate(prompt, s_options, update => cancellation.Cancel(), cancellation.Token));
        Assert.True(target.Blocks.Rented > 0);
        target.Blocks.CheckIntegrity();
        tiny.Dispose();
        Assert.Equal((0, 0), (target.Blocks.Rented, head.Blocks.Rented));
        tiny.Model.Dispose();
        Assert.Throws<ObjectDisposedException>(() => tiny.Generate(prompt, s_options));
    }

    [Theory]
    [InlineData(1)]
    [InlineData(2)]
    [InlineData(0)]
    public async Task Generations_at_once_give_what_they_give_alone(int threads)
    {
        using var tiny = new TinyLanguage(6, threads: threads);
        var random = new Random(6);
        string[] policies = ["ar", "fixed:3", "ldlp", "threshold:-1", "ldlp+threshold:-0.6"];
        (int[] Prompt, GenerationOptions Options)[] tasks =
        [
            .. policies.Select((policy, i) => (tiny.Prompt(random, random.Next(5, 90)), s_options with { Policy = policy, MaxTokens = 20, Sampling = s_options.Sampling with { Sequence = i } })),
        ];
        GenerationResult[] alone = [.. tasks.Select(task => tiny.Generate(task.Prompt, task.Options))];
        for (int i = 0; i < 2; i++)
        {
            GenerationResult[] together = await Task.WhenAll(tasks.Select(task => Task.Run(() => tiny.Generate(task.Prompt, task.Options), TestContext.Current.CancellationToken)));
            for (int task = 0; task < tasks.Length; task++)
            {
                AssertSame(alone[task], together[task]);
                Assert.Equal(alone[task].Statistics.Accepted, together[task].Statistics.Accepted);
            }
        }
    }

    [Fact]
    public void What_cannot_be_generated_is_refused_with_a_reason()
    {
        using var plain = new TinyLanguage(7, head: false, predictor: false);
        Assert.Equal("ar", plain.Model.DefaultPolicy);
        Assert.Equal("ar", plain.Generate([1, 2], s_options with { Policy = null }).Statistics.Policy);
        Assert.Contains("--draft", Assert.Throws<InvalidOperationException>(() => plain.Generate([1], s_options with { Policy = "fixed:2" })).Message, StringComparison.Ordinal);
        Assert.Contains("--predictor", Assert.Throws<MissingPartException>(() => plain.Generate([1], s_options with { Policy = "ldlp" })).Message, StringComparison.Ordinal);
        GenerationOptions options = s_options with { Policy = "ar" };
        Assert.Throws<ArgumentException>(() => plain.Generate((int[])[], options));
        Assert.Throws<ArgumentException>(() => plain.Generate([-1], options));
        Assert.Throws<ArgumentException>(() => plain.Generate([plain.Model.Target.Config.VocabularySize], options));
        Assert.Throws<ArgumentOutOfRangeException>(() => plain.Generate([1], options with { MaxTokens = 0 }));
        Assert.Throws<ArgumentException>(() => plain.Generate([1], options with { StopStrings = ["a", ""] }));
        Assert.Throws<ArgumentOutOfRangeException>(() => plain.Generate([1], options with { Sampling = new SamplingOptions { Temperature = -1 } }));
        Assert.Throws<InvalidOperationException>(() => plain.Model.EncodeChat([]));
        // And after all of that it still runs.
        Assert.Equal(40, plain.Generate([1, 2], options).Tokens.Count);
    }

    [Fact]
    public void What_a_folder_holds_decides_the_default_and_the_warnings()
    {
        using var head = new TinyLanguage(8, predictor: false);
        Assert.Equal(("threshold:-2", 0), (head.Model.DefaultPolicy, head.Model.Warnings.Count));
        using var both = new TinyLanguage(8, headVocabulary: "abc", predictorVocabulary: "abc");
        Assert.Equal("threshold:-2", both.Model.DefaultPolicy);
        Assert.Equal(2, both.Model.Warnings.Count);
        Assert.All(both.Model.Warnings, warning => Assert.Contains("another vocabulary", warning, StringComparison.Ordinal));
        string fingerprint = both.Model.Tokenizer.Fingerprint;
        using var matching = new TinyLanguage(8, headVocabulary: fingerprint, predictorVocabulary: fingerprint);
        Assert.Empty(matching.Model.Warnings);
        using var survival = new TinyLanguage(8, survival: true);
        Assert.Equal("auto", survival.Model.DefaultPolicy);
        using var orphan = new TinyLanguage(8, head: false);
        Assert.Equal("ar", orphan.Model.DefaultPolicy);
        Assert.Contains("no draft head", Assert.Single(orphan.Model.Warnings), StringComparison.Ordinal);
        Assert.Equal([both.EndToken, both.OtherEndToken], both.Model.EndTokens.Order());
    }

    [Fact]
    public void A_policy_of_the_callers_own_runs_in_a_session()
    {
        using var tiny = new TinyLanguage(9);
        int[] prompt = tiny.Prompt(new Random(9), 12);
        using var session = new GenerationSession(tiny.Model);
        GenerationResult expected = session.Generate(prompt, s_options, (IDraftPolicy?)null, null, TestContext.Current.CancellationToken);
        GenerationResult result = session.Generate(prompt, s_options, new Speculation.UnreasonablePolicy(), null, TestContext.Current.CancellationToken);
        AssertSame(expected, result);
        Assert.Equal("unreasonable", result.Statistics.Policy);
        Assert.True(result.Statistics.Drafted >= GenerationSession.MaxDraft);
    }

    private static void AssertSame(GenerationResult expected, GenerationResult actual)
    {
        Assert.Equal(expected.Tokens, actual.Tokens);
        Assert.Equal((expected.Text, expected.FinishReason), (actual.Text, actual.FinishReason));
    }

    private sealed class Reports : IProgress<PromptProgress>
    {
        public List<PromptProgress> Seen { get; } = [];

        public void Report(PromptProgress value) => Seen.Add(value);
    }
}
