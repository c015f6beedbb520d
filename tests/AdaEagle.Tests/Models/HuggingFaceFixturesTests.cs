using System.Text.Json;
using AdaEagle.Formats;
using AdaEagle.Kernels;
using AdaEagle.Models;

namespace AdaEagle.Tests.Models;

/// <summary>Small models of every supported architecture against what transformers gives in float32.</summary>
public class HuggingFaceFixturesTests(ITestOutputHelper output)
{
    private const float Tolerance = 2e-4f;
    private const float RoundingMargin = 0.005f;

    public static TheoryData<string> Architectures => [.. Architecture.Supported.Select(one => one.ModelType)];

    [Theory]
    [MemberData(nameof(Architectures))]
    public void Models_agree_with_transformers(string architecture)
    {
        int models = 0;
        foreach (string folder in ModelFolders(architecture))
        {
            using LlamaModel model = LlamaModel.Load(folder);
            using var target = new LlamaTarget(model);
            using JsonDocument expected = JsonDocument.Parse(File.ReadAllBytes(Path.Combine(folder, "expected.json")));
            foreach (JsonElement one in expected.RootElement.GetProperty("cases").EnumerateArray())
            {
                CheckCase(target, one, Path.GetFileName(folder));
            }

            foreach (JsonElement run in expected.RootElement.GetProperty("greedy").EnumerateArray())
            {
                CheckGreedy(target, run, Path.GetFileName(folder));
            }

            output.WriteLine($"{Path.GetFileName(folder)}: {model.Config.ModelType}, RoPE {model.Config.RopeScaling?.Kind ?? "plain"}, window {model.Config.SlidingWindow}");
            models++;
        }

        Assert.SkipWhen(models == 0, $"No fixture of architecture {architecture}.");
    }

    [Fact]
    public void Models_of_other_architectures_are_refused_by_name()
    {
        string[] supported = [.. Architecture.Supported.Select(one => one.ModelType)];
        foreach (string folder in ModelFolders(null).Where(folder => !supported.Contains(ModelConfig.Load(folder).ModelType)))
        {
            string type = ModelConfig.Load(folder).ModelType;
            ModelFormatException refusal = Assert.Throws<ModelFormatException>(() => LlamaModel.Load(folder));
            Assert.Contains($"'{type}'", refusal.Message, StringComparison.Ordinal);
            Assert.All(supported, name => Assert.Contains(name, refusal.Message, StringComparison.Ordinal));
            output.WriteLine($"refused: {Path.GetFileName(folder)}, of type {type}");
        }
    }

    [Fact]
    public void Weights_widened_to_F32_give_the_same_bits_as_BF16()
    {
        int models = 0;
        foreach (string folder in ModelFolders("llama"))
        {
            using LlamaModel kept = LlamaModel.Load(folder);
            using LlamaModel widened = LlamaModel.Load(folder, WeightChoice.F32);
            if (kept.Format != WeightFormat.BF16)
            {
                continue;
            }

            models++;
            int[] tokens = [.. Enumerable.Range(0, 20).Select(i => (i * 37) % kept.Config.VocabularySize)];
            Assert.Equal(TinyModels.Logits(widened, tokens), TinyModels.Logits(kept, tokens));
        }

        Fixtures.RequireCases("hf (llama, BF16)", models);
    }

    // Folders of models, of one type or of any.
    private static IEnumerable<string> ModelFolders(string? type) => Directory.GetDirectories(Fixtures.Folder("hf"))
        .Where(folder => File.Exists(Path.Combine(folder, "config.json")) && (type is null || ModelConfig.Load(folder).ModelType == type))
        .Order(StringComparer.Ordinal);

    private static void CheckCase(LlamaTarget target, JsonElement one, string model)
    {
        int[] ids = Ints(one.GetProperty("input_ids"));
        int[] argmax = Ints(one.GetProperty("argmax"));
        int[] boundaries = [.. one.GetProperty("boundaries_last_row").EnumerateObject().Select(property => int.Parse(property.Name))];
        using KvCache cache = target.CreateCache(ids.Length);
        var rows = new PassRows(target.MaxRows);
        int last = 0;
        // In passes of at most as many rows as get logits, so that every position's argmax is seen.
        for (int done = 0; done < ids.Length; done += target.MaxLogitRows)
        {
            rows.Clear();
            for (int i = done; i < Math.Min(ids.Length, done + target.MaxLogitRows); i++)
            {
                last = rows.Add(cache, ids[i], i == done ? -1 : i - done - 1);
            }

            target.Forward(rows, new PassRequest { LogitsFrom = 0, Boundaries = boundaries });
            cache.CommitFirst(rows.Count);
            for (int row = 0; row < rows.Count; row++)
            {
                if (target.ArgMax(row) != argmax[done + row])
                {
                    ReadOnlySpan<float> logits = target.Logits(row);
                    float gap = logits[target.ArgMax(row)] - logits[argmax[done + row]];
                    Assert.True(gap < RoundingMargin, $"{model}, position {done + row}: {target.ArgMax(row)} instead of {argmax[done + row]}, {gap} apart");
                }
            }
        }

        Close(one.GetProperty("last_logits"), target.Logits(last), $"{model}: logits");
        Close(one.GetProperty("last_feature"), target.Feature(last), $"{model}: feature");
        foreach (JsonProperty boundary in one.GetProperty("boundaries_last_row").EnumerateObject())
        {
            Close(boundary.Value, target.Boundary(int.Parse(boundary.Name), last), $"{model}: boundary {boundary.Name}");
        }
    }

    private static void CheckGreedy(LlamaTarget target, JsonElement run, string model)
    {
        int[] prompt = Ints(run.GetProperty("prompt_ids"));
        int[] tokens = Ints(run.GetProperty("tokens"));
        float[] margins = Floats(run.GetProperty("top2_margin"));
        int[] ours = TinyModels.Greedy(target, prompt, tokens.Length);
        for (int i = 0; i < tokens.Length; i++)
        {
            if (ours[i] != tokens[i])
            {
                Assert.True(margins[i] < RoundingMargin, $"{model}: token {i} is {ours[i]} instead of {tokens[i]} at a margin of {margins[i]}");
                return;
            }
        }
    }

    private static void Close(JsonElement expected, ReadOnlySpan<float> actual, string what)
    {
        float[] values = Floats(expected);
        Assert.Equal(values.Length, actual.Length);
        for (int i = 0; i < values.Length; i++)
        {
            Assert.True(MathF.Abs(actual[i] - values[i]) <= Tolerance * (1 + MathF.Abs(values[i])), $"{what}[{i}] is {actual[i]} instead of {values[i]}");
        }
    }

    private static int[] Ints(JsonElement array) => [.. array.EnumerateArray().Select(value => value.GetInt32())];

    private static float[] Floats(JsonElement array) => [.. array.EnumerateArray().Select(value => value.GetSingle())];
}
