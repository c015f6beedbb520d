using System.Text.Json;
using AdaEagle.Formats;
using AdaEagle.Models;
using AdaEagle.Tests.Models;

namespace AdaEagle.Tests.Formats;

/// <summary>
/// The GGUF models of the fixtures, run: against transformers with the same (dequantised) weights, which is exact, and against llama.cpp, which rounds
/// activations where weights are quantised.
/// </summary>
public class GgufLogitsTests(ITestOutputHelper output)
{
    private const float Tolerance = 1e-3f;
    private const float RoundingMargin = 0.005f;

    [Fact]
    public void Every_file_gives_the_logits_and_tokens_that_its_weights_mean()
    {
        int cases = 0;
        foreach ((string path, JsonElement expected) in Files())
        {
            using GgufCheckpoint checkpoint = GgufCheckpoint.Open(path);
            using WidenedSource widened = new(checkpoint);
            using LlamaModel model = LlamaModel.Load(checkpoint.Config, path, widened, WeightChoice.F32, null);
            using LlamaTarget target = new(model);
            JsonElement file = expected.GetProperty("files").GetProperty(Path.GetFileName(path));
            string name = Path.GetFileName(path);
            float worst = 0;
            foreach ((int[] ids, JsonElement exact, JsonElement peer, double noise) in Prompts(expected, file))
            {
                float[] logits = LastLogits(target, ids, exact, name);
                worst = Math.Max(worst, logits.Zip(Floats(exact.GetProperty("last_logits")), (a, b) => MathF.Abs(a - b)).Max());
                Assert.True(worst <= Tolerance, $"{name}: logits differ by {worst}");
                CheckGreedy(target, ids, exact, $"{name} against transformers");

                // llama.cpp is as far away as it is from transformers: that is the rounding of its activations. A wrong scale or order would be far beyond.
                float[] theirs = Floats(peer.GetProperty("last_logits"));
                double error = Math.Sqrt(logits.Zip(theirs, (a, b) => (double)(a - b) * (a - b)).Sum() / theirs.Sum(value => (double)value * value));
                Assert.True(error <= (1.1 * noise) + 1e-4, $"{name}: relative error {error} against llama.cpp");
                if (checkpoint.Tensors.Values.All(tensor => tensor.Type is TensorType.F32 or TensorType.F16))
                {
                    CheckGreedy(target, ids, peer, $"{name} against llama.cpp");
                }

                cases++;
            }

            output.WriteLine($"{name}: logits at most {worst} from transformers'");
        }

        Fixtures.RequireCases("gguf", cases);
    }

    // The files of supported architectures, with what is expected of their model.
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

    private static IEnumerable<(int[] Ids, JsonElement Exact, JsonElement Peer, double Noise)> Prompts(JsonElement expected, JsonElement file) =>
        expected.GetProperty("prompts").EnumerateArray().Select((prompt, i) => (
            Ints(prompt.GetProperty("ids")), file.GetProperty("transformers_on_dequantized")[i], file.GetProperty("llama_cpp")[i],
            file.GetProperty("llama_cpp_vs_transformers").GetProperty("relative_rms_logit_difference")[i].GetDouble()));

    // One row a pass, every position's best token checked on the way.
    private static float[] LastLogits(LlamaTarget target, int[] ids, JsonElement expected, string what)
    {
        int[] argmax = Ints(expected.GetProperty("argmax"));
        using KvCache cache = target.CreateCache(ids.Length);
        var rows = new PassRows(target.MaxRows);
        for (int i = 0; i < ids.Length; i++)
        {
            rows.Clear();
            rows.Add(cache, ids[i]);
            target.Forward(rows, PassRequest.AllLogits);
            cache.CommitFirst(1);
            ReadOnlySpan<float> row = target.Logits(0);
            Assert.True(row[target.ArgMax(0)] - row[argmax[i]] < RoundingMargin, $"{what}, position {i}: {target.ArgMax(0)} instead of {argmax[i]}");
        }

        return target.Logits(0).ToArray();
    }

    private static void CheckGreedy(LlamaTarget target, int[] prompt, JsonElement expected, string what)
    {
        int[] tokens = Ints(expected.GetProperty("tokens"));
        float[] margins = Floats(expected.GetProperty("margins"));
        int[] ours = TinyModels.Greedy(target, prompt, tokens.Length);
        int parted = ours.AsSpan().CommonPrefixLength(tokens);
        Assert.True(parted == tokens.Length || margins[parted] < RoundingMargin, $"{what}: token {parted} differs at a margin of {(parted < tokens.Length ? margins[parted] : 0)}");
    }

    private static int[] Ints(JsonElement array) => [.. array.EnumerateArray().Select(value => value.GetInt32())];

    private static float[] Floats(JsonElement array) => [.. array.EnumerateArray().Select(value => value.GetSingle())];
}
