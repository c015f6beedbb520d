namespace AdaEagle.Formats;

/// <summary>A tensor of a file of torch: its description, the position of its first element in the file, and the view.</summary>
internal sealed record PlacedTensor(TensorInfo Info, long Position, TorchTensor View);

/// <summary>
/// The tensors of a file of <c>torch.save</c>. One that is not row-major in the file (a transposed view, say) is put in order
/// when it is first read, and kept.
/// </summary>
internal sealed class TorchTensorFile : ITensorSource
{
    private static readonly Dictionary<string, string> NoMetadata = [];

    private readonly RandomAccessFile _file;
    private readonly Dictionary<string, PlacedTensor> _placed;
    private readonly Dictionary<string, Lazy<byte[]>> _ordered;

    /// <summary>Takes over the file. The caller has checked all places.</summary>
    public TorchTensorFile(RandomAccessFile file, Dictionary<string, PlacedTensor> tensors)
    {
        _file = file;
        _placed = tensors;
        _ordered = tensors.Where(t => !t.Value.View.IsContiguous).ToDictionary(t => t.Key, t => new Lazy<byte[]>(() => PutInOrder(t.Value)));
        Tensors = tensors.ToDictionary(t => t.Key, t => t.Value.Info);
    }

    public string Path => _file.Path;

    public IReadOnlyDictionary<string, TensorInfo> Tensors { get; }

    public IReadOnlyDictionary<string, string> Metadata => NoMetadata;

    public void Read(string name, long byteOffset, Span<byte> destination)
    {
        this.CheckRange(name, byteOffset, destination.Length);
        if (_ordered.TryGetValue(name, out Lazy<byte[]>? ordered))
        {
            ordered.Value.AsSpan((int)byteOffset, destination.Length).CopyTo(destination);
        }
        else
        {
            _file.Read(_placed[name].Position + byteOffset, destination, name);
        }
    }

    public void Dispose() => _file.Dispose();

    private byte[] PutInOrder(PlacedTensor tensor)
    {
        int size = tensor.Info.Type.ByteSize();
        byte[] stored = new byte[tensor.View.Span * size];
        _file.Read(tensor.Position, stored, tensor.Info.Name);

        byte[] ordered = new byte[tensor.Info.ByteLength];
        long[] shape = tensor.View.Shape;
        long[] strides = tensor.View.Strides;
        long[] index = new long[shape.Length];
        long source = 0;
        for (int target = 0; target < ordered.Length; target += size)
        {
            stored.AsSpan((int)source * size, size).CopyTo(ordered.AsSpan(target));

            // One step of the odometer, last dimension fastest.
            for (int d = shape.Length - 1; d >= 0; d--)
            {
                source += strides[d];
                if (++index[d] < shape[d])
                {
                    break;
                }

                source -= shape[d] * strides[d];
                index[d] = 0;
            }
        }

        return ordered;
    }
}
