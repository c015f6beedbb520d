using System.Diagnostics;
using System.Runtime.ExceptionServices;
using System.Runtime.InteropServices;

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
        PanelGroups = parts.Max(part => part.Kernel.PanelGroups);
        ByteLength = parts.Sum(part => part.Packed.ByteLength);
        _preparations = [.. parts.Select(part => part.Kernel.Preparation).OfType<InputPreparation>().Distinct()];
        PreparedRowBytes = _preparations.Sum(preparation => preparation.RowBytes(columns));
        foreach (Part part in parts)
        {
            part.PreparedBefore = _preparations.TakeWhile(preparation => preparation != part.Kernel.Preparation).Sum(preparation => preparation.RowBytes(columns));
        }
    }

    /// <summary>Fills a row: <paramref name="row"/> is its index, <paramref name="values"/> its columns, zero at the call.</summary>
    public delegate void RowReader(int row, Span<float> values);

    /// <summary>Fills a row with what the kernel of its part packs: floats, or the format's blocks; zero at the call.</summary>
    internal delegate void StoredRowReader(int row, Span<byte> stored);

    /// <summary>How most of the weights are kept.</summary>
    public WeightFormat Format => _parts.MaxBy(part => part.Packed.ByteLength)!.Format;

    /// <summary>Outputs.</summary>
    public int Rows { get; }

    /// <summary>Inputs.</summary>
    public int Columns { get; }

    /// <summary>Groups of 16 interleaved rows, the last one padded with zero rows.</summary>
    public int GroupCount => GroupsOf(Rows);

    /// <summary>Groups of a panel of every part: a product begins with one.</summary>
    internal int PanelGroups { get; }

    /// <summary>Bytes a product streams.</summary>
    public long ByteLength { get; }

    /// <summary>Bytes of a row of inputs after <see cref="PrepareRow"/>; 0: the floats are read as they are.</summary>
    internal int PreparedRowBytes { get; }

    /// <summary>Packs a matrix of a floating-point format from rows of floats. <paramref name="read"/> is called by several threads.</summary>
    internal static WeightMatrix Create(WeightFormat format, int rows, int columns, KernelPath path, RowReader read) =>
        Create([new MatrixPart(format, rows)], columns, path, (row, stored) => read(row, MemoryMarshal.Cast<byte, float>(stored)));

    /// <summary>
    /// Packs a matrix of parts that lie below each other, all but the last of whole panels. <paramref name="read"/> is called by several threads;
    /// they hold a panel of stored rows each.
    /// </summary>
    internal static WeightMatrix Create(IReadOnlyList<MatrixPart> parts, int columns, KernelPath path, StoredRowReader read)
    {
        ArgumentOutOfRangeException.ThrowIfNegativeOrZero(columns);
        int rows = 0;
        var made = new List<Part>();
        try
        {
            foreach ((WeightFormat format, int partRows) in parts)
            {
                ArgumentOutOfRangeException.ThrowIfNegativeOrZero(partRows, nameof(parts));
                MatrixKernel kernel = MatrixKernels.For(format, path);
                if (rows % (kernel.PanelGroups * MatrixKernel.GroupRows) != 0)
                {
                    throw new ArgumentException($"A part begins at row {rows}, inside a panel of {kernel.PanelGroups * MatrixKernel.GroupRows}.", nameof(parts));
                }

                try
                {
                    Fill(Make(kernel), rows, partRows, columns, read);
                }
                catch (HalfRangeException)
                {
                    made[^1].Packed.Dispose();
                    made.RemoveAt(made.Count - 1);
                    Fill(Make(MatrixKernels.ForAnyHalves(path)), rows, partRows, columns, read);
                }

                rows += partRows;

                Part Make(MatrixKernel kernel)
                {
                    var part = new Part(format, kernel, rows / MatrixKernel.GroupRows, GroupsOf(partRows), columns);
                    made.Add(part);
                    return part;
                }
            }

            return new WeightMatrix(rows, columns, [.. made]);
        }
        catch
        {
            made.ForEach(part => part.Packed.Dispose());
            throw;
        }
    }

    private static void Fill(Part part, int firstRow, int rows, int columns, StoredRowReader read)
    {
        int panelRows = part.PanelRows, rowBytes = part.Kernel.StoredRowBytes(columns);
        try
        {
            Parallel.For(
                0, (rows + panelRows - 1) / panelRows, () => new byte[checked(panelRows * rowBytes)],
                (panel, _, stored) =>
                {
                    int first = panel * panelRows, count = Math.Min(panelRows, rows - first);
                    Array.Clear(stored);
                    for (int lane = 0; lane < count; lane++)
                    {
                        read(firstRow + first + lane, stored.AsSpan(lane * rowBytes, rowBytes));
                    }

                    part.Kernel.Pack(stored, columns, part.Group(part.FirstGroup + (first / MatrixKernel.GroupRows)));
                    return stored;
                },
                _ => { });
        }
        catch (AggregateException failures)
        {
            ExceptionDispatchInfo.Throw(failures.InnerExceptions[0]);
        }
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
    internal void PrepareRow(float* input, int row, int rows, byte* prepared) => PrepareColumns(input, 0, Columns, row, rows, prepared);

    /// <summary><see cref="PrepareRow"/> of <paramref name="count"/> columns from <paramref name="firstColumn"/> on, both multiples of 32; <paramref name="input"/> points to the first.</summary>
    internal void PrepareColumns(float* input, int firstColumn, int count, int row, int rows, byte* prepared)
    {
        foreach (InputPreparation preparation in _preparations)
        {
            preparation.Prepare(input, firstColumn, count, Columns, row, rows, prepared);
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

/// <summary>Rows of a matrix that share a format.</summary>
internal readonly record struct MatrixPart(WeightFormat Format, int Rows);
