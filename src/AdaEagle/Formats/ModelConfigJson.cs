using System.Text;
using System.Text.Json;

namespace AdaEagle.Formats;

/// <summary>
/// <see cref="ModelConfig"/> from and to JSON. The limits are far above any published model, and so low that no product
/// of a few of them overflows 64 bits.
/// </summary>
internal static class ModelConfigJson
{
    public const int MaxWidth = 1 << 22;
    public const int MaxLayers = 1 << 12;
    public const int MaxHeads = 1 << 14;
    public const int MaxHeadDimension = 1 << 14;
    public const int MaxVocabulary = 1 << 24;
    public const int MaxPositions = 1 << 30;
    public const double MaxRopeTheta = 1e15;

    public static ModelConfig Read(JsonConfig file) =>
        ReadDecoder(file.Object("transformer_layer_config") ?? file) with { Eagle3 = Eagle3Config.Read(file), VocabularyFingerprint = file.Text("adaeagle_vocabulary") };

    public static string Write(ModelConfig config)
    {
        using MemoryStream stream = new();
        using (Utf8JsonWriter json = new(stream, new JsonWriterOptions { Indented = true }))
        {
            json.WriteStartObject();
            WriteArray(json, "architectures", config.Architectures, (j, v) => j.WriteStringValue(v));
            json.WriteString("model_type", config.ModelType);
            json.WriteNumber("hidden_size", config.HiddenSize);
            json.WriteNumber("intermediate_size", config.IntermediateSize);
            json.WriteNumber("num_hidden_layers", config.LayerCount);
            json.WriteNumber("num_attention_heads", config.HeadCount);
            json.WriteNumber("num_key_value_heads", config.KeyValueHeadCount);
            json.WriteNumber("head_dim", config.HeadDimension);
            json.WriteNumber("vocab_size", config.VocabularySize);
            json.WriteNumber("max_position_embeddings", config.MaxPositions);
            json.WriteNumber("rms_norm_eps", config.NormEpsilon);
            json.WriteNumber("rope_theta", config.RopeTheta);
            RopeScalingJson.Write(json, config.RopeScaling);
            WriteWindow(json, config);
            json.WriteBoolean("attention_bias", config.AttentionBias);
            json.WriteBoolean("mlp_bias", config.MlpBias);
            json.WriteBoolean("tie_word_embeddings", config.TieWordEmbeddings);
            json.WriteString("hidden_act", config.Activation);
            if (config.FcBias is { } bias)
            {
                json.WriteBoolean("bias", bias);
            }

            json.WriteBoolean("qkv_bias", config.QkvBias);
            if (config.StoredType is { } type)
            {
                json.WriteString("torch_dtype", NameOf(type));
            }

            if (config.BosToken is { } bos)
            {
                json.WriteNumber("bos_token_id", bos);
            }

            WriteEos(json, config.EosTokens);
            config.Eagle3?.Write(json);
            if (config.VocabularyFingerprint is { } fingerprint)
            {
                json.WriteString("adaeagle_vocabulary", fingerprint);
            }

            json.WriteEndObject();
        }

        return Encoding.UTF8.GetString(stream.GetBuffer(), 0, (int)stream.Length);
    }

    private static ModelConfig ReadDecoder(JsonConfig json)
    {
        string modelType = json.Text("model_type") ?? "";
        int hidden = json.RequiredInt("hidden_size", 1, MaxWidth);
        int heads = json.RequiredInt("num_attention_heads", 1, MaxHeads);
        int vocabulary = json.RequiredInt("vocab_size", 1, MaxVocabulary);
        int positions = json.Int("max_position_embeddings", 1, MaxPositions) ?? 2048;

        // The newer spelling puts theta and scaling in one object; Gemma 3 has one such object per kind of layer.
        JsonConfig? rope = json.Object("rope_parameters");
        rope = rope?.Object("full_attention") ?? rope ?? json.Object("rope_scaling");
        return new ModelConfig
        {
            ModelType = modelType,
            Architectures = json.Texts("architectures"),
            HiddenSize = hidden,
            IntermediateSize = json.RequiredInt("intermediate_size", 1, MaxWidth),
            LayerCount = json.RequiredInt("num_hidden_layers", 1, MaxLayers),
            HeadCount = heads,
            KeyValueHeadCount = KeyValueHeads(json, heads),
            HeadDimension = HeadDimension(json, modelType, hidden, heads),
            VocabularySize = vocabulary,
            MaxPositions = positions,
            NormEpsilon = json.Single("rms_norm_eps", float.Epsilon, 1) ?? 1e-6f,
            RopeTheta = rope?.Number("rope_theta", 1, MaxRopeTheta) ?? json.Number("rope_theta", 1, MaxRopeTheta) ?? 10000,
            RopeScaling = rope is null ? null : RopeScalingJson.Read(rope, positions),
            SlidingWindow = json.Int("sliding_window", 1, MaxPositions) ?? (modelType == "mistral" && !json.Mentions("sliding_window") ? 4096 : null),
            UseSlidingWindow = json.Flag("use_sliding_window") ?? false,
            MaxWindowLayers = json.Int("max_window_layers", 0, MaxLayers),
            LayerTypes = json.Texts("layer_types"),
            AttentionBias = json.Flag("attention_bias") ?? false,
            MlpBias = json.Flag("mlp_bias") ?? false,
            TieWordEmbeddings = json.Flag("tie_word_embeddings") ?? false,
            Activation = json.Text("hidden_act") ?? json.Text("hidden_activation") ?? "silu",
            FcBias = json.Flag("bias"),
            QkvBias = json.Flag("qkv_bias") ?? false,
            StoredType = TypeOf(json.Text("torch_dtype") ?? json.Text("dtype")),
            BosToken = json.Int("bos_token_id", 0, vocabulary - 1),
            EosTokens = json.OneOrMoreInts("eos_token_id", 0, vocabulary - 1),
        };
    }

    private static int KeyValueHeads(JsonConfig json, int heads)
    {
        int count = json.Int("num_key_value_heads", 1, MaxHeads) ?? heads;
        return heads % count == 0
            ? count
            : throw json.Fault("num_key_value_heads", $"{count} key-value heads do not divide {heads} heads");
    }

    private static int HeadDimension(JsonConfig json, string modelType, int hidden, int heads)
    {
        // Qwen 3 has its own default, in transformers.
        int? given = json.Int("head_dim", 1, MaxHeadDimension) ?? (modelType == "qwen3" && !json.Mentions("head_dim") ? 128 : null);
        if (given is null && hidden % heads != 0)
        {
            throw json.Fault("num_attention_heads", $"{heads} heads do not divide the hidden size {hidden}, and there is no 'head_dim'");
        }

        int dimension = given ?? hidden / heads;
        if (dimension > MaxHeadDimension || (long)dimension * heads > MaxWidth)
        {
            throw json.Fault("head_dim", $"{heads} heads of {dimension} are too wide");
        }

        return dimension % 2 == 0
            ? dimension
            : throw json.Fault("head_dim", $"heads of {dimension} have no pairs for RoPE to turn: the number must be even");
    }

    private static void WriteWindow(Utf8JsonWriter json, ModelConfig config)
    {
        if (config.SlidingWindow is { } window)
        {
            json.WriteNumber("sliding_window", window);
        }
        else
        {
            json.WriteNull("sliding_window");
        }

        json.WriteBoolean("use_sliding_window", config.UseSlidingWindow);
        if (config.MaxWindowLayers is { } layers)
        {
            json.WriteNumber("max_window_layers", layers);
        }

        if (config.LayerTypes.Length > 0)
        {
            WriteArray(json, "layer_types", config.LayerTypes, (j, v) => j.WriteStringValue(v));
        }
    }

    private static void WriteEos(Utf8JsonWriter json, int[] tokens)
    {
        switch (tokens)
        {
            case []:
                json.WriteNull("eos_token_id");
                break;
            case [int one]:
                json.WriteNumber("eos_token_id", one);
                break;
            default:
                WriteArray(json, "eos_token_id", tokens, (j, v) => j.WriteNumberValue(v));
                break;
        }
    }

    private static void WriteArray<T>(Utf8JsonWriter json, string key, T[] values, Action<Utf8JsonWriter, T> write)
    {
        json.WriteStartArray(key);
        foreach (T value in values)
        {
            write(json, value);
        }

        json.WriteEndArray();
    }

    private static TensorType? TypeOf(string? name) => name switch
    {
        "float32" or "torch.float32" => TensorType.F32,
        "float16" or "torch.float16" => TensorType.F16,
        "bfloat16" or "torch.bfloat16" => TensorType.BF16,
        "float64" or "torch.float64" => TensorType.F64,
        _ => null,
    };

    private static string NameOf(TensorType type) => type switch
    {
        TensorType.F32 => "float32",
        TensorType.F16 => "float16",
        TensorType.BF16 => "bfloat16",
        TensorType.F64 => "float64",
        _ => throw new ArgumentOutOfRangeException(nameof(type), type, "Weights are not stored in this type."),
    };
}
