using AdaEagle.Formats;
using AdaEagle.Kernels;

namespace AdaEagle.Models;

/// <summary>
/// The weights of a model of Llama's family (Llama, Mistral, Qwen 2 and 3): grouped-query attention, rotary positions, RMSNorm, SwiGLU, tied or untied
/// embeddings; what else it has stands in <see cref="Architecture"/>. Immutable and shared by all sessions; a session makes its own <see cref="LlamaTarget"/>.
/// </summary>
public sealed class LlamaModel : IDisposable
{
    private LlamaModel(ModelConfig config, KernelPath path, WeightMatrix embedding, DecoderStack stack, NativeBuffer finalNorm, WeightMatrix lmHead)
    {
        Config = config;
        Path = path;
        Embedding = embedding;
        Stack = stack;
        FinalNorm = finalNorm;
        LmHead = lmHead;
        Blocks = new KvBlockPool(stack.CacheLayout);
    }

    /// <summary>The model's configuration.</summary>
    public ModelConfig Config { get; }

    /// <summary>The instruction set its weights are packed for.</summary>
    public KernelPath Path { get; }

    /// <summary>Bytes of weights that a pass over one row streams: layers and LM head.</summary>
    public long PassBytes => Stack.ByteLength + LmHead.ByteLength;

    /// <summary>How most of the weights are kept.</summary>
    public WeightFormat Format => Stack.Layers[0].GateUp.Format;

    /// <summary>How its caches, and those of its draft head, keep keys and values.</summary>
    public CacheFormat Cache => Stack.CacheLayout.Format;

    /// <summary>Which weights are kept otherwise than the file has them, or than was asked for.</summary>
    public IReadOnlyList<string> Warnings { get; private init; } = [];

    internal WeightMatrix Embedding { get; }

    internal DecoderStack Stack { get; }

    internal NativeBuffer FinalNorm { get; }

    internal WeightMatrix LmHead { get; }

    internal KvBlockPool Blocks { get; }

    /// <summary>Loads a Hugging Face folder (<c>config.json</c> and its weights) or a GGUF file.</summary>
    /// <param name="model">The folder, or a file that ends in <c>.gguf</c>.</param>
    /// <param name="weights">How the weights are kept.</param>
    /// <param name="path">The instruction set; by default the best of this processor.</param>
    /// <param name="cache">How keys and values are kept.</param>
    /// <param name="quantize">A format of blocks that the matrices are brought to, the embedding only where it is the LM head too; null: none.</param>
    /// <exception cref="ModelFormatException">It is no model that can be run; the message says why.</exception>
    public static LlamaModel Load(string model, WeightChoice weights = WeightChoice.Auto, KernelPath? path = null, CacheFormat cache = CacheFormat.F32, WeightFormat? quantize = null)
    {
        ArgumentNullException.ThrowIfNull(model);
        if (GgufFile.IsGguf(model))
        {
            using GgufCheckpoint checkpoint = GgufCheckpoint.Open(model);
            return Load(checkpoint.Config, model, checkpoint, weights, path, cache, quantize);
        }

        ModelConfig config = ModelConfig.Load(model);
        string configFile = System.IO.Path.Combine(model, "config.json");
        // What can't be run is refused before any weight is looked for.
        Architecture.Of(config, configFile);
        using ITensorSource source = Checkpoint.Open(model);
        return Load(config, configFile, source, weights, path, cache, quantize);
    }

    /// <summary>Loads weights that are named as in Hugging Face's checkpoints.</summary>
    internal static LlamaModel Load(ModelConfig config, string configFile, ITensorSource source, WeightChoice weights, KernelPath? path, CacheFormat cache = CacheFormat.F32, WeightFormat? quantize = null)
    {
        Architecture architecture = Architecture.Of(config, configFile);
        var loader = new WeightLoader(source, weights, path ?? KernelPaths.Best, quantize);
        LayerShape shape = LayerShape.Of(config);
        bool tied = config.TieWordEmbeddings || !loader.Has("lm_head.weight");
        if (tied && !config.TieWordEmbeddings)
        {
            throw new ModelFormatException(source.Path, "lm_head.weight", "the tensor is missing, and config.json does not tie it to the embedding", "set tie_word_embeddings if it is tied");
        }

        WeightMatrix embedding = tied
            ? loader.Matrix(config.HiddenSize, ("model.embed_tokens.weight", config.VocabularySize))
            : loader.Table(config.HiddenSize, "model.embed_tokens.weight", config.VocabularySize);
        RequiredBiases biases = architecture.Biases(config);
        DecoderLayer[] layers = [.. Enumerable.Range(0, config.LayerCount).Select(i => DecoderLayer.Load(
            loader, $"model.layers.{i}.", shape, biases, inputNorm: true, architecture.QueryKeyNorm, architecture.Window(config, i)))];
        NativeBuffer finalNorm = loader.Vector(("model.norm.weight", config.HiddenSize));
        WeightMatrix lmHead = tied ? embedding : loader.Matrix(config.HiddenSize, ("lm_head.weight", config.VocabularySize));
        // Old checkpoints carry the rotary frequencies, some tied ones the LM head a second time.
        loader.RequireAllUsed(name => name.EndsWith("rotary_emb.inv_freq", StringComparison.Ordinal) || (tied && name == "lm_head.weight"));
        var rope = new RopeTable(config.HeadDimension, config.RopeTheta, config.RopeScaling);
        var stack = new DecoderStack(shape, layers, rope, loader.Path, cache);
        return new LlamaModel(config, loader.Path, embedding, stack, finalNorm, lmHead) { Warnings = loader.Notes };
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        Stack.Dispose();
        FinalNorm.Dispose();
        Embedding.Dispose();
        LmHead.Dispose();
        Blocks.Dispose();
    }
}
