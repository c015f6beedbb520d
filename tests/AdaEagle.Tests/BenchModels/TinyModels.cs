using System.Text.Json.Nodes;
using AdaEagle.Bench.Models;
using AdaEagle.Formats;

namespace AdaEagle.Tests.BenchModels;

/// <summary>A folder that is deleted at the end of a test.</summary>
internal sealed class TemporaryFolder : IDisposable
{
    public TemporaryFolder() => Path = Directory.CreateTempSubdirectory("adaeagle-models-").FullName;

    public string Path { get; }

    public string this[string name] => System.IO.Path.Combine(Path, name);

    public void Dispose() => Directory.Delete(Path, recursive: true);
}

/// <summary>Small random models, whole with head and predictor.</summary>
internal static class TinyModels
{
    public const int Vocabulary = 64;
    public const int Hidden = 32;

    /// <summary>A Llama shape with two KV groups.</summary>
    public static DecoderShape Shape(bool tied, int groupSize, bool attentionBias, bool mlpBias) =>
        new(Hidden, 2, new(2 * groupSize, 2, 8, 48, new(attentionBias, attentionBias, mlpBias), InputNorm: true), Vocabulary, tied);

    /// <summary>A head for such a model, with another number of heads and neurons than the target.</summary>
    public static HeadShape HeadFor(DecoderShape target, bool fcBias, bool ownEmbedding) =>
        new(target.Hidden, target.Layer with { Heads = 3, KeyValueHeads = 1, Ffn = 40, Biases = default, InputNorm = false }, fcBias, target.Vocabulary, ownEmbedding);

    /// <summary>Writes target, head and LDLP.</summary>
    public static void Write(string folder, DecoderShape shape, HeadShape? head, TensorType type, ulong seed = 1)
    {
        RandomModel.Write(folder, shape, head, type, seed);
        WritePredictor(Path.Combine(folder, "ldlp"), shape.Hidden, width: 16, type);
    }

    /// <summary>A model grown by hand: two more layers, one more KV group, more neurons, in target and head.</summary>
    public static Inflation Grow(DecoderShape shape, HeadShape? head, int widthExponent)
    {
        int hidden = shape.Hidden << (2 * widthExponent);
        LayerShape layer = shape.Layer;
        return new(
            widthExponent,
            shape with { Hidden = hidden, Layers = shape.Layers + 2, Layer = layer with { Heads = layer.Heads + layer.GroupSize, KeyValueHeads = layer.KeyValueHeads + 1, Ffn = layer.Ffn + 16 } },
            head is null
                ? null
                : head with { Hidden = hidden, Layer = head.Layer with { Heads = head.Layer.Heads + head.Layer.GroupSize, KeyValueHeads = head.Layer.KeyValueHeads + 1, Ffn = head.Layer.Ffn + 24 } });
    }

    /// <summary>Inflates a model folder.</summary>
    public static void Inflate(string from, string to, Func<SourceModel, Inflation> plan, string? headFolder = null)
    {
        using var source = SourceModel.Open(from, headFolder);
        new Inflater(source, plan(source), seed: 7).Write(to);
    }

    private static void WritePredictor(string folder, int hidden, int width, TensorType type)
    {
        Directory.CreateDirectory(folder);
        var random = new Random(5);
        SafeTensors.Write(Path.Combine(folder, "model.safetensors"), new NetworkShape("", 2, 0, width, 3, 1).Tensors(hidden).Select(slot =>
            TensorData.FromF32(slot.Name, slot.Shape, [.. Enumerable.Range(0, (int)slot.ElementCount).Select(_ => random.NextSingle() - 0.5f)], type)));
        ConfigFile.Write(folder, new JsonObject
        {
            ["adaeagle_kind"] = "ldlp",
            ["hidden_size"] = hidden,
            ["width"] = width,
            ["layers"] = 3,
            ["k_max"] = 8,
            ["lambda"] = 2.5,
            ["target_vocabulary"] = "0123",
        });
    }
}
