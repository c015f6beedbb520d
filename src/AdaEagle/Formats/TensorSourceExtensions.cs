namespace AdaEagle.Formats;

/// <summary>Reading whole tensors as numbers.</summary>
public static class TensorSourceExtensions
{
    /// <summary>Reads a whole tensor as 32-bit floats, widening F16 and BF16 and rounding F64.</summary>
    /// <param name="source">The checkpoint.</param>
    /// <param name="name">The tensor.</param>
    /// <param name="expectedShape">The shape it must have; none given: any shape.</param>
    /// <returns>The elements, row-major.</returns>
    /// <exception cref="ModelFormatException">There is no such tensor, its shape differs, or it holds no floating-point numbers.</exception>
    public static float[] ReadF32(this ITensorSource source, string name, params long[] expectedShape) => throw new NotImplementedException();
}
