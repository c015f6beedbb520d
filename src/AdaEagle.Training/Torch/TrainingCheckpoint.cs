using System.Text.Json;
using AdaEagle.Formats;
using TorchSharp;
using static TorchSharp.torch;

namespace AdaEagle.Training.Torch;

/// <summary>Where a training run stands, beside weights and optimiser state.</summary>
/// <param name="Step">Steps done, over all runs.</param>
/// <param name="Batch">Next batch of the data's order.</param>
/// <param name="Tokens">Tokens trained on, over all runs.</param>
/// <param name="Seed">Seed of weights and data order.</param>
/// <param name="RateShare">Share of the peak rate that the next step begins a decay at; below 1 once a decay has begun.</param>
internal sealed record TrainingState(long Step, long Batch, long Tokens, int Seed, double RateShare)
{
    /// <summary>True before any decay: training can go on at the constant rate.</summary>
    public bool IsConstantPhase => RateShare >= 1;
}

/// <summary>
/// A training run in one safetensors file, replaced in one step: weights (F32, Hugging Face names), optimiser state (F32, <c>muon.</c> and
/// <c>adam.</c> before the weight's name), and as metadata the model's configuration and the <see cref="TrainingState"/>.
/// </summary>
internal static class TrainingCheckpoint
{
    private const string StateKey = "adaeagle_training";
    private const string ConfigKey = "adaeagle_config";

    public static void Save(string path, LlamaModel model, IEnumerable<IOptimizer> optimizers, TrainingState state) => SafeTensors.Write(
        path,
        model.Parameters.Concat(optimizers.SelectMany(optimizer => optimizer.State)).Select(item => Data(item.Key, item.Value)),
        new Dictionary<string, string> { [StateKey] = JsonSerializer.Serialize(state), [ConfigKey] = model.Config.ToJson() });

    /// <summary>What a checkpoint holds, without its tensors.</summary>
    /// <exception cref="ModelFormatException">It is no training checkpoint.</exception>
    public static (ModelConfig Config, TrainingState State) Describe(string path)
    {
        using ITensorSource source = SafeTensors.Open(path);
        try
        {
            return source.Metadata.TryGetValue(StateKey, out string? state) && source.Metadata.TryGetValue(ConfigKey, out string? config)
                ? (ModelConfig.Parse(config, path), JsonSerializer.Deserialize<TrainingState>(state) ?? throw new JsonException("null"))
                : throw new ModelFormatException(path, StateKey, "the file holds weights, but no training run", "Give a checkpoint that adaeagle-train target wrote");
        }
        catch (JsonException exception)
        {
            throw new ModelFormatException(path, StateKey, "the state of the run cannot be read", "Take another checkpoint", exception);
        }
    }

    /// <summary>Fills weights and optimiser state. With more layers than the checkpoint has, the new ones are spread among the old and begin as the identity.</summary>
    public static void Load(string path, LlamaModel model, IEnumerable<IOptimizer> optimizers)
    {
        using var none = no_grad();
        using var scope = NewDisposeScope();
        using ITensorSource source = SafeTensors.Open(path);
        int oldLayers = Describe(path).Config.LayerCount, layers = model.Config.LayerCount;
        if (oldLayers > layers)
        {
            throw new ModelFormatException(path, null, $"the checkpoint has {oldLayers} layers, the model {layers}", "Layers can be added, not taken away");
        }

        foreach ((string name, Tensor tensor) in model.Parameters.Concat(optimizers.SelectMany(optimizer => optimizer.State)))
        {
            if (OldName(name, oldLayers, layers) is { } oldName)
            {
                tensor.copy_(torch.tensor(source.ReadF32(oldName, tensor.shape)).reshape(tensor.shape));
            }
            else if (model.Parameters.ContainsKey(name) && (name.EndsWith("o_proj.weight", StringComparison.Ordinal) || name.EndsWith("down_proj.weight", StringComparison.Ordinal)))
            {
                tensor.zero_();
            }
        }
    }

    /// <summary>The name that a tensor has in a checkpoint of fewer layers; null for a layer that is new. Old layer j became layer j * layers / oldLayers.</summary>
    internal static string? OldName(string name, int oldLayers, int layers)
    {
        const string Marker = "model.layers.";
        int at = name.IndexOf(Marker, StringComparison.Ordinal);
        if (at < 0 || oldLayers == layers)
        {
            return name;
        }

        int start = at + Marker.Length, end = name.IndexOf('.', start);
        int layer = int.Parse(name.AsSpan(start, end - start), System.Globalization.CultureInfo.InvariantCulture);
        int old = (int)(((long)layer * oldLayers + layers - 1) / layers); // the least j with j * layers / oldLayers >= layer
        return (long)old * layers / oldLayers == layer ? $"{name[..start]}{old}{name[end..]}" : null;
    }

    internal static TensorData Data(string name, Tensor tensor)
    {
        using var scope = NewDisposeScope();
        return new TensorData(name, TensorType.F32, tensor.shape, tensor.detach().contiguous().bytes.ToArray());
    }
}
