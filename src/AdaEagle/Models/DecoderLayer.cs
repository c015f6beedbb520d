using AdaEagle.Formats;
using AdaEagle.Kernels;

namespace AdaEagle.Models;

/// <summary>Widths of a decoder layer.</summary>
/// <param name="Hidden">Width of the residual stream.</param>
/// <param name="Heads">Query heads.</param>
/// <param name="KeyValueHeads">Key/value heads; each serves <see cref="HeadsPerGroup"/> query heads.</param>
/// <param name="HeadDimension">Width of a head.</param>
/// <param name="Inner">Width inside the MLP.</param>
/// <param name="NormEpsilon">Epsilon of the RMSNorms.</param>
internal sealed record LayerShape(int Hidden, int Heads, int KeyValueHeads, int HeadDimension, int Inner, float NormEpsilon)
{
    public int HeadsPerGroup => Heads / KeyValueHeads;

    public int QueryWidth => Heads * HeadDimension;

    public int KeyValueWidth => KeyValueHeads * HeadDimension;

    public static LayerShape Of(ModelConfig config) => new(
        config.HiddenSize, config.HeadCount, config.KeyValueHeadCount, config.HeadDimension, config.IntermediateSize, config.NormEpsilon);
}

/// <summary>The biases that a configuration promises: a file without them is not that model.</summary>
internal readonly record struct RequiredBiases(bool QueryKeyValue, bool Output, bool Mlp);

/// <summary>
/// Weights of a decoder layer: h += Attention(RMSNorm(h)); h += MLP(RMSNorm(h)). Products that read the same input are one matrix:
/// queries, keys and values on top of each other; gate and up alternating. Vectors are padded with zeros. Parts that an architecture lacks are null.
/// </summary>
internal sealed class DecoderLayer : IDisposable
{
    /// <summary>Norm before the attention; null in EAGLE-1 heads, which have none there. In the first layer of an EAGLE-3 head it norms the embedding.</summary>
    public NativeBuffer? InputNorm { get; private init; }

    /// <summary>Norm of the state in the first layer of an EAGLE-3 head, whose attention reads [normed embedding ; normed state]; else null.</summary>
    public NativeBuffer? StateNorm { get; private init; }

    public required WeightMatrix QueryKeyValue { get; init; }

    public NativeBuffer? QueryKeyValueBias { get; private init; }

    /// <summary>Norm of every query head before RoPE [head dimension].</summary>
    public NativeBuffer? QueryNorm { get; private init; }

    /// <summary>Norm of every key head before RoPE [head dimension].</summary>
    public NativeBuffer? KeyNorm { get; private init; }

    /// <summary>Positions that a row sees, itself counted; as many as there are, where the layer does not slide.</summary>
    public int Window { get; private init; } = int.MaxValue;

    public required WeightMatrix Output { get; init; }

    public NativeBuffer? OutputBias { get; private init; }

    public required NativeBuffer PostAttentionNorm { get; init; }

    public required WeightMatrix GateUp { get; init; }

    public NativeBuffer? GateUpBias { get; private init; }

    public required WeightMatrix Down { get; init; }

    public NativeBuffer? DownBias { get; private init; }

    /// <summary>Bytes a pass streams.</summary>
    public long ByteLength => QueryKeyValue.ByteLength + Output.ByteLength + GateUp.ByteLength + Down.ByteLength;

    /// <summary>Refuses a configuration that asks for another kind of layer, before any weight is read.</summary>
    /// <exception cref="ModelFormatException">The activation or the RoPE scaling is not supported.</exception>
    public static void RequireSupported(ModelConfig config, string configFile)
    {
        if (config.Activation != "silu")
        {
            throw new ModelFormatException(configFile, "hidden_act", $"'{config.Activation}' is not supported", "supported: silu");
        }

        if (config.RopeScaling is { } scaling && !RopeFrequencies.Supported.Contains(scaling.Kind))
        {
            throw new ModelFormatException(configFile, "rope_scaling", $"'{scaling.Kind}' is not supported", $"supported: {string.Join(", ", RopeFrequencies.Supported)}");
        }

        if (config.RopeScaling is { FrequencyFactors.Length: > 0 and var factors } && factors != config.HeadDimension / 2)
        {
            throw new ModelFormatException(configFile, "rope_scaling", $"there are {factors} frequency factors for {config.HeadDimension / 2} pairs of a head", "the file is damaged");
        }
    }

    /// <summary>
    /// Reads the tensors <c>{prefix}self_attn.q_proj.weight</c> … in Hugging Face's names. A bias is taken where the file has one, and must be there
    /// where <paramref name="biases"/> says so; <paramref name="queryKeyNorm"/> and <paramref name="window"/> are the architecture's.
    /// <paramref name="stateNorm"/> is true for the first layer of an EAGLE-3 head, whose attention reads twice the width.
    /// </summary>
    /// <exception cref="ModelFormatException">A tensor is missing or has another shape.</exception>
    public static DecoderLayer Load(
        WeightLoader loader, string prefix, LayerShape shape, RequiredBiases biases, bool inputNorm, bool queryKeyNorm = false, int? window = null, bool stateNorm = false)
    {
        bool biased(string product, bool required) => required || loader.Has(product + ".bias");
        string q = prefix + "self_attn.q_proj", k = prefix + "self_attn.k_proj", v = prefix + "self_attn.v_proj", o = prefix + "self_attn.o_proj";
        string gate = prefix + "mlp.gate_proj", up = prefix + "mlp.up_proj", down = prefix + "mlp.down_proj";
        return new DecoderLayer
        {
            InputNorm = inputNorm ? loader.Vector((prefix + "input_layernorm.weight", shape.Hidden)) : null,
            StateNorm = stateNorm ? loader.Vector((prefix + "hidden_norm.weight", shape.Hidden)) : null,
            QueryKeyValue = loader.Matrix(
                stateNorm ? 2 * shape.Hidden : shape.Hidden, (q + ".weight", shape.QueryWidth), (k + ".weight", shape.KeyValueWidth), (v + ".weight", shape.KeyValueWidth)),
            QueryKeyValueBias = biased(q, biases.QueryKeyValue)
                ? loader.Vector((q + ".bias", shape.QueryWidth), (k + ".bias", shape.KeyValueWidth), (v + ".bias", shape.KeyValueWidth))
                : null,
            QueryNorm = queryKeyNorm ? loader.Vector((prefix + "self_attn.q_norm.weight", shape.HeadDimension)) : null,
            KeyNorm = queryKeyNorm ? loader.Vector((prefix + "self_attn.k_norm.weight", shape.HeadDimension)) : null,
            Window = window ?? int.MaxValue,
            Output = loader.Matrix(shape.QueryWidth, (o + ".weight", shape.Hidden)),
            OutputBias = biased(o, biases.Output) ? loader.Vector((o + ".bias", shape.Hidden)) : null,
            PostAttentionNorm = loader.Vector((prefix + "post_attention_layernorm.weight", shape.Hidden)),
            GateUp = loader.AlternatingMatrix(shape.Hidden, gate + ".weight", up + ".weight", shape.Inner),
            GateUpBias = biased(gate, biases.Mlp) ? loader.AlternatingVector(gate + ".bias", up + ".bias", shape.Inner) : null,
            Down = loader.Matrix(shape.Inner, (down + ".weight", shape.Hidden)),
            DownBias = biased(down, biases.Mlp) ? loader.Vector((down + ".bias", shape.Hidden)) : null,
        };
    }

    public void Dispose()
    {
        foreach (IDisposable? part in (IDisposable?[])[InputNorm, StateNorm, QueryKeyValue, QueryKeyValueBias, QueryNorm, KeyNorm, Output, OutputBias, PostAttentionNorm, GateUp, GateUpBias, Down, DownBias])
        {
            part?.Dispose();
        }
    }
}
