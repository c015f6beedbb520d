using System.Runtime.ExceptionServices;

namespace AdaEagle.Formats;

/// <summary>The tensors of a Hugging Face checkpoint on their way into a GGUF file: renamed, rows reordered, converted piece by piece on all processors.</summary>
internal sealed class GgufTensorExport
{
    // Elements that are converted at once.
    private const long PieceElements = 1 << 22;

    private readonly ITensorSource _source;
    private readonly ModelConfig _config;
    private readonly CancellationToken _cancellation;
    private readonly List<Planned> _planned = [];

    public GgufTensorExport(ITensorSource source, ModelConfig config, TensorType type, CancellationToken cancellation)
    {
        _source = source;
        _config = config;
        _cancellation = cancellation;
        foreach (TensorInfo tensor in source.Tensors.Values)
        {
            if (tensor.Name.EndsWith("rotary_emb.inv_freq", StringComparison.Ordinal) || (config.TieWordEmbeddings && tensor.Name == "lm_head.weight"))
            {
                // Frequencies follow from the configuration; a tied output is the embedding.
                continue;
            }

            string name = GgufNames.ToGguf(tensor.Name)
                ?? throw new ModelFormatException(source.Path, tensor.Name, "the tensor belongs to no part of this architecture", "Only plain llama, mistral, qwen2 and qwen3 models can be converted");
            if (!FloatConversion.IsFloat(tensor.Type) || tensor.Shape.Count is < 1 or > 2 || tensor.ElementCount == 0)
            {
                throw new ModelFormatException(source.Path, tensor.Name, $"{tensor.Type} {tensor.ShapeText} is neither a matrix nor a vector of floating-point numbers");
            }

            Planned planned = new(tensor, name, TypeOf(tensor, name, type));
            if (planned.IsReordered(config) && tensor.Shape[0] % config.HeadDimension != 0)
            {
                throw new ModelFormatException(source.Path, tensor.Name, $"{tensor.ShapeText} are no whole heads of {config.HeadDimension}", "config.json and weights do not belong together");
            }

            _planned.Add(planned);
        }

        _planned.Sort((a, b) => Order(a.Name).CompareTo(Order(b.Name)));
    }

    /// <summary>Number of weights.</summary>
    public long Parameters => _planned.Sum(tensor => tensor.Source.ElementCount);

    /// <summary>How many tensors there are of each format.</summary>
    public IReadOnlyDictionary<TensorType, int> Counts => _planned.GroupBy(tensor => tensor.Type).ToDictionary(group => group.Key, group => group.Count());

    /// <summary>Matrices that are not in the format asked for.</summary>
    public List<string> Notes { get; } = [];

    /// <summary>All tensors, in the order of the file.</summary>
    public IReadOnlyList<GgufTensor> All(Action<long, long>? progress)
    {
        long total = _planned.Sum(tensor => tensor.Type.RowBytes(tensor.Columns) * tensor.Rows);
        long done = 0;
        List<GgufTensor> tensors = [];
        if (GgufModelKeys.FrequencyFactors(_config) is { } factors)
        {
            tensors.Add(GgufTensor.From(TensorData.FromF32(GgufNames.RopeFactors, [factors.Length], factors, TensorType.F32)));
        }

        tensors.AddRange(_planned.Select(tensor => new GgufTensor(tensor.Name, tensor.Type, tensor.Source.Shape, stream =>
            Convert(tensor, bytes =>
            {
                stream.Write(bytes);
                done += bytes.Length;
                progress?.Invoke(done, total);
            }))));
        return tensors;
    }

    private void Convert(Planned tensor, Action<byte[]> write)
    {
        int rowsAtOnce = (int)Math.Clamp(PieceElements / tensor.Columns, 1, tensor.Rows);
        int rowBytes = checked((int)tensor.Type.RowBytes(tensor.Columns));
        for (long first = 0; first < tensor.Rows; first += rowsAtOnce)
        {
            byte[] piece = new byte[Math.Min(rowsAtOnce, tensor.Rows - first) * rowBytes];
            long start = first;
            try
            {
                Parallel.For(
                    0, piece.Length / rowBytes, new ParallelOptions { CancellationToken = _cancellation }, () => new RowConverter(this, tensor),
                    (row, _, converter) => converter.Convert(start + row, piece.AsSpan(row * rowBytes, rowBytes)), _ => { });
            }
            catch (AggregateException failure)
            {
                // Several rows may be at fault; the first says enough.
                ExceptionDispatchInfo.Throw(failure.Flatten().InnerExceptions[0]);
            }

            write(piece);
        }
    }

    private TensorType TypeOf(TensorInfo tensor, string name, TensorType wanted)
    {
        if (tensor.Shape.Count == 1)
        {
            return TensorType.F32;
        }

        bool isOutput = name == GgufNames.Output || (name == GgufNames.Embedding && _config.TieWordEmbeddings);
        TensorType type = isOutput && wanted is (TensorType.Q4_0 or TensorType.Q4_K or TensorType.Q5_K) ? TensorType.Q6_K : wanted;
        foreach (TensorType fallback in (TensorType[])[type, TensorType.Q8_0, TensorType.F16])
        {
            if (tensor.Shape[1] % fallback.BlockLength() == 0)
            {
                type = fallback;
                break;
            }
        }

        if (type != wanted)
        {
            Notes.Add($"{name} {tensor.ShapeText} is {type}{(isOutput && type == TensorType.Q6_K ? ", as it gives the logits" : $": its rows are no whole blocks of {wanted}")}.");
        }

        return type;
    }

    // Rope factors and embedding first, then the layers, then the final norm and the output.
    private static (int Part, int Layer, string Name) Order(string name) => name.Split('.') is ["blk", var layer, ..]
        ? (1, int.TryParse(layer, out int number) ? number : int.MaxValue, name)
        : (name == GgufNames.Embedding ? 0 : name == GgufNames.Output ? 3 : 2, 0, name);

    private sealed record Planned(TensorInfo Source, string Name, TensorType Type)
    {
        /// <summary>Rows that are read and written one at a time; a vector is one.</summary>
        public long Rows => Source.Shape.Count == 1 ? 1 : Source.Shape[0];

        public long Columns => Source.Shape[^1];

        public bool IsReordered(ModelConfig config) => GgufModelKeys.Architecture(config.ModelType) == "llama" && GgufNames.IsQueryOrKey(Name);
    }

    /// <summary>Converts rows on one thread.</summary>
    private sealed class RowConverter(GgufTensorExport export, Planned tensor)
    {
        private readonly bool _reordered = tensor.IsReordered(export._config);
        private readonly byte[] _bytes = new byte[tensor.Source.Type.RowBytes(tensor.Columns)];
        private readonly float[] _values = new float[tensor.Columns];

        public RowConverter Convert(long row, Span<byte> destination)
        {
            int dimension = export._config.HeadDimension;
            bool isVector = tensor.Source.Shape.Count == 1;
            long from = _reordered && !isVector ? GgufCheckpoint.HalfSplitRow(row, dimension) : row;
            export._source.Read(tensor.Source.Name, from * _bytes.Length, _bytes);
            FloatConversion.Widen(tensor.Source.Type, _bytes, _values);
            Check();
            if (_reordered && isVector)
            {
                float[] original = [.. _values];
                for (int i = 0; i < _values.Length; i++)
                {
                    _values[i] = original[GgufCheckpoint.HalfSplitRow(i, dimension)];
                }
            }

            FloatConversion.Narrow(tensor.Type, _values, destination);
            return this;
        }

        private void Check()
        {
            float limit = tensor.Type == TensorType.F16 ? (float)Half.MaxValue : float.MaxValue;
            foreach (float value in _values)
            {
                if (!(MathF.Abs(value) <= limit))
                {
                    throw new ModelFormatException(
                        export._source.Path, tensor.Source.Name, $"it holds {value}, which {tensor.Type} cannot", float.IsFinite(value) ? "Convert to bf16 or f32" : "The checkpoint is damaged");
                }
            }
        }
    }
}
