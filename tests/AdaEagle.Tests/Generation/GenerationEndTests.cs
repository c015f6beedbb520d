using System.Text;
using AdaEagle.Generation;
using AdaEagle.Sampling;
using AdaEagle.Tests.Models;
using AdaEagle.Tokenization;

namespace AdaEagle.Tests.Generation;

/// <summary>
/// End tokens, stop strings and limits end the output exactly where plain decoding ends it, for every policy: in the middle of a token, of a character,
/// of a draft. And plain decoding ends it where the plainest reading of its tokens does.
/// </summary>
public class GenerationEndTests
{
    private static readonly string[] s_policies = ["fixed:0", "fixed:1", "fixed:3", "fixed:12", "threshold:-0.5", "threshold:-4", "ldlp", "ldlp+threshold:-0.6"];

    public static TheoryData<int> Seeds => [.. Enumerable.Range(0, 6)];

    [Theory]
    [MemberData(nameof(Seeds))]
    public void Every_policy_ends_where_plain_decoding_ends(int seed)
    {
        using var tiny = new TinyLanguage(seed, scale: seed % 2 == 0 ? 0.1f : 0.25f);
        var random = new Random(seed);
        (int stopped, int ended, int limited, int accepted) = (0, 0, 0, 0);
        for (int i = 0; i < 25; i++)
        {
            int[] prompt = tiny.Prompt(random, random.Next(1, 30));
            var options = new GenerationOptions
            {
                Policy = "ar",
                MaxTokens = random.Next(1, 50),
                StopAtEndToken = random.Next(4) > 0,
                Sampling = random.Next(3) == 0 ? SamplingOptions.Greedy : new SamplingOptions { Temperature = 1.2f, Seed = (ulong)i, TopP = random.Next(2) == 0 ? 1 : 0.9f },
            };
            int[] endless = [.. tiny.Generate(prompt, options with { StopAtEndToken = false, MaxTokens = 50 }).Tokens];
            options = options with { StopStrings = Stops(random, tiny.Model.Tokenizer, endless) };

            (int[] Tokens, string Text, FinishReason Reason, int Visible) expected = Read(tiny, endless, options);
            GenerationResult plain = tiny.Generate(prompt, options);
            Assert.Equal(expected.Tokens, plain.Tokens);
            Assert.Equal((expected.Text, expected.Reason, expected.Visible), (plain.Text, plain.FinishReason, plain.Statistics.VisibleTokens));
            stopped += plain.FinishReason == FinishReason.Stop && plain.Statistics.VisibleTokens < plain.Tokens.Count ? 1 : 0;
            ended += options.StopAtEndToken && tiny.Model.EndTokens.Contains(plain.Tokens[^1]) ? 1 : 0;
            limited += plain.FinishReason == FinishReason.Length ? 1 : 0;
            foreach (string policy in s_policies)
            {
                GenerationResult result = tiny.Generate(prompt, options with { Policy = policy, KeepRounds = true });
                Assert.Equal(plain.Tokens, result.Tokens);
                Assert.Equal((plain.Text, plain.FinishReason, plain.Statistics.VisibleTokens), (result.Text, result.FinishReason, result.Statistics.VisibleTokens));
                CheckCounts(result);
                accepted += result.Statistics.Accepted;
            }
        }

        // The cases are worth something: all kinds of end, and drafts that were accepted before it.
        Assert.True(stopped > 1 && ended > 1 && limited > 1 && accepted > 30, $"{stopped} stop strings, {ended} end tokens, {limited} limits, {accepted} accepted");
    }

    [Fact]
    public void The_end_of_the_context_ends_the_output()
    {
        using var tiny = new TinyLanguage(1);
        var random = new Random(1);
        int positions = tiny.Model.Target.Config.MaxPositions;
        foreach (int left in (int[])[1, 2, 9])
        {
            int[] prompt = tiny.Prompt(random, positions - left);
            foreach (string policy in (string[])["ar", "fixed:12"])
            {
                GenerationResult result = tiny.Generate(prompt, new GenerationOptions { Policy = policy, StopAtEndToken = false, MaxTokens = 1000 });
                Assert.Equal((left, FinishReason.Length), (result.Tokens.Count, result.FinishReason));
            }
        }

        Assert.Contains(
            $"context {positions}", Assert.Throws<ArgumentException>(() => tiny.Generate(tiny.Prompt(random, positions), new GenerationOptions())).Message, StringComparison.Ordinal);
    }

    private static void CheckCounts(GenerationResult result)
    {
        GenerationStatistics statistics = result.Statistics;
        Assert.Equal(result.Tokens.Count, statistics.EmittedTokens);
        Assert.Equal(statistics.Passes - 1, statistics.Rounds.Count);
        Assert.Equal(1 + statistics.Rounds.Sum(round => round.Emitted), statistics.EmittedTokens);
        Assert.Equal(statistics.Rounds.Sum(round => round.Accepted), statistics.Accepted);
        Assert.Equal(statistics.Rounds.Sum(round => round.Drafted), statistics.Drafted);
        // Every round but one that was cut emits its accepted drafts and a token of the target's own.
        Assert.All(statistics.Rounds.SkipLast(1), round => Assert.Equal(round.Accepted + 1, round.Emitted));
        Assert.All(statistics.Rounds.TakeLast(1), round => Assert.InRange(round.Emitted, round.Accepted, round.Accepted + 1));
        Assert.InRange(statistics.VisibleTokens, 0, statistics.EmittedTokens);
        Assert.Equal((double)statistics.EmittedTokens / statistics.Passes, statistics.AcceptanceLength);
    }

    // Pieces of the text itself, from anywhere: they begin and end inside tokens and characters. And some that are not there.
    private static string[] Stops(Random random, ITokenizer tokenizer, int[] tokens)
    {
        string text = tokenizer.Decode(tokens, skipSpecialTokens: true);
        if (random.Next(3) == 0 || text.Length < 4)
        {
            return [];
        }

        int at = random.Next(text.Length / 4, text.Length - 2);
        string part = text.Substring(at, random.Next(1, Math.Min(7, text.Length - at + 1)));
        return random.Next(2) == 0 ? [part] : ["zzz", part, part + "q"];
    }

    /// <summary>Reads plain tokens one by one, with the framework's own UTF-8 decoder: where does the output end, and what is its text?</summary>
    private static (int[] Tokens, string Text, FinishReason Reason, int Visible) Read(TinyLanguage tiny, int[] tokens, GenerationOptions options)
    {
        Decoder utf8 = Encoding.UTF8.GetDecoder();
        string text = "";
        var begins = new List<int>();
        for (int i = 0; i < options.MaxTokens; i++)
        {
            begins.Add(text.Length);
            if (options.StopAtEndToken && (tokens[i] == tiny.EndToken || tokens[i] == tiny.OtherEndToken))
            {
                return (tokens[..(i + 1)], text + Characters([], flush: true), FinishReason.Stop, i);
            }

            text += tiny.Model.Tokenizer.IsSpecial(tokens[i]) ? "" : Characters(tiny.Model.Tokenizer.TokenBytes(tokens[i]), flush: false);
            int[] cuts = [.. options.StopStrings.Select(stop => text.IndexOf(stop, StringComparison.Ordinal)).Where(at => at >= 0)];
            if (cuts.Length > 0)
            {
                int cut = cuts.Min();
                return (tokens[..(i + 1)], text[..cut], FinishReason.Stop, begins.Count(begin => begin < cut));
            }
        }

        return (tokens[..options.MaxTokens], text + Characters([], flush: true), FinishReason.Length, options.MaxTokens);

        string Characters(ReadOnlySpan<byte> bytes, bool flush)
        {
            char[] characters = new char[bytes.Length + 8];
            return new string(characters, 0, utf8.GetChars(bytes, characters, flush));
        }
    }
}
