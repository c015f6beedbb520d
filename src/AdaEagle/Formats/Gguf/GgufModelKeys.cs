namespace AdaEagle.Formats;

/// <summary>A model's configuration as GGUF metadata: the inverse of <see cref="GgufConfig"/>, with the keys of llama.cpp's converter.</summary>
internal static class GgufModelKeys
{
    /// <summary>The name of an architecture in GGUF; null if it cannot be written.</summary>
    public static string? Architecture(string modelType) => modelType switch
    {
        "llama" or "mistral" => "llama",
        "qwen2" or "qwen3" => modelType,
        _ => null,
    };

    /// <summary>The keys of the model.</summary>
    /// <param name="config">Its configuration.</param>
    /// <param name="file">Where that came from, for messages.</param>
    /// <exception cref="ModelFormatException">GGUF has no key for something in it.</exception>
    public static IEnumerable<KeyValuePair<string, GgufValue>> Of(ModelConfig config, string file)
    {
        string architecture = Architecture(config.ModelType)!;
        List<KeyValuePair<string, GgufValue>> keys = [];
        Add("block_count", (uint)config.LayerCount);
        Add("context_length", (uint)config.MaxPositions);
        Add("embedding_length", (uint)config.HiddenSize);
        Add("feed_forward_length", (uint)config.IntermediateSize);
        Add("attention.head_count", (uint)config.HeadCount);
        Add("attention.head_count_kv", (uint)config.KeyValueHeadCount);
        Add("rope.freq_base", (float)config.RopeTheta);
        Add("attention.layer_norm_rms_epsilon", config.NormEpsilon);
        Add("attention.key_length", (uint)config.HeadDimension);
        Add("attention.value_length", (uint)config.HeadDimension);
        Add("vocab_size", (uint)config.VocabularySize);
        Add("rope.dimension_count", (uint)config.HeadDimension);
        if (config.ModelType == "mistral" && config.SlidingWindow is { } window)
        {
            Add("attention.sliding_window", (uint)window);
        }
        else if (config.UseSlidingWindow && architecture != "llama")
        {
            throw new ModelFormatException(file, "use_sliding_window", $"GGUF has no key for the sliding layers of {architecture}", "Only models without a sliding window can be converted");
        }

        AddScaling(config.RopeScaling);
        return keys;

        void Add(string key, object value) => keys.Add(new($"{architecture}.{key}", new GgufValue(value)));

        void AddScaling(RopeScaling? scaling)
        {
            switch (scaling?.Kind)
            {
                case null or "default" or "llama3":
                    break;
                case "linear":
                    Add("rope.scaling.type", "linear");
                    Add("rope.scaling.factor", (float)scaling.Factor);
                    break;
                case "yarn":
                    Add("rope.scaling.type", "yarn");
                    Add("rope.scaling.factor", (float)scaling.Factor);
                    Add("rope.scaling.original_context_length", (uint)scaling.OriginalMaxPositions);
                    Add("rope.scaling.yarn_beta_fast", (float)scaling.BetaFast);
                    Add("rope.scaling.yarn_beta_slow", (float)scaling.BetaSlow);
                    if (AttentionFactor(scaling) is { } attention)
                    {
                        Add("rope.scaling.attn_factor", attention);
                    }

                    break;
                default:
                    throw new ModelFormatException(file, "rope_scaling", $"'{scaling.Kind}' cannot be written to GGUF", "Supported: default, linear, llama3, yarn");
            }
        }
    }

    /// <summary>Divisors of RoPE's frequencies, one per pair, where there are some: explicit ones, or those that llama3 scaling comes to.</summary>
    public static float[]? FrequencyFactors(ModelConfig config)
    {
        if (config.RopeScaling is not { } scaling || (scaling.Kind != "llama3" && scaling.FrequencyFactors.Length == 0))
        {
            return null;
        }

        return [.. Enumerable.Range(0, config.HeadDimension / 2).Select(pair =>
        {
            float given = scaling.FrequencyFactors.Length > 0 ? scaling.FrequencyFactors[pair] : 1;
            return scaling.Kind == "llama3" ? given * (float)Llama3Factor(scaling, given / Math.Pow(config.RopeTheta, -2.0 * pair / config.HeadDimension) * 2 * Math.PI) : given;
        })];
    }

    // Long waves are stretched by the factor, short ones kept, between them the frequency goes evenly from one to the other (Llama 3.1).
    private static double Llama3Factor(RopeScaling scaling, double wavelength)
    {
        double turns = scaling.OriginalMaxPositions / wavelength;
        double kept = Math.Clamp((turns - scaling.LowFrequencyFactor) / (scaling.HighFrequencyFactor - scaling.LowFrequencyFactor), 0, 1);
        return 1 / (((1 - kept) / scaling.Factor) + kept);
    }

    // GGUF's comes on top of what follows from the factor. DeepSeek's two magnitudes come to one such factor.
    private static float? AttentionFactor(RopeScaling scaling)
    {
        double implied = Magnitude(1);
        double wanted = scaling.AttentionFactor ?? (scaling is { Mscale: > 0, MscaleAllDim: > 0 } ? Magnitude(scaling.Mscale) / Magnitude(scaling.MscaleAllDim) : implied);
        return wanted == implied ? null : (float)(wanted / implied);

        double Magnitude(double scale) => scaling.Factor <= 1 ? 1 : (0.1 * scale * Math.Log(scaling.Factor)) + 1;
    }
}
