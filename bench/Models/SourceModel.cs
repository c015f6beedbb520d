using System.Text.Json.Nodes;
using AdaEagle.Formats;

namespace AdaEagle.Bench.Models;

/// <summary>A checkpoint to be inflated: a folder with its configuration and weights, whose tensors are exactly those of its shape.</summary>
/// <typeparam name="TShape">Shape of a decoder, a head or a predictor.</typeparam>
internal sealed class SourceCheckpoint<TShape> : IDisposable
{
    private readonly ITensorSource _tensors;

    private SourceCheckpoint(string folder, JsonObject config, ITensorSource tensors, TShape shape)
    {
        Folder = folder;
        Config = config;
        _tensors = tensors;
        Shape = shape;
    }

    /// <summary>The folder.</summary>
    public string Folder { get; }

    /// <summary>Its <c>config.json</c>, with all its keys.</summary>
    public JsonObject Config { get; }

    /// <summary>The shape.</summary>
    public TShape Shape { get; }

    /// <summary>Opens a checkpoint and checks that it has the tensors of its shape, and no others.</summary>
    /// <exception cref="ModelFormatException">A file is missing or broken, or a tensor is missing, unknown, or of another shape.</exception>
    public static SourceCheckpoint<TShape> Open(string folder, Func<ITensorSource, TShape> readShape, Func<TShape, IEnumerable<TensorSlot>> slots, Func<string, bool> ignored)
    {
        JsonObject config = ConfigFile.Read(folder);
        ITensorSource tensors = Checkpoint.Open(folder);
        try
        {
            TShape shape = readShape(tensors);
            Check(tensors, slots(shape), ignored);
            return new(folder, config, tensors, shape);
        }
        catch
        {
            tensors.Dispose();
            throw;
        }
    }

    /// <summary>A tensor, to read from; null where the checkpoint has none of that name.</summary>
    public SourceTensor? Find(string name) => _tensors.Tensors.TryGetValue(name, out TensorInfo? info) ? new(_tensors, info) : null;

    /// <summary>A tensor, to read from.</summary>
    public SourceTensor this[string name] => Find(name) ?? throw new ModelFormatException(_tensors.Path, name, "there is no such tensor");

    /// <inheritdoc/>
    public void Dispose() => _tensors.Dispose();

    private static void Check(ITensorSource source, IEnumerable<TensorSlot> slots, Func<string, bool> ignored)
    {
        var unknown = source.Tensors.Keys.Where(name => !ignored(name)).ToHashSet();
        foreach (TensorSlot slot in slots)
        {
            if (!source.Tensors.TryGetValue(slot.Name, out TensorInfo? info))
            {
                throw new ModelFormatException(source.Path, slot.Name, "there is no such tensor");
            }

            if (!info.Shape.SequenceEqual(slot.Shape))
            {
                throw new ModelFormatException(source.Path, slot.Name, $"its shape is {info.ShapeText}, config.json asks for [{string.Join(", ", slot.Shape)}]");
            }

            if (slot.Kind != TensorKind.Table && !Numbers.IsSupported(info.Type))
            {
                throw new ModelFormatException(source.Path, slot.Name, $"it is stored as {info.Type}", "Inflating needs F32, F16 or BF16");
            }

            unknown.Remove(slot.Name);
        }

        if (unknown.Count > 0)
        {
            throw new ModelFormatException(source.Path, unknown.Order(StringComparer.Ordinal).First(), "nothing is known of this tensor, so it cannot be widened without changing the function");
        }
    }
}

/// <summary>A target with the EAGLE head and the predictors that belong to it, as far as there are any.</summary>
internal sealed class SourceModel : IDisposable
{
    private readonly List<(PredictorKind Kind, SourceCheckpoint<PredictorShape> Checkpoint)> _predictors = [];

    private SourceModel(SourceCheckpoint<DecoderShape> target) => Target = target;

    /// <summary>The target.</summary>
    public SourceCheckpoint<DecoderShape> Target { get; }

    /// <summary>The draft head, or null.</summary>
    public SourceCheckpoint<HeadShape>? Head { get; private set; }

    /// <summary>The predictors that there are.</summary>
    public IReadOnlyList<(PredictorKind Kind, SourceCheckpoint<PredictorShape> Checkpoint)> Predictors => _predictors;

    /// <summary>Opens a model folder.</summary>
    /// <param name="folder">The target's.</param>
    /// <param name="headFolder">The head's; null for <c>eagle/</c> in the target's, if there.</param>
    /// <param name="predictorFolder">Of a kind of predictor the folder; null for the kind's own in the target's, if there.</param>
    /// <exception cref="ModelFormatException">Something cannot be read, or does not fit the target.</exception>
    public static SourceModel Open(string folder, string? headFolder = null, Func<PredictorKind, string?>? predictorFolder = null)
    {
        var model = new SourceModel(OpenTarget(folder));
        try
        {
            if ((headFolder ?? IfPresent(Path.Combine(folder, "eagle"))) is { } head)
            {
                model.Head = OpenHead(head, model.Target.Shape);
            }

            foreach (PredictorKind kind in PredictorKind.All)
            {
                if ((predictorFolder?.Invoke(kind) ?? IfPresent(Path.Combine(folder, kind.Folder))) is { } predictor)
                {
                    model._predictors.Add((kind, kind.Open(predictor, model.Target.Shape)));
                }
            }

            return model;
        }
        catch
        {
            model.Dispose();
            throw;
        }
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        Target.Dispose();
        Head?.Dispose();
        foreach ((_, SourceCheckpoint<PredictorShape> predictor) in _predictors)
        {
            predictor.Dispose();
        }
    }

    private static string? IfPresent(string folder) => Directory.Exists(folder) ? folder : null;

    private static SourceCheckpoint<DecoderShape> OpenTarget(string folder)
    {
        var config = ModelConfig.Load(folder);
        if (config.ModelType != "llama")
        {
            throw new ModelFormatException(Path.Combine(folder, ConfigFile.Name), "model_type", $"'{config.ModelType}' cannot be inflated", "Supported is: llama");
        }

        // What a file has decides about biases, as in the engine; inv_freq is a leftover of old checkpoints.
        return SourceCheckpoint<DecoderShape>.Open(
            folder,
            tensors => new(config.HiddenSize, config.LayerCount, Layer(config, tensors, DecoderShape.LayerPrefix(0), inputNorm: true), config.VocabularySize, config.TieWordEmbeddings),
            shape => shape.Tensors(),
            name => name.EndsWith(".rotary_emb.inv_freq", StringComparison.Ordinal) || (config.TieWordEmbeddings && name == "lm_head.weight"));
    }

    private static SourceCheckpoint<HeadShape> OpenHead(string folder, DecoderShape target)
    {
        var config = ModelConfig.Load(folder);
        string file = Path.Combine(folder, ConfigFile.Name);
        Require(config.HiddenSize == target.Hidden, file, "hidden_size", config.HiddenSize, $"the target's is {target.Hidden}");
        Require(config.VocabularySize == target.Vocabulary, file, "vocab_size", config.VocabularySize, $"the target's is {target.Vocabulary}");
        Require(config.LayerCount == 1, file, "num_hidden_layers", config.LayerCount, "a head has one layer");
        RefuseVariants(config.Eagle3, file);
        return SourceCheckpoint<HeadShape>.Open(
            folder,
            tensors => ShapeOfHead(config, tensors, target),
            shape => shape.Tensors(),
            name => name.EndsWith(".rotary_emb.inv_freq", StringComparison.Ordinal));
    }

    private static HeadShape ShapeOfHead(ModelConfig config, ITensorSource tensors, DecoderShape target)
    {
        string? eagle3 = Eagle3Shape.LayerPrefixes.FirstOrDefault(prefix => tensors.Tensors.ContainsKey(prefix + "hidden_norm.weight"));
        LayerShape layer = Layer(config, tensors, eagle3 ?? HeadShape.LayerPrefix, inputNorm: eagle3 is not null) with { StateNorm = eagle3 is not null };
        return new(config.HiddenSize, layer, tensors.Tensors.ContainsKey("fc.bias"), config.VocabularySize, tensors.Tensors.ContainsKey("embed_tokens.weight"))
        {
            Eagle3 = eagle3 is null ? null : new(
                config.Eagle3?.Boundaries ?? Eagle3Config.DefaultBoundaries(target.Layers),
                config.Eagle3?.DraftVocabularySize ?? config.VocabularySize,
                eagle3,
                [.. Eagle3Shape.TableNames.Where(tensors.Tensors.ContainsKey)]),
        };
    }

    // Norms before fc reach over boundaries, or are one for each; speculators' configurations nest.
    private static void RefuseVariants(Eagle3Config? eagle, string file)
    {
        string? key = eagle switch { null => null, { NormBeforeFc: true } => "norm_before_fc", { FcNorm: true } => "fc_norm", { Speculators: true } => "speculators_model_type", _ => null };
        if (key is not null)
        {
            throw new ModelFormatException(file, key, "a head with this cannot be inflated", "Supported are EAGLE-1 and EAGLE-3 heads in SafeAILab's layout");
        }
    }

    private static LayerShape Layer(ModelConfig config, ITensorSource tensors, string prefix, bool inputNorm)
    {
        bool Has(string name) => tensors.Tensors.ContainsKey(prefix + name);
        var biases = new Biases(Has("self_attn.q_proj.bias"), Has("self_attn.o_proj.bias"), Has("mlp.down_proj.bias"));
        return new(config.HeadCount, config.KeyValueHeadCount, config.HeadDimension, config.IntermediateSize, biases, inputNorm);
    }

    private static void Require(bool condition, string file, string key, int value, string why)
    {
        if (!condition)
        {
            throw new ModelFormatException(file, key, $"it is {value}, but {why}", "Give a head that was trained for this target");
        }
    }
}
