namespace AdaEagle.Formats;

/// <summary>A tensor whose elements lie row-major in one piece of a file.</summary>
/// <param name="Info">Name, type, shape.</param>
/// <param name="Position">Of its first byte in the file. Position + length was checked against the file's length.</param>
internal readonly record struct StoredTensor(TensorInfo Info, long Position);

/// <summary>The tensors of one file in which each lies in one piece.</summary>
internal sealed class TensorFile : ITensorSource
{
    private readonly RandomAccessFile _file;
    private readonly Dictionary<string, long> _positions;

    /// <summary>Takes over the file. The caller has checked names (distinct) and places.</summary>
    public TensorFile(RandomAccessFile file, IReadOnlyCollection<StoredTensor> tensors, IReadOnlyDictionary<string, string> metadata)
    {
        _file = file;
        _positions = tensors.ToDictionary(t => t.Info.Name, t => t.Position);
        Tensors = tensors.ToDictionary(t => t.Info.Name, t => t.Info);
        Metadata = metadata;
    }

    public string Path => _file.Path;

    public IReadOnlyDictionary<string, TensorInfo> Tensors { get; }

    public IReadOnlyDictionary<string, string> Metadata { get; }

    public void Read(string name, long byteOffset, Span<byte> destination)
    {
        this.CheckRange(name, byteOffset, destination.Length);
        _file.Read(_positions[name] + byteOffset, destination, name);
    }

    public void Dispose() => _file.Dispose();
}
