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
/// <c>adam.</c> before the weight's name), and as metadata the model's configuration and the <see cref="TrainingState"/>. The weights of a model folder
/// can be read too: a run that begins there has no history.
/// </summary>
internal static class TrainingCheckpoint
{
    private const string StateKey = "adaeagle_training";
    private const string ConfigKey = "adaeagle_config";

    public static void Save(string path, LlamaModel model, IEnumerable<IOptimizer> optimizers, TrainingState state) => SafeTensors.Write(
        path,
        model.Parameters.Concat(optimizers.SelectMany(optimizer => optimizer.State)).Select(item => Data(item.Key, item.Value)),
        new Dictionary<string, string> { [StateKey] = JsonSerializer.Serialize(state), [ConfigKey] = model.Config.ToJson() });

    /// <summary>What a checkpoint holds, without its tensors. For a model's weights beside their config.json: that configuration, and a run of <paramref name="seed"/> that has not begun.</summary>
    /// <exception cref="ModelFormatException">It is neither.</exception>
    public static (ModelConfig Config, TrainingState State) Describe(string path, int seed = 1)
    {
        using ITensorSource source = SafeTensors.Open(path);
        if (!IsRun(source))
        {
            string folder = Path.GetDirectoryName(Path.GetFullPath(path))!;
            return File.Exists(Path.Combine(folder, "config.json"))
                ? (ModelConfig.Load(folder), new TrainingState(0, 0, 0, seed, 1))
                : throw new ModelFormatException(path, StateKey, "the file holds weights, but no training run, and no config.json lies beside it", "Give a checkpoint that adaeagle-train target wrote, or the model.safetensors of a model folder");
        }

        try
        {
            return (ModelConfig.Parse(source.Metadata[ConfigKey], path), JsonSerializer.Deserialize<TrainingState>(source.Metadata[StateKey]) ?? throw new JsonException("null"));
        }
        catch (JsonException exception)
        {
            throw new ModelFormatException(path, StateKey, "the state of the run cannot be read", "Take another checkpoint", exception);
        }
    }

    private static bool IsRun(ITensorSource source) => source.Metadata.ContainsKey(StateKey) && source.Metadata.ContainsKey(ConfigKey);

    /// <summary>Fills weights and, from a training run, optimiser state. With more layers than the checkpoint has, the new ones are spread among the old and begin as the identity.</summary>
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

        foreach ((string name, Tensor tensor) in model.Parameters.Concat(IsRun(source) ? optimizers.SelectMany(optimizer => optimizer.State) : []))
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
