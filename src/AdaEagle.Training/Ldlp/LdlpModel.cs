using System.Globalization;
using System.Text;
using System.Text.Json;
using System.Text.Json.Nodes;
using AdaEagle.Formats;
using AdaEagle.Speculation.Policies;
using TorchSharp;
using static TorchSharp.torch;

namespace AdaEagle.Training.Ldlp;

/// <summary>
/// The Lightweight Draft Length Predictor with gradients: y = W x + b on x = [E(t_j) ; f_j], three times y = y + silu(W_i y + b_i), then one scalar
/// (<see cref="LdlpWeights"/> runs it). Inputs are brought to mean 0 and deviation 1 for training; <see cref="Export"/> folds that into the first matrix.
/// </summary>
internal sealed class LdlpModel : IDisposable
{
    private readonly Dictionary<string, Tensor> _parameters = new(StringComparer.Ordinal);
    private readonly Tensor _mean;
    private readonly Tensor _scale;

    /// <param name="mean">Mean of every input, F32 [2 hidden].</param>
    /// <param name="deviation">Deviation of every input, F32 [2 hidden].</param>
    /// <param name="width">Width of the layers.</param>
    /// <param name="start">The constant that it begins with.</param>
    /// <param name="seed">Seed of the weights.</param>
    public LdlpModel(Tensor mean, Tensor deviation, int width, double start, int seed)
    {
        using var scope = NewDisposeScope();
        using var none = no_grad();
        using var generator = new Generator((ulong)seed);
        (Inputs, Width) = ((int)mean.shape[0], width);
        _mean = mean.clone().DetachFromDisposeScope();
        _scale = (1 / (deviation + 1e-6)).DetachFromDisposeScope();
        Add("input.weight", randn(width, Inputs, dtype: ScalarType.Float32, generator: generator).mul_(1 / Math.Sqrt(Inputs)));
        Add("input.bias", zeros(width, ScalarType.Float32));
        for (int layer = 0; layer < LdlpWeights.Layers; layer++)
        {
            Add($"blocks.{layer}.weight", randn(width, width, dtype: ScalarType.Float32, generator: generator).mul_(0.5 / Math.Sqrt(width)));
            Add($"blocks.{layer}.bias", zeros(width, ScalarType.Float32));
        }

        Add("output.weight", zeros(1, width, dtype: ScalarType.Float32));
        Add("output.bias", full(1, (float)start, ScalarType.Float32));
    }

    /// <summary>Width of the input: twice the hidden size.</summary>
    public int Inputs { get; }

    public int Width { get; }

    public IReadOnlyDictionary<string, Tensor> Parameters => _parameters;

    /// <summary>The scalars F32 [rows] for inputs F32 [rows, 2 hidden]; with dropout while training.</summary>
    public Tensor Forward(Tensor inputs, double dropout)
    {
        Tensor x = (inputs - _mean) * _scale;
        x = dropout > 0 ? nn.functional.dropout(x, dropout, training: true) : x;
        Tensor y = x.mm(_parameters["input.weight"].t()) + _parameters["input.bias"];
        for (int layer = 0; layer < LdlpWeights.Layers; layer++)
        {
            Tensor branch = nn.functional.silu(y.mm(_parameters[$"blocks.{layer}.weight"].t()) + _parameters[$"blocks.{layer}.bias"]);
            y = y + (dropout > 0 ? nn.functional.dropout(branch, dropout, training: true) : branch);
        }

        return (y.mm(_parameters["output.weight"].t()) + _parameters["output.bias"]).squeeze(1);
    }

    /// <summary>A copy of the weights, to come back to.</summary>
    public Dictionary<string, float[]> Snapshot() => _parameters.ToDictionary(item => item.Key, item => Values(item.Value));

    /// <summary>Takes a copy's weights.</summary>
    public void Restore(Dictionary<string, float[]> snapshot)
    {
        using var none = no_grad();
        using var scope = NewDisposeScope();
        foreach ((string name, Tensor parameter) in _parameters)
        {
            parameter.copy_(tensor(snapshot[name]).reshape(parameter.shape));
        }
    }

    /// <summary>Writes <c>config.json</c> and <c>model.safetensors</c>; matrices as BF16 unless told otherwise.</summary>
    /// <param name="folder">The predictor's folder.</param>
    /// <param name="config">Entries of config.json beside kind, sizes and layers.</param>
    /// <param name="type">Format of the weights.</param>
    public void Export(string folder, IReadOnlyDictionary<string, JsonNode?> config, TensorType type = TensorType.BF16)
    {
        Directory.CreateDirectory(folder);
        using var none = no_grad();
        using var scope = NewDisposeScope();
        Tensor weight = _parameters["input.weight"] * _scale;
        Tensor bias = _parameters["input.bias"] - weight.mv(_mean);
        SafeTensors.Write(
            Path.Combine(folder, "model.safetensors"),
            _parameters.Select(item => TensorData.FromF32(
                item.Key, item.Value.shape, Values(item.Key switch { "input.weight" => weight, "input.bias" => bias, _ => item.Value }),
                item.Value.dim() == 2 ? type : TensorType.F32)),
            new Dictionary<string, string> { ["format"] = "pt" });
        var json = new JsonObject { ["adaeagle_kind"] = "ldlp", ["hidden_size"] = Inputs / 2, ["width"] = Width, ["layers"] = LdlpWeights.Layers };
        foreach ((string key, JsonNode? value) in config)
        {
            json[key] = value?.DeepClone();
        }

        AtomicFile.Write(Path.Combine(folder, "config.json"), stream => stream.Write(Encoding.UTF8.GetBytes(json.ToJsonString(new JsonSerializerOptions { WriteIndented = true }) + "\n")));
    }

    public void Dispose()
    {
        foreach (Tensor tensor in _parameters.Values.Concat([_mean, _scale]))
        {
            tensor.Dispose();
        }
    }

    private void Add(string name, Tensor value) => _parameters.Add(name, value.DetachFromDisposeScope().requires_grad_(true));

    private static float[] Values(Tensor tensor)
    {
        using var scope = NewDisposeScope();
        return tensor.detach().contiguous().data<float>().ToArray();
    }
}
