namespace AdaEagle.Formats;

/// <summary>
/// The <c>config.json</c> of a Llama-like decoder or of an EAGLE head, in the classic spelling (<c>rope_theta</c>, <c>rope_scaling</c>,
/// <c>torch_dtype</c>) or the newer one (<c>rope_parameters</c>, <c>dtype</c>). Numbers are checked here; whether a model type is known is for
/// the model builder. A head in the layout of vllm-project/speculators has the keys of its layers in <c>transformer_layer_config</c>. Two configurations are equal if <see cref="ToJson"/> gives the same.
/// </summary>
public sealed record ModelConfig
{
    /// <summary><c>model_type</c>; empty where the file has none (some EAGLE heads).</summary>
    public string ModelType { get; init; } = "";

    /// <summary><c>architectures</c>.</summary>
    public string[] Architectures { get; init; } = [];

    /// <summary><c>hidden_size</c>: width of the residual stream.</summary>
    public required int HiddenSize { get; init; }

    /// <summary><c>intermediate_size</c>: width inside the MLP.</summary>
    public required int IntermediateSize { get; init; }

    /// <summary><c>num_hidden_layers</c>.</summary>
    public required int LayerCount { get; init; }

    /// <summary><c>num_attention_heads</c>.</summary>
    public required int HeadCount { get; init; }

    /// <summary><c>num_key_value_heads</c>; if absent, as many as heads. Divides <see cref="HeadCount"/>.</summary>
    public required int KeyValueHeadCount { get; init; }

    /// <summary><c>head_dim</c>; if absent, hidden size / heads. Even, since RoPE turns pairs.</summary>
    public required int HeadDimension { get; init; }

    /// <summary><c>vocab_size</c>.</summary>
    public required int VocabularySize { get; init; }

    /// <summary><c>max_position_embeddings</c>; if absent, 2048 (as in EAGLE's code, some of whose heads say <c>max_sequence_length</c>, which it ignores).</summary>
    public int MaxPositions { get; init; } = 2048;

    /// <summary><c>rms_norm_eps</c>; if absent, 1e-6.</summary>
    public float NormEpsilon { get; init; } = 1e-6f;

    /// <summary><c>rope_theta</c>; if absent, 10000.</summary>
    public double RopeTheta { get; init; } = 10000;

    /// <summary><c>rope_scaling</c>; null for plain RoPE.</summary>
    public RopeScaling? RopeScaling { get; init; }

    /// <summary><c>attention_bias</c>.</summary>
    public bool AttentionBias { get; init; }

    /// <summary><c>mlp_bias</c>.</summary>
    public bool MlpBias { get; init; }

    /// <summary>
    /// <c>sliding_window</c>: positions that a row of a sliding layer sees, itself counted; null for none. In a Mistral configuration without the key
    /// it is 4096, as in transformers. Which layers slide: <see cref="LayerTypes"/> and the architecture.
    /// </summary>
    public int? SlidingWindow { get; init; }

    /// <summary><c>use_sliding_window</c> of Qwen models: without it their window is not used.</summary>
    public bool UseSlidingWindow { get; init; }

    /// <summary><c>max_window_layers</c> of Qwen models: where <see cref="LayerTypes"/> is empty, layers from this one on slide; null if absent (which means 28).</summary>
    public int? MaxWindowLayers { get; init; }

    /// <summary><c>layer_types</c>: <c>full_attention</c> or <c>sliding_attention</c> per layer, others as they are; empty if absent.</summary>
    public string[] LayerTypes { get; init; } = [];

    /// <summary><c>tie_word_embeddings</c>; if absent, false.</summary>
    public bool TieWordEmbeddings { get; init; }

    /// <summary><c>hidden_act</c> (or <c>hidden_activation</c>); if absent, <c>silu</c>.</summary>
    public string Activation { get; init; } = "silu";

    /// <summary><c>bias</c> of EAGLE heads (of their <c>fc</c>): null if absent, which means true there.</summary>
    public bool? FcBias { get; init; }

    /// <summary><c>qkv_bias</c> of EAGLE heads.</summary>
    public bool QkvBias { get; init; }

    /// <summary><c>torch_dtype</c> or <c>dtype</c>; null if absent or none of float32, float16, bfloat16, float64. The weights themselves say what they are.</summary>
    public TensorType? StoredType { get; init; }

    /// <summary><c>bos_token_id</c>.</summary>
    public int? BosToken { get; init; }

    /// <summary><c>eos_token_id</c>, one or several.</summary>
    public int[] EosTokens { get; init; } = [];

    /// <summary>What an EAGLE-3 head says beyond that; null where the file has none of its keys.</summary>
    public Eagle3Config? Eagle3 { get; init; }

    /// <summary>Our own key <c>adaeagle_vocabulary</c>: fingerprint of the vocabulary a head was trained with; null if absent.</summary>
    public string? VocabularyFingerprint { get; init; }

    /// <summary>Reads <c>config.json</c> of a folder.</summary>
    /// <exception cref="ModelFormatException">It is absent, or is not a usable configuration.</exception>
    public static ModelConfig Load(string folder) => ModelConfigJson.Read(JsonConfig.Load(Path.Combine(folder, "config.json")));

    /// <summary>Reads the text of a <c>config.json</c>.</summary>
    /// <param name="json">The text.</param>
    /// <param name="file">Its name, for messages.</param>
    /// <exception cref="ModelFormatException">It is not a usable configuration.</exception>
    public static ModelConfig Parse(string json, string file) => ModelConfigJson.Read(JsonConfig.Parse(json, file));

    /// <summary>The configuration as the text of a <c>config.json</c>, in the classic spelling. <see cref="Parse"/> gives it back.</summary>
    public string ToJson() => ModelConfigJson.Write(this);

    /// <inheritdoc/>
    public bool Equals(ModelConfig? other) => other is not null && ToJson() == other.ToJson();

    /// <inheritdoc/>
    public override int GetHashCode() => ToJson().GetHashCode(StringComparison.Ordinal);
}
