using System.Text.Json;
using AdaEagle.Tests.Formats;
using AdaEagle.Tests.Generation;

namespace AdaEagle.Tests.Cli;

/// <summary><c>--drafter</c>: another drafter changes speed, never output; what can't draft is refused. And <c>bench tune</c>.</summary>
public sealed class DrafterTests(TinyCliModel model) : IClassFixture<TinyCliModel>, IDisposable
{
    private readonly TemporaryFolder _folder = new();

    [Theory]
    [InlineData("ngram")]
    [InlineData("ngram:4,3")]
    [InlineData("eagle")]
    [InlineData("model")]
    public void Every_drafter_gives_plain_decodings_tokens(string drafter)
    {
        string[] sampling = ["--temperature", "0.9", "--seed", "11", "--max-tokens", "60"];
        string[] draft = drafter == "model" ? ["--draft", model.Folder] : [];
        using JsonDocument plain = JsonDocument.Parse(model.Run(["generate", "count", "--json", "--policy", "ar", .. sampling]).Out);
        using JsonDocument other = JsonDocument.Parse(model.Run(["generate", "count", "--json", "--drafter", drafter, .. draft, .. sampling]).Out);
        Assert.Equal(plain.RootElement.GetProperty("tokens").ToString(), other.RootElement.GetProperty("tokens").ToString());
        Assert.Equal(JsonValueKind.Null, plain.RootElement.GetProperty("stats").GetProperty("drafter").ValueKind);
        JsonElement stats = other.RootElement.GetProperty("stats");
        Assert.Equal(drafter, stats.GetProperty("drafter").GetString());
        Assert.Equal(drafter.StartsWith("ngram", StringComparison.Ordinal) ? "fixed:16" : "threshold:-2", stats.GetProperty("policy").GetString());
        Assert.True(stats.GetProperty("drafted").GetInt32() > 0);
        if (drafter == "model")
        {
            // It drafts what it would say greedily, so some of it is accepted.
            Assert.True(stats.GetProperty("accepted").GetInt32() > 0);
        }
    }

    [Fact]
    public void What_can_not_draft_is_refused_with_what_to_do()
    {
        model.Run("generate", "a", "--drafter", "nothing").FailsWith(1, "There is no drafter 'nothing'", "eagle, ngram[:N,M], model");
        model.Run("generate", "a", "--drafter", "ngram:0,2").FailsWith(1, "two whole numbers from 1");
        model.Run("generate", "a", "--drafter", "model").FailsWith(1, "needs a draft model", "--draft");
        using var tiny = new TinyLanguage(1);
        model.Run("generate", "a", "--drafter", "model", "--draft", tiny.Folder).FailsWith(1, "another vocabulary", "same tokenizer");
    }

    [Fact]
    public void Bench_measures_another_drafter_and_its_oracle()
    {
        string prompts = _folder.Write("bench.jsonl", """{"question_id": 1, "category": "one", "turns": ["hello hello hello"]}""");
        string output = _folder.File("out.json");
        CliRun run = model.Run("bench", "--prompts", prompts, "--drafter", "ngram", "--policies", "ar,fixed:4,p-min:0.5,oracle", "--max-tokens", "40", "--json", output);
        Assert.Equal(0, run.Code);
        using JsonDocument document = JsonDocument.Parse(File.ReadAllText(output));
        Assert.Equal("ngram", document.RootElement.GetProperty("environment").GetProperty("drafter").GetString());
        Assert.All(document.RootElement.GetProperty("policies").EnumerateArray(), policy => Assert.Equal(1, policy.GetProperty("identical").GetInt32()));
    }

    [Fact]
    public void Tune_tries_every_rule_within_its_budget_and_puts_the_best_first()
    {
        string prompts = _folder.Write("dev.jsonl", """
            {"category": "a", "messages": [{"role": "user", "content": "hello"}, {"role": "assistant", "content": "yes"}]}
            {"category": "b", "text": "left out"}
            {"category": "a", "messages": [{"role": "user", "content": "count"}, {"role": "assistant", "content": "one"}, {"role": "user", "content": "more"}]}
            """);
        string output = _folder.File("tuned.json");
        CliRun run = model.Run("bench", "tune", "--prompts", prompts, "--max-tokens", "30", "--json", output);
        Assert.Equal(0, run.Code);
        using JsonDocument document = JsonDocument.Parse(File.ReadAllText(output));
        JsonElement root = document.RootElement;
        Assert.Equal((2, 16), (root.GetProperty("outputs").GetInt32(), root.GetProperty("max_draft").GetInt32()));
        JsonElement[] rules = [.. root.GetProperty("rules").EnumerateArray()];
        Assert.Equal(22, rules.Length);
        Assert.All((string[])["tree", "comb", "survival-rank", "auto"], name => Assert.Contains(rules, rule => rule.GetProperty("rule").GetString() == name));
        Assert.True(root.GetProperty("tree_costs").GetProperty("sizes").GetArrayLength() > 1);
        Assert.True(root.GetProperty("tree_oracle_tokens_per_second").GetDouble() >= root.GetProperty("oracle_tokens_per_second").GetDouble());
        double[] best = [.. rules.Select(rule => rule.GetProperty("settings")[0].GetProperty("tokens_per_second").GetDouble())];
        Assert.Equal(best.OrderDescending(), best);
        Assert.All(rules, rule =>
        {
            double[] rates = [.. rule.GetProperty("settings").EnumerateArray().Select(setting => setting.GetProperty("tokens_per_second").GetDouble())];
            Assert.InRange(rates.Length, 1, 12);
            Assert.Equal(rates.OrderDescending(), rates);
            Assert.Contains(rule.GetProperty("rule").GetString()!, run.Out, StringComparison.Ordinal);
        });
        Assert.Equal(0, rules.Single(rule => rule.GetProperty("rule").GetString() == "fixed").GetProperty("over_best_fixed").GetDouble());
    }

    [Fact]
    public void Tune_prices_rounds_with_the_costs_of_another_run()
    {
        string prompts = _folder.Write("few.jsonl", """{"question_id": 1, "category": "one", "turns": ["hello hello hello"]}""");
        string first = _folder.File("first.json"), second = _folder.File("second.json"), cut = _folder.File("cut.json");
        Assert.Equal(0, model.Run("bench", "tune", "--prompts", prompts, "--max-tokens", "30", "--max-draft", "8", "--json", first).Code);
        Assert.Equal(0, model.Run("bench", "tune", "--prompts", prompts, "--max-tokens", "30", "--max-draft", "8", "--costs-of", first, "--json", second).Code);
        using JsonDocument one = JsonDocument.Parse(File.ReadAllText(first)), other = JsonDocument.Parse(File.ReadAllText(second));

        // Everything is decided by tokens and costs, so everything is the same again.
        Assert.Equal(one.RootElement.GetProperty("rules").GetRawText(), other.RootElement.GetProperty("rules").GetRawText());
        Assert.Equal(one.RootElement.GetProperty("tree_costs").GetRawText(), other.RootElement.GetProperty("tree_costs").GetRawText());

        model.Run("bench", "tune", "--prompts", prompts, "--max-draft", "9", "--costs-of", first).FailsWith(1, "first.json", "at most 8 tokens", "--max-draft");
        model.Run("bench", "tune", "--prompts", prompts, "--costs-of", _folder.Write("none.json", "{}")).FailsWith(1, "none.json", "no costs", "--json");
        model.Run("bench", "tune", "--prompts", prompts, "--costs-of", _folder.Write("bad.json", "[")).FailsWith(1, "bad.json", "--json");
        File.WriteAllText(cut, File.ReadAllText(first).Replace("\"sizes\": [", "\"sizes\": [0,", StringComparison.Ordinal));
        model.Run("bench", "tune", "--prompts", prompts, "--max-draft", "8", "--costs-of", cut).FailsWith(1, "cut.json", "no costs");
    }

    public void Dispose() => _folder.Dispose();
}
