using System.Buffers;
using System.Runtime.InteropServices;
using AdaEagle.Formats;
using AdaEagle.Kernels;

namespace AdaEagle.Models;

/// <summary>Which number format the weights are kept in.</summary>
public enum WeightChoice
{
    /// <summary>What decodes faster: the format of the file, the narrower the better.</summary>
    Auto,

    /// <summary>Widened to 32-bit floats.</summary>
    F32,

    /// <summary>bfloat16; only for files that hold it, since a number is never cut.</summary>
    BF16,
}

/// <summary>
/// Reads tensors of a checkpoint into packed matrices and padded vectors, and says what is missing or misshapen. Matrices are packed one after the other, by
/// all processors, straight from the file: what is held besides is a panel of rows for each.
/// </summary>
/// <remarks>
/// A tensor is kept in its file's format where there is a kernel for it. Q5_0 and IQ4_NL are kept as Q8_0, which holds them exactly; the other block formats are
/// rounded to Q8_0, or widened to F32 on the reference path. Tensors of one matrix that are of several formats become parts of it, each in its own, where they
/// fill whole panels of rows, and are widened to F32 where not. <paramref name="quantize"/> asks for one format for all matrices; where its blocks don't fill a row,
/// Q8_0 or F16 takes its place. What is not as the file has it is said once, in <see cref="Notes"/>.
/// </remarks>
internal sealed class WeightLoader(ITensorSource source, WeightChoice choice, KernelPath path, WeightFormat? quantize = null)
{
    private readonly HashSet<string> _used = [];
    private readonly Dictionary<string, int> _notes = [];

    public ITensorSource Source => source;

    public KernelPath Path => path;

    /// <summary>What is kept otherwise than the file has it, or than was asked for.</summary>
    public IReadOnlyList<string> Notes => [.. _notes.Select(note => $"{note.Value} {(note.Value == 1 ? "tensor" : "tensors")} {note.Key}")];

    public bool Has(string name) => source.Tensors.ContainsKey(name);

    /// <summary>Packs the rows of several tensors of <paramref name="columns"/> columns on top of each other.</summary>
    public WeightMatrix Matrix(int columns, params (string Name, int Rows)[] parts) => Stacked(columns, quantize, parts);

    /// <summary>A matrix whose rows are only looked up, such as an embedding: it is not quantised.</summary>
    public WeightMatrix Table(int columns, string name, int rows) => Stacked(columns, null, (name, rows));

    /// <summary>Packs two tensors of equal shape in alternating groups of sixteen rows, each padded with zero rows: gate and up of SwiGLU.</summary>
    public WeightMatrix AlternatingMatrix(int columns, string first, string second, int rows)
    {
        RowSource[] sources = [new(this, first, rows, columns, quantize), new(this, second, rows, columns, quantize)];
        int blocks = (rows + MatrixKernel.GroupRows - 1) / MatrixKernel.GroupRows;
        MatrixPart[] parts = [new(sources[0].Format, 2 * blocks * MatrixKernel.GroupRows)];
        if (sources[0].Format != sources[1].Format)
        {
            parts = [.. Enumerable.Range(0, 2 * blocks).Select(group => new MatrixPart(sources[group % 2].Format, MatrixKernel.GroupRows))];
            parts = WholePanels(parts) ? parts : Widened(sources, 2 * blocks * MatrixKernel.GroupRows);
        }

        return WeightMatrix.Create(parts, columns, path, (row, stored) =>
        {
            (int group, int lane) = (row / MatrixKernel.GroupRows, row % MatrixKernel.GroupRows);
            int sourceRow = (group / 2 * MatrixKernel.GroupRows) + lane;
            if (sourceRow < rows)
            {
                sources[group % 2].Read(sourceRow, stored);
            }
        });
    }

    /// <summary>A vector, padded with zeros to whole vectors of sixteen; several tensors follow each other.</summary>
    public NativeBuffer Vector(params (string Name, int Length)[] parts)
    {
        float[] values = [.. parts.SelectMany(part => Values(part.Name, part.Length))];
        return Padded(values);
    }

    /// <summary>A vector of whole numbers, stored with 64 or 32 bits: a table of tokens.</summary>
    public long[] Integers(string name, int length)
    {
        _used.Add(name);
        TensorInfo info = source.Require(name, [length]);
        int size = info.Type switch
        {
            TensorType.I64 => sizeof(long),
            TensorType.I32 => sizeof(int),
            _ => throw new ModelFormatException(source.Path, name, $"the elements are {info.Type}, not whole numbers", "Supported are I64 and I32"),
        };
        byte[] bytes = new byte[checked(length * size)];
        source.Read(name, 0, bytes);
        return size == sizeof(long)
            ? MemoryMarshal.Cast<byte, long>(bytes).ToArray()
            : Array.ConvertAll(MemoryMarshal.Cast<byte, int>(bytes).ToArray(), value => (long)value);
    }

    /// <summary>Two vectors in the order of <see cref="AlternatingMatrix"/>.</summary>
    public NativeBuffer AlternatingVector(string first, string second, int length)
    {
        float[][] sources = [Values(first, length), Values(second, length)];
        int blocks = (length + MatrixKernel.GroupRows - 1) / MatrixKernel.GroupRows;
        float[] values = new float[2 * blocks * MatrixKernel.GroupRows];
        for (int i = 0; i < length; i++)
        {
            for (int which = 0; which < 2; which++)
            {
                values[(((2 * (i / MatrixKernel.GroupRows)) + which) * MatrixKernel.GroupRows) + (i % MatrixKernel.GroupRows)] = sources[which][i];
            }
        }

        return Padded(values);
    }

    /// <summary>Throws if the file holds tensors that nothing has asked for: they would change the function of the model.</summary>
    public void RequireAllUsed(Func<string, bool> mayBeLeft)
    {
        string[] left = [.. source.Tensors.Keys.Where(name => !_used.Contains(name) && !mayBeLeft(name)).Order(StringComparer.Ordinal)];
        if (left.Length > 0)
        {
            throw new ModelFormatException(
                source.Path, left[0], $"{left.Length} tensors belong to no part of this architecture", "the checkpoint is of another kind than its config.json says");
        }
    }

    /// <summary>A copy of a matrix in a format of blocks; the matrix itself where it is of that format, or where blocks don't fill its rows.</summary>
    public static unsafe WeightMatrix Quantized(WeightMatrix matrix, WeightFormat format, KernelPath path)
    {
        TensorType type = StoredAs(format);
        if (matrix.Format == format || matrix.Columns % type.BlockLength() != 0)
        {
            return matrix;
        }

        return WeightMatrix.Create([new MatrixPart(format, matrix.Rows)], matrix.Columns, path, (row, stored) =>
        {
            float[] values = ArrayPool<float>.Shared.Rent(matrix.Columns);
            fixed (float* to = values)
            {
                matrix.UnpackRow(row, to);
            }

            FloatConversion.Narrow(type, values.AsSpan(0, matrix.Columns), stored);
            ArrayPool<float>.Shared.Return(values);
        });
    }

    internal void MarkUsed(string name) => _used.Add(name);

    private static unsafe NativeBuffer Padded(float[] values)
    {
        var buffer = NativeBuffer.OfFloats((values.Length + 15) & ~15);
        values.CopyTo(new Span<float>(buffer.Floats, values.Length));
        return buffer;
    }

    private float[] Values(string name, int length)
    {
        _used.Add(name);
        float[] values = source.ReadF32(name, length);
        return Array.TrueForAll(values, float.IsFinite) ? values : throw NotFinite(name, null);
    }

    private ModelFormatException NotFinite(string name, int? row) =>
        new(source.Path, name, $"{(row is { } at ? $"row {at}" : "it")} holds a number that is not finite", "the checkpoint is damaged");

    private WeightMatrix Stacked(int columns, WeightFormat? wanted, params (string Name, int Rows)[] tensors)
    {
        RowSource[] sources = [.. tensors.Select(tensor => new RowSource(this, tensor.Name, tensor.Rows, columns, wanted))];
        var parts = new List<MatrixPart>();
        foreach ((RowSource tensor, int rows) in sources.Zip(tensors, (tensor, named) => (tensor, named.Rows)))
        {
            if (parts.Count > 0 && parts[^1].Format == tensor.Format)
            {
                parts[^1] = new MatrixPart(tensor.Format, parts[^1].Rows + rows);
            }
            else
            {
                parts.Add(new MatrixPart(tensor.Format, rows));
            }
        }

        return WeightMatrix.Create(WholePanels(parts) ? parts : Widened(sources, tensors.Sum(tensor => tensor.Rows)), columns, path, (row, stored) =>
        {
            int index = 0;
            while (row >= tensors[index].Rows)
            {
                row -= tensors[index++].Rows;
            }

            sources[index].Read(row, stored);
        });
    }

    private bool WholePanels(IReadOnlyList<MatrixPart> parts)
    {
        int row = 0;
        foreach (MatrixPart part in parts)
        {
            if (row % (MatrixKernels.For(part.Format, path).PanelGroups * MatrixKernel.GroupRows) != 0)
            {
                return false;
            }

            row += part.Rows;
        }

        return true;
    }

    private MatrixPart[] Widened(RowSource[] sources, int rows)
    {
        foreach (RowSource tensor in sources)
        {
            tensor.Format = WeightFormat.F32;
            Note($"of one matrix are of several formats and fill no whole panels of rows: kept in F32");
        }

        return [new MatrixPart(WeightFormat.F32, rows)];
    }

    private void Note(string text) => _notes[text] = _notes.GetValueOrDefault(text) + 1;

    private WeightFormat FormatOf(string name, TensorType type, int columns, WeightFormat? wanted)
    {
        if (wanted is { } format)
        {
            return Fitting(type, columns, format);
        }

        switch (choice)
        {
            case WeightChoice.F32:
                return WeightFormat.F32;
            case WeightChoice.BF16 when type != TensorType.BF16:
                throw new ModelFormatException(
                    source.Path, name, "is not stored as BF16, and cutting it would change the model's output", "use --weights auto or f32");
        }

        if (Enum.TryParse(type.ToString(), out WeightFormat kept))
        {
            return kept;
        }

        bool exact = BlockRecoding.IsExactInQ8(type);
        kept = exact || path != KernelPath.Reference ? WeightFormat.Q8_0 : WeightFormat.F32;
        Note($"stored as {type} {(exact ? "are kept, exactly, as" : kept == WeightFormat.F32 ? "are widened to" : "are rounded to")} {kept}");
        return kept;
    }

    private WeightFormat Fitting(TensorType type, int columns, WeightFormat wanted)
    {
        if (columns % StoredAs(wanted).BlockLength() == 0)
        {
            return wanted;
        }

        WeightFormat instead = columns % TensorType.Q8_0.BlockLength() == 0 ? WeightFormat.Q8_0 : type == TensorType.BF16 ? WeightFormat.BF16 : WeightFormat.F16;
        Note($"with rows of {columns} are kept as {instead}: blocks of {wanted} don't fill them");
        return instead;
    }

    // The formats have one name in files and in memory.
    private static TensorType StoredAs(WeightFormat format) => Enum.Parse<TensorType>(format.ToString());

    /// <summary>The rows of one tensor, in the form that its matrix is packed from. Thread-safe.</summary>
    private sealed class RowSource
    {
        private readonly WeightLoader _loader;
        private readonly ITensorSource _source;
        private readonly string _name;
        private readonly TensorType _type;
        private readonly int _columns;
        private readonly int _rowBytes;

        public RowSource(WeightLoader loader, string name, int rows, int columns, WeightFormat? wanted)
        {
            _loader = loader;
            _source = loader.Source;
            _name = name;
            _columns = columns;
            loader.MarkUsed(name);
            if (!_source.Tensors.TryGetValue(name, out TensorInfo? info))
            {
                throw new ModelFormatException(_source.Path, name, "the tensor is missing", "the checkpoint is incomplete, or of another architecture than its config.json says");
            }

            if (info.Shape.Count != 2 || info.Shape[0] != rows || info.Shape[1] != columns)
            {
                throw new ModelFormatException(
                    _source.Path, name, $"has shape [{string.Join(", ", info.Shape)}] instead of [{rows}, {columns}]", "config.json and weights do not belong together");
            }

            if (!info.Type.IsBlock() && info.Type is not (TensorType.F32 or TensorType.F16 or TensorType.BF16))
            {
                throw new ModelFormatException(
                    _source.Path, name, $"is stored as {info.Type}",
                    $"supported for weights: F32, F16, BF16, {string.Join(", ", Enum.GetValues<TensorType>().Where(type => type.IsBlock()))}");
            }

            _type = info.Type;
            _rowBytes = checked((int)_type.RowBytes(columns));
            Format = loader.FormatOf(name, _type, columns, wanted);
        }

        /// <summary>How the tensor is kept.</summary>
        public WeightFormat Format { get; set; }

        public void Read(int row, Span<byte> stored)
        {
            TensorType target = StoredAs(Format);
            if (target == _type && target.IsBlock())
            {
                _source.Read(_name, (long)row * _rowBytes, stored);
                CheckScales(row, stored);
                return;
            }

            byte[] bytes = ArrayPool<byte>.Shared.Rent(_rowBytes);
            float[] widened = ArrayPool<float>.Shared.Rent(_columns);
            try
            {
                Span<byte> read = bytes.AsSpan(0, _rowBytes);
                _source.Read(_name, (long)row * _rowBytes, read);
                // Matrices of floating-point formats are packed from floats.
                Span<float> values = target.IsBlock() ? widened.AsSpan(0, _columns) : MemoryMarshal.Cast<byte, float>(stored);
                FloatConversion.Widen(_type, read, values);
                CheckValues(row, values, Format == WeightFormat.F16 ? (float)Half.MaxValue : float.MaxValue);
                if (target.IsBlock())
                {
                    BlockRecoding.Encode(_type, read, values, target, stored);
                }
            }
            finally
            {
                ArrayPool<byte>.Shared.Return(bytes);
                ArrayPool<float>.Shared.Return(widened);
            }
        }

        private void CheckValues(int row, ReadOnlySpan<float> values, float largest)
        {
            foreach (float value in values)
            {
                if (!float.IsFinite(value))
                {
                    throw _loader.NotFinite(_name, row);
                }

                if (Math.Abs(value) > largest)
                {
                    throw new ModelFormatException(_source.Path, _name, $"row {row} holds {value}, which F16 can't", "load it without quantising");
                }
            }
        }

        // Codes are integers: blocks are finite where their scales are.
        private void CheckScales(int row, ReadOnlySpan<byte> stored)
        {
            (int at, int count) = _type switch
            {
                TensorType.Q4_K or TensorType.Q5_K => (0, 2),
                TensorType.Q6_K => (_type.BlockBytes() - sizeof(ushort), 1),
                _ => (0, 1),
            };
            for (; at < stored.Length; at += _type.BlockBytes())
            {
                foreach (Half scale in MemoryMarshal.Cast<byte, Half>(stored.Slice(at, count * sizeof(ushort))))
                {
                    if (!Half.IsFinite(scale))
                    {
                        throw _loader.NotFinite(_name, row);
                    }
                }
            }
        }
    }
}
