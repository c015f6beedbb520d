using AdaEagle.Formats;

namespace AdaEagle.Tests.Formats;

/// <summary>A model and its EAGLE head made by other code, found beside the repository.</summary>
public class SeedModelTests
{
    [Fact]
    public void The_model_has_the_tensors_of_its_configuration()
    {
        string folder = SeedFolder();
        ModelConfig config = ModelConfig.Load(folder);
        using ITensorSource weights = Checkpoint.Open(folder);
        int queries = config.HeadCount * config.HeadDimension;
        int keys = config.KeyValueHeadCount * config.HeadDimension;
        Assert.Equal("llama", config.ModelType);
        CheckFinite(weights, "model.embed_tokens.weight", config.VocabularySize, config.HiddenSize);
        CheckFinite(weights, "model.norm.weight", config.HiddenSize);
        for (int layer = 0; layer < config.LayerCount; layer++)
        {
            string prefix = $"model.layers.{layer}.";
            CheckFinite(weights, prefix + "self_attn.q_proj.weight", queries, config.HiddenSize);
            CheckFinite(weights, prefix + "self_attn.k_proj.weight", keys, config.HiddenSize);
            CheckFinite(weights, prefix + "self_attn.v_proj.weight", keys, config.HiddenSize);
            CheckFinite(weights, prefix + "self_attn.o_proj.weight", config.HiddenSize, queries);
            CheckFinite(weights, prefix + "mlp.down_proj.weight", config.HiddenSize, config.IntermediateSize);
        }

        Assert.Equal(config.TieWordEmbeddings, !weights.Tensors.ContainsKey("lm_head.weight"));
        Assert.All(weights.Tensors.Values, t => Assert.Equal(config.StoredType, t.Type));
    }

    [Fact]
    public void The_head_fits_the_model()
    {
        string folder = SeedFolder();
        ModelConfig target = ModelConfig.Load(folder);
        ModelConfig head = ModelConfig.Load(Path.Combine(folder, "eagle"));
        using ITensorSource weights = Checkpoint.Open(Path.Combine(folder, "eagle"));
        Assert.Equal((target.VocabularySize, target.HiddenSize, 1), (head.VocabularySize, head.HiddenSize, head.LayerCount));
        CheckFinite(weights, "fc.weight", head.HiddenSize, 2 * head.HiddenSize);
        CheckFinite(weights, "layers.0.mlp.gate_proj.weight", head.IntermediateSize, head.HiddenSize);
        Assert.Equal(head.FcBias ?? true, weights.Tensors.ContainsKey("fc.bias"));
        Assert.False(weights.Tensors.ContainsKey("lm_head.weight"));
    }

    private static void CheckFinite(ITensorSource weights, string name, params long[] shape)
    {
        float[] values = weights.ReadF32(name, shape);
        Assert.True(values.All(float.IsFinite) && values.Any(v => v != 0), $"{name} is not finite, or all zero");
    }

    private static string SeedFolder()
    {
        string folder = Path.GetFullPath(Path.Combine(Fixtures.RepositoryRoot, "..", "shared", "models", "seed"));
        if (!Directory.Exists(folder))
        {
            Assert.Skip("No seed model: put it at ../shared/models/seed.");
        }

        return folder;
    }
}
