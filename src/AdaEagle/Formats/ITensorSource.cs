namespace AdaEagle.Formats;

/// <summary>
/// The named tensors of a checkpoint. Names, types, shapes and places were checked against the files when it was opened;
/// the numbers are read on demand.
/// </summary>
public interface ITensorSource : IDisposable
{
    /// <summary>The file or folder that was opened, for messages.</summary>
    string Path { get; }

    /// <summary>The tensors by name.</summary>
    IReadOnlyDictionary<string, TensorInfo> Tensors { get; }

    /// <summary>Free text that the file carries beside the tensors; empty if none.</summary>
    IReadOnlyDictionary<string, string> Metadata { get; }

    /// <summary>Reads bytes of one tensor (row-major, little endian). May be called from several threads at once.</summary>
    /// <param name="name">The tensor.</param>
    /// <param name="byteOffset">Where to begin, in bytes from the tensor's first.</param>
    /// <param name="destination">Filled entirely.</param>
    /// <exception cref="ModelFormatException">There is no such tensor, it does not have these bytes, or reading failed.</exception>
    void Read(string name, long byteOffset, Span<byte> destination);
}
