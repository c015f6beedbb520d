using System.Text.Json;
using AdaEagle.Formats;
using AdaEagle.Kernels;
using AdaEagle.Models;
using AdaEagle.Tests.Formats;

namespace AdaEagle.Tests.Models;

/// <summary>
/// The GGUF models of the fixtures in their own formats: exact where inputs are not rounded, and where they are no further from transformers than twice
/// what llama.cpp's own rounding of activations costs.
/// </summary>
public class QuantizedFilesTests(ITestOutputHelper output)
{
    private const float ExactTolerance = 1e-3f;
    private const float RoundingMargin = 0.3f;

    [Fact]
    public void The_reference_path_gives_the_logits_of_the_dequantised_weights()
    {
        int cases = 0;
        foreach ((string path, JsonElement expected) in Files())
        {
            using LlamaModel model = LlamaModel.Load(path, path: KernelPath.Reference);
            foreach ((int[] ids, JsonElement exact, _) in Prompts(expected, path))
            {
                float worst = LastLogits(model, ids).Zip(Floats(exact.GetProperty("last_logits")), (a, b) => MathF.Abs(a - b)).Max();
                output.WriteLine($"{Path.GetFileName(path)}: {worst}");
                Assert.True(worst <= ExactTolerance, $"{Path.GetFileName(path)}: logits differ by {worst}");
                cases++;
            }
        }

        Fixtures.RequireCases("gguf", cases);
    }

    [Fact]
    public void The_fast_paths_are_within_twice_the_rounding_of_llama_cpp()
    {
        int cases = 0;
        foreach ((string path, JsonElement expected) in Files())
        {
            using LlamaModel model = LlamaModel.Load(path);
            using var target = new LlamaTarget(model);
            bool quantized = WeightFormats.Quantized.Contains(model.Format);
            foreach ((int[] ids, JsonElement exact, double noise) in Prompts(expected, path))
            {
                float[] theirs = Floats(exact.GetProperty("last_logits")), ours = LastLogits(model, ids);
                double error = Math.Sqrt(ours.Zip(theirs, (a, b) => (double)(a - b) * (a - b)).Sum() / theirs.Sum(value => (double)value * value));
                output.WriteLine($"{Path.GetFileName(path)}: {error / noise:F2} times llama.cpp's");
                Assert.True(error <= (2 * noise) + 1e-4, $"{Path.GetFileName(path)}: relative error {error}, llama.cpp's is {noise}");

                int[] tokens = [.. exact.GetProperty("tokens").EnumerateArray().Select(value => value.GetInt32())];
                float[] margins = Floats(exact.GetProperty("margins"));
                int parted = TinyModels.Greedy(target, ids, tokens.Length).AsSpan().CommonPrefixLength(tokens);
                Assert.True(
                    parted == tokens.Length || margins[parted] < (quantized ? RoundingMargin : 0.005f),
                    $"{Path.GetFileName(path)}: token {parted} differs at a margin of {(parted < tokens.Length ? margins[parted] : 0)}");
                cases++;
            }
        }

        Fixtures.RequireCases("gguf", cases);
    }

    [Fact]
    public void A_file_of_several_formats_keeps_each_and_says_what_it_does_not_keep()
    {
        int mixed = 0;
        foreach ((string path, _) in Files())
        {
            using GgufCheckpoint checkpoint = GgufCheckpoint.Open(path);
            using LlamaModel model = LlamaModel.Load(path);
            TensorType[] types = [.. checkpoint.Tensors.Values.Where(tensor => tensor.Shape.Count == 2).Select(tensor => tensor.Type).Distinct()];
            TensorType[] unkept = [.. types.Where(type => !Enum.TryParse(type.ToString(), out WeightFormat _))];
            Assert.All(unkept, type => Assert.Contains(model.Warnings, warning => warning.Contains($"stored as {type} ", StringComparison.Ordinal)));
            if (unkept.Length == 0)
            {
                Assert.DoesNotContain(model.Warnings, warning => warning.Contains("stored as", StringComparison.Ordinal));
            }

            mixed += types.Length > 1 ? 1 : 0;
        }

        Assert.True(mixed > 0 || !Fixtures.Required);
    }

    private static IEnumerable<(string Path, JsonElement Expected)> Files()
    {
        string[] supported = ["llama", "qwen2", "qwen3"];
        foreach (string path in GgufModelTests.Files())
        {
            using var document = JsonDocument.Parse(File.ReadAllBytes(Path.Combine(Path.GetDirectoryName(path)!, "expected.json")));
            if (supported.Contains(document.RootElement.GetProperty("architecture").GetString()))
            {
                yield return (path, document.RootElement.Clone());
            }
        }
    }

    private static IEnumerable<(int[] Ids, JsonElement Exact, double Noise)> Prompts(JsonElement expected, string path)
    {
        JsonElement file = expected.GetProperty("files").GetProperty(Path.GetFileName(path));
        return expected.GetProperty("prompts").EnumerateArray().Select((prompt, i) => (
            prompt.GetProperty("ids").EnumerateArray().Select(value => value.GetInt32()).ToArray(), file.GetProperty("transformers_on_dequantized")[i],
            file.GetProperty("llama_cpp_vs_transformers").GetProperty("relative_rms_logit_difference")[i].GetDouble()));
    }

    // All rows in one pass: how many share it changes nothing.
    private static float[] LastLogits(LlamaModel model, int[] tokens)
    {
        using var target = new LlamaTarget(model);
        using KvCache cache = target.CreateCache(tokens.Length);
        var rows = new PassRows(target.MaxRows);
        foreach (int token in tokens)
        {
            rows.Add(cache, token, rows.Count - 1);
        }

        target.Forward(rows, new PassRequest { LogitsFrom = tokens.Length - 1 });
        return target.Logits(tokens.Length - 1).ToArray();
    }

    private static float[] Floats(JsonElement array) => [.. array.EnumerateArray().Select(value => value.GetSingle())];
}
