namespace AdaEagle.Formats;

/// <summary>
/// The tensors of a GGUF file of architecture llama, qwen2 or qwen3 under Hugging Face's names and in their order of rows: files of architecture llama have
/// the rows of query and key heads ordered for interleaved RoPE (2i, 2i + 1 turn together), Hugging Face has i and i + dimension / 2.
/// Names that these architectures do not have stay as they are.
/// </summary>
public sealed class GgufCheckpoint : ITensorSource
{
    private readonly Dictionary<string, string> _names;
    private readonly bool _interleaved;

    /// <summary>Takes over the file: it is closed with the checkpoint.</summary>
    /// <param name="file">The file.</param>
    /// <param name="config">Its configuration (<see cref="GgufConfig.Read"/>).</param>
    /// <exception cref="ModelFormatException">Two tensors would have one name, or queries or keys are no whole heads.</exception>
    public GgufCheckpoint(GgufFile file, ModelConfig config)
    {
        ArgumentNullException.ThrowIfNull(file);
        ArgumentNullException.ThrowIfNull(config);
        File = file;
        Config = config;
        _interleaved = file.Values.Text("general.architecture") == "llama";
        _names = [];
        Dictionary<string, TensorInfo> tensors = [];
        foreach ((string name, TensorInfo info) in file.Tensors)
        {
            // What it says is in the configuration.
            if (name == GgufNames.RopeFactors)
            {
                continue;
            }

            string face = GgufNames.ToFace(name) ?? name;
            if (!_names.TryAdd(face, name))
            {
                throw new ModelFormatException(file.Path, name, $"a second tensor would be '{face}'", "Fetch the file again");
            }

            if (IsReordered(name) && (info.Shape.Count is < 1 or > 2 || info.Shape[0] % Config.HeadDimension != 0))
            {
                throw new ModelFormatException(file.Path, name, $"{info.ShapeText} are no whole heads of {Config.HeadDimension}", "Fetch the file again");
            }

            tensors.Add(face, info with { Name = face });
        }

        Tensors = tensors;
    }

    /// <summary>The file.</summary>
    public GgufFile File { get; }

    /// <summary>The model's configuration.</summary>
    public ModelConfig Config { get; }

    /// <inheritdoc/>
    public string Path => File.Path;

    /// <inheritdoc/>
    public IReadOnlyDictionary<string, TensorInfo> Tensors { get; }

    /// <inheritdoc/>
    public IReadOnlyDictionary<string, string> Metadata => File.Metadata;

    /// <summary>Opens a GGUF file as a model.</summary>
    /// <exception cref="ModelFormatException">The file is broken, or no model of a supported architecture.</exception>
    public static GgufCheckpoint Open(string path)
    {
        GgufFile file = GgufFile.Open(path);
        try
        {
            return new GgufCheckpoint(file, GgufConfig.Read(file));
        }
        catch
        {
            file.Dispose();
            throw;
        }
    }

    /// <inheritdoc/>
    public void Read(string name, long byteOffset, Span<byte> destination)
    {
        TensorInfo info = this.CheckRange(name, byteOffset, destination.Length);
        string stored = _names[name];
        if (!IsReordered(stored))
        {
            File.Read(stored, byteOffset, destination);
            return;
        }

        // A bias has rows of one element.
        long rowBytes = info.Shape.Count == 2 ? info.Type.RowBytes(info.Shape[1]) : info.Type.ByteSize();
        while (destination.Length > 0)
        {
            (long row, long within) = Math.DivRem(byteOffset, rowBytes);
            int count = (int)Math.Min(destination.Length, rowBytes - within);
            File.Read(stored, (StoredRow(row) * rowBytes) + within, destination[..count]);
            destination = destination[count..];
            byteOffset += count;
        }
    }

    /// <inheritdoc/>
    public void Dispose() => File.Dispose();

    /// <summary>Where a GGUF file of architecture llama has a row of queries or keys.</summary>
    internal static long InterleavedRow(long row, int headDimension)
    {
        (long head, long inHead) = Math.DivRem(row, headDimension);
        (long half, long pair) = Math.DivRem(inHead, headDimension / 2);
        return (head * headDimension) + (2 * pair) + half;
    }

    /// <summary>Which row of queries or keys a GGUF file of architecture llama has there: the inverse of <see cref="InterleavedRow"/>.</summary>
    internal static long HalfSplitRow(long row, int headDimension)
    {
        (long head, long inHead) = Math.DivRem(row, headDimension);
        return (head * headDimension) + (inHead % 2 * (headDimension / 2)) + (inHead / 2);
    }

    private long StoredRow(long row) => InterleavedRow(row, Config.HeadDimension);

    private bool IsReordered(string stored) => _interleaved && GgufNames.IsQueryOrKey(stored);
}
