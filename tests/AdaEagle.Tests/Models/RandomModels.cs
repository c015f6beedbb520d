using AdaEagle.Formats;
using AdaEagle.Kernels;

namespace AdaEagle.Tests.Models;

/// <summary>Configurations of random tiny models: every shape the engine must run, chosen by a seed.</summary>
internal static class RandomModels
{
    public const int MaxPositions = 640;

    /// <summary>A target: any architecture, grouped heads, odd widths, biases, tied or not, any RoPE, windows.</summary>
    public static ModelConfig Target(Random random, int? vocabulary = null)
    {
        (int heads, int keyValueHeads) = Pick(random, (1, 1), (2, 1), (2, 2), (3, 1), (4, 2), (4, 1), (6, 3), (10, 1));
        string type = Pick(random, "llama", "mistral", "qwen2", "qwen3");
        int layers = random.Next(1, 4);
        return new ModelConfig
        {
            ModelType = type, Architectures = ["LlamaForCausalLM"], HiddenSize = Pick(random, 12, 16, 21, 32, 45), IntermediateSize = Pick(random, 17, 32, 40, 71),
            LayerCount = layers, HeadCount = heads, KeyValueHeadCount = keyValueHeads, HeadDimension = Pick(random, 2, 6, 8, 14, 16),
            VocabularySize = vocabulary ?? Pick(random, 4, 7, 16, 33, 61), MaxPositions = MaxPositions, NormEpsilon = 1e-5f, RopeScaling = Rope(random),
            AttentionBias = random.Next(2) == 0, MlpBias = random.Next(2) == 0, TieWordEmbeddings = random.Next(2) == 0, StoredType = TensorType.F32,
            SlidingWindow = random.Next(3) == 0 ? null : Pick(random, 1, 5, 16, 40, 64, 100), UseSlidingWindow = random.Next(3) > 0, MaxWindowLayers = random.Next(layers + 1),
        };
    }

    /// <summary>An EAGLE-1 head for it, whose layer has a shape of its own.</summary>
    public static ModelConfig Head(Random random, ModelConfig target)
    {
        (int heads, int keyValueHeads) = Pick(random, (1, 1), (2, 1), (4, 2), (3, 3));
        return target with
        {
            LayerCount = 1, HeadCount = heads, KeyValueHeadCount = keyValueHeads, HeadDimension = Pick(random, 4, 8, 10), IntermediateSize = Pick(random, 16, 29),
            ModelType = "llama", AttentionBias = false, MlpBias = false, QkvBias = random.Next(2) == 0, FcBias = Pick<bool?>(random, null, true, false), RopeScaling = null,
        };
    }

    /// <summary>An EAGLE-3 head for it: any of the layout's variants, a part of the vocabulary or all of it, one layer or two.</summary>
    public static ModelConfig Eagle3Head(Random random, ModelConfig target)
    {
        int norms = random.Next(3);
        bool speculators = random.Next(2) == 0;
        return Head(random, target) with
        {
            ModelType = Pick(random, "llama", "qwen3"), LayerCount = random.Next(1, 3), FcBias = null, HiddenSize = Pick(random, target.HiddenSize, 16, 21),
            Eagle3 = new Eagle3Config
            {
                DraftVocabularySize = random.Next(3) == 0 ? null : random.Next(2, target.VocabularySize + 1),
                TargetHiddenSize = target.HiddenSize, Boundaries = [.. Enumerable.Range(0, random.Next(1, 4)).Select(_ => random.Next(target.LayerCount + 1))],
                NormBeforeResidual = random.Next(2) == 0, NormBeforeFc = norms == 1, FcNorm = norms == 2, Speculators = speculators, NormOutput = speculators ? random.Next(2) == 0 : null,
            },
        };
    }

    /// <summary>A number format.</summary>
    public static TensorType Type(Random random) => Pick(random, TensorType.F32, TensorType.BF16, TensorType.F16);

    /// <summary>One of the choices.</summary>
    public static T Pick<T>(Random random, params T[] choices) => choices[random.Next(choices.Length)];

    /// <summary>Random tokens.</summary>
    public static int[] Tokens(Random random, int vocabulary, int count) => [.. Enumerable.Range(0, count).Select(_ => random.Next(vocabulary))];

    /// <summary>How a cache keeps numbers.</summary>
    public static CacheFormat Cache(Random random) => Pick(random, CacheFormat.F32, CacheFormat.F16);

    private static RopeScaling? Rope(Random random) => random.Next(5) switch
    {
        0 => new RopeScaling { Kind = "linear", Factor = 2.5, OriginalMaxPositions = 64 },
        1 => new RopeScaling { Kind = "llama3", Factor = 8, LowFrequencyFactor = 1, HighFrequencyFactor = 4, OriginalMaxPositions = 64 },
        2 => new RopeScaling { Kind = "yarn", Factor = 4, OriginalMaxPositions = 64 },
        _ => null,
    };
}
