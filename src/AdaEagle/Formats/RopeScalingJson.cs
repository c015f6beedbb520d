using System.Text.Json;

namespace AdaEagle.Formats;

/// <summary><see cref="RopeScaling"/> from and to the object that a configuration calls <c>rope_scaling</c> or <c>rope_parameters</c>.</summary>
internal static class RopeScalingJson
{
    private const int MaxPositions = 1 << 30;
    private const double MaxFactor = 1e6;

    /// <summary>Reads the object; null for plain RoPE. <paramref name="positions"/> are the model's own.</summary>
    public static RopeScaling? Read(JsonConfig rope, int positions)
    {
        string kind = rope.Text("rope_type") ?? rope.Text("type") ?? "default";
        float[] factors = rope.Singles("frequency_factors", float.Epsilon, float.MaxValue);
        if (kind == "default" && factors.Length == 0)
        {
            return null;
        }

        double? low = rope.Number("low_freq_factor", 0, MaxFactor);
        double? high = rope.Number("high_freq_factor", 0, MaxFactor);
        int? original = rope.Int("original_max_position_embeddings", 1, MaxPositions);
        double? factor = rope.Number("factor", double.Epsilon, MaxFactor);
        if (kind == "llama3" && !(low > 0 && high > low && original is not null))
        {
            throw rope.Fault("rope_type", "llama3 needs 'original_max_position_embeddings' and 0 < 'low_freq_factor' < 'high_freq_factor'");
        }

        if (kind is "llama3" or "linear" && factor is null)
        {
            throw rope.Fault("factor", $"'{kind}' scaling needs a factor");
        }

        return new RopeScaling
        {
            Kind = kind,
            Factor = factor ?? (kind == "yarn" && original is { } first ? (double)positions / first : 1),
            LowFrequencyFactor = low ?? 1,
            HighFrequencyFactor = high ?? 1,
            OriginalMaxPositions = original ?? positions,
            AttentionFactor = rope.Number("attention_factor", double.Epsilon, MaxFactor),
            BetaFast = rope.Number("beta_fast", double.Epsilon, MaxFactor) ?? 32,
            BetaSlow = rope.Number("beta_slow", double.Epsilon, MaxFactor) ?? 1,
            Mscale = rope.Number("mscale", 0, MaxFactor) ?? 0,
            MscaleAllDim = rope.Number("mscale_all_dim", 0, MaxFactor) ?? 0,
            Truncate = rope.Flag("truncate") ?? true,
            FrequencyFactors = factors,
        };
    }

    /// <summary>Writes the key <c>rope_scaling</c>, with null for plain RoPE.</summary>
    public static void Write(Utf8JsonWriter json, RopeScaling? scaling)
    {
        if (scaling is null)
        {
            json.WriteNull("rope_scaling");
            return;
        }

        json.WriteStartObject("rope_scaling");
        json.WriteString("rope_type", scaling.Kind);
        json.WriteNumber("factor", scaling.Factor);
        json.WriteNumber("low_freq_factor", scaling.LowFrequencyFactor);
        json.WriteNumber("high_freq_factor", scaling.HighFrequencyFactor);
        json.WriteNumber("original_max_position_embeddings", scaling.OriginalMaxPositions);
        if (scaling.Kind == "yarn")
        {
            WriteYarn(json, scaling);
        }

        if (scaling.FrequencyFactors.Length > 0)
        {
            json.WriteStartArray("frequency_factors");
            foreach (float factor in scaling.FrequencyFactors)
            {
                json.WriteNumberValue(factor);
            }

            json.WriteEndArray();
        }

        json.WriteEndObject();
    }

    private static void WriteYarn(Utf8JsonWriter json, RopeScaling scaling)
    {
        if (scaling.AttentionFactor is { } attention)
        {
            json.WriteNumber("attention_factor", attention);
        }

        json.WriteNumber("beta_fast", scaling.BetaFast);
        json.WriteNumber("beta_slow", scaling.BetaSlow);
        json.WriteNumber("mscale", scaling.Mscale);
        json.WriteNumber("mscale_all_dim", scaling.MscaleAllDim);
        json.WriteBoolean("truncate", scaling.Truncate);
    }
}
