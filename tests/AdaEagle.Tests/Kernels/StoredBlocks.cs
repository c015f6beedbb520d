using AdaEagle.Formats;
using AdaEagle.Kernels;

namespace AdaEagle.Tests.Kernels;

/// <summary>Quantised matrices as a file holds them: random codes, scales of choice.</summary>
internal sealed unsafe class StoredBlocks
{
    private readonly byte[] _bytes;
    private readonly int _rowBytes;

    public StoredBlocks(WeightFormat format, byte[] bytes, int columns)
    {
        Format = format;
        Columns = columns;
        _bytes = bytes;
        _rowBytes = (int)Type.RowBytes(columns);
    }

    public static IReadOnlyList<WeightFormat> Formats => WeightFormats.Quantized;

    /// <summary>What the main scale of a block may be.</summary>
    public static IReadOnlyList<Half> Extremes { get; } =
        [default, -default(Half), (Half)1, (Half)(-0.37), Half.Epsilon, (Half)(-6e-8), BitConverter.UInt16BitsToHalf(0x03FF), Half.MaxValue, Half.MinValue];

    public WeightFormat Format { get; }

    public TensorType Type => Enum.Parse<TensorType>(Format.ToString());

    public int Columns { get; }

    public int Rows => _bytes.Length / _rowBytes;

    public static StoredBlocks Random(Random random, WeightFormat format, int rows, int columns, Func<Half>? scale = null)
    {
        TensorType type = Enum.Parse<TensorType>(format.ToString());
        byte[] bytes = new byte[rows * type.RowBytes(columns)];
        random.NextBytes(bytes);
        int[] scales = format switch
        {
            WeightFormat.Q4_K or WeightFormat.Q5_K => [0, 2],
            WeightFormat.Q6_K => [208],
            _ => [0],
        };
        for (int block = 0; block < bytes.Length; block += type.BlockBytes())
        {
            foreach (int at in scales)
            {
                Half value = scale is null ? (Half)(0.02 * (random.NextDouble() - 0.3)) : scale();
                BitConverter.TryWriteBytes(bytes.AsSpan(block + at), value);
            }
        }

        return new StoredBlocks(format, bytes, columns);
    }

    /// <summary>All rows with every code at its largest (or smallest): what comes nearest to overflow.</summary>
    public static StoredBlocks Filled(WeightFormat format, int rows, int columns, byte value)
    {
        StoredBlocks random = Random(new Random(1), format, rows, columns, () => (Half)1);
        for (int block = 0; block < random._bytes.Length; block += random.Type.BlockBytes())
        {
            (int start, int end) = format switch
            {
                WeightFormat.Q4_K or WeightFormat.Q5_K => (4, random.Type.BlockBytes()),
                WeightFormat.Q6_K => (0, 208),
                _ => (2, random.Type.BlockBytes()),
            };
            random._bytes.AsSpan(block + start, end - start).Fill(value);
        }

        return random;
    }

    public WeightMatrix Matrix(KernelPath path) => WeightMatrix.Create(
        [new MatrixPart(Format, Rows)], Columns, path, (row, stored) => _bytes.AsSpan(row * _rowBytes, _rowBytes).CopyTo(stored));

    public ReadOnlySpan<byte> Row(int row) => _bytes.AsSpan(row * _rowBytes, _rowBytes);

    public float[] Values(int row)
    {
        float[] values = new float[Columns];
        FloatConversion.Widen(Type, Row(row), values);
        return values;
    }

    /// <summary>[rows, 16 * groups] outputs of a matrix for rows of inputs, by way of its preparation.</summary>
    public static float[] Multiply(WeightMatrix matrix, float[] inputs, int rows)
    {
        int stride = inputs.Length / rows, width = 16 * matrix.GroupCount;
        using var values = new Floats(inputs);
        using NativeBuffer prepared = values.Prepare(matrix, stride, rows);
        using var outputs = new Floats(rows * width);
        matrix.Multiply(0, matrix.GroupCount, new ProductInput(values.Pointer, stride, rows, prepared.Bytes), outputs.Pointer, width);
        outputs.CheckMargin();
        return outputs.Span.ToArray();
    }
}
