using AdaEagle.Formats;

namespace AdaEagle.Models;

/// <summary>
/// What an architecture has beyond the common decoder layer. A new one of this family is a line in <see cref="Supported"/>.
/// Source: the modelling files of transformers.
/// </summary>
/// <param name="ModelType"><c>model_type</c> of its configurations.</param>
/// <param name="Biases">The biases that its files must have.</param>
/// <param name="QueryKeyNorm">True if every query and key head goes through an RMSNorm before RoPE.</param>
/// <param name="Window">Positions that a row of a layer sees, itself counted; null for all.</param>
internal sealed record Architecture(string ModelType, Func<ModelConfig, RequiredBiases> Biases, bool QueryKeyNorm, Func<ModelConfig, int, int?> Window)
{
    /// <summary>The architectures that there are.</summary>
    public static IReadOnlyList<Architecture> Supported { get; } =
    [
        new("llama", config => new(config.AttentionBias, config.AttentionBias, config.MlpBias), QueryKeyNorm: false, NoWindow),
        new("mistral", _ => default, QueryKeyNorm: false, (config, _) => config.SlidingWindow),
        new("qwen2", _ => new(QueryKeyValue: true, Output: false, Mlp: false), QueryKeyNorm: false, LateWindow),
        new("qwen3", config => new(config.AttentionBias, config.AttentionBias, Mlp: false), QueryKeyNorm: true, LateWindow),
    ];

    /// <summary>The architecture of a configuration, everything in it that the layers can't run refused before any weight is read.</summary>
    /// <exception cref="ModelFormatException">The architecture, or something in its configuration, is not supported.</exception>
    public static Architecture Of(ModelConfig config, string configFile)
    {
        Architecture architecture = Supported.FirstOrDefault(one => one.ModelType == config.ModelType)
            ?? throw new ModelFormatException(
                configFile, "model_type", $"'{config.ModelType}' is not supported", $"supported: {string.Join(", ", Supported.Select(one => one.ModelType))}");
        DecoderLayer.RequireSupported(config, configFile);
        if (architecture.Window == LateWindow)
        {
            RequireLayerTypes(config, configFile);
        }

        return architecture;
    }

    private static int? NoWindow(ModelConfig config, int layer) => null;

    // Qwen: layer_types says which layers slide; older configurations say from which layer on.
    private static int? LateWindow(ModelConfig config, int layer)
    {
        bool slides = config.LayerTypes.Length > 0 ? config.LayerTypes[layer] == "sliding_attention" : layer >= (config.MaxWindowLayers ?? 28);
        return config.UseSlidingWindow && slides ? config.SlidingWindow ?? 4096 : null;
    }

    private static void RequireLayerTypes(ModelConfig config, string configFile)
    {
        if (config.LayerTypes.Length == 0)
        {
            return;
        }

        if (config.LayerTypes.Length != config.LayerCount)
        {
            throw new ModelFormatException(configFile, "layer_types", $"names {config.LayerTypes.Length} layers, num_hidden_layers is {config.LayerCount}");
        }

        if (Array.Find(config.LayerTypes, type => type is not ("full_attention" or "sliding_attention")) is { } other)
        {
            throw new ModelFormatException(configFile, "layer_types", $"'{other}' is not supported", "supported: full_attention, sliding_attention");
        }

        if (!config.UseSlidingWindow && config.LayerTypes.Contains("sliding_attention"))
        {
            throw new ModelFormatException(configFile, "layer_types", "names sliding layers, and use_sliding_window is not true", "set use_sliding_window, or name full_attention");
        }
    }
}
