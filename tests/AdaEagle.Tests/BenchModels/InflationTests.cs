using System.Text.Json.Nodes;
using AdaEagle.Bench.Models;
using AdaEagle.Formats;
using AdaEagle.Kernels;

namespace AdaEagle.Tests.BenchModels;

/// <summary>What inflation must not change: every number that the model computes.</summary>
public class InflationTests
{
    private static readonly int[] Text = [3, 17, 60, 1, 1, 42, 8, 23, 5];
    private static readonly int[] SeedText = [11, 402, 1999, 77, 5];

    // The narrow instruction sets take their time over a hundred million weights; small models cover them.
    private static readonly string[] SeedWays = [ModelOutputs.Reference, ModelOutputs.Engine(KernelPaths.Best)];

    public static TheoryData<string, int, bool, int, bool, bool, bool> Cases()
    {
        var cases = new TheoryData<string, int, bool, int, bool, bool, bool>();
        foreach (string way in ModelOutputs.Ways.Keys)
        {
            for (int bits = 0; bits < 48; bits++)
            {
                // width exponent 0, 1, 2; then one bit each.
                cases.Add(way, bits / 16, (bits & 1) != 0, (bits & 2) != 0 ? 3 : 1, (bits & 4) != 0, (bits & 8) != 0, (bits & 5) is 0 or 5);
            }
        }

        return cases;
    }

    [Theory]
    [MemberData(nameof(Cases))]
    public void An_inflated_model_computes_the_same_bits(string way, int widthExponent, bool tied, int groupSize, bool attentionBias, bool mlpBias, bool ownEmbedding)
    {
        using var folder = new TemporaryFolder();
        DecoderShape shape = TinyModels.Shape(tied, groupSize, attentionBias, mlpBias);
        HeadShape head = TinyModels.HeadFor(shape, fcBias: mlpBias, ownEmbedding);
        TensorType type = new[] { TensorType.BF16, TensorType.F32, TensorType.F16 }[((tied ? 1 : 0) + (attentionBias ? 1 : 0) + widthExponent) % 3];
        TinyModels.Write(folder["small"], shape, head, type);
        TinyModels.Inflate(folder["small"], folder["large"], source => TinyModels.Grow(source.Target.Shape, source.Head!.Shape, widthExponent));

        ModelOutputs expected = ModelOutputs.Ways[way](folder["small"], Text, shape.Hidden);
        Assert.NotEmpty(expected.Features);
        Assert.NotEmpty(expected.Drafts);
        Assert.NotEmpty(expected.Predictions);
        ModelOutputs.AssertSameBits(expected, ModelOutputs.Ways[way](folder["large"], Text, shape.Hidden));
    }

    [Fact]
    public void The_comparison_covers_head_and_predictor()
    {
        using var folder = new TemporaryFolder();
        DecoderShape shape = TinyModels.Shape(tied: true, groupSize: 1, attentionBias: false, mlpBias: false);
        TinyModels.Write(folder.Path, shape, TinyModels.HeadFor(shape, fcBias: true, ownEmbedding: false), TensorType.F32);
        ModelOutputs outputs = ModelOutputs.OfReference(folder.Path, Text, shape.Hidden);
        Assert.True(outputs.Drafts.Length > Text.Length, "A chain of the head's own drafts follows the text.");
        Assert.Equal(Text.Length, outputs.Predictions.Length);
        Assert.True(outputs.Predictions.Distinct().Count() > 1, "The predictor tells positions apart.");
    }

    [Fact]
    public void The_comparison_notices_one_weight_that_should_be_zero()
    {
        using var folder = new TemporaryFolder();
        DecoderShape shape = TinyModels.Shape(tied: false, groupSize: 2, attentionBias: false, mlpBias: false);
        TinyModels.Write(folder["small"], shape, null, TensorType.F32);
        TinyModels.Inflate(folder["small"], folder["large"], source => TinyModels.Grow(source.Target.Shape, null, 1));
        ModelOutputs expected = ModelOutputs.OfReference(folder["small"], Text, shape.Hidden);

        // One added neuron of the first layer now feeds one dimension of the residual stream.
        string path = Path.Combine(folder["large"], "model.safetensors");
        List<TensorData> tensors = [];
        using (ITensorSource source = SafeTensors.Open(path))
        {
            tensors.AddRange(source.Tensors.Values.Select(info =>
            {
                float[] values = source.ReadF32(info.Name);
                if (info.Name == "model.layers.0.mlp.down_proj.weight")
                {
                    Assert.Equal(0, values[info.Shape[1] - 1]);
                    values[info.Shape[1] - 1] = 0.25f;
                }

                return TensorData.FromF32(info.Name, info.Shape, values, info.Type);
            }));
        }

        SafeTensors.Write(path, tensors);
        Assert.NotEqual(expected.Logits[^1], ModelOutputs.OfReference(folder["large"], Text, shape.Hidden).Logits[^1]);
    }

    [Fact]
    public void The_reference_models_of_the_fixtures_stay_what_they_are()
    {
        string root = Fixtures.Folder("hf");
        int count = 0;
        foreach (string model in Directory.EnumerateDirectories(root).Where(path => ModelTypeOf(path) == "llama"))
        {
            count += InflateAndCompare(model, null, 1);
        }

        Fixtures.RequireCases("hf", count);
    }

    [Fact]
    public void EAGLE_heads_of_the_fixtures_stay_what_they_are()
    {
        string root = Fixtures.Folder("eagle");
        int count = 0;
        foreach (string head in Directory.EnumerateDirectories(root))
        {
            string target = Path.Combine(root, "target");
            if (Directory.Exists(target) && IsReadableEagle1(head))
            {
                count += InflateAndCompare(target, head, 1);
            }
        }

        Fixtures.RequireCases("eagle", count);
    }

    [Fact]
    public void The_seed_model_at_a_real_models_size_computes_the_same_bits()
    {
        string seed = SeedModel();
        using var folder = new TemporaryFolder();
        TinyModels.Inflate(seed, folder["large"], source => InflationPlanner.Plan(source.Target.Shape, source.Head!.Shape, 110_000_000, 0.05));
        Compare(seed, folder["large"], SeedText, SeedWays);
    }

    [Fact]
    public void The_seed_model_four_times_as_wide_computes_the_same_bits()
    {
        string seed = SeedModel();
        using var folder = new TemporaryFolder();
        TinyModels.Inflate(seed, folder["wide"], source => TinyModels.Grow(source.Target.Shape, source.Head!.Shape, 1));
        Compare(seed, folder["wide"], SeedText, SeedWays);
        Assert.Equal(File.ReadAllBytes(Path.Combine(seed, "tokenizer.json")), File.ReadAllBytes(Path.Combine(folder["wide"], "tokenizer.json")));
    }

    private static int InflateAndCompare(string model, string? head, int widthExponent)
    {
        using var folder = new TemporaryFolder();
        CopyModel(model, head, folder["small"]);
        TinyModels.Inflate(folder["small"], folder["large"], source => TinyModels.Grow(source.Target.Shape, source.Head?.Shape, widthExponent));
        Compare(folder["small"], folder["large"], Text, ModelOutputs.Ways.Keys);
        return 1;
    }

    private static void Compare(string small, string large, int[] tokens, IEnumerable<string> ways)
    {
        int hidden = ModelConfig.Load(small).HiddenSize;
        foreach (string way in ways)
        {
            ModelOutputs.AssertSameBits(ModelOutputs.Ways[way](small, tokens, hidden), ModelOutputs.Ways[way](large, tokens, hidden));
        }
    }

    // The ways take a folder with the head in eagle/.
    private static void CopyModel(string model, string? head, string folder)
    {
        foreach ((string from, string to) in head is null ? [(model, folder)] : new[] { (model, folder), (head, Path.Combine(folder, "eagle")) })
        {
            Directory.CreateDirectory(to);
            foreach (string file in Directory.EnumerateFiles(from))
            {
                File.Copy(file, Path.Combine(to, Path.GetFileName(file)));
            }
        }
    }

    private static string? ModelTypeOf(string folder) =>
        File.Exists(Path.Combine(folder, "config.json")) ? (string?)JsonNode.Parse(File.ReadAllText(Path.Combine(folder, "config.json")))!["model_type"] : null;

    private static bool IsReadableEagle1(string folder)
    {
        if (Path.GetFileName(folder) == "target" || ModelTypeOf(folder) is null)
        {
            return false;
        }

        using ITensorSource tensors = Checkpoint.Open(folder);
        return tensors.Tensors.ContainsKey("fc.weight") && tensors.Tensors.ContainsKey("layers.0.self_attn.q_proj.weight");
    }

    private static string SeedModel()
    {
        string path = Path.GetFullPath(Path.Combine(Fixtures.RepositoryRoot, "..", "shared", "models", "seed"));
        Assert.SkipUnless(Directory.Exists(path), "No model at ../shared/models/seed.");
        return path;
    }
}
