namespace AdaEagle.Formats;

/// <summary>A storage that a pickle of torch names: an array of elements in an entry of its own.</summary>
/// <param name="Type">Of the elements.</param>
/// <param name="Key">Name of the entry under <c>data/</c>.</param>
/// <param name="Count">Number of elements; not negative.</param>
internal sealed record TorchStorage(TensorType Type, string Key, long Count);

/// <summary>A tensor as a view of a storage.</summary>
/// <param name="Storage">What it looks at.</param>
/// <param name="Offset">Of its first element, in elements.</param>
/// <param name="Shape">Dimensions, slowest first.</param>
/// <param name="Strides">Distance of neighbours along each dimension, in elements.</param>
/// <remarks>Offset, dimensions and strides are not negative, and the last element lies in the storage.</remarks>
internal sealed record TorchTensor(TorchStorage Storage, long Offset, long[] Shape, long[] Strides)
{
    /// <summary>True if the elements lie one after the other in row-major order.</summary>
    public bool IsContiguous
    {
        get
        {
            long expected = 1;
            for (int i = Shape.Length - 1; i >= 0; i--)
            {
                if (Shape[i] != 1 && Strides[i] != expected)
                {
                    return Shape.Contains(0);
                }

                expected *= Shape[i];
            }

            return true;
        }
    }

    /// <summary>Elements of the storage from the first that is looked at to the last, both included.</summary>
    public long Span => Shape.Contains(0) ? 0 : 1 + Shape.Zip(Strides, (d, s) => (d - 1) * s).Sum();
}

/// <summary>
/// The few names that pickles of state dicts call (torch/_utils.py, torch/_tensor.py, torch/serialization.py), and what their results are as data.
/// </summary>
internal sealed class TorchObjects(string file)
{
    private const int MaxRank = 64;
    private const int MaxKeyLength = 256;
    private const string Remedy = "Save the model's state_dict as safetensors";

    private static readonly PickleGlobal RebuildTensor = new("torch._utils", "_rebuild_tensor_v2");
    private static readonly PickleGlobal RebuildParameter = new("torch._utils", "_rebuild_parameter");
    private static readonly PickleGlobal RebuildFromType = new("torch._tensor", "_rebuild_from_type_v2");
    private static readonly PickleGlobal OrderedDict = new("collections", "OrderedDict");

    /// <summary>A persistent id: <c>('storage', class, key, device, number of elements)</c>.</summary>
    public object? Load(object? id)
    {
        if (id is not PickleTuple { Items: ["storage", PickleGlobal kind, string key, string, long count] } || count < 0 || key.Length > MaxKeyLength)
        {
            throw Fault("a persistent id is not that of a storage");
        }

        TensorType type = StorageType(kind) ?? throw Fault($"the storage class {kind} is not supported");
        return new TorchStorage(type, key, count);
    }

    /// <summary>A call: a tensor, a dict, or a foreign object that only has a name.</summary>
    public object? Call(PickleGlobal function, object?[] arguments)
    {
        if (function == RebuildFromType)
        {
            // (function, type, its arguments, state): a tensor with attributes. The function may not be this one again: nothing recurses.
            return arguments is [PickleGlobal inner, PickleGlobal, PickleTuple innerArguments, _] && (inner == RebuildTensor || inner == RebuildParameter)
                ? Call(inner, innerArguments.Items)
                : throw Fault($"arguments of {function} that are not known");
        }

        if (function == RebuildTensor)
        {
            return arguments is [TorchStorage storage, long offset, PickleTuple shape, PickleTuple strides, ..] && arguments.Length is 6 or 7
                ? Tensor(storage, offset, Numbers(shape), Numbers(strides))
                : throw Fault($"arguments of {function} that are not known");
        }

        if (function == RebuildParameter)
        {
            return arguments is [TorchTensor tensor, ..] ? tensor : throw Fault($"arguments of {function} that are not known");
        }

        if (function == OrderedDict)
        {
            // Made empty, then filled. (From a list of pairs, as Python 2 did, a small file could ask for the same long list again and again.)
            return arguments.Length == 0 ? new PickleDict([]) : throw Fault($"arguments of {function} that are not known");
        }

        return new PickleForeign(function);
    }

    private TorchTensor Tensor(TorchStorage storage, long offset, long[] shape, long[] strides)
    {
        if (shape.Length != strides.Length || shape.Length > MaxRank || offset < 0)
        {
            throw Fault($"a tensor of shape {TensorInfo.Describe(shape)} has strides {TensorInfo.Describe(strides)} and offset {offset}");
        }

        TorchTensor tensor = new(storage, offset, shape, strides);
        try
        {
            // The sum of all in checked arithmetic, so that no later product can overflow.
            long end = offset;
            long elements = storage.Type.ByteSize();
            for (int i = 0; i < shape.Length; i++)
            {
                elements = checked(elements * shape[i]);
                end = checked(end + (Math.Max(shape[i] - 1, 0) * strides[i]));
            }

            long last = shape.Contains(0) ? offset - 1 : end;
            if (last >= storage.Count)
            {
                throw Fault($"a tensor of shape {TensorInfo.Describe(shape)} goes beyond its storage '{storage.Key}' of {storage.Count} elements");
            }
        }
        catch (OverflowException e)
        {
            throw new ModelFormatException(file, null, $"a tensor of shape {TensorInfo.Describe(shape)} is too large", Remedy, e);
        }

        return tensor;
    }

    private long[] Numbers(PickleTuple tuple) => [.. tuple.Items.Select(i => i is long number && number >= 0
        ? number
        : throw Fault("a shape or stride is not a whole number from 0 on"))];

    private static TensorType? StorageType(PickleGlobal kind) => kind.Module != "torch" ? null : kind.Name switch
    {
        "FloatStorage" => TensorType.F32,
        "HalfStorage" => TensorType.F16,
        "BFloat16Storage" => TensorType.BF16,
        "DoubleStorage" => TensorType.F64,
        "LongStorage" => TensorType.I64,
        "IntStorage" => TensorType.I32,
        "ShortStorage" => TensorType.I16,
        "CharStorage" => TensorType.I8,
        "ByteStorage" => TensorType.U8,
        "BoolStorage" => TensorType.Bool,
        _ => null,
    };

    private ModelFormatException Fault(string problem) => new(file, null, problem, Remedy);
}
