using System.Text;
using System.Text.Json;
using System.Text.Json.Nodes;
using AdaEagle.Formats;
using AdaEagle.Speculation.Policies;
using static TorchSharp.torch;

namespace AdaEagle.Training.Ldlp;

/// <summary>
/// The Lightweight Draft Length Predictor with gradients: a <see cref="ResidualMlpModel"/> of three blocks on x = [E(t_j) ; f_j], one scalar out
/// (<see cref="LdlpWeights"/> runs it).
/// </summary>
/// <param name="mean">Mean of every input, F32 [2 hidden].</param>
/// <param name="deviation">Deviation of every input, F32 [2 hidden].</param>
/// <param name="width">Width of the layers.</param>
/// <param name="start">The constant that it begins with.</param>
/// <param name="seed">Seed of the weights.</param>
internal sealed class LdlpModel(Tensor mean, Tensor deviation, int width, double start, int seed) : IDisposable
{
    private readonly ResidualMlpModel _network = new("", mean, deviation, width, LdlpWeights.Layers, [(float)start], seed);

    public IReadOnlyDictionary<string, Tensor> Parameters => _network.Parameters;

    public ResidualMlpModel Network => _network;

    /// <summary>The scalars F32 [rows] for inputs F32 [rows, 2 hidden]; with dropout while training.</summary>
    public Tensor Forward(Tensor inputs, double dropout) => _network.Forward(inputs, dropout).squeeze(1);

    /// <summary>Writes <c>config.json</c> and <c>model.safetensors</c>; matrices as BF16 unless told otherwise.</summary>
    /// <param name="folder">The predictor's folder.</param>
    /// <param name="config">Entries of config.json beside kind, sizes and layers.</param>
    /// <param name="type">Format of the weights.</param>
    public void Export(string folder, IReadOnlyDictionary<string, JsonNode?> config, TensorType type = TensorType.BF16) => PredictorFiles.Write(
        folder, _network.Export(type),
        new JsonObject { ["adaeagle_kind"] = "ldlp", ["hidden_size"] = _network.Inputs / 2, ["width"] = _network.Width, ["layers"] = LdlpWeights.Layers }, config);

    public void Dispose() => _network.Dispose();
}

/// <summary>A predictor's folder.</summary>
internal static class PredictorFiles
{
    private static readonly JsonSerializerOptions s_json = new() { WriteIndented = true };

    /// <summary>Writes <c>config.json</c> (<paramref name="sizes"/>, then <paramref name="config"/>) and <c>model.safetensors</c>.</summary>
    public static void Write(string folder, IEnumerable<TensorData> tensors, JsonObject sizes, IReadOnlyDictionary<string, JsonNode?> config)
    {
        Directory.CreateDirectory(folder);
        SafeTensors.Write(Path.Combine(folder, "model.safetensors"), [.. tensors], new Dictionary<string, string> { ["format"] = "pt" });
        foreach ((string key, JsonNode? value) in config)
        {
            sizes[key] = value?.DeepClone();
        }

        AtomicFile.Write(Path.Combine(folder, "config.json"), stream => stream.Write(Encoding.UTF8.GetBytes(sizes.ToJsonString(s_json) + "\n")));
    }
}
