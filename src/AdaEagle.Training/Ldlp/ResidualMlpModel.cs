using AdaEagle.Formats;
using TorchSharp;
using static TorchSharp.torch;

namespace AdaEagle.Training.Ldlp;

/// <summary>
/// A predictor's network with gradients: y = W x + b, for every block y = y + silu(W_i y + b_i), then the outputs V y + c (the engine's <c>ResidualMlp</c>).
/// Inputs are brought to mean 0 and deviation 1 for training, and those that never differ to 0; <see cref="Export"/> folds that into the first matrix.
/// </summary>
internal sealed class ResidualMlpModel : IDisposable
{
    /// <summary>Inputs that differ less than this do not differ: what they would do elsewhere is not known.</summary>
    private const double LeastDeviation = 1e-5;

    private readonly Dictionary<string, Tensor> _parameters = new(StringComparer.Ordinal);
    private readonly string _prefix;
    private readonly int _blocks;
    private readonly Tensor _mean;
    private readonly Tensor _scale;

    /// <param name="prefix">Its tensors' names begin with it.</param>
    /// <param name="mean">Mean of every input, F32 [inputs].</param>
    /// <param name="deviation">Deviation of every input, F32 [inputs].</param>
    /// <param name="width">Width of the layers.</param>
    /// <param name="blocks">Residual blocks.</param>
    /// <param name="start">The constants that it begins with, one for each output.</param>
    /// <param name="seed">Seed of the weights.</param>
    public ResidualMlpModel(string prefix, Tensor mean, Tensor deviation, int width, int blocks, float[] start, int seed)
    {
        using var scope = NewDisposeScope();
        using var none = no_grad();
        using var generator = new Generator((ulong)seed);
        (_prefix, _blocks, Inputs, Width) = (prefix, blocks, (int)mean.shape[0], width);
        _mean = mean.clone().DetachFromDisposeScope();
        _scale = where(deviation > LeastDeviation, 1 / (deviation + 1e-6), zeros_like(deviation)).DetachFromDisposeScope();
        Add("input.weight", randn(width, Inputs, dtype: ScalarType.Float32, generator: generator).mul_(1 / Math.Sqrt(Inputs)));
        Add("input.bias", zeros(width, ScalarType.Float32));
        for (int block = 0; block < blocks; block++)
        {
            Add($"blocks.{block}.weight", randn(width, width, dtype: ScalarType.Float32, generator: generator).mul_(0.5 / Math.Sqrt(width)));
            Add($"blocks.{block}.bias", zeros(width, ScalarType.Float32));
        }

        Add("output.weight", zeros(start.Length, width, dtype: ScalarType.Float32));
        Add("output.bias", tensor(start));
    }

    public int Inputs { get; }

    public int Width { get; }

    public IReadOnlyDictionary<string, Tensor> Parameters => _parameters;

    /// <summary>The outputs F32 [rows, outputs] for inputs F32 [rows, inputs]; with dropout while training.</summary>
    public Tensor Forward(Tensor inputs, double dropout)
    {
        Tensor x = (inputs - _mean) * _scale;
        x = dropout > 0 ? nn.functional.dropout(x, dropout, training: true) : x;
        Tensor y = Affine("input", x);
        for (int block = 0; block < _blocks; block++)
        {
            Tensor branch = nn.functional.silu(Affine($"blocks.{block}", y));
            y = y + (dropout > 0 ? nn.functional.dropout(branch, dropout, training: true) : branch);
        }

        return Affine("output", y);
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

    /// <summary>Makes of outputs <paramref name="first"/> to <paramref name="last"/> z the outputs scale z + shift.</summary>
    public void Recalibrate(int first, int last, double scale, double shift)
    {
        using var none = no_grad();
        using var scope = NewDisposeScope();
        _parameters[_prefix + "output.weight"][first..(last + 1)].mul_(scale);
        _parameters[_prefix + "output.bias"][first..(last + 1)].mul_(scale).add_(shift);
    }

    /// <summary>The weights as the engine reads them; matrices in <paramref name="type"/>.</summary>
    public IEnumerable<TensorData> Export(TensorType type)
    {
        using var none = no_grad();
        using var scope = NewDisposeScope();
        Tensor weight = _parameters[_prefix + "input.weight"] * _scale;
        Tensor bias = _parameters[_prefix + "input.bias"] - weight.mv(_mean);
        return
        [
            .. _parameters.Select(item => TensorData.FromF32(
                item.Key,
                item.Value.shape,
                Values(item.Key == _prefix + "input.weight" ? weight : item.Key == _prefix + "input.bias" ? bias : item.Value),
                item.Value.dim() == 2 ? type : TensorType.F32)),
        ];
    }

    public void Dispose()
    {
        foreach (Tensor tensor in _parameters.Values.Concat([_mean, _scale]))
        {
            tensor.Dispose();
        }
    }

    private Tensor Affine(string name, Tensor x) => x.mm(_parameters[$"{_prefix}{name}.weight"].t()) + _parameters[$"{_prefix}{name}.bias"];

    private void Add(string name, Tensor value) => _parameters.Add(_prefix + name, value.DetachFromDisposeScope().requires_grad_(true));

    private static float[] Values(Tensor tensor)
    {
        using var scope = NewDisposeScope();
        return tensor.detach().contiguous().data<float>().ToArray();
    }
}
