using System.Diagnostics;

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
        int panels = (GroupCount + _kernel.PanelGroups - 1) / _kernel.PanelGroups;
        _packed = new NativeBuffer(checked(_groupBytes * panels * _kernel.PanelGroups), packed: true);
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

    /// <summary>Packs a matrix row by row; a panel of rows at a time is held widened.</summary>
    internal static WeightMatrix Create(WeightFormat format, int rows, int columns, KernelPath path, RowReader read)
    {
        var matrix = new WeightMatrix(format, rows, columns, path);
        int panelRows = matrix.PanelRows;
        float[] values = new float[panelRows * columns];
        for (int first = 0; first < rows; first += panelRows)
        {
            Array.Clear(values);
            for (int lane = 0; lane < Math.Min(panelRows, rows - first); lane++)
            {
                read(first + lane, values.AsSpan(lane * columns, columns));
            }

            matrix._kernel.Pack(values, columns, matrix.Panel(first / panelRows));
        }

        return matrix;
    }

    /// <summary>Widens a row into <paramref name="destination"/> (<see cref="Columns"/> floats).</summary>
    internal void UnpackRow(int row, float* destination)
    {
        ArgumentOutOfRangeException.ThrowIfGreaterThanOrEqual((uint)row, (uint)Rows);
        _kernel.UnpackRow(Panel(row / PanelRows), row % PanelRows, Columns, destination);
    }

    /// <summary>
    /// Multiplies <paramref name="rows"/> rows of inputs with the groups <paramref name="firstGroup"/> …, the first of a panel; writes outputs[r, 16 * firstGroup …].
    /// Strides are in floats; outputs hold whole groups.
    /// </summary>
    internal void Multiply(int firstGroup, int groupCount, float* inputs, nint inputStride, int rows, float* outputs, nint outputStride)
    {
        Debug.Assert(firstGroup % _kernel.PanelGroups == 0, "A product begins with a panel.");
        _kernel.Multiply(
            _packed.Bytes + (firstGroup * _groupBytes), groupCount, Columns, inputs, inputStride, rows,
            outputs + ((nint)firstGroup * MatrixKernel.GroupRows), outputStride);
    }

    /// <inheritdoc/>
    public void Dispose() => _packed.Dispose();

    private int PanelRows => _kernel.PanelGroups * MatrixKernel.GroupRows;

    private byte* Panel(int panel) => _packed.Bytes + (panel * _groupBytes * _kernel.PanelGroups);
}
