namespace AdaEagle.Formats;

/// <summary>Reads and writes the safetensors format (huggingface.co/docs/safetensors): 8 bytes header length, JSON header, data.</summary>
public static class SafeTensors
{
    /// <summary>Opens a file, checking the whole header against the format and the file's length.</summary>
    /// <exception cref="ModelFormatException">The file cannot be opened or breaks the format.</exception>
    public static ITensorSource Open(string path) => throw new NotImplementedException();

    /// <summary>Writes a file, atomically: a temporary file beside it is renamed when complete.</summary>
    /// <param name="path">The file; one that exists is replaced.</param>
    /// <param name="tensors">The tensors; stored by descending alignment, then by name.</param>
    /// <param name="metadata">Free text to carry along.</param>
    /// <exception cref="ArgumentException">A name occurs twice or is reserved, or bytes and shape do not agree.</exception>
    public static void Write(string path, IEnumerable<TensorData> tensors, IReadOnlyDictionary<string, string>? metadata = null) => throw new NotImplementedException();
}
