using System.IO.Compression;
using System.Text;
using System.Text.Json;
using AdaEagle.Generation;
using AdaEagle.Models;
using AdaEagle.Tests.Formats;
using AdaEagle.Tests.Models;
using AdaEagle.Tokenization;

namespace AdaEagle.Tests.Cli;

public sealed class PerplexityTests(TinyCliModel tiny) : IClassFixture<TinyCliModel>, IDisposable
{
    private readonly TemporaryFolder _folder = new();

    [Fact]
    public void The_loss_is_that_of_every_token_given_those_before_it_across_passes()
    {
        using LanguageModel model = tiny.Load();
        using var scorer = new TextScorer(model);
        int[] tokens = [.. Enumerable.Range(0, 150).Select(i => (i * 37) % 250)];
        float[][] logits = TinyModels.Logits(model.Target, tokens.AsSpan(0, 20));
        double expected = 0;
        for (int i = 0; i < 19; i++)
        {
            expected -= Math.Log(Math.Exp(logits[i][tokens[i + 1]]) / logits[i].Sum(logit => Math.Exp(logit)));
        }

        TextLoss part = scorer.Score(tokens.AsSpan(0, 20)), whole = scorer.Score(tokens);
        Assert.Equal(19, part.Tokens);
        Assert.Equal(expected, part.Nats, 1e-4 * expected);
        Assert.Equal(149, whole.Tokens);
        // A second pass begins at token 128; it adds what one token more adds.
        TextLoss before = scorer.Score(tokens.AsSpan(0, 129)), after = scorer.Score(tokens.AsSpan(0, 130));
        Assert.Equal((128L, 129L), (before.Tokens, after.Tokens));
        Assert.InRange(after.Nats - before.Nats, 1e-3, 30);
        Assert.Equal(whole.Nats, scorer.Score(tokens).Nats);
        Assert.Equal(default, scorer.Score(tokens.AsSpan(0, 1)));
    }

    [Fact]
    public void Formats_stand_beside_each_other_in_table_and_file()
    {
        string text = _folder.File("dev.jsonl.gz"), output = _folder.File("out.json");
        using (var gzip = new GZipStream(File.Create(text), CompressionLevel.Fastest))
        {
            gzip.Write(Encoding.UTF8.GetBytes("""
                {"category": "a", "messages": [{"role": "user", "content": "hello"}, {"role": "assistant", "content": "what is it?"}]}

                {"category": "b", "text": "Once upon a time there was a text."}
                """));
        }

        CliRun run = tiny.Run("bench", "perplexity", "--text", text, "--formats", "f32,file,q8_0", "--json", output);
        Assert.True(run.Code == 0, run.Error);
        Assert.Contains("| weights | perplexity |", run.Out, StringComparison.Ordinal);
        using JsonDocument document = JsonDocument.Parse(File.ReadAllText(output));
        JsonElement[] rows = [.. document.RootElement.EnumerateArray()];
        Assert.Equal(["f32", "file", "q8_0"], rows.Select(row => row.GetProperty("format").GetString()));
        // The file holds F32: the same numbers, the same bits.
        Assert.Equal(rows[0].GetProperty("nats_per_token").GetDouble(), rows[1].GetProperty("nats_per_token").GetDouble());
        Assert.NotEqual(rows[0].GetProperty("nats_per_token").GetDouble(), rows[2].GetProperty("nats_per_token").GetDouble());
        Assert.Equal(rows[0].GetProperty("nats_per_token").GetDouble(), rows[2].GetProperty("nats_per_token").GetDouble(), 0.2);
        using LanguageModel model = tiny.Load();
        int dialogue = model.Tokenizer.Encode(model.Template!.Render([new ChatMessage("user", "hello"), new ChatMessage("assistant", "what is it?")], addGenerationPrompt: false)).Length;
        Assert.Equal(dialogue - 1 + "Once upon a time there was a text.".Length - 1, rows[0].GetProperty("tokens").GetInt64());
    }

    [Fact]
    public void What_cannot_be_scored_is_said()
    {
        string text = _folder.Write("bad.jsonl", "{\"text\": \"fine\"}\n{\"category\": \"a\"}\n");
        tiny.Run("bench", "perplexity", "--text", text).FailsWith(1, "line 2", "neither");
        CliRun shortText = tiny.Run("bench", "perplexity", "--text", _folder.Write("a.txt", "x"), "--formats", "f32");
        Assert.Equal(1, shortText.Code);
        Assert.Contains("too short", shortText.Error, StringComparison.Ordinal);
        tiny.Run("bench", "perplexity", "--text", text, "--formats", "q3").FailsWith(1, "no format 'q3'");
        tiny.Run("bench", "perplexity", "--text", "absent.txt").FailsWith(1, "absent.txt");
    }

    public void Dispose() => _folder.Dispose();
}
