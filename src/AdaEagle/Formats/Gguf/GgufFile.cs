namespace AdaEagle.Formats;

/// <summary>
/// A GGUF file (github.com/ggml-org/ggml, docs/gguf.md), versions 2 and 3, little endian. Header, metadata and places of all tensors are checked when it is
/// opened; the numbers are read from a memory map on demand, from any thread.
/// </summary>
public sealed class GgufFile : ITensorSource
{
    private readonly MappedFile _data;
    private readonly Dictionary<string, long> _positions;

    private GgufFile(string path, GgufHeader header, MappedFile data)
    {
        Path = path;
        _data = data;
        _positions = header.Tensors.ToDictionary(t => t.Info.Name, t => t.Position);
        Version = header.Version;
        Alignment = header.Alignment;
        Values = new GgufMetadata(path, header.Values);
        Tensors = header.Tensors.ToDictionary(t => t.Info.Name, t => t.Info);
        Metadata = header.Values.ToDictionary(v => v.Key, v => v.Value.ToString());
    }

    /// <inheritdoc/>
    public string Path { get; }

    /// <summary>The format's version, 2 or 3.</summary>
    public int Version { get; }

    /// <summary>Bytes to whose multiples the tensors are aligned.</summary>
    public int Alignment { get; }

    /// <summary>The metadata with its types.</summary>
    public GgufMetadata Values { get; }

    /// <summary>The tensors by name, dimensions slowest first (the file has them the other way round).</summary>
    public IReadOnlyDictionary<string, TensorInfo> Tensors { get; }

    /// <summary>The metadata as text; arrays by type and length.</summary>
    public IReadOnlyDictionary<string, string> Metadata { get; }

    /// <summary>True if a path is to be read as a GGUF file: by its ending.</summary>
    public static bool IsGguf(string path) => path.EndsWith(".gguf", StringComparison.OrdinalIgnoreCase);

    /// <summary>Opens a file, checking all of it but the numbers.</summary>
    /// <exception cref="ModelFormatException">The file cannot be opened, breaks the format, or has tensors in number formats that are not supported.</exception>
    public static GgufFile Open(string path)
    {
        RandomAccessFile file = RandomAccessFile.Open(path);
        try
        {
            GgufHeader header = GgufHeader.Read(file);
            return new GgufFile(path, header, new MappedFile(file));
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
        this.CheckRange(name, byteOffset, destination.Length);
        _data.Read(_positions[name] + byteOffset, destination, name);
    }

    /// <inheritdoc/>
    public void Dispose() => _data.Dispose();
}
