using System.Runtime.InteropServices;
using AdaEagle.Formats;

namespace AdaEagle.Tests.Formats;

/// <summary>A checkpoint with every tensor widened to 32-bit floats: what a file of blocks means exactly.</summary>
internal sealed class WidenedSource : ITensorSource
{
    private readonly Dictionary<string, float[]> _values;

    public WidenedSource(ITensorSource source)
    {
        Path = source.Path;
        Metadata = source.Metadata;
        Tensors = source.Tensors.ToDictionary(pair => pair.Key, pair => pair.Value with { Type = TensorType.F32 });
        _values = source.Tensors.Keys.ToDictionary(name => name, name => source.ReadF32(name));
    }

    public string Path { get; }

    public IReadOnlyDictionary<string, TensorInfo> Tensors { get; }

    public IReadOnlyDictionary<string, string> Metadata { get; }

    public void Read(string name, long byteOffset, Span<byte> destination)
    {
        this.CheckRange(name, byteOffset, destination.Length);
        MemoryMarshal.AsBytes(_values[name].AsSpan()).Slice((int)byteOffset, destination.Length).CopyTo(destination);
    }

    public void Dispose()
    {
    }
}
