using System.Globalization;

namespace AdaEagle.Formats;

/// <summary>What was written.</summary>
/// <param name="Path">The file.</param>
/// <param name="ByteLength">Its length.</param>
/// <param name="Tensors">How many tensors there are of each format.</param>
/// <param name="Notes">What is not quite as asked, or not quite the same, as sentences.</param>
public sealed record GgufExportResult(string Path, long ByteLength, IReadOnlyDictionary<TensorType, int> Tensors, IReadOnlyList<string> Notes);

/// <summary>
/// Writes a Hugging Face folder (architectures llama, mistral, qwen2, qwen3; byte-level BPE tokenizer) as one GGUF file: names, order of rows and metadata as
/// llama.cpp's own converter has them, so that its programs load the file.
/// </summary>
public static class GgufExport
{
    // ggml's numbers for what most tensors of a file are.
    private static readonly (TensorType Type, uint FileType)[] s_types =
    [
        (TensorType.F32, 0), (TensorType.F16, 1), (TensorType.BF16, 32), (TensorType.Q8_0, 7), (TensorType.Q4_0, 2), (TensorType.Q4_K, 14), (TensorType.Q5_K, 16), (TensorType.Q6_K, 18),
    ];

    /// <summary>The formats that weights can be written in.</summary>
    public static IReadOnlyList<TensorType> Types { get; } = [.. s_types.Select(t => t.Type)];

    /// <summary>Writes the file, atomically.</summary>
    /// <param name="folder">The folder.</param>
    /// <param name="path">The file; one that exists is replaced.</param>
    /// <param name="type">
    /// The format of the matrices, one of <see cref="Types"/>. Vectors are F32. The output matrix is Q6_K where the others have fewer bits; where rows are no
    /// whole blocks, Q8_0 takes their place, or F16.
    /// </param>
    /// <param name="progress">Told how many bytes of all have been written.</param>
    /// <param name="cancellation">Observed between pieces of tensors; nothing is left then.</param>
    /// <exception cref="ModelFormatException">Something in the folder cannot be read or written.</exception>
    public static GgufExportResult Write(string folder, string path, TensorType type, Action<long, long>? progress = null, CancellationToken cancellation = default)
    {
        ArgumentNullException.ThrowIfNull(folder);
        ArgumentNullException.ThrowIfNull(path);
        if (!Types.Contains(type))
        {
            throw new ArgumentException($"Weights cannot be written as {type}; supported: {string.Join(", ", Types)}.", nameof(type));
        }

        ModelConfig config = ModelConfig.Load(folder);
        string configFile = Path.Combine(folder, "config.json");
        if (GgufModelKeys.Architecture(config.ModelType) is null)
        {
            throw new ModelFormatException(configFile, "model_type", $"'{config.ModelType}' cannot be converted", "Supported: llama, mistral, qwen2, qwen3");
        }

        List<string> notes = [];
        using ITensorSource source = Checkpoint.Open(folder);
        GgufTensorExport tensors = new(source, config, type, cancellation);
        List<KeyValuePair<string, GgufValue>> metadata =
        [
            Pair("general.architecture", GgufModelKeys.Architecture(config.ModelType)!),
            Pair("general.type", "model"),
            Pair("general.name", Path.GetFileName(Path.TrimEndingDirectorySeparator(Path.GetFullPath(folder)))),
            Pair("general.size_label", SizeLabel(tensors.Parameters)),
            Pair("general.file_type", s_types.First(t => t.Type == type).FileType),
            Pair("general.quantization_version", 2u),
            .. GgufModelKeys.Of(config, configFile),
            .. GgufTokenizerKeys.Of(folder, config, notes),
            .. OwnKeys(folder, config),
        ];
        notes.AddRange(tensors.Notes);
        GgufWriter.Write(path, metadata, tensors.All(progress));
        return new GgufExportResult(path, new FileInfo(path).Length, tensors.Counts, notes);
    }

    // What the standard keys can't hold: they know one end token, and none that begins a raw text without the tokenizer adding it.
    private static IEnumerable<KeyValuePair<string, GgufValue>> OwnKeys(string folder, ModelConfig config)
    {
        if (config.BosToken is { } begin)
        {
            yield return Pair(GgufConfig.BeginTokenKey, (uint)begin);
        }

        int[] ends = [.. config.EosTokens.Union(GenerationConfig.Load(folder)?.EosTokens ?? [])];
        if (ends.Length > 0)
        {
            yield return Pair(GgufConfig.EndTokensKey, ends);
        }

        if (config.VocabularyFingerprint is { } fingerprint)
        {
            yield return Pair(GgufConfig.FingerprintKey, fingerprint);
        }
    }

    private static string SizeLabel(long parameters) => parameters switch
    {
        >= 1_000_000_000 => string.Create(CultureInfo.InvariantCulture, $"{parameters / 1e9:0.#}B"),
        >= 1_000_000 => string.Create(CultureInfo.InvariantCulture, $"{parameters / 1e6:0}M"),
        _ => string.Create(CultureInfo.InvariantCulture, $"{parameters / 1e3:0}K"),
    };

    private static KeyValuePair<string, GgufValue> Pair(string key, object value) => new(key, new GgufValue(value));
}
