using System.Diagnostics;

namespace AdaEagle.Kernels;

/// <summary>
/// A matrix of weights, [rows = outputs, columns = inputs], packed for the kernel of its format. Immutable once filled; shared by all sessions.
/// It may be of several formats, one below the other: files mix them, and products that read the same input are one matrix.
/// </summary>
public sealed unsafe class WeightMatrix : IDisposable
{
    private readonly Part[] _parts;
    private readonly InputPreparation[] _preparations;

    private WeightMatrix(int rows, int columns, Part[] parts)
    {
        Rows = rows;
        Columns = columns;
        _parts = parts;
        _preparations = [.. parts.Select(part => part.Kernel.Preparation).OfType<InputPreparation>().Distinct()];
        PreparedRowBytes = _preparations.Sum(preparation => preparation.RowBytes(columns));
        foreach (Part part in parts)
        {
            part.PreparedBefore = _preparations.TakeWhile(preparation => preparation != part.Kernel.Preparation).Sum(preparation => preparation.RowBytes(columns));
        }
    }

    /// <summary>Fills a row: <paramref name="row"/> is its index, <paramref name="values"/> its columns, zero at the call.</summary>
    public delegate void RowReader(int row, Span<float> values);

    /// <summary>How most of the weights are kept.</summary>
    public WeightFormat Format => _parts.MaxBy(part => part.Packed.ByteLength)!.Format;

    /// <summary>Outputs.</summary>
    public int Rows { get; }

    /// <summary>Inputs.</summary>
    public int Columns { get; }

    /// <summary>Groups of 16 interleaved rows, the last one padded with zero rows.</summary>
    public int GroupCount => GroupsOf(Rows);

    /// <summary>Bytes a product streams.</summary>
    public long ByteLength => _parts.Sum(part => part.Packed.ByteLength);

    /// <summary>Bytes of a row of inputs after <see cref="PrepareRow"/>; 0: the floats are read as they are.</summary>
    internal int PreparedRowBytes { get; }

    /// <summary>Packs a matrix row by row; a panel of rows at a time is held widened.</summary>
    internal static WeightMatrix Create(WeightFormat format, int rows, int columns, KernelPath path, RowReader read)
    {
        ArgumentOutOfRangeException.ThrowIfNegativeOrZero(rows);
        ArgumentOutOfRangeException.ThrowIfNegativeOrZero(columns);
        var part = new Part(format, MatrixKernels.For(format, path), 0, GroupsOf(rows), columns);
        float[] values = new float[part.PanelRows * columns];
        for (int first = 0; first < rows; first += part.PanelRows)
        {
            Array.Clear(values);
            for (int lane = 0; lane < Math.Min(part.PanelRows, rows - first); lane++)
            {
                read(first + lane, values.AsSpan(lane * columns, columns));
            }

            part.Kernel.Pack(values, columns, part.Group(first / MatrixKernel.GroupRows));
        }

        return new WeightMatrix(rows, columns, [part]);
    }

    /// <summary>Widens a row into <paramref name="destination"/> (<see cref="Columns"/> floats).</summary>
    internal void UnpackRow(int row, float* destination)
    {
        ArgumentOutOfRangeException.ThrowIfGreaterThanOrEqual((uint)row, (uint)Rows);
        int index = 0;
        while (row >= _parts[index].EndGroup * MatrixKernel.GroupRows)
        {
            index++;
        }

        Part part = _parts[index];
        int inPart = row - (part.FirstGroup * MatrixKernel.GroupRows), lane = inPart % part.PanelRows;
        part.Kernel.UnpackRow(part.Group((row - lane) / MatrixKernel.GroupRows), lane, Columns, destination);
    }

    /// <summary>
    /// Makes of row <paramref name="row"/> of <paramref name="rows"/> what the product reads; <paramref name="prepared"/> is the memory of all rows,
    /// <see cref="PreparedRowBytes"/> for each.
    /// </summary>
    internal void PrepareRow(float* input, int row, int rows, byte* prepared)
    {
        foreach (InputPreparation preparation in _preparations)
        {
            preparation.Prepare(input, Columns, row, rows, prepared);
            prepared += (nint)rows * preparation.RowBytes(Columns);
        }
    }

    /// <summary>
    /// Multiplies rows of inputs with the groups <paramref name="firstGroup"/> …, the first of a panel; writes outputs[r, 16 * firstGroup …].
    /// The stride is in floats; outputs hold whole groups.
    /// </summary>
    internal void Multiply(int firstGroup, int groupCount, ProductInput input, float* outputs, nint outputStride)
    {
        foreach (Part part in _parts)
        {
            int first = Math.Max(firstGroup, part.FirstGroup), end = Math.Min(firstGroup + groupCount, part.EndGroup);
            if (first < end)
            {
                Debug.Assert((first - part.FirstGroup) % part.Kernel.PanelGroups == 0, "A product begins with a panel.");
                var own = new ProductInput(input.Floats, input.Stride, input.Rows, input.Prepared + ((nint)input.Rows * part.PreparedBefore));
                part.Kernel.Multiply(part.Group(first), end - first, Columns, own, outputs + ((nint)first * MatrixKernel.GroupRows), outputStride);
            }
        }
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        foreach (Part part in _parts)
        {
            part.Packed.Dispose();
        }
    }

    private static int GroupsOf(int rows) => (rows + MatrixKernel.GroupRows - 1) / MatrixKernel.GroupRows;

    /// <summary>Groups of one format.</summary>
    private sealed class Part(WeightFormat format, MatrixKernel kernel, int firstGroup, int groupCount, int columns)
    {
        private readonly long _groupBytes = kernel.GroupBytes(columns);

        public WeightFormat Format => format;

        public MatrixKernel Kernel => kernel;

        public int FirstGroup => firstGroup;

        public int EndGroup => firstGroup + groupCount;

        public int PanelRows => kernel.PanelGroups * MatrixKernel.GroupRows;

        public NativeBuffer Packed { get; } =
            new(checked(kernel.GroupBytes(columns) * ((groupCount + kernel.PanelGroups - 1) / kernel.PanelGroups * kernel.PanelGroups)), packed: true);

        /// <summary>Bytes of a row's preparations for other parts, which lie before this part's.</summary>
        public int PreparedBefore { get; set; }

        public byte* Group(int group) => Packed.Bytes + ((group - firstGroup) * _groupBytes);
    }
}
