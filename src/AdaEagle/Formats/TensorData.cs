namespace AdaEagle.Formats;

/// <summary>A tensor to be written.</summary>
/// <param name="Name">Its name.</param>
/// <param name="Type">Its number format.</param>
/// <param name="Shape">Dimensions, slowest first.</param>
/// <param name="Bytes">The elements, row-major, little endian.</param>
public sealed record TensorData(string Name, TensorType Type, IReadOnlyList<long> Shape, ReadOnlyMemory<byte> Bytes)
{
    /// <summary>A tensor from floats, rounded to the nearest (ties to even) where the format is narrower.</summary>
    /// <param name="name">Its name.</param>
    /// <param name="shape">Dimensions, slowest first.</param>
    /// <param name="values">The elements, row-major.</param>
    /// <param name="storeAs">F32, F16, BF16, F64 or a block format.</param>
    /// <exception cref="ArgumentException">The shape does not have that many elements, the format holds no floats, or a row is no whole number of blocks.</exception>
    public static TensorData FromF32(string name, IReadOnlyList<long> shape, float[] values, TensorType storeAs)
    {
        if (!FloatConversion.IsFloat(storeAs))
        {
            throw new ArgumentException($"{storeAs} holds no floats: tensor '{name}' can be stored as F32, F16, BF16, F64 or a block format.", nameof(storeAs));
        }

        TensorInfo info = new(name, storeAs, shape);
        if (shape.Any(d => d < 0) || info.ElementCount != values.Length)
        {
            throw new ArgumentException($"Tensor '{name}' of shape {info.ShapeText} cannot have {values.Length} elements.", nameof(shape));
        }

        byte[] bytes = new byte[info.ByteLength];
        FloatConversion.Narrow(storeAs, values, bytes);
        return new TensorData(name, storeAs, shape, bytes);
    }
}
