using AdaEagle.Formats;
using AdaEagle.Kernels;

namespace AdaEagle.Models;

/// <summary>
/// The weights of an EAGLE-1 draft head in SafeAILab's layout (also EAGLE-2's: same weights): <c>fc</c> over [embedding of the next token ;
/// feature], one decoder layer without input norm, then the target's LM head without a norm. Immutable and shared.
/// </summary>
/// <remarks>
/// Row i reads the target's feature f_i and the token t_(i+1), predicts f_(i+1), and so proposes t_(i+2). Source: SafeAILab/EAGLE, <c>cnets1.py</c>.
/// </remarks>
public sealed class EagleHead : IDisposable
{
    private readonly bool _ownsEmbedding;

    private EagleHead(ModelConfig config, LlamaModel target, WeightMatrix embedding, bool ownsEmbedding, WeightMatrix fuse, NativeBuffer? fuseBias, DecoderStack stack, WeightMatrix lmHead)
    {
        Config = config;
        Target = target;
        Embedding = embedding;
        _ownsEmbedding = ownsEmbedding;
        Fuse = fuse;
        FuseBias = fuseBias;
        Stack = stack;
        LmHead = lmHead;
        Blocks = new KvBlockPool(stack.CacheLayout);
    }

    /// <summary>The head's configuration.</summary>
    public ModelConfig Config { get; }

    /// <summary>The target whose features it reads and whose LM head it uses.</summary>
    public LlamaModel Target { get; }

    /// <summary>Bytes of weights that a draft step streams: fc, layer and LM head.</summary>
    public long StepBytes => Fuse.ByteLength + Stack.ByteLength + LmHead.ByteLength;

    /// <summary>Which weights are kept otherwise than the file has them, or than was asked for.</summary>
    public IReadOnlyList<string> Warnings { get; private init; } = [];

    internal WeightMatrix Embedding { get; }

    /// <summary><c>fc</c>: columns 0 … H-1 read the embedding, H … 2H-1 the feature.</summary>
    internal WeightMatrix Fuse { get; }

    internal NativeBuffer? FuseBias { get; }

    internal DecoderStack Stack { get; }

    /// <summary>The target's LM head, or a quantised copy of it: a draft may be less exact than what it is checked with.</summary>
    internal WeightMatrix LmHead { get; }

    internal KvBlockPool Blocks { get; }

    /// <summary>
    /// Loads a head's folder for <paramref name="target"/>. <paramref name="quantize"/> brings its matrices and its LM head to a format of blocks; the target
    /// stays as it is, and so does what it says.
    /// </summary>
    /// <exception cref="ModelFormatException">The folder holds no EAGLE-1 head for this target; the message says why.</exception>
    public static EagleHead Load(string folder, LlamaModel target, WeightChoice weights = WeightChoice.Auto, WeightFormat? quantize = null)
    {
        ArgumentNullException.ThrowIfNull(target);
        ModelConfig config = ModelConfig.Load(folder);
        string configFile = Path.Combine(folder, "config.json");
        using ITensorSource source = Checkpoint.Open(folder);
        if (source.Tensors.Keys.Any(name => name.Contains("midlayer.", StringComparison.Ordinal)) || source.Tensors.ContainsKey("d2t"))
        {
            throw new ModelFormatException(source.Path, "midlayer", "this is an EAGLE-3 head", "supported: EAGLE-1 and EAGLE-2 heads");
        }

        if (config.HiddenSize != target.Config.HiddenSize || config.VocabularySize != target.Config.VocabularySize)
        {
            throw new ModelFormatException(
                configFile, "hidden_size",
                $"the head is for hidden size {config.HiddenSize} and vocabulary {config.VocabularySize}, the target has {target.Config.HiddenSize} and {target.Config.VocabularySize}",
                "use the head that was trained for this target");
        }

        if (config.LayerCount != 1)
        {
            throw new ModelFormatException(configFile, "num_hidden_layers", $"{config.LayerCount} layers are not supported", "supported: 1");
        }

        DecoderLayer.RequireSupported(config, configFile);
        var loader = new WeightLoader(source, weights, target.Path, quantize);
        LayerShape shape = LayerShape.Of(config);
        bool bias = config.FcBias ?? true;
        if (bias != loader.Has("fc.bias"))
        {
            throw new ModelFormatException(
                source.Path, "fc.bias", bias ? "the tensor is missing" : "the tensor is there, and config.json says \"bias\": false",
                "config.json's \"bias\" (absent means true) and the weights must agree");
        }

        bool ownEmbedding = loader.Has("embed_tokens.weight");
        WeightMatrix embedding = ownEmbedding ? loader.Table(config.HiddenSize, "embed_tokens.weight", config.VocabularySize) : target.Embedding;
        WeightMatrix fuse = loader.Matrix(2 * config.HiddenSize, ("fc.weight", config.HiddenSize));
        NativeBuffer? fuseBias = bias ? loader.Vector(("fc.bias", config.HiddenSize)) : null;
        // EAGLE's own code reads qkv_bias and ignores attention_bias and mlp_bias, which configurations copied from a target may carry.
        DecoderLayer layer = DecoderLayer.Load(loader, "layers.0.", shape, new RequiredBiases(config.QkvBias, Output: false, Mlp: false), inputNorm: false);
        loader.RequireAllUsed(name => name.EndsWith("rotary_emb.inv_freq", StringComparison.Ordinal));
        var rope = new RopeTable(config.HeadDimension, config.RopeTheta, config.RopeScaling);
        WeightMatrix lmHead = quantize is { } format ? WeightLoader.Quantized(target.LmHead, format, target.Path) : target.LmHead;
        return new EagleHead(config, target, embedding, ownEmbedding, fuse, fuseBias, new DecoderStack(shape, [layer], rope, target.Path, target.Cache), lmHead) { Warnings = loader.Notes };
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        if (_ownsEmbedding)
        {
            Embedding.Dispose();
        }

        if (LmHead != Target.LmHead)
        {
            LmHead.Dispose();
        }

        Fuse.Dispose();
        FuseBias?.Dispose();
        Stack.Dispose();
        Blocks.Dispose();
    }
}
