using System.Text.Json;
using AdaEagle.Formats;
using AdaEagle.Kernels;
using AdaEagle.Models;
using AdaEagle.Sampling;
using AdaEagle.Speculation;
using AdaEagle.Speculation.Drafting;
using AdaEagle.Speculation.Policies;

namespace AdaEagle.Tests.Speculation;

/// <summary>EAGLE-3 heads in the layout of vllm-project/speculators, in all its variants, against what its own code gave.</summary>
public class SpeculatorsFixturesTests(ITestOutputHelper output)
{
    // Features were rounded to five decimals before they were fed.
    private const float Tolerance = 3e-4f;

    [Fact]
    public void Rows_chains_and_rounds_agree_with_speculators()
    {
        int cases = 0, rounds = 0;
        foreach (string folder in Directory.GetDirectories(Fixtures.Folder(Path.Combine("drafters", "speculators-format"))).Order(StringComparer.Ordinal))
        {
            string name = Path.GetFileName(folder);
            if (!File.Exists(Path.Combine(folder, "expected.json")) || ModelConfig.Load(folder).Eagle3 is not { Speculators: true })
            {
                output.WriteLine($"skipped: {name} is no EAGLE-3 head");
                continue;
            }

            using var document = JsonDocument.Parse(File.ReadAllBytes(Path.Combine(folder, "expected.json")));
            using var config = JsonDocument.Parse(File.ReadAllBytes(Path.Combine(folder, "config.json")));
            string target = config.RootElement.GetProperty("speculators_config").GetProperty("verifier").GetProperty("name_or_path").GetString()!;
            using var model = LlamaModel.Load(Path.GetFullPath(Path.Combine(folder, target)));
            using var head = EagleHead.Load(folder, model);
            Assert.Equal(document.RootElement.Ints("boundaries"), head.Inputs.Boundaries);
            foreach (JsonElement one in document.RootElement.GetProperty("cases").EnumerateArray())
            {
                CheckCase(name, head, one);
                cases++;
            }

            foreach (JsonElement one in document.RootElement.GetProperty("generation").EnumerateArray())
            {
                rounds += CheckGeneration(head, one);
            }
        }

        output.WriteLine($"{cases} cases, {rounds} rounds");
        Fixtures.RequireCases("drafters/speculators-format (EAGLE-3)", cases);
    }

    [Fact]
    public void EAGLE_1_heads_of_that_layout_are_refused_by_name()
    {
        int cases = 0;
        foreach (string folder in Directory.GetDirectories(Fixtures.Folder(Path.Combine("drafters", "speculators-format")), "eagle1*"))
        {
            using var model = LlamaModel.Load(Path.Combine(folder, "..", "target"));
            ModelFormatException refused = Assert.Throws<ModelFormatException>(() => EagleHead.Load(folder, model));
            Assert.Contains("speculators", refused.Message, StringComparison.Ordinal);
            cases++;
        }

        Fixtures.RequireCases("drafters/speculators-format (EAGLE-1)", cases);
    }

    private static void CheckCase(string name, EagleHead head, JsonElement one)
    {
        int[] tokens = one.Ints("row_tokens");
        (_, float[][] states) = TargetStates.Of(head, one.Ints("prompt_ids"));
        using var pool = new WorkerPool(1);
        using var runner = new EagleHeadRunner(head, pool, tokens.Length + 8);
        using KvCache cache = runner.CreateCache(tokens.Length + 8);
        var rows = new PassRows(tokens.Length + 8);
        for (int i = 0; i < tokens.Length; i++)
        {
            rows.Add(cache, tokens[i], i - 1);
            states[i].CopyTo(runner.TargetInput(i));
        }

        runner.ForwardCommitted(rows, tokens.Length);
        cache.CommitFirst(tokens.Length);
        Assert.Equal(one.Ints("row_argmax"), Enumerable.Range(0, tokens.Length).Select(runner.ArgMax));
        Close(one.Floats("row_top1"), [.. Enumerable.Range(0, tokens.Length).Select(row => runner.Logits(row)[runner.ArgMax(row)])], $"{name}: best logits");
        JsonElement last = one.GetProperty("last_row");
        Close(last.Floats("logits"), runner.Logits(tokens.Length - 1), $"{name}: logits");
        Close(last.Floats("fed_back"), runner.Output(tokens.Length - 1), $"{name}: output");
        Assert.Equal(last.GetProperty("top8").Ints("target_ids"), last.GetProperty("top8").Ints("draft_ids").Select(head.TargetToken));

        // An entry has the distribution that its token was taken from, and what is fed back with it.
        int row = tokens.Length - 1, parent = -1;
        rows.Clear();
        foreach (JsonElement step in one.GetProperty("chain").EnumerateArray())
        {
            int best = runner.ArgMax(row);
            float[] logits = runner.Logits(row).ToArray(), state = runner.Output(row).ToArray();
            Assert.Equal((step.GetProperty("draft_id").GetInt32(), step.GetProperty("target_id").GetInt32()), (best, head.TargetToken(best)));
            Close(step.GetProperty("top8").Floats("logits"), [.. step.GetProperty("top8").Ints("draft_ids").Select(id => logits[id])], $"{name}: best logits in the chain");
            Close(step.Floats("fed_back"), state, $"{name}: output in the chain");
            rows.Continue();
            parent = rows.Add(cache, head.TargetToken(best), parent);
            state.CopyTo(runner.FeatureInput(0));
            runner.Forward(rows, 1);
            row = 0;
        }
    }

    private static int CheckGeneration(EagleHead head, JsonElement one)
    {
        int[] prompt = one.Ints("prompt_ids"), expected = one.Ints("tokens");
        int length = one.GetProperty("k").GetInt32(), rounds = 0;
        using var pool = new WorkerPool(1);
        using var target = new LlamaTarget(head.Target, pool);
        using var drafter = new EagleDrafter(head, pool, length);
        using var decoder = new SpeculativeDecoder(target, length);
        List<int> actual = [decoder.Prefill(prompt, expected.Length + length, new Sampler(SamplingOptions.Greedy), _ => false, drafter, new FixedLengthPolicy(length))];
        foreach (JsonElement round in one.GetProperty("rounds").EnumerateArray())
        {
            Assert.Equal(round.GetProperty("known_tokens").GetInt32(), prompt.Length + actual.Count);
            int[] emitted = decoder.Round(length + 1, out RoundRecord record).ToArray();
            decoder.CheckIntegrity(prompt.Length);
            Assert.Equal(round.Ints("drafted"), Enumerable.Range(0, decoder.LastDraft.Count).Select(decoder.LastDraft.Token));
            Assert.Equal(round.GetProperty("accepted").GetInt32(), record.Accepted);
            Assert.Equal(round.Ints("emitted"), emitted);
            actual.AddRange(emitted);
            rounds++;
        }

        Assert.Equal(expected, actual);
        return rounds;
    }

    private static void Close(float[] expected, ReadOnlySpan<float> actual, string what)
    {
        Assert.Equal(expected.Length, actual.Length);
        for (int i = 0; i < expected.Length; i++)
        {
            Assert.True(MathF.Abs(actual[i] - expected[i]) <= Tolerance * (1 + MathF.Abs(expected[i])), $"{what}[{i}] is {actual[i]} instead of {expected[i]}");
        }
    }
}
