namespace AdaEagle.Formats;

/// <summary>The <c>generation_config.json</c> of a model: its makers' sampling settings. A property that the file lacks is null (or empty).</summary>
public sealed record GenerationConfig
{
    private const float MaxTemperature = 1000;

    /// <summary><c>eos_token_id</c>, one or several.</summary>
    public int[] EosTokens { get; init; } = [];

    /// <summary><c>bos_token_id</c>.</summary>
    public int? BosToken { get; init; }

    /// <summary><c>temperature</c>.</summary>
    public float? Temperature { get; init; }

    /// <summary><c>top_k</c>.</summary>
    public int? TopK { get; init; }

    /// <summary><c>top_p</c>.</summary>
    public float? TopP { get; init; }

    /// <summary><c>min_p</c>.</summary>
    public float? MinP { get; init; }

    /// <summary><c>do_sample</c>.</summary>
    public bool? DoSample { get; init; }

    /// <summary>Reads <c>generation_config.json</c> of a folder; null if it has none.</summary>
    /// <exception cref="ModelFormatException">It is there, but is not usable.</exception>
    public static GenerationConfig? Load(string folder)
    {
        string path = Path.Combine(folder, "generation_config.json");
        return File.Exists(path) ? Read(JsonConfig.Load(path)) : null;
    }

    /// <summary>Reads the text of a <c>generation_config.json</c>.</summary>
    /// <param name="json">The text.</param>
    /// <param name="file">Its name, for messages.</param>
    /// <exception cref="ModelFormatException">It is not usable.</exception>
    public static GenerationConfig Parse(string json, string file) => Read(JsonConfig.Parse(json, file));

    private static GenerationConfig Read(JsonConfig json) => new()
    {
        EosTokens = json.OneOrMoreInts("eos_token_id", 0, int.MaxValue),
        BosToken = json.Int("bos_token_id", 0, int.MaxValue),
        Temperature = json.Single("temperature", 0, MaxTemperature),
        TopK = json.Int("top_k", 0, int.MaxValue),
        TopP = json.Single("top_p", 0, 1),
        MinP = json.Single("min_p", 0, 1),
        DoSample = json.Flag("do_sample"),
    };
}
