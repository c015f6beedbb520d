using System.Text.Json.Nodes;
using AdaEagle.Formats;

namespace AdaEagle.Bench.Models;

/// <summary>The shapes that a model is inflated to.</summary>
/// <param name="WidthExponent">m: the residual stream becomes 4^m times wider.</param>
/// <param name="Target">Of the target.</param>
/// <param name="Head">Of the draft head; null if there is none.</param>
internal sealed record Inflation(int WidthExponent, DecoderShape Target, HeadShape? Head)
{
    /// <summary>A draft step's weights over a target pass's, all in one format; null without a head.</summary>
    public double? DraftCost => Head is null ? null : (double)Head.Streamed / Target.Streamed;
}

/// <summary>Writes a larger model that computes the same function as the one it is made from.</summary>
/// <param name="source">The model.</param>
/// <param name="inflation">The shapes to give it.</param>
/// <param name="seed">Of the random weights.</param>
internal sealed class Inflater(SourceModel source, Inflation inflation, ulong seed)
{
    private const string Weights = "model.safetensors";

    private readonly Widening _widening = new(inflation.WidthExponent, seed);

    /// <summary>Bytes of all weights that <see cref="Write"/> writes.</summary>
    public long ByteLength => TargetTensors().Concat(HeadTensors()).Concat(source.Predictors.SelectMany(predictor => PredictorTensors(predictor.Checkpoint))).Sum(tensor => tensor.ByteLength);

    /// <summary>Writes target, head and predictors; the target's configuration comes last, so that a folder that has it is complete.</summary>
    /// <param name="folder">Where to; created if absent.</param>
    /// <param name="written">Told the number of bytes after each piece.</param>
    public void Write(string folder, Action<long>? written = null)
    {
        Directory.CreateDirectory(folder);
        CarriedFiles.Copy(source.Target.Folder, folder);
        foreach ((PredictorKind kind, SourceCheckpoint<PredictorShape> predictor) in source.Predictors)
        {
            WriteCheckpoint(Path.Combine(folder, kind.Folder), PredictorTensors(predictor), PredictorConfig(predictor), written);
        }

        if (source.Head is { } head)
        {
            WriteCheckpoint(Path.Combine(folder, "eagle"), HeadTensors(), HeadConfig(head), written);
        }

        WriteCheckpoint(folder, TargetTensors(), TargetConfig(source.Target), written);
    }

    private static void WriteCheckpoint(string folder, IEnumerable<StreamedTensor> tensors, JsonObject config, Action<long>? written)
    {
        Directory.CreateDirectory(folder);
        StreamedSafeTensors.Write(Path.Combine(folder, Weights), [.. tensors], written);
        ConfigFile.Write(folder, config);
    }

    private IEnumerable<StreamedTensor> TargetTensors()
    {
        // Added layers come after the original's; a layer whose output weights are zero hands the residual stream on as it is.
        foreach (TensorSlot slot in inflation.Target.Tensors())
        {
            SourceTensor? tensor = source.Target.Find(slot.Name);
            TensorType type = (tensor ?? source.Target[OfFirstLayer(slot.Name)]).Info.Type;
            yield return _widening.Widen(slot, type, tensor);
        }
    }

    private IEnumerable<StreamedTensor> HeadTensors() => Widened(source.Head, inflation.Head?.Tensors());

    private IEnumerable<StreamedTensor> PredictorTensors(SourceCheckpoint<PredictorShape> predictor) =>
        Widened(predictor, (predictor.Shape with { Hidden = inflation.Target.Hidden }).Tensors());

    private IEnumerable<StreamedTensor> Widened<TShape>(SourceCheckpoint<TShape>? checkpoint, IEnumerable<TensorSlot>? slots) =>
        checkpoint is null || slots is null ? [] : slots.Select(slot => _widening.Widen(slot, checkpoint[slot.Name].Info.Type, checkpoint[slot.Name]));

    private static string OfFirstLayer(string name)
    {
        string[] parts = name.Split('.');
        parts[2] = "0";
        return string.Join('.', parts);
    }

    private JsonObject TargetConfig(SourceCheckpoint<DecoderShape> target)
    {
        var config = DecoderConfig(target.Config, target.Folder, inflation.Target.Hidden, inflation.Target.Layer);
        config["num_hidden_layers"] = inflation.Target.Layers;
        DecoderShape original = target.Shape;
        config["adaeagle_inflated"] = new JsonObject
        {
            ["parameters"] = original.Parameters,
            ["hidden_size"] = original.Hidden,
            ["num_hidden_layers"] = original.Layers,
            ["num_attention_heads"] = original.Layer.Heads,
            ["num_key_value_heads"] = original.Layer.KeyValueHeads,
            ["intermediate_size"] = original.Layer.Ffn,
        };
        return config;
    }

    private JsonObject HeadConfig(SourceCheckpoint<HeadShape> head)
    {
        JsonObject config = DecoderConfig(head.Config, head.Folder, inflation.Head!.Hidden, inflation.Head.Layer);
        if (head.Shape.Eagle3 is { } eagle)
        {
            // Which they are by default hangs on the number of layers, which has grown; the original's come first, so their boundaries stay.
            config["adaeagle_boundaries"] = new JsonArray([.. eagle.Boundaries.Select(boundary => (JsonNode)boundary)]);
            if (config.ContainsKey("target_hidden_size"))
            {
                config["target_hidden_size"] = inflation.Target.Hidden;
            }
        }

        return config;
    }

    private JsonObject DecoderConfig(JsonObject original, string folder, int hidden, LayerShape layer)
    {
        var config = (JsonObject)original.DeepClone();
        config["hidden_size"] = hidden;
        config["intermediate_size"] = layer.Ffn;
        config["num_attention_heads"] = layer.Heads;
        config["num_key_value_heads"] = layer.KeyValueHeads;
        config["head_dim"] = layer.HeadDimension;
        config["rms_norm_eps"] = ConfigFile.Exactly(_widening.Epsilon(ModelConfig.Load(folder).NormEpsilon, Path.Combine(folder, ConfigFile.Name)));
        return config;
    }

    private JsonObject PredictorConfig(SourceCheckpoint<PredictorShape> predictor)
    {
        var config = (JsonObject)predictor.Config.DeepClone();
        config["hidden_size"] = inflation.Target.Hidden;
        return config;
    }
}
