using AdaEagle.Formats;
using AdaEagle.Training.Torch;
using TorchSharp;

[assembly: AssemblyFixture(typeof(AdaEagle.Training.Tests.Torch.TorchFixture))]

namespace AdaEagle.Training.Tests.Torch;

/// <summary>Loads libtorch before the first test that uses it.</summary>
public sealed class TorchFixture
{
    public TorchFixture()
    {
        TorchLibrary.Load();
        torch.set_num_threads(2);
    }
}

/// <summary>Models small enough to be checked number by number.</summary>
internal static class SmallModels
{
    /// <summary>Grouped queries, two layers, every width different from every other.</summary>
    public static ModelConfig Config { get; } = new()
    {
        ModelType = "llama",
        Architectures = ["LlamaForCausalLM"],
        HiddenSize = 64,
        IntermediateSize = 96,
        LayerCount = 2,
        HeadCount = 4,
        KeyValueHeadCount = 2,
        HeadDimension = 32,
        VocabularySize = 48,
        MaxPositions = 256,
        NormEpsilon = 1e-5f,
        TieWordEmbeddings = true,
        StoredType = TensorType.BF16,
        BosToken = 0,
        EosTokens = [1],
    };

    /// <summary>A model whose weights are large enough, and norms uneven enough, for every part to matter.</summary>
    public static LlamaModel Create(ModelConfig config, torch.ScalarType productType, int seed = 3)
    {
        var model = new LlamaModel(config, productType, seed);
        using var none = torch.no_grad();
        using var scope = torch.NewDisposeScope();
        using var generator = new torch.Generator((ulong)seed + 100);
        foreach (torch.Tensor parameter in model.Parameters.Values)
        {
            parameter.add_(torch.randn(parameter.shape, dtype: torch.ScalarType.Float32, generator: generator).mul_(0.15));
        }

        return model;
    }

    public static long[] Tokens(int count, int vocabulary, int seed = 11)
    {
        var random = new Random(seed);
        return [.. Enumerable.Range(0, count).Select(_ => (long)random.Next(vocabulary))];
    }
}
