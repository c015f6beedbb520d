namespace AdaEagle.Bench.Models;

/// <summary>What a tensor does with the residual stream; it decides how the tensor is widened.</summary>
internal enum TensorKind
{
    /// <summary>RMSNorm weights over the residual stream, [hidden].</summary>
    Norm,

    /// <summary>A projection that reads the residual stream, [rows, hidden]: q, k, v, gate, up, the LM head.</summary>
    Inward,

    /// <summary>Its bias, [rows].</summary>
    InwardBias,

    /// <summary>A projection that adds to the residual stream, [hidden, columns]: o, down.</summary>
    Outward,

    /// <summary>Its bias, [hidden], or that of a fusion.</summary>
    OutwardBias,

    /// <summary>Rows that begin the residual stream, [vocabulary, hidden].</summary>
    Embedding,

    /// <summary>Reads rows of the residual stream's width side by side, [rows, n hidden]: fc of an EAGLE head ([embedding; feature], or boundaries), the first layer of a predictor.</summary>
    Fusion,

    /// <summary>Touches no residual stream: kept as it is.</summary>
    Inner,

    /// <summary>Holds no weights but numbers of tokens: kept as it is.</summary>
    Table,
}

/// <summary>A tensor that a model of some shape has.</summary>
/// <param name="Name">Its name in the checkpoint.</param>
/// <param name="Kind">What it does.</param>
/// <param name="Shape">Dimensions, slowest first.</param>
/// <param name="Stretches">Rows of the residual stream's width that its columns read, side by side.</param>
/// <param name="Others">Columns behind them that read something else, and stay as they are.</param>
internal readonly record struct TensorSlot(string Name, TensorKind Kind, long[] Shape, int Stretches = 1, int Others = 0)
{
    /// <summary>Number of elements.</summary>
    public long ElementCount => Shape.Aggregate(1L, (product, dimension) => checked(product * dimension));
}

/// <summary>Which linear layers of a decoder layer have a bias.</summary>
internal readonly record struct Biases(bool QueryKeyValue, bool Output, bool Mlp);

/// <summary>The shape of one Llama decoder layer but for the width of the residual stream.</summary>
internal sealed record LayerShape(int Heads, int KeyValueHeads, int HeadDimension, int Ffn, Biases Biases, bool InputNorm)
{
    /// <summary>True for the layer of an EAGLE-3 head: its attention reads [normed embedding; normed state], twice the width.</summary>
    public bool StateNorm { get; init; }

    /// <summary>Query heads that share one key/value head.</summary>
    public int GroupSize => Heads / KeyValueHeads;

    /// <summary>Weights of attention alone, without biases, at a width of the residual stream.</summary>
    public long AttentionWeights(int hidden) => ((2L * (Heads + KeyValueHeads)) + (StateNorm ? Heads + (2L * KeyValueHeads) : 0)) * HeadDimension * hidden;

    /// <summary>All parameters of the layer at a width of the residual stream.</summary>
    public long Parameters(int hidden) =>
        AttentionWeights(hidden)
        + (3L * Ffn * hidden)
        + (Biases.QueryKeyValue ? (Heads + (2L * KeyValueHeads)) * HeadDimension : 0)
        + (Biases.Output ? hidden : 0)
        + (Biases.Mlp ? (2L * Ffn) + hidden : 0)
        + ((1L + (InputNorm ? 1 : 0) + (StateNorm ? 1 : 0)) * hidden);

    /// <summary>The layer's tensors, in the order in which a pass needs them.</summary>
    public IEnumerable<TensorSlot> Tensors(string prefix, int hidden)
    {
        long queries = (long)Heads * HeadDimension;
        long keys = (long)KeyValueHeads * HeadDimension;
        if (InputNorm)
        {
            yield return new(prefix + "input_layernorm.weight", TensorKind.Norm, [hidden]);
        }

        if (StateNorm)
        {
            yield return new(prefix + "hidden_norm.weight", TensorKind.Norm, [hidden]);
        }

        int stretches = StateNorm ? 2 : 1;
        foreach ((string name, long rows) in new[] { ("q", queries), ("k", keys), ("v", keys) })
        {
            yield return new($"{prefix}self_attn.{name}_proj.weight", TensorKind.Inward, [rows, stretches * (long)hidden], stretches);
            if (Biases.QueryKeyValue)
            {
                yield return new($"{prefix}self_attn.{name}_proj.bias", TensorKind.InwardBias, [rows]);
            }
        }

        yield return new(prefix + "self_attn.o_proj.weight", TensorKind.Outward, [hidden, queries]);
        if (Biases.Output)
        {
            yield return new(prefix + "self_attn.o_proj.bias", TensorKind.OutwardBias, [hidden]);
        }

        yield return new(prefix + "post_attention_layernorm.weight", TensorKind.Norm, [hidden]);
        foreach (string name in new[] { "gate", "up" })
        {
            yield return new($"{prefix}mlp.{name}_proj.weight", TensorKind.Inward, [Ffn, hidden]);
            if (Biases.Mlp)
            {
                yield return new($"{prefix}mlp.{name}_proj.bias", TensorKind.InwardBias, [Ffn]);
            }
        }

        yield return new(prefix + "mlp.down_proj.weight", TensorKind.Outward, [hidden, Ffn]);
        if (Biases.Mlp)
        {
            yield return new(prefix + "mlp.down_proj.bias", TensorKind.OutwardBias, [hidden]);
        }
    }
}

/// <summary>The shape of a Llama decoder.</summary>
internal sealed record DecoderShape(int Hidden, int Layers, LayerShape Layer, int Vocabulary, bool Tied)
{
    /// <summary>Weights that a pass streams: layers, norms and LM head. The embedding is looked up, not streamed.</summary>
    public long Streamed => (Layers * Layer.Parameters(Hidden)) + Hidden + ((long)Vocabulary * Hidden);

    /// <summary>All parameters; a tied embedding counts once.</summary>
    public long Parameters => Streamed + (Tied ? 0 : (long)Vocabulary * Hidden);

    /// <summary>The name's prefix of one layer's tensors.</summary>
    public static string LayerPrefix(int layer) => $"model.layers.{layer}.";

    /// <summary>The tensors of the checkpoint.</summary>
    public IEnumerable<TensorSlot> Tensors()
    {
        yield return new("model.embed_tokens.weight", TensorKind.Embedding, [Vocabulary, Hidden]);
        for (int layer = 0; layer < Layers; layer++)
        {
            foreach (TensorSlot slot in Layer.Tensors(LayerPrefix(layer), Hidden))
            {
                yield return slot;
            }
        }

        yield return new("model.norm.weight", TensorKind.Norm, [Hidden]);
        if (!Tied)
        {
            yield return new("lm_head.weight", TensorKind.Inward, [Vocabulary, Hidden]);
        }
    }
}

/// <summary>What an EAGLE-3 head has beyond the other: boundaries that fc reads, and tokens that its own LM head scores.</summary>
/// <param name="Boundaries">Numbers of layers after which it reads the target's residual stream.</param>
/// <param name="DraftVocabulary">Tokens that it can propose.</param>
/// <param name="LayerPrefix">The name's prefix of the layer's tensors.</param>
/// <param name="Tables">Names of the tables of tokens that the checkpoint has: d2t, t2d.</param>
internal sealed record Eagle3Shape(int[] Boundaries, int DraftVocabulary, string LayerPrefix, string[] Tables)
{
    /// <summary>What the layer is called in published heads.</summary>
    public static IReadOnlyList<string> LayerPrefixes { get; } = ["midlayer.", HeadShape.LayerPrefix];

    /// <summary>Draft token to target token, and which of the target's there are.</summary>
    public static IReadOnlyList<string> TableNames { get; } = ["d2t", "t2d"];
}

/// <summary>The shape of an EAGLE head in SafeAILab's layout. EAGLE-1: fc, one layer without input norm, the target's LM head.</summary>
internal sealed record HeadShape(int Hidden, LayerShape Layer, bool FcBias, int Vocabulary, bool OwnEmbedding)
{
    /// <summary>The name's prefix of the layer's tensors in EAGLE-1.</summary>
    public const string LayerPrefix = "layers.0.";

    /// <summary>What EAGLE-3 has; null for EAGLE-1.</summary>
    public Eagle3Shape? Eagle3 { get; init; }

    /// <summary>Weights that a draft step streams: the layer, and fc and the target's LM head, or EAGLE-3's own norm and LM head (its fc is for committed rows alone).</summary>
    public long Streamed => Eagle3 is { } eagle
        ? Layer.Parameters(Hidden) + Hidden + ((long)eagle.DraftVocabulary * Hidden)
        : (2L * Hidden * Hidden) + (FcBias ? Hidden : 0) + Layer.Parameters(Hidden) + ((long)Vocabulary * Hidden);

    /// <summary>The tensors of the head's checkpoint.</summary>
    public IEnumerable<TensorSlot> Tensors()
    {
        if (OwnEmbedding)
        {
            yield return new("embed_tokens.weight", TensorKind.Embedding, [Vocabulary, Hidden]);
        }

        int stretches = Eagle3?.Boundaries.Length ?? 2;
        yield return new("fc.weight", TensorKind.Fusion, [Hidden, stretches * (long)Hidden], stretches);
        if (FcBias)
        {
            yield return new("fc.bias", TensorKind.OutwardBias, [Hidden]);
        }

        foreach (TensorSlot slot in Layer.Tensors(Eagle3?.LayerPrefix ?? LayerPrefix, Hidden))
        {
            yield return slot;
        }

        if (Eagle3 is not { } eagle)
        {
            yield break;
        }

        yield return new("norm.weight", TensorKind.Norm, [Hidden]);
        yield return new("lm_head.weight", TensorKind.Inward, [eagle.DraftVocabulary, Hidden]);
        foreach (string table in eagle.Tables)
        {
            yield return new(table, TensorKind.Table, [table == "t2d" ? Vocabulary : eagle.DraftVocabulary]);
        }
    }
}
