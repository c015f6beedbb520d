namespace AdaEagle.Formats;

/// <summary>The <c>generation_config.json</c> of a model: its makers' sampling settings. A property that the file lacks is null (or empty).</summary>
public sealed record GenerationConfig
{
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
    public static GenerationConfig? Load(string folder) => throw new NotImplementedException();
}
