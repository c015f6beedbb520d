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

/// <summary>Reads tensors of a checkpoint into packed matrices and padded vectors, and says what is missing or misshapen.</summary>
internal sealed class WeightLoader(ITensorSource source, WeightChoice choice, KernelPath path)
{
    private readonly HashSet<string> _used = [];

    public ITensorSource Source => source;

    public KernelPath Path => path;

    public bool Has(string name) => source.Tensors.ContainsKey(name);

    /// <summary>Packs the rows of several tensors of <paramref name="columns"/> columns on top of each other.</summary>
    public WeightMatrix Matrix(int columns, params (string Name, int Rows)[] parts)
    {
        RowSource[] sources = [.. parts.Select(part => new RowSource(this, part.Name, part.Rows, columns))];
        return WeightMatrix.Create(FormatOf(sources), parts.Sum(part => part.Rows), columns, path, (row, values) =>
        {
            int part = 0;
            while (row >= parts[part].Rows)
            {
                row -= parts[part++].Rows;
            }

            sources[part].Read(row, values);
        });
    }

    /// <summary>Packs two tensors of equal shape in alternating groups of sixteen rows, each padded with zero rows: gate and up of SwiGLU.</summary>
    public WeightMatrix AlternatingMatrix(int columns, string first, string second, int rows)
    {
        RowSource[] sources = [new(this, first, rows, columns), new(this, second, rows, columns)];
        int blocks = (rows + MatrixKernel.GroupRows - 1) / MatrixKernel.GroupRows;
        return WeightMatrix.Create(FormatOf(sources), 2 * blocks * MatrixKernel.GroupRows, columns, path, (row, values) =>
        {
            (int group, int lane) = (row / MatrixKernel.GroupRows, row % MatrixKernel.GroupRows);
            int sourceRow = (group / 2 * MatrixKernel.GroupRows) + lane;
            if (sourceRow < rows)
            {
                sources[group % 2].Read(sourceRow, values);
            }
        });
    }

    /// <summary>A vector, padded with zeros to whole vectors of sixteen; several tensors follow each other.</summary>
    public NativeBuffer Vector(params (string Name, int Length)[] parts)
    {
        float[] values = [.. parts.SelectMany(part => Values(part.Name, part.Length))];
        return Padded(values);
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

    private WeightFormat FormatOf(RowSource[] sources)
    {
        bool all(TensorType type) => sources.All(tensor => tensor.Type == type);
        switch (choice)
        {
            case WeightChoice.F32:
                return WeightFormat.F32;
            case WeightChoice.BF16 when !all(TensorType.BF16):
                throw new ModelFormatException(
                    source.Path, sources.First(tensor => tensor.Type != TensorType.BF16).Name, "is not stored as BF16, and cutting it would change the model's output", "use --weights auto or f32");
            default:
                return all(TensorType.BF16) ? WeightFormat.BF16 : all(TensorType.F16) ? WeightFormat.F16 : WeightFormat.F32;
        }
    }

    /// <summary>The rows of one tensor, widened one at a time.</summary>
    private sealed class RowSource
    {
        private readonly WeightLoader _loader;
        private readonly ITensorSource _source;
        private readonly byte[] _bytes;

        public RowSource(WeightLoader loader, string name, int rows, int columns)
        {
            _loader = loader;
            _source = loader.Source;
            Name = name;
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

            if (info.Type is not (TensorType.F32 or TensorType.F16 or TensorType.BF16))
            {
                throw new ModelFormatException(_source.Path, name, $"is stored as {info.Type}", "supported for weights: F32, F16, BF16");
            }

            Type = info.Type;
            _bytes = new byte[checked(columns * info.Type.ByteSize())];
        }

        public string Name { get; }

        public TensorType Type { get; }

        public void Read(int row, Span<float> values)
        {
            _source.Read(Name, (long)row * _bytes.Length, _bytes);
            FloatConversion.Widen(Type, _bytes, values);
            foreach (float value in values)
            {
                if (!float.IsFinite(value))
                {
                    throw _loader.NotFinite(Name, row);
                }
            }
        }
    }
}
