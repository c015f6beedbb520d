namespace AdaEagle.Kernels;

/// <summary>
/// A matrix of weights, [rows = outputs, columns = inputs], packed for the kernel of its format. Immutable once filled; shared by all sessions.
/// </summary>
public sealed unsafe class WeightMatrix : IDisposable
{
    private readonly MatrixKernel _kernel;
    private readonly NativeBuffer _packed;
    private readonly long _groupBytes;

    /// <summary>Makes an all-zero matrix.</summary>
    internal WeightMatrix(WeightFormat format, int rows, int columns, KernelPath path)
    {
        ArgumentOutOfRangeException.ThrowIfNegativeOrZero(rows);
        ArgumentOutOfRangeException.ThrowIfNegativeOrZero(columns);
        Format = format;
        Rows = rows;
        Columns = columns;
        _kernel = MatrixKernels.For(format, path);
        _groupBytes = _kernel.GroupBytes(columns);
        _packed = new NativeBuffer(checked(_groupBytes * GroupCount));
    }

    /// <summary>Fills a row: <paramref name="row"/> is its index, <paramref name="values"/> its columns, zero at the call.</summary>
    public delegate void RowReader(int row, Span<float> values);

    /// <summary>How the weights are kept.</summary>
    public WeightFormat Format { get; }

    /// <summary>Outputs.</summary>
    public int Rows { get; }

    /// <summary>Inputs.</summary>
    public int Columns { get; }

    /// <summary>Groups of 16 interleaved rows, the last one padded with zero rows.</summary>
    public int GroupCount => (Rows + MatrixKernel.GroupRows - 1) / MatrixKernel.GroupRows;

    /// <summary>Bytes a product streams.</summary>
    public long ByteLength => _packed.ByteLength;

    /// <summary>Packs a matrix row by row; sixteen rows at a time are held widened.</summary>
    internal static WeightMatrix Create(WeightFormat format, int rows, int columns, KernelPath path, RowReader read)
    {
        var matrix = new WeightMatrix(format, rows, columns, path);
        float[] sixteen = new float[MatrixKernel.GroupRows * columns];
        for (int group = 0; group < matrix.GroupCount; group++)
        {
            Array.Clear(sixteen);
            for (int lane = 0; lane < MatrixKernel.GroupRows; lane++)
            {
                int row = (group * MatrixKernel.GroupRows) + lane;
                if (row < rows)
                {
                    read(row, sixteen.AsSpan(lane * columns, columns));
                }
            }

            matrix._kernel.Pack(sixteen, columns, matrix._packed.Bytes + (group * matrix._groupBytes));
        }

        return matrix;
    }

    /// <summary>Widens a row into <paramref name="destination"/> (<see cref="Columns"/> floats).</summary>
    internal void UnpackRow(int row, float* destination)
    {
        ArgumentOutOfRangeException.ThrowIfGreaterThanOrEqual((uint)row, (uint)Rows);
        _kernel.UnpackRow(_packed.Bytes + (row / MatrixKernel.GroupRows * _groupBytes), row % MatrixKernel.GroupRows, Columns, destination);
    }

    /// <summary>
    /// Multiplies <paramref name="rows"/> rows of inputs with the groups <paramref name="firstGroup"/> …; writes outputs[r, 16 * firstGroup …].
    /// Strides are in floats; outputs hold whole groups.
    /// </summary>
    internal void Multiply(int firstGroup, int groupCount, float* inputs, nint inputStride, int rows, float* outputs, nint outputStride) =>
        _kernel.Multiply(
            _packed.Bytes + (firstGroup * _groupBytes), groupCount, Columns, inputs, inputStride, rows,
            outputs + ((nint)firstGroup * MatrixKernel.GroupRows), outputStride);

    /// <inheritdoc/>
    public void Dispose() => _packed.Dispose();
}
