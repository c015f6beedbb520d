using AdaEagle.Formats;
using AdaEagle.Training.Torch;
using TorchSharp;
using static TorchSharp.torch;

namespace AdaEagle.Training.Eagle;

/// <summary>
/// An EAGLE-1 draft head with gradients: x = fc [E(t_(i+1)) ; f_i] + b, one decoder layer without input norm, no final norm; the target's LM head scores
/// it. Source: SafeAILab/EAGLE, <c>cnets1.py</c>. Weights F32, products in <see cref="ProductType"/>. The columns of <c>fc</c> are kept for inputs of unit size (the embedding is much smaller
/// than the feature, and Adam's steps are not): <see cref="Export"/> multiplies the scale in.
/// </summary>
internal sealed class EagleModel : IDisposable
{
    private const string Fuse = "fc.weight", FuseBias = "fc.bias", Norm = "layers.0.post_attention_layernorm.weight";
    private const string Query = "layers.0.self_attn.q_proj.weight", Key = "layers.0.self_attn.k_proj.weight", Value = "layers.0.self_attn.v_proj.weight";
    private const string Output = "layers.0.self_attn.o_proj.weight";
    private const string Gate = "layers.0.mlp.gate_proj.weight", Up = "layers.0.mlp.up_proj.weight", Down = "layers.0.mlp.down_proj.weight";

    private readonly RotaryTable _rotary;
    private readonly Dictionary<string, Tensor> _parameters = new(StringComparer.Ordinal);
    private readonly Tensor _columnScale;
    private readonly Tensor _embedding;
    private readonly Tensor _lmHead;

    /// <param name="config">The head's configuration.</param>
    /// <param name="embedding">The target's embedding [vocabulary, hidden]; frozen.</param>
    /// <param name="lmHead">The target's LM head [vocabulary, hidden]; frozen.</param>
    /// <param name="target">SHA-256 of the target's weights, noted in the head's files.</param>
    /// <param name="featureMean">Mean of the target's features [hidden]: what the head predicts before it has learnt anything.</param>
    /// <param name="featureScale">Root mean square of the target's features.</param>
    /// <param name="productType">Float32 or BFloat16.</param>
    /// <param name="positions">The most rows of a step: positions are those of the packed rows.</param>
    /// <param name="seed">Seed of the weights.</param>
    public EagleModel(ModelConfig config, float[] embedding, float[] lmHead, string target, float[] featureMean, double featureScale, ScalarType productType, int positions, int seed)
    {
        Refuse(config);
        TorchLibrary.Load();
        using var scope = NewDisposeScope();
        using var none = no_grad();
        (Config, ProductType, FeatureScale, Target) = (config, productType, featureScale, target);
        int hidden = config.HiddenSize, queries = config.HeadCount * config.HeadDimension, keys = config.KeyValueHeadCount * config.HeadDimension;
        _rotary = new RotaryTable(positions, config.HeadDimension, config.RopeTheta);
        _embedding = tensor(embedding).reshape(config.VocabularySize, hidden).DetachFromDisposeScope();
        _lmHead = tensor(lmHead).reshape(config.VocabularySize, hidden).to(productType).DetachFromDisposeScope();
        double embeddingScale = _embedding.square().mean().sqrt().item<float>();
        _columnScale = cat([full(hidden, (float)(1 / embeddingScale)), full(hidden, (float)(1 / featureScale))]).DetachFromDisposeScope();
        using var generator = new Generator((ulong)seed);
        Normal(Fuse, hidden, 2 * hidden, 0.3 * featureScale / Math.Sqrt(2 * hidden), generator);
        Add(FuseBias, tensor(featureMean));
        Normal(Query, queries, hidden, 0.02, generator);
        Normal(Key, keys, hidden, 0.02, generator);
        Normal(Value, keys, hidden, 0.02, generator);
        Normal(Output, hidden, queries, 0.02, generator);
        Add(Norm, ones(hidden, ScalarType.Float32));
        Normal(Gate, config.IntermediateSize, hidden, 0.02, generator);
        Normal(Up, config.IntermediateSize, hidden, 0.02, generator);
        Normal(Down, hidden, config.IntermediateSize, 0.02, generator);
    }

    public ModelConfig Config { get; }

    public ScalarType ProductType { get; }

    /// <summary>SHA-256 of the target's weights.</summary>
    public string Target { get; }

    /// <summary>Root mean square of the target's features, which the inputs are scaled by.</summary>
    public double FeatureScale { get; }

    /// <summary>The weights by their names in the file.</summary>
    public IReadOnlyDictionary<string, Tensor> Parameters => _parameters;

    public long ParameterCount => _parameters.Values.Sum(parameter => parameter.numel());

    /// <summary>The target's LM head in the product type.</summary>
    public Tensor LmHead => _lmHead;

    private int Group => Config.HeadCount / Config.KeyValueHeadCount;

    /// <summary>
    /// One step of the draft for packed rows: predicted features F32 [rows, hidden], and the step's keys and values for later steps.
    /// </summary>
    /// <param name="features">Feature inputs F32 [rows, hidden].</param>
    /// <param name="tokens">t_(i+1), I64 [rows].</param>
    /// <param name="angles">Positions of the rows; only their differences inside an answer matter.</param>
    /// <param name="spans">Where the answers lie.</param>
    /// <param name="earlier">Keys and values of the steps so far: step 0 first. Empty for step 0 itself.</param>
    public (Tensor Predicted, (Tensor Keys, Tensor Values) Step) Forward(
        Tensor features, Tensor tokens, int[] angles, PackedSpan[] spans, IReadOnlyList<(Tensor Keys, Tensor Values)> earlier)
    {
        int rows = angles.Length;
        var layout = new HeadLayout(1, rows, Config.KeyValueHeadCount, Group, Config.HeadDimension) { Angles = angles };
        Tensor inputs = cat([_embedding.index_select(0, tokens), features], 1).to(ProductType);
        Tensor fused = inputs.mm((this[Fuse] * _columnScale).to(ProductType).t()).to(ScalarType.Float32) + this[FuseBias];
        Tensor projected = fused.to(ProductType).mm(cat([this[Query], this[Key], this[Value]]).to(ProductType).t());
        (Tensor queries, Tensor keys, Tensor values) = RotaryOperation.Apply(projected, _rotary, layout);
        (Tensor Keys, Tensor Values) own = (keys, values);
        (Tensor Keys, Tensor Values)[] all = [.. earlier, own];
        Tensor attended = ChainAttentionOperation.Apply(queries, all[0].Keys, all[0].Values, all[1..], spans)
            .reshape(layout.KeyHeads, rows, layout.Group * layout.Dimension)
            .transpose(0, 1)
            .reshape(rows, layout.KeyHeads * layout.Group * layout.Dimension);
        Tensor branch = attended.mm(this[Output].to(ProductType).t());
        (Tensor residual, Tensor normed) = NormOperation.Apply(fused, branch, ProductType, Config.NormEpsilon);
        Tensor both = normed.mm((cat([this[Gate], this[Up]]) * this[Norm]).to(ProductType).t());
        return (residual + GateOperation.apply(both).mm(this[Down].to(ProductType).t()).to(ScalarType.Float32), own);
    }

    /// <summary>The weights as they are stored: SafeAILab's names and layout.</summary>
    public IEnumerable<(string Name, long[] Shape, float[] Values)> Export()
    {
        using var none = no_grad();
        foreach ((string name, Tensor parameter) in _parameters)
        {
            using var scope = NewDisposeScope();
            Tensor stored = name == Fuse ? parameter * _columnScale : parameter;
            yield return (name, stored.shape, stored.contiguous().data<float>().ToArray());
        }
    }

    public void Dispose()
    {
        foreach (Tensor tensor in _parameters.Values.Concat([_columnScale, _embedding, _lmHead]))
        {
            tensor.Dispose();
        }
    }

    private Tensor this[string name] => _parameters[name];

    private void Normal(string name, long rows, long columns, double deviation, Generator generator) =>
        Add(name, randn(rows, columns, dtype: ScalarType.Float32, generator: generator).mul_(deviation));

    private void Add(string name, Tensor value) => _parameters.Add(name, value.DetachFromDisposeScope().requires_grad_(true));

    private static void Refuse(ModelConfig config)
    {
        string? problem =
            config.HiddenSize % Elements.Width != 0 || config.IntermediateSize % Elements.Width != 0 || config.VocabularySize % Elements.Width != 0
                ? $"hidden size, intermediate size and vocabulary are multiples of {Elements.Width}"
            : config.HeadDimension % (2 * Elements.Width) != 0 ? $"the head dimension is a multiple of {2 * Elements.Width}"
            : config.KeyValueHeadCount <= 0 || config.HeadCount % config.KeyValueHeadCount != 0 ? "the number of heads is a multiple of the number of key/value heads"
            : null;
        if (problem is not null)
        {
            throw new InvalidDataException($"The trainer cannot make this head: {problem}.");
        }
    }
}
