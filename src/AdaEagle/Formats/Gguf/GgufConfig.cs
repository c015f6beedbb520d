namespace AdaEagle.Formats;

/// <summary>
/// The configuration of a model in a GGUF file, as the <c>config.json</c> it was made from would have it. Keys:
/// github.com/ggml-org/ggml, docs/gguf.md; <c>[arch]</c> there is the architecture's name.
/// </summary>
public static class GgufConfig
{
    /// <summary>Our own key: <c>bos_token_id</c> of the <c>config.json</c>, where a tokenizer that adds no begin token hides it.</summary>
    internal const string BeginTokenKey = "adaeagle.bos_token_id";

    /// <summary>Our own key: <c>eos_token_id</c> of the <c>config.json</c>, of which the standard keys know one.</summary>
    internal const string EndTokensKey = "adaeagle.eos_token_ids";

    /// <summary>Our own key: <see cref="ModelConfig.VocabularyFingerprint"/>.</summary>
    internal const string FingerprintKey = "adaeagle.vocabulary";

    private static readonly string[] s_architectures = ["llama", "qwen2", "qwen3"];

    private static readonly string[] s_endKeys = ["tokenizer.ggml.eos_token_id", "tokenizer.ggml.eot_token_id", "tokenizer.ggml.eom_token_id"];

    // Keys of other members of the family that change what a model computes, with the value that changes nothing.
    private static readonly (string Key, double Neutral)[] s_unsupported =
    [
        ("expert_count", 0), ("attention.clamp_kqv", 0), ("attention.max_alibi_bias", 0), ("attn_logit_softcapping", 0), ("final_logit_softcapping", 0),
        ("logit_scale", 0), ("embedding_scale", 0), ("residual_scale", 0), ("attention.scale", 0),
    ];

    /// <summary>Reads the configuration.</summary>
    /// <exception cref="ModelFormatException">The architecture is not supported, or a value is missing, of the wrong type or impossible.</exception>
    public static ModelConfig Read(GgufFile file)
    {
        ArgumentNullException.ThrowIfNull(file);
        GgufMetadata values = file.Values;
        string architecture = values.RequiredText("general.architecture");
        if (!s_architectures.Contains(architecture))
        {
            throw values.Fault("general.architecture", $"'{architecture}' is not supported", $"Supported: {string.Join(", ", s_architectures)} (Mistral's files say llama)");
        }

        RefuseUnsupported(values, architecture);
        Keys keys = new(values, architecture);
        int hidden = keys.Required("embedding_length", ModelConfigJson.MaxWidth);
        int heads = keys.PerLayer("attention.head_count", ModelConfigJson.MaxHeads) ?? throw values.Fault(keys.Of("attention.head_count"), "the key is missing");
        int positions = keys.Required("context_length", ModelConfigJson.MaxPositions);
        int headDimension = HeadDimension(keys, hidden, heads);
        int vocabulary = VocabularySize(file);
        int? window = keys.Optional("attention.sliding_window", ModelConfigJson.MaxPositions);
        string modelType = architecture == "llama" && window is not null ? "mistral" : architecture;
        if (architecture != "llama" && window < positions)
        {
            throw values.Fault(keys.Of("attention.sliding_window"), $"a window of {window} is not supported for {architecture}", "The file does not say which layers have it: use the Hugging Face folder");
        }

        return new ModelConfig
        {
            ModelType = modelType,
            Architectures = [modelType switch { "llama" => "LlamaForCausalLM", "mistral" => "MistralForCausalLM", "qwen2" => "Qwen2ForCausalLM", _ => "Qwen3ForCausalLM" }],
            HiddenSize = hidden,
            IntermediateSize = keys.PerLayer("feed_forward_length", ModelConfigJson.MaxWidth) ?? throw values.Fault(keys.Of("feed_forward_length"), "the key is missing"),
            LayerCount = keys.Required("block_count", ModelConfigJson.MaxLayers),
            HeadCount = heads,
            KeyValueHeadCount = KeyValueHeads(keys, heads),
            HeadDimension = headDimension,
            VocabularySize = vocabulary,
            MaxPositions = positions,
            NormEpsilon = (float)(values.Number(keys.Of("attention.layer_norm_rms_epsilon"), float.Epsilon, 1) ?? throw values.Fault(keys.Of("attention.layer_norm_rms_epsilon"), "the key is missing")),
            RopeTheta = values.Number(keys.Of("rope.freq_base"), 1, ModelConfigJson.MaxRopeTheta) ?? 10000,
            RopeScaling = Scaling(file, keys, headDimension, positions),
            SlidingWindow = modelType == "mistral" ? window : null,
            AttentionBias = modelType == "qwen2" || file.Tensors.ContainsKey("blk.0.attn_output.bias"),
            MlpBias = file.Tensors.ContainsKey("blk.0.ffn_down.bias"),
            TieWordEmbeddings = !file.Tensors.ContainsKey(GgufNames.Output),
            StoredType = null,
            BosToken = BeginToken(values, vocabulary),
            EosTokens = EndTokens(values, vocabulary),
            VocabularyFingerprint = values.Text(FingerprintKey),
        };
    }

    private static void RefuseUnsupported(GgufMetadata values, string architecture)
    {
        foreach ((string key, double neutral) in s_unsupported)
        {
            if (values.Number($"{architecture}.{key}", double.MinValue, double.MaxValue) is { } number && number != neutral)
            {
                throw values.Fault($"{architecture}.{key}", $"{number} is not supported: it changes what the model computes", "Supported are plain llama, mistral, qwen2 and qwen3 models");
            }
        }
    }

    private static int HeadDimension(Keys keys, int hidden, int heads)
    {
        int? given = keys.Optional("attention.key_length", ModelConfigJson.MaxHeadDimension);
        if (given is null && hidden % heads != 0)
        {
            throw keys.Fault("attention.head_count", $"{heads} heads do not divide the width {hidden}, and there is no attention.key_length");
        }

        int dimension = given ?? hidden / heads;
        if (dimension % 2 != 0 || dimension > ModelConfigJson.MaxHeadDimension || (long)dimension * heads > ModelConfigJson.MaxWidth)
        {
            throw keys.Fault("attention.key_length", $"{heads} heads of {dimension} are too wide, or odd");
        }

        foreach (string same in (string[])["attention.value_length", "rope.dimension_count"])
        {
            if (keys.Optional(same, ModelConfigJson.MaxHeadDimension) is { } other && other != dimension)
            {
                throw keys.Fault(same, $"{other} is not supported where heads have {dimension}", "Supported are heads that RoPE turns whole, keys as wide as values");
            }
        }

        return dimension;
    }

    private static int KeyValueHeads(Keys keys, int heads)
    {
        int count = keys.PerLayer("attention.head_count_kv", ModelConfigJson.MaxHeads) ?? heads;
        return heads % count == 0 ? count : throw keys.Fault("attention.head_count_kv", $"{count} key-value heads do not divide {heads} heads");
    }

    private static int VocabularySize(GgufFile file)
    {
        TensorInfo embedding = file.Require(GgufNames.Embedding);
        return embedding.Shape is [> 0 and <= ModelConfigJson.MaxVocabulary and var tokens, _]
            ? (int)tokens
            : throw new ModelFormatException(file.Path, GgufNames.Embedding, $"the shape {embedding.ShapeText} is none of an embedding");
    }

    private static RopeScaling? Scaling(GgufFile file, Keys keys, int headDimension, int positions)
    {
        float[] factors = [];
        if (file.Tensors.ContainsKey(GgufNames.RopeFactors))
        {
            factors = file.ReadF32(GgufNames.RopeFactors, headDimension / 2);
            if (!Array.TrueForAll(factors, factor => factor > 0 && float.IsFinite(factor)))
            {
                throw new ModelFormatException(file.Path, GgufNames.RopeFactors, "it holds numbers by which no frequency can be divided");
            }
        }

        string kind = file.Values.Text(keys.Of("rope.scaling.type")) ?? (file.Values.Has(keys.Of("rope.scale_linear")) ? "linear" : "none");
        double? factor = file.Values.Number(keys.Of("rope.scaling.factor"), 1e-6, 1e6) ?? file.Values.Number(keys.Of("rope.scale_linear"), 1e-6, 1e6);
        switch (kind)
        {
            case "none":
                return factors.Length == 0 ? null : new RopeScaling { Kind = "default", FrequencyFactors = factors, OriginalMaxPositions = positions };
            case "linear":
                return new RopeScaling { Kind = "linear", Factor = factor ?? 1, FrequencyFactors = factors, OriginalMaxPositions = positions };
            case "yarn":
                double stretch = factor ?? throw keys.Fault("rope.scaling.factor", "the key is missing");
                double? attention = file.Values.Number(keys.Of("rope.scaling.attn_factor"), 0, 1e6);
                return new RopeScaling
                {
                    Kind = "yarn",
                    Factor = stretch,
                    OriginalMaxPositions = keys.Optional("rope.scaling.original_context_length", ModelConfigJson.MaxPositions) ?? positions,
                    // In a GGUF file it comes on top of what follows from the factor.
                    AttentionFactor = attention is null ? null : attention * (stretch <= 1 ? 1 : (0.1 * Math.Log(stretch)) + 1),
                    BetaFast = file.Values.Number(keys.Of("rope.scaling.yarn_beta_fast"), 0, 1e6) ?? 32,
                    BetaSlow = file.Values.Number(keys.Of("rope.scaling.yarn_beta_slow"), 0, 1e6) ?? 1,
                    FrequencyFactors = factors,
                };
            default:
                throw keys.Fault("rope.scaling.type", $"'{kind}' is not supported", "Supported: none, linear, yarn, and llama3 as the tensor rope_freqs.weight");
        }
    }

    private static int? BeginToken(GgufMetadata values, int vocabulary) =>
        values.Int(BeginTokenKey, 0, vocabulary - 1)
        ?? (values.Flag("tokenizer.ggml.add_bos_token") == true ? Token(values, "tokenizer.ggml.bos_token_id", vocabulary) : null);

    // Others are known by their text only, to the tokenizer.
    private static int[] EndTokens(GgufMetadata values, int vocabulary) => values.Ints(EndTokensKey, 0, vocabulary - 1)
        ?? [.. s_endKeys.Select(key => Token(values, key, vocabulary)).OfType<int>().Distinct()];

    // Older writers store -1 for "none", in 32 bits without a sign.
    private static int? Token(GgufMetadata values, string key, int vocabulary) =>
        values.Values.TryGetValue(key, out GgufValue? value) && value.Value is uint.MaxValue or -1 ? null : values.Int(key, 0, vocabulary - 1);

    /// <summary>The keys of one architecture.</summary>
    private sealed record Keys(GgufMetadata Values, string Architecture)
    {
        public string Of(string key) => $"{Architecture}.{key}";

        public int? Optional(string key, int most) => Values.Int(Of(key), 1, most);

        public int Required(string key, int most) => Values.RequiredInt(Of(key), 1, most);

        /// <summary>A number, or an array with the same number for every layer.</summary>
        public int? PerLayer(string key, int most)
        {
            if (!Values.Values.TryGetValue(Of(key), out GgufValue? value) || value.Type != GgufValueType.Array)
            {
                return Optional(key, most);
            }

            int[] numbers = Values.Ints(Of(key), 1, most)!;
            return numbers.Distinct().Count() == 1 ? numbers[0] : throw Fault(key, "it differs from layer to layer, which is not supported");
        }

        public ModelFormatException Fault(string key, string problem, string? remedy = null) => Values.Fault(Of(key), problem, remedy);
    }
}
