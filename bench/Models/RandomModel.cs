using System.Text.Json.Nodes;
using AdaEagle.Formats;

namespace AdaEagle.Bench.Models;

/// <summary>Writes models of a given shape with random weights: what they say means nothing, what they cost does.</summary>
internal static class RandomModel
{
    private const string Weights = "model.safetensors";

    /// <summary>Bytes of all weights that <see cref="Write"/> writes.</summary>
    public static long ByteLength(DecoderShape target, HeadShape? head, TensorType type) =>
        target.Tensors().Concat(head?.Tensors() ?? []).Sum(slot => slot.ElementCount) * type.ByteSize();

    /// <summary>Writes a model folder.</summary>
    /// <param name="folder">Where to; created if absent.</param>
    /// <param name="target">The target's shape.</param>
    /// <param name="head">The shape of an EAGLE-1 head to put into <c>eagle/</c>, or null.</param>
    /// <param name="type">Number format: F32, F16 or BF16.</param>
    /// <param name="seed">Of the weights.</param>
    /// <param name="tokens">Begin and end tokens to write into the configuration.</param>
    /// <param name="written">Told the number of bytes after each piece.</param>
    public static void Write(string folder, DecoderShape target, HeadShape? head, TensorType type, ulong seed, ModelConfig? tokens = null, Action<long>? written = null)
    {
        if (head is not null)
        {
            string headFolder = Path.Combine(folder, "eagle");
            ModelConfig config = Config(head.Hidden, layers: 1, head.Layer, head.Vocabulary, type, tokens) with { FcBias = head.FcBias };
            WriteCheckpoint(headFolder, head.Tensors(), config, type, seed + 1, written);
        }

        WriteCheckpoint(folder, target.Tensors(), Config(target.Hidden, target.Layers, target.Layer, target.Vocabulary, type, tokens) with { TieWordEmbeddings = target.Tied }, type, seed, written);
    }

    private static void WriteCheckpoint(string folder, IEnumerable<TensorSlot> slots, ModelConfig config, TensorType type, ulong seed, Action<long>? written)
    {
        Directory.CreateDirectory(folder);
        StreamedSafeTensors.Write(Path.Combine(folder, Weights), [.. slots.Select(slot => Random(slot, type, seed))], written);
        ConfigFile.Write(folder, (JsonObject)JsonNode.Parse(config.ToJson())!);
    }

    // Matrices keep the variance of what they are given; the residual stream then grows with the root of the depth, and the final norm takes that off.
    private static StreamedTensor Random(TensorSlot slot, TensorType type, ulong seed)
    {
        RandomElements random = slot.Kind switch
        {
            TensorKind.Norm => new(seed, slot.Name, bound: 0.25f, centre: 1),
            TensorKind.InwardBias or TensorKind.OutwardBias => new(seed, slot.Name, bound: 0.05f),
            _ => new(seed, slot.Name, RandomElements.BoundFor(slot.Shape[^1])),
        };
        return new(slot.Name, type, slot.Shape, (row, destination) => random.Fill(row, 0, destination, type));
    }

    private static ModelConfig Config(int hidden, int layers, LayerShape layer, int vocabulary, TensorType type, ModelConfig? tokens) => new()
    {
        // Room for the longest context that is measured, and for what is decoded behind it.
        MaxPositions = 8192,
        ModelType = "llama",
        Architectures = ["LlamaForCausalLM"],
        HiddenSize = hidden,
        IntermediateSize = layer.Ffn,
        LayerCount = layers,
        HeadCount = layer.Heads,
        KeyValueHeadCount = layer.KeyValueHeads,
        HeadDimension = layer.HeadDimension,
        VocabularySize = vocabulary,
        NormEpsilon = 1e-5f,
        AttentionBias = layer.Biases.Output,
        QkvBias = layer.Biases.QueryKeyValue,
        MlpBias = layer.Biases.Mlp,
        StoredType = type,
        BosToken = tokens?.BosToken,
        EosTokens = tokens?.EosTokens ?? [],
        VocabularyFingerprint = null,
    };
}

/// <summary>Ordinary shapes for a number of parameters.</summary>
internal static class OrdinaryShape
{
    /// <summary>A Llama decoder of about that size: ffn near 8/3 of the width, four query heads to a key/value head, deeper as it gets wider.</summary>
    /// <param name="parameters">All parameters, within 2%.</param>
    /// <param name="vocabulary">Vocabulary size.</param>
    /// <param name="tied">Whether the LM head is the embedding.</param>
    /// <exception cref="ArgumentException">There is none.</exception>
    public static DecoderShape Of(long parameters, int vocabulary, bool tied)
    {
        (DecoderShape? Shape, double Penalty) best = (null, double.PositiveInfinity);
        for (int hidden = 64; hidden <= 16384; hidden += hidden < 256 ? 64 : 256)
        {
            int headDimension = hidden >= 3072 ? 128 : hidden >= 256 ? 64 : 16;
            int heads = hidden / headDimension;
            int groups = heads % 4 == 0 ? heads / 4 : heads;
            double ordinaryLayers = 12 * Math.Cbrt(hidden / 256.0);
            int step = hidden < 256 ? 64 : 256;
            int ordinaryFfn = (int)Math.Round(hidden * 8 / 3.0 / step) * step;
            for (int layers = 2; layers <= 96; layers++)
            {
                for (int ffn = Math.Max(step, ordinaryFfn - (2 * step)); ffn <= ordinaryFfn + (4 * step); ffn += step)
                {
                    var shape = new DecoderShape(hidden, layers, new(heads, groups, headDimension, ffn, default, InputNorm: true), vocabulary, tied);
                    double error = Math.Abs(((double)shape.Parameters / parameters) - 1);
                    double penalty = Math.Abs(Math.Log(layers / ordinaryLayers)) + Math.Abs(Math.Log((double)ffn / ordinaryFfn)) + (20 * error);
                    if (error <= InflationPlanner.Tolerance && penalty < best.Penalty)
                    {
                        best = (shape, penalty);
                    }
                }
            }
        }

        return best.Shape ?? throw new ArgumentException($"No ordinary shape has {Size.Text(parameters)} parameters with a vocabulary of {vocabulary}; give --hidden, --layers, --heads, --kv-heads and --ffn.");
    }
}
