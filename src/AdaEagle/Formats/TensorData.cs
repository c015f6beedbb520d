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
    /// <param name="storeAs">F32, F16, BF16 or F64.</param>
    /// <exception cref="ArgumentException">The shape does not have that many elements, or the format holds no floats.</exception>
    public static TensorData FromF32(string name, IReadOnlyList<long> shape, float[] values, TensorType storeAs) => throw new NotImplementedException();
}
