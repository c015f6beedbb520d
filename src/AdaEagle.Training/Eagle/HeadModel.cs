using AdaEagle.Formats;
using AdaEagle.Training.Torch;
using TorchSharp;
using static TorchSharp.torch;

namespace AdaEagle.Training.Eagle;

/// <summary>
/// A draft head with gradients: what the layouts share, its decoder layer above all. Weights F32, products in <see cref="ProductType"/>. The columns of <c>fc</c>
/// are kept for inputs of unit size (embedding, feature and boundaries differ much in size, and Adam's steps do not): <see cref="Export"/> multiplies the scale in.
/// </summary>
internal abstract class HeadModel : IDisposable
{
    protected const string Fuse = "fc.weight";

    private readonly RotaryTable _rotary;
    private readonly string _layer;
    private readonly Dictionary<string, Tensor> _parameters = new(StringComparer.Ordinal);
    private readonly List<Tensor> _constants = [];
    private Tensor? _columnScale;

    /// <param name="config">The head's configuration.</param>
    /// <param name="layer">What the names of the layer's weights begin with.</param>
    /// <param name="lmHead">The target's LM head [vocabulary, hidden]; frozen.</param>
    /// <param name="target">SHA-256 of the target's weights, noted in the head's files.</param>
    /// <param name="stateScales">Root mean squares of the target's states: of the feature, or of each boundary.</param>
    /// <param name="productType">Float32 or BFloat16.</param>
    /// <param name="positions">The most rows of a step: positions are those of the packed rows.</param>
    protected HeadModel(ModelConfig config, string layer, float[] lmHead, string target, double[] stateScales, ScalarType productType, int positions)
    {
        Refuse(config);
        TorchLibrary.Load();
        using var scope = NewDisposeScope();
        using var none = no_grad();
        (Config, ProductType, StateScales, Target, _layer) = (config, productType, stateScales, target, layer);
        _rotary = new RotaryTable(positions, config.HeadDimension, config.RopeTheta);
        TargetLmHead = Constant(tensor(lmHead).reshape(config.VocabularySize, config.HiddenSize).to(productType));
        StateScale = Constant(cat([.. stateScales.Select(scale => full(config.HiddenSize, (float)scale))]));
    }

    public ModelConfig Config { get; }

    public ScalarType ProductType { get; }

    /// <summary>SHA-256 of the target's weights.</summary>
    public string Target { get; }

    /// <summary>Root mean squares of the target's states, which the inputs are scaled by: of the feature, or of each boundary.</summary>
    public double[] StateScales { get; }

    /// <summary>The same for each number of a state, F32 [width].</summary>
    public Tensor StateScale { get; }

    /// <summary>The weights by their names in the file.</summary>
    public IReadOnlyDictionary<string, Tensor> Parameters => _parameters;

    public long ParameterCount => _parameters.Values.Sum(parameter => parameter.numel());

    /// <summary>The target's LM head in the product type.</summary>
    public Tensor TargetLmHead { get; }

    /// <summary>The LM head that makes the teacher's distribution of the target's features: over the tokens that the head can propose.</summary>
    public virtual Tensor TeacherLmHead => TargetLmHead;

    /// <summary>True if outputs are predicted features, to be compared with the target's.</summary>
    public abstract bool PredictsFeatures { get; }

    /// <summary>Tensors beside the weights that its files have.</summary>
    public virtual IEnumerable<TensorData> Tables => [];

    private int Group => Config.HeadCount / Config.KeyValueHeadCount;

    /// <summary>
    /// One step of the draft for packed rows: outputs F32 [rows, hidden], and the step's keys and values for later steps.
    /// </summary>
    /// <param name="states">Step 0: the target's states F32 [rows, width]. Later ones: outputs of the step before [rows, hidden].</param>
    /// <param name="tokens">t_(i+1), I64 [rows].</param>
    /// <param name="angles">Positions of the rows; only their differences inside an answer matter.</param>
    /// <param name="spans">Where the answers lie.</param>
    /// <param name="earlier">Keys and values of the steps so far: step 0 first. Empty for step 0 itself.</param>
    public abstract (Tensor Output, (Tensor Keys, Tensor Values) Step) Forward(
        Tensor states, Tensor tokens, int[] angles, PackedSpan[] spans, IReadOnlyList<(Tensor Keys, Tensor Values)> earlier);

    /// <summary>What scores outputs: rows and LM head, of the product type, whose product is the logits.</summary>
    public abstract (Tensor Rows, Tensor LmHead) Scoring(Tensor outputs);

    /// <summary>For each of the target's features, whether the target's best token is one that the head can propose; null: all are.</summary>
    public virtual bool[]? CanPropose(Tensor features) => null;

    /// <summary>The weights as they are stored: SafeAILab's names and layout.</summary>
    public IEnumerable<(string Name, long[] Shape, float[] Values)> Export()
    {
        using var none = no_grad();
        foreach ((string name, Tensor parameter) in _parameters)
        {
            using var scope = NewDisposeScope();
            Tensor stored = name == Fuse ? parameter * _columnScale! : parameter;
            yield return (name, stored.shape, stored.contiguous().data<float>().ToArray());
        }
    }

    public void Dispose()
    {
        foreach (Tensor tensor in _parameters.Values.Concat(_constants))
        {
            tensor.Dispose();
        }
    }

    protected Tensor this[string name] => _parameters[name];

    /// <summary>Queries, keys and values on top of each other.</summary>
    protected Tensor Projection => cat([Of("self_attn.q_proj"), Of("self_attn.k_proj"), Of("self_attn.v_proj")]);

    /// <summary><c>fc</c> as it multiplies inputs, in the product type.</summary>
    protected Tensor FuseColumns => (this[Fuse] * _columnScale!).to(ProductType);

    protected Tensor Constant(Tensor value)
    {
        _constants.Add(value.DetachFromDisposeScope());
        return value;
    }

    protected void Normal(string name, long rows, long columns, double deviation, Generator generator) =>
        Add(name, randn(rows, columns, dtype: ScalarType.Float32, generator: generator).mul_(deviation));

    protected void Add(string name, Tensor value) => _parameters.Add(name, value.DetachFromDisposeScope().requires_grad_(true));

    /// <summary>Adds <c>fc</c>, whose inputs have these sizes: what a column is multiplied with.</summary>
    protected void AddFuse(Tensor inputScales, double deviation, Generator generator)
    {
        _columnScale = Constant(inputScales.reciprocal());
        Normal(Fuse, Config.HiddenSize, inputScales.shape[0], deviation, generator);
    }

    /// <summary>Adds the layer's weights; its attention reads rows of <paramref name="width"/>.</summary>
    protected void AddLayer(int width, Generator generator)
    {
        int hidden = Config.HiddenSize, queries = Config.HeadCount * Config.HeadDimension, keys = Config.KeyValueHeadCount * Config.HeadDimension;
        Normal(Named("self_attn.q_proj"), queries, width, 0.02, generator);
        Normal(Named("self_attn.k_proj"), keys, width, 0.02, generator);
        Normal(Named("self_attn.v_proj"), keys, width, 0.02, generator);
        Normal(Named("self_attn.o_proj"), hidden, queries, 0.02, generator);
        Add(Named("post_attention_layernorm"), ones(hidden, ScalarType.Float32));
        Normal(Named("mlp.gate_proj"), Config.IntermediateSize, hidden, 0.02, generator);
        Normal(Named("mlp.up_proj"), Config.IntermediateSize, hidden, 0.02, generator);
        Normal(Named("mlp.down_proj"), hidden, Config.IntermediateSize, 0.02, generator);
    }

    /// <summary>The decoder layer: the residual F32 [rows, hidden] and attention over rows whose queries, keys and values were projected.</summary>
    protected (Tensor Output, (Tensor Keys, Tensor Values) Step) Layer(
        Tensor residual, Tensor projected, int[] angles, PackedSpan[] spans, IReadOnlyList<(Tensor Keys, Tensor Values)> earlier)
    {
        int rows = angles.Length;
        var layout = new HeadLayout(1, rows, Config.KeyValueHeadCount, Group, Config.HeadDimension) { Angles = angles };
        (Tensor queries, Tensor keys, Tensor values) = RotaryOperation.Apply(projected, _rotary, layout);
        (Tensor Keys, Tensor Values) own = (keys, values);
        (Tensor Keys, Tensor Values)[] all = [.. earlier, own];
        Tensor attended = ChainAttentionOperation.Apply(queries, all[0].Keys, all[0].Values, all[1..], spans)
            .reshape(layout.KeyHeads, rows, layout.Group * layout.Dimension)
            .transpose(0, 1)
            .reshape(rows, layout.KeyHeads * layout.Group * layout.Dimension);
        Tensor branch = attended.mm(Of("self_attn.o_proj").to(ProductType).t());
        (residual, Tensor normed) = NormOperation.Apply(residual, branch, ProductType, Config.NormEpsilon);
        Tensor both = normed.mm((cat([Of("mlp.gate_proj"), Of("mlp.up_proj")]) * Of("post_attention_layernorm")).to(ProductType).t());
        return (residual + GateOperation.apply(both).mm(Of("mlp.down_proj").to(ProductType).t()).to(ScalarType.Float32), own);
    }

    protected Tensor Of(string part) => _parameters[Named(part)];

    protected string Named(string part) => $"{_layer}{part}.weight";

    private static void Refuse(ModelConfig config)
    {
        string? problem =
            config.HiddenSize % Elements.Width != 0 || config.IntermediateSize % Elements.Width != 0 || config.VocabularySize % Elements.Width != 0
                ? $"hidden size, intermediate size and vocabulary are multiples of {Elements.Width}"
            : config.Eagle3?.DraftVocabularySize % Elements.Width > 0 ? $"the draft vocabulary is a multiple of {Elements.Width}"
            : config.HeadDimension % (2 * Elements.Width) != 0 ? $"the head dimension is a multiple of {2 * Elements.Width}"
            : config.KeyValueHeadCount <= 0 || config.HeadCount % config.KeyValueHeadCount != 0 ? "the number of heads is a multiple of the number of key/value heads"
            : null;
        if (problem is not null)
        {
            throw new InvalidDataException($"The trainer cannot make this head: {problem}.");
        }
    }
}
