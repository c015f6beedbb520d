using System.Text;
using System.Text.Json;
using System.Text.Json.Nodes;
using AdaEagle.Formats;
using AdaEagle.Training.Torch;
using TorchSharp;
using static TorchSharp.torch;

namespace AdaEagle.Training.Eagle;

/// <summary>A head's files: the checkpoint that a run goes on from, and the export in SafeAILab's layout.</summary>
internal static class EagleFiles
{
    private const string StateKey = "adaeagle_training", ConfigKey = "adaeagle_config", ScaleKey = "adaeagle_feature_scale", TargetKey = "adaeagle_target";

    /// <summary>Key of the export's config.json with the SHA-256 of the target's weights that the head was trained for.</summary>
    public const string TargetFingerprint = TargetKey;

    public static void Save(string path, HeadModel model, IEnumerable<IOptimizer> optimizers, TrainingState state) => SafeTensors.Write(
        path,
        model.Parameters.Concat(optimizers.SelectMany(optimizer => optimizer.State)).Select(item => TrainingCheckpoint.Data(item.Key, item.Value)).Concat(model.Tables),
        new Dictionary<string, string>
        {
            [StateKey] = JsonSerializer.Serialize(state),
            [ConfigKey] = model.Config.ToJson(),
            [ScaleKey] = string.Join(' ', model.StateScales.Select(scale => scale.ToString("R", System.Globalization.CultureInfo.InvariantCulture))),
            [TargetKey] = model.Target,
        });

    /// <summary>What a checkpoint is of; the draft tokens are null for an EAGLE-1 head.</summary>
    /// <exception cref="ModelFormatException">It is no checkpoint of a head.</exception>
    public static (ModelConfig Config, double[] StateScales, int[]? DraftTokens, string Target, TrainingState State) Describe(string path)
    {
        using ITensorSource source = SafeTensors.Open(path);
        try
        {
            return source.Metadata.TryGetValue(StateKey, out string? state) && source.Metadata.TryGetValue(ConfigKey, out string? config)
                && source.Metadata.TryGetValue(ScaleKey, out string? scale) && source.Metadata.TryGetValue(TargetKey, out string? target)
                ? (ModelConfig.Parse(config, path), [.. scale.Split(' ').Select(part => double.Parse(part, System.Globalization.CultureInfo.InvariantCulture))],
                    ModelConfig.Parse(config, path).Eagle3 is null ? null : Eagle3Model.DraftTokens(source), target,
                    JsonSerializer.Deserialize<TrainingState>(state) ?? throw new JsonException("null"))
                : throw new ModelFormatException(path, StateKey, "the file is no checkpoint of a head", "Give one that adaeagle-train eagle wrote");
        }
        catch (Exception exception) when (exception is JsonException or FormatException)
        {
            throw new ModelFormatException(path, StateKey, "the state of the run cannot be read", "Take another checkpoint", exception);
        }
    }

    /// <summary>Fills weights and optimisers.</summary>
    public static TrainingState Load(string path, HeadModel model, IEnumerable<IOptimizer> optimizers)
    {
        using var none = no_grad();
        using var scope = NewDisposeScope();
        using ITensorSource source = SafeTensors.Open(path);
        foreach ((string name, Tensor tensor) in model.Parameters.Concat(optimizers.SelectMany(optimizer => optimizer.State)))
        {
            tensor.copy_(torch.tensor(source.ReadF32(name, tensor.shape)).reshape(tensor.shape));
        }

        return Describe(path).State;
    }

    /// <summary>Writes <c>config.json</c> and <c>model.safetensors</c> (BF16 unless told otherwise).</summary>
    public static void Export(string folder, HeadModel model, TensorType type = TensorType.BF16)
    {
        Directory.CreateDirectory(folder);
        SafeTensors.Write(
            Path.Combine(folder, "model.safetensors"),
            model.Export().Select(item => TensorData.FromF32(item.Name, item.Shape, item.Values, type)).Concat(model.Tables),
            new Dictionary<string, string> { ["format"] = "pt" });
        JsonObject config = JsonNode.Parse(model.Config.ToJson())!.AsObject();
        config[TargetKey] = model.Target;
        AtomicFile.Write(Path.Combine(folder, "config.json"), stream => stream.Write(Encoding.UTF8.GetBytes(config.ToJsonString(new JsonSerializerOptions { WriteIndented = true }) + "\n")));
    }
}
