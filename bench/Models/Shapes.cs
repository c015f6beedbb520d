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

    /// <summary>Reads [embedding; feature], [rows, 2 hidden]: fc of an EAGLE head, the first layer of an LDLP.</summary>
    Fusion,

    /// <summary>Touches no residual stream: kept as it is.</summary>
    Inner,
}

/// <summary>A tensor that a model of some shape has.</summary>
/// <param name="Name">Its name in the checkpoint.</param>
/// <param name="Kind">What it does.</param>
/// <param name="Shape">Dimensions, slowest first.</param>
internal readonly record struct TensorSlot(string Name, TensorKind Kind, long[] Shape)
{
    /// <summary>Number of elements.</summary>
    public long ElementCount => Shape.Aggregate(1L, (product, dimension) => checked(product * dimension));
}

/// <summary>Which linear layers of a decoder layer have a bias.</summary>
internal readonly record struct Biases(bool QueryKeyValue, bool Output, bool Mlp);

/// <summary>The shape of one Llama decoder layer but for the width of the residual stream.</summary>
internal sealed record LayerShape(int Heads, int KeyValueHeads, int HeadDimension, int Ffn, Biases Biases, bool InputNorm)
{
    /// <summary>Query heads that share one key/value head.</summary>
    public int GroupSize => Heads / KeyValueHeads;

    /// <summary>Weights of attention alone, without biases, at a width of the residual stream.</summary>
    public long AttentionWeights(int hidden) => 2L * (Heads + KeyValueHeads) * HeadDimension * hidden;

    /// <summary>All parameters of the layer at a width of the residual stream.</summary>
    public long Parameters(int hidden) =>
        AttentionWeights(hidden)
        + (3L * Ffn * hidden)
        + (Biases.QueryKeyValue ? (Heads + (2L * KeyValueHeads)) * HeadDimension : 0)
        + (Biases.Output ? hidden : 0)
        + (Biases.Mlp ? (2L * Ffn) + hidden : 0)
        + ((InputNorm ? 2L : 1L) * hidden);

    /// <summary>The layer's tensors, in the order in which a pass needs them.</summary>
    public IEnumerable<TensorSlot> Tensors(string prefix, int hidden)
    {
        long queries = (long)Heads * HeadDimension;
        long keys = (long)KeyValueHeads * HeadDimension;
        if (InputNorm)
        {
            yield return new(prefix + "input_layernorm.weight", TensorKind.Norm, [hidden]);
        }

        foreach ((string name, long rows) in new[] { ("q", queries), ("k", keys), ("v", keys) })
        {
            yield return new($"{prefix}self_attn.{name}_proj.weight", TensorKind.Inward, [rows, hidden]);
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

/// <summary>The shape of an EAGLE-1 head in SafeAILab's layout: fc, one layer without input norm, the target's LM head.</summary>
internal sealed record HeadShape(int Hidden, LayerShape Layer, bool FcBias, int Vocabulary, bool OwnEmbedding)
{
    /// <summary>The name's prefix of the layer's tensors.</summary>
    public const string LayerPrefix = "layers.0.";

    /// <summary>Weights that a draft step streams: fc, the layer, and the target's LM head.</summary>
    public long Streamed =>
        (2L * Hidden * Hidden) + (FcBias ? Hidden : 0) + Layer.Parameters(Hidden) + ((long)Vocabulary * Hidden);

    /// <summary>The tensors of the head's checkpoint.</summary>
    public IEnumerable<TensorSlot> Tensors()
    {
        if (OwnEmbedding)
        {
            yield return new("embed_tokens.weight", TensorKind.Embedding, [Vocabulary, Hidden]);
        }

        yield return new("fc.weight", TensorKind.Fusion, [Hidden, 2L * Hidden]);
        if (FcBias)
        {
            yield return new("fc.bias", TensorKind.OutwardBias, [Hidden]);
        }

        foreach (TensorSlot slot in Layer.Tensors(LayerPrefix, Hidden))
        {
            yield return slot;
        }
    }
}

/// <summary>The shape of an LDLP: a fused input projected to a narrow width, residual blocks, one number out.</summary>
internal sealed record PredictorShape(int Hidden, int Width, int Blocks)
{
    /// <summary>The tensors of the predictor's checkpoint.</summary>
    public IEnumerable<TensorSlot> Tensors()
    {
        yield return new("input.weight", TensorKind.Fusion, [Width, 2L * Hidden]);
        yield return new("input.bias", TensorKind.Inner, [Width]);
        for (int block = 0; block < Blocks; block++)
        {
            yield return new($"blocks.{block}.weight", TensorKind.Inner, [Width, Width]);
            yield return new($"blocks.{block}.bias", TensorKind.Inner, [Width]);
        }

        yield return new("output.weight", TensorKind.Inner, [1, Width]);
        yield return new("output.bias", TensorKind.Inner, [1]);
    }
}
