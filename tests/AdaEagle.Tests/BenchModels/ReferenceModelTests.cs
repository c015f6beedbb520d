using System.Text.Json.Nodes;
using AdaEagle.Formats;

namespace AdaEagle.Tests.BenchModels;

/// <summary>The scalar reference is a right Llama and a right EAGLE-1 head; otherwise that two models agree in it would mean little.</summary>
public class ReferenceModelTests
{
    [Fact]
    public void It_agrees_with_transformers()
    {
        int count = 0;
        foreach (string folder in Directory.EnumerateDirectories(Fixtures.Folder("hf")))
        {
            var config = ModelConfig.Load(folder);
            if (config.ModelType != "llama" || config.RopeScaling is { Kind: not "linear" })
            {
                TestContext.Current.TestOutputHelper?.WriteLine($"skipped: {Path.GetFileName(folder)} ({config.ModelType}, RoPE {config.RopeScaling?.Kind ?? "plain"})");
                continue;
            }

            using var model = new ReferenceModel(folder);
            foreach (JsonNode? expected in Expected(folder)["cases"]!.AsArray())
            {
                float[] feature = model.Features(Integers(expected!["input_ids"]!))[^1];
                AssertClose(Numbers(expected["last_feature"]!), feature);
                AssertClose(Numbers(expected["last_logits"]!), model.Logits(feature));
            }

            count++;
        }

        Fixtures.RequireCases("hf", count);
    }

    [Fact]
    public void Its_heads_agree_with_EAGLEs_own_code()
    {
        string root = Fixtures.Folder("eagle");
        int count = 0;
        foreach (string folder in Directory.EnumerateDirectories(root).Where(path => Path.GetFileName(path) != "target"))
        {
            using (ITensorSource tensors = Checkpoint.Open(folder))
            {
                if (!tensors.Tensors.ContainsKey("layers.0.self_attn.q_proj.weight"))
                {
                    TestContext.Current.TestOutputHelper?.WriteLine($"skipped: {Path.GetFileName(folder)} (not an EAGLE-1 head)");
                    continue;
                }
            }

            using var model = new ReferenceModel(Path.Combine(root, "target"), folder);
            foreach (JsonNode? expected in Expected(folder)["forward"]!.AsArray())
            {
                float[][] features = model.Features(Integers(expected!["input_ids"]!));
                AssertClose(Numbers(expected["target_features_last"]!), features[^1]);
                float[][] drafts = model.Draft(features, Integers(expected["next_token_ids"]!));
                JsonArray rows = expected["head_hidden"]!.AsArray();
                for (int i = 1; i <= rows.Count; i++)
                {
                    AssertClose(Numbers(rows[^i]!), drafts[^i]);
                }
            }

            count++;
        }

        Fixtures.RequireCases("eagle", count);
    }

    private static JsonNode Expected(string folder) => JsonNode.Parse(File.ReadAllText(Path.Combine(folder, "expected.json")))!;

    private static int[] Integers(JsonNode array) => [.. array.AsArray().Select(value => (int)value!)];

    private static float[] Numbers(JsonNode array) => [.. array.AsArray().Select(value => (float)value!)];

    private static void AssertClose(float[] expected, float[] actual)
    {
        Assert.Equal(expected.Length, actual.Length);
        for (int i = 0; i < expected.Length; i++)
        {
            Assert.InRange(actual[i], expected[i] - (2e-4f * (1 + MathF.Abs(expected[i]))), expected[i] + (2e-4f * (1 + MathF.Abs(expected[i]))));
        }
    }
}
