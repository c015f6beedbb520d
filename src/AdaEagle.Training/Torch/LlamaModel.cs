using AdaEagle.Formats;
using TorchSharp;
using static TorchSharp.torch;

namespace AdaEagle.Training.Torch;

/// <summary>
/// A Llama decoder with gradients: grouped-query attention, RoPE, RMSNorm, SwiGLU, tied embeddings; the maths and tensor names of Hugging
/// Face's <c>LlamaForCausalLM</c>. Weights are kept in single precision; matrix products run in <see cref="ProductType"/> (BF16 where the processor
/// multiplies it fast), and so are activations stored between them; the residual stream, norms, soft-maxes and losses are in single precision.
/// </summary>
public sealed class LlamaModel : IDisposable
{
    private readonly RotaryTable _rotary;
    private readonly List<Layer> _layers = [];
    private readonly Dictionary<string, Tensor> _parameters = new(StringComparer.Ordinal);

    /// <summary>A model with fresh weights: N(0, 0.02), projections back into the residual stream smaller by sqrt(2 layers), norms one.</summary>
    /// <exception cref="ArgumentException">The configuration asks for what this trainer does not have.</exception>
    public LlamaModel(ModelConfig config, ScalarType productType, int seed)
    {
        Refuse(config);
        TorchLibrary.Load();
        (Config, ProductType) = (config, productType);
        _rotary = new RotaryTable(config.MaxPositions, config.HeadDimension, config.RopeTheta);
        using var generator = new Generator((ulong)seed);
        double residual = 0.02 / Math.Sqrt(2 * config.LayerCount);
        int hidden = config.HiddenSize, queries = config.HeadCount * config.HeadDimension, keys = config.KeyValueHeadCount * config.HeadDimension;
        Embedding = Normal("model.embed_tokens.weight", config.VocabularySize, hidden, 0.02, generator);
        for (int index = 0; index < config.LayerCount; index++)
        {
            string prefix = $"model.layers.{index}.";
            _layers.Add(new Layer(
                Ones(prefix + "input_layernorm.weight", hidden),
                Normal(prefix + "self_attn.q_proj.weight", queries, hidden, 0.02, generator),
                Normal(prefix + "self_attn.k_proj.weight", keys, hidden, 0.02, generator),
                Normal(prefix + "self_attn.v_proj.weight", keys, hidden, 0.02, generator),
                Normal(prefix + "self_attn.o_proj.weight", hidden, queries, residual, generator),
                Ones(prefix + "post_attention_layernorm.weight", hidden),
                Normal(prefix + "mlp.gate_proj.weight", config.IntermediateSize, hidden, 0.02, generator),
                Normal(prefix + "mlp.up_proj.weight", config.IntermediateSize, hidden, 0.02, generator),
                Normal(prefix + "mlp.down_proj.weight", hidden, config.IntermediateSize, residual, generator)));
        }

        FinalNorm = Ones("model.norm.weight", hidden);
    }

    /// <summary>What the model is.</summary>
    public ModelConfig Config { get; }

    /// <summary>The type matrix products run in: Float32 or BFloat16.</summary>
    public ScalarType ProductType { get; }

    /// <summary>The weights by their Hugging Face names, F32, with gradients after <see cref="Loss"/>'s backward.</summary>
    public IReadOnlyDictionary<string, Tensor> Parameters => _parameters;

    /// <summary>Number of weights; the tied embedding counts once.</summary>
    public long ParameterCount => _parameters.Values.Sum(parameter => parameter.numel());

    /// <summary>The embedding, also the LM head: [vocabulary, hidden].</summary>
    internal Tensor Embedding { get; }

    /// <summary>Weight of the norm before the LM head: [hidden].</summary>
    internal Tensor FinalNorm { get; }

    /// <summary>Mean cross-entropy in nats of <paramref name="targets"/> (I64 [sequences, positions]) after <paramref name="inputs"/> (the same shape), F32 [].</summary>
    public Tensor Loss(Tensor inputs, Tensor targets) => HeadLossOperation.apply(Hidden(inputs), Head(), targets.reshape(-1));

    /// <summary>The loss in nats of every target, in order, without gradients.</summary>
    public float[] TokenLosses(Tensor inputs, Tensor targets)
    {
        using var none = no_grad();
        using var scope = NewDisposeScope();
        return HeadLossOperation.Losses(Hidden(inputs), Head(), targets.reshape(-1));
    }

    /// <summary>Logits F32 [sequences, positions, vocabulary] after every one of <paramref name="inputs"/> (I64 [sequences, positions]).</summary>
    public Tensor Logits(Tensor inputs) =>
        Hidden(inputs).mm(Head().t()).to(ScalarType.Float32).reshape(inputs.shape[0], inputs.shape[1], Config.VocabularySize);

    /// <summary>Rows before the LM head without the final norm's weight, which <see cref="Head"/> holds: product type [sequences * positions, hidden].</summary>
    private Tensor Hidden(Tensor inputs)
    {
        var layout = new HeadLayout(
            checked((int)inputs.shape[0]), checked((int)inputs.shape[1]), Config.KeyValueHeadCount, Config.HeadCount / Config.KeyValueHeadCount, Config.HeadDimension);
        if (layout.Positions > Config.MaxPositions || layout.Positions % Elements.Width != 0)
        {
            throw new ArgumentException($"A sequence has at most {Config.MaxPositions} positions here, a multiple of {Elements.Width}, not {layout.Positions}.", nameof(inputs));
        }

        Tensor residual = Embedding.index_select(0, inputs.reshape(-1));
        Tensor? branch = null;
        foreach (Layer layer in _layers)
        {
            (residual, branch) = Attend(layer, residual, branch, layout);
            (residual, branch) = Feed(layer, residual, branch);
        }

        return NormOperation.Apply(residual, branch, ProductType, Config.NormEpsilon).Normed;
    }

    private (Tensor Residual, Tensor Branch) Attend(Layer layer, Tensor residual, Tensor? branch, HeadLayout layout)
    {
        (residual, Tensor normed) = NormOperation.Apply(residual, branch, ProductType, Config.NormEpsilon);
        Tensor rows = normed.mm(Folded(cat([layer.Query, layer.Key, layer.Value]), layer.AttentionNorm).t());
        (Tensor queries, Tensor keys, Tensor values) = RotaryOperation.Apply(rows, _rotary, layout);
        Tensor attended = AttentionOperation.Apply(queries, keys, values)
            .reshape(layout.Sequences, layout.KeyHeads, layout.Positions, layout.Group * layout.Dimension)
            .transpose(1, 2)
            .reshape((long)layout.Sequences * layout.Positions, layout.KeyHeads * layout.Group * layout.Dimension);
        return (residual, attended.mm(layer.Output.to(ProductType).t()));
    }

    private (Tensor Residual, Tensor Branch) Feed(Layer layer, Tensor residual, Tensor branch)
    {
        (residual, Tensor normed) = NormOperation.Apply(residual, branch, ProductType, Config.NormEpsilon);
        Tensor both = normed.mm(Folded(cat([layer.Gate, layer.Up]), layer.FeedNorm).t());
        return (residual, GateOperation.apply(both).mm(layer.Down.to(ProductType).t()));
    }

    private Tensor Head() => Folded(Embedding, FinalNorm);

    /// <summary>A matrix with the weight of the norm before it multiplied in: W diag(w), since W (w * x) = (W diag(w)) x.</summary>
    private Tensor Folded(Tensor matrix, Tensor norm) => (matrix * norm).to(ProductType);

    private Tensor Normal(string name, long rows, long columns, double deviation, Generator generator) =>
        Add(name, randn(rows, columns, dtype: ScalarType.Float32, generator: generator).mul_(deviation));

    private Tensor Ones(string name, long length) => Add(name, ones(length, ScalarType.Float32));

    private Tensor Add(string name, Tensor value)
    {
        Tensor parameter = value.DetachFromDisposeScope().requires_grad_(true);
        _parameters.Add(name, parameter);
        return parameter;
    }

    private static void Refuse(ModelConfig config)
    {
        string? problem =
            config.HiddenSize % Elements.Width != 0 || config.IntermediateSize % Elements.Width != 0 || config.VocabularySize % Elements.Width != 0
                ? $"hidden size, intermediate size and vocabulary are multiples of {Elements.Width}"
            : config.HeadDimension % (2 * Elements.Width) != 0 ? $"the head dimension is a multiple of {2 * Elements.Width}"
            : config.KeyValueHeadCount <= 0 || config.HeadCount % config.KeyValueHeadCount != 0 ? "the number of heads is a multiple of the number of key/value heads"
            : config.LayerCount <= 0 ? "there is at least one layer"
            : config.AttentionBias || config.MlpBias || config.RopeScaling is not null || !config.TieWordEmbeddings || config.Activation != "silu"
                ? "models have no biases, plain RoPE, SiLU and tied embeddings"
            : null;
        if (problem is not null)
        {
            throw new ArgumentException($"The trainer cannot make this model: {problem}.", nameof(config));
        }
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        foreach (Tensor parameter in _parameters.Values)
        {
            parameter.Dispose();
        }
    }

    private sealed record Layer(
        Tensor AttentionNorm, Tensor Query, Tensor Key, Tensor Value, Tensor Output, Tensor FeedNorm, Tensor Gate, Tensor Up, Tensor Down);
}
