namespace AdaEagle.Formats;

/// <summary>
/// Number formats of stored tensors, little endian. Plain formats are named as in safetensors; the formats whose elements share a scale
/// in blocks are named as in ggml, from whose format definitions (ggml-common.h) their layouts are.
/// </summary>
[System.Diagnostics.CodeAnalysis.SuppressMessage("Naming", "CA1707", Justification = "The field's names: Q4_K, not Q4K.")]
public enum TensorType
{
    /// <summary>IEEE 754 binary32.</summary>
    F32,

    /// <summary>IEEE 754 binary16.</summary>
    F16,

    /// <summary>bfloat16: the upper half of a binary32.</summary>
    BF16,

    /// <summary>IEEE 754 binary64.</summary>
    F64,

    /// <summary>Signed, 64 bits.</summary>
    I64,

    /// <summary>Signed, 32 bits.</summary>
    I32,

    /// <summary>Signed, 16 bits.</summary>
    I16,

    /// <summary>Signed, 8 bits.</summary>
    I8,

    /// <summary>Unsigned, 8 bits.</summary>
    U8,

    /// <summary>One byte, 0 or 1.</summary>
    Bool,

    /// <summary>Blocks of 32: a scale, codes of 4 bits.</summary>
    Q4_0,

    /// <summary>Blocks of 32: a scale and a minimum, codes of 4 bits.</summary>
    Q4_1,

    /// <summary>Blocks of 32: a scale, codes of 5 bits.</summary>
    Q5_0,

    /// <summary>Blocks of 32: a scale and a minimum, codes of 5 bits.</summary>
    Q5_1,

    /// <summary>Blocks of 32: a scale, codes of 8 bits.</summary>
    Q8_0,

    /// <summary>Blocks of 256, sixteen to a 4-bit scale and minimum, codes of 2 bits.</summary>
    Q2_K,

    /// <summary>Blocks of 256, sixteen to a 6-bit scale, codes of 3 bits.</summary>
    Q3_K,

    /// <summary>Blocks of 256, thirty-two to a 6-bit scale and minimum, codes of 4 bits.</summary>
    Q4_K,

    /// <summary>Blocks of 256, thirty-two to a 6-bit scale and minimum, codes of 5 bits.</summary>
    Q5_K,

    /// <summary>Blocks of 256, sixteen to an 8-bit scale, codes of 6 bits.</summary>
    Q6_K,

    /// <summary>Blocks of 32: a scale, codes of 4 bits that index an uneven table.</summary>
    IQ4_NL,

    /// <summary>Blocks of 256, thirty-two to a 6-bit scale, codes of 4 bits that index an uneven table.</summary>
    IQ4_XS,

    /// <summary>Blocks of 32: a power of two as scale, codes of 4 bits (OCP microscaling format E2M1).</summary>
    MXFP4,
}

/// <summary>Sizes of the number formats.</summary>
public static class TensorTypeExtensions
{
    /// <summary>Elements that are stored together; 1 for the plain formats. A row holds whole blocks.</summary>
    public static int BlockLength(this TensorType type) => type switch
    {
        TensorType.Q4_0 or TensorType.Q4_1 or TensorType.Q5_0 or TensorType.Q5_1 or TensorType.Q8_0 or TensorType.IQ4_NL or TensorType.MXFP4 => 32,
        TensorType.Q2_K or TensorType.Q3_K or TensorType.Q4_K or TensorType.Q5_K or TensorType.Q6_K or TensorType.IQ4_XS => 256,
        _ => 1,
    };

    /// <summary>Bytes of one block; of one element for the plain formats.</summary>
    public static int BlockBytes(this TensorType type) => type switch
    {
        TensorType.Q4_0 or TensorType.IQ4_NL => 18,
        TensorType.Q4_1 => 20,
        TensorType.Q5_0 => 22,
        TensorType.Q5_1 => 24,
        TensorType.Q8_0 => 34,
        TensorType.MXFP4 => 17,
        TensorType.Q2_K => 84,
        TensorType.Q3_K => 110,
        TensorType.Q4_K => 144,
        TensorType.Q5_K => 176,
        TensorType.Q6_K => 210,
        TensorType.IQ4_XS => 136,
        _ => type.ByteSize(),
    };

    /// <summary>True for the formats whose elements share scales in blocks.</summary>
    public static bool IsBlock(this TensorType type) => type.BlockLength() > 1;

    /// <summary>Bytes of a row of that many elements.</summary>
    /// <exception cref="ArgumentException">They are no whole number of blocks.</exception>
    /// <exception cref="OverflowException">The number of bytes does not fit.</exception>
    public static long RowBytes(this TensorType type, long elements) => elements % type.BlockLength() == 0
        ? checked(elements / type.BlockLength() * type.BlockBytes())
        : throw new ArgumentException($"A row of {elements} elements is no whole number of {type} blocks of {type.BlockLength()}.", nameof(elements));

    /// <summary>Bytes of one element of a plain format.</summary>
    /// <exception cref="ArgumentOutOfRangeException">The format is made of blocks: ask for <see cref="RowBytes"/>.</exception>
    public static int ByteSize(this TensorType type) => type switch
    {
        TensorType.F64 or TensorType.I64 => 8,
        TensorType.F32 or TensorType.I32 => 4,
        TensorType.F16 or TensorType.BF16 or TensorType.I16 => 2,
        TensorType.I8 or TensorType.U8 or TensorType.Bool => 1,
        _ => throw new ArgumentOutOfRangeException(nameof(type), type, "No plain number format: elements have no size of their own."),
    };
}

/// <summary>Name, number format and shape of a stored tensor.</summary>
/// <param name="Name">The name in the checkpoint.</param>
/// <param name="Type">The number format.</param>
/// <param name="Shape">Dimensions, slowest first (row-major); empty for a scalar.</param>
public sealed record TensorInfo(string Name, TensorType Type, IReadOnlyList<long> Shape)
{
    /// <summary>Number of elements: the product of the dimensions, 1 for a scalar.</summary>
    /// <exception cref="OverflowException">The product does not fit; readers refuse such a tensor when opening.</exception>
    public long ElementCount
    {
        get
        {
            long count = 1;
            foreach (long dimension in Shape)
            {
                count = checked(count * dimension);
            }

            return count;
        }
    }

    /// <summary>Number of bytes of the elements.</summary>
    /// <exception cref="OverflowException">As for <see cref="ElementCount"/>.</exception>
    /// <exception cref="ArgumentException">A row is no whole number of blocks; readers refuse such a tensor when opening.</exception>
    public long ByteLength
    {
        get
        {
            if (!Type.IsBlock())
            {
                return checked(ElementCount * Type.ByteSize());
            }

            long bytes = Type.RowBytes(Shape.Count == 0 ? 1 : Shape[^1]);
            for (int i = 0; i < Shape.Count - 1; i++)
            {
                bytes = checked(bytes * Shape[i]);
            }

            return bytes;
        }
    }

    /// <summary>The shape as text, such as <c>[4096, 1024]</c>.</summary>
    public string ShapeText => Describe(Shape);

    internal static string Describe(IEnumerable<long> shape) => $"[{string.Join(", ", shape)}]";
}
