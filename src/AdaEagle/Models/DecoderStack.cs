using AdaEagle.Kernels;

namespace AdaEagle.Models;

/// <summary>
/// Decoder layers over a residual stream: the body of a target, and of a draft head. Immutable. <see cref="Execute"/> runs inside a parallel
/// region, every worker calling it; five phases a layer for few rows.
/// </summary>
internal sealed unsafe class DecoderStack : IDisposable
{
    private const long SmallestChunkBytes = 24 << 10;

    // Groups of gate and up that make 32 numbers of the MLP's inside: a block of whatever format they are rounded for.
    private const int MlpGrain = 4;

    private readonly Attention _attention;

    public DecoderStack(LayerShape shape, IReadOnlyList<DecoderLayer> layers, RopeTable rope, KernelPath path, CacheFormat cache = CacheFormat.F32)
    {
        Shape = shape;
        Layers = layers;
        Rope = rope;
        Vector = VectorKernels.For(path);
        CacheLayout = new KvLayout(layers.Count, shape.KeyValueHeads, shape.HeadDimension, cache);
        _attention = new Attention(shape, rope, path, cache);
    }

    public LayerShape Shape { get; }

    public IReadOnlyList<DecoderLayer> Layers { get; }

    public RopeTable Rope { get; }

    public VectorKernels Vector { get; }

    public KvLayout CacheLayout { get; }

    /// <summary>Bytes of weights a pass streams.</summary>
    public long ByteLength => Layers.Sum(layer => layer.ByteLength);

    /// <summary>
    /// Readies tables and scratch for a pass over <paramref name="rows"/>, and refuses rows that it cannot run: inside the parallel region
    /// it would be too late.
    /// </summary>
    public void Prepare(StackWorkspace workspace, PassRows rows, int workers)
    {
        int positions = 0;
        for (int row = rows.Start; row < rows.Count; row++)
        {
            KvCache cache = rows.Cache(row);
            if (cache.Layout != CacheLayout)
            {
                throw new ArgumentException($"Row {row} is of a cache that was made for another model.", nameof(rows));
            }

            if (rows.Slot(row) - cache.Length is int staged && (staged < 0 || staged >= cache.Staged))
            {
                throw new ArgumentException($"Row {row} is not staged any more: its cache was committed, discarded or disposed since it was added.", nameof(rows));
            }

            if (rows.Position(row) - cache.Length >= workspace.MaxRows)
            {
                throw new ArgumentException($"Row {row} follows more than {workspace.MaxRows - 1} staged rows.", nameof(rows));
            }

            positions = Math.Max(positions, rows.Position(row) + 1);
        }

        Rope.Reserve(positions);
        _attention.Prepare(workspace.Attend, rows, Layers, workers);
    }

    /// <summary>
    /// Adds every layer's work to the residual stream, which holds the rows' inputs and is complete when this is called;
    /// it is complete again when it returns. <paramref name="keep"/> is called for each of <paramref name="boundaries"/>, the stream complete after so many
    /// layers, by one worker.
    /// </summary>
    public void Execute(Worker worker, StackWorkspace workspace, PassRows rows, IReadOnlyList<int> boundaries, Action<int>? keep)
    {
        for (int i = 0; i < Layers.Count; i++)
        {
            Keep(worker, boundaries, keep, i);
            ExecuteLayer(worker, workspace, rows, i, Layers[i].InputNorm, workspace.Residual, workspace.HiddenStride);
        }

        Keep(worker, boundaries, keep, Layers.Count);
    }

    /// <summary><see cref="Execute"/> of a draft head whose first layer's attention reads <paramref name="inputs"/> as they are, not the residual stream, normed.</summary>
    public void ExecuteFrom(Worker worker, StackWorkspace workspace, PassRows rows, float* inputs, nint inputStride)
    {
        ExecuteLayer(worker, workspace, rows, 0, null, inputs, inputStride);
        for (int i = 1; i < Layers.Count; i++)
        {
            ExecuteLayer(worker, workspace, rows, i, Layers[i].InputNorm, workspace.Residual, workspace.HiddenStride);
        }
    }

    /// <summary>outputs = inputs x matrix^T (+ bias), the inputs normed first where there is a norm; rows of these are as wide as the residual stream.</summary>
    public void Product(
        Worker worker, StackWorkspace workspace, WeightMatrix matrix, NativeBuffer? bias, NativeBuffer? norm, float* inputs, nint inputStride, int rows, float* outputs,
        nint outputStride)
    {
        var input = new PhaseInput(this, worker, workspace, matrix, norm, inputs, inputStride, rows);
        while (Take(worker, matrix, SmallestChunk(matrix), out int first, out int groups))
        {
            Multiply(ref input, matrix, bias, first, groups, outputs, outputStride);
        }

        workspace.Lap(worker, PassPart.Products);
    }

    public void Dispose()
    {
        foreach (DecoderLayer layer in Layers)
        {
            layer.Dispose();
        }

        Rope.Dispose();
    }

    private static void Keep(Worker worker, IReadOnlyList<int> boundaries, Action<int>? keep, int layers)
    {
        while (keep is not null && boundaries.Count > 0 && boundaries.Contains(layers) && worker.Take(1, 1, 1, out _, out _))
        {
            keep(layers);
        }
    }

    // At most a cache's worth.
    private static bool Take(Worker worker, WeightMatrix matrix, int grain, out int first, out int groups) =>
        worker.Take(matrix.GroupCount, grain, most: 64, out first, out groups);

    // Whole panels. Few where groups are long: who is done first waits for the other's last chunk.
    private static int SmallestChunk(WeightMatrix matrix)
    {
        int panel = matrix.PanelGroups;
        long groups = SmallestChunkBytes * matrix.GroupCount / matrix.ByteLength;
        return (int)Math.Clamp(groups / panel * panel, panel, MlpGrain);
    }

    private void ExecuteLayer(Worker worker, StackWorkspace workspace, PassRows rows, int index, NativeBuffer? norm, float* inputs, nint inputStride)
    {
        DecoderLayer layer = Layers[index];
        int count = rows.Active, hidden = workspace.HiddenStride;
        var input = new PhaseInput(this, worker, workspace, layer.QueryKeyValue, norm, inputs, inputStride, count);
        while (Take(worker, layer.QueryKeyValue, SmallestChunk(layer.QueryKeyValue), out int first, out int groups))
        {
            Multiply(ref input, layer.QueryKeyValue, layer.QueryKeyValueBias, first, groups, workspace.QueryKeyValue, workspace.QueryKeyValueStride);
        }

        workspace.Lap(worker, PassPart.Products);
        _attention.Execute(worker, workspace, rows, layer, index);
        workspace.Lap(worker, PassPart.Attention);
        input = new PhaseInput(this, worker, workspace, layer.Output, null, workspace.Attention, workspace.AttentionStride, count);
        ProductOntoResidual(worker, workspace, layer.Output, layer.OutputBias, ref input);

        input = new PhaseInput(this, worker, workspace, layer.GateUp, layer.PostAttentionNorm, workspace.Residual, hidden, count);
        byte* prepared = layer.Down.PreparedRowBytes == 0 ? null : workspace.InnerPrepared;
        while (Take(worker, layer.GateUp, MlpGrain, out int first, out int groups))
        {
            Multiply(ref input, layer.GateUp, layer.GateUpBias, first, groups, workspace.GateUp, workspace.GateUpStride);
            for (int row = 0; row < count; row++)
            {
                float* gateUp = workspace.GateUp + ((nint)row * workspace.GateUpStride) + (first * MatrixKernel.GroupRows);
                int column = first / 2 * MatrixKernel.GroupRows;
                float* inner = workspace.Inner + ((nint)row * workspace.InnerStride) + column;
                Vector.SwiGlu(gateUp, groups / 2, inner);
                if (prepared is not null)
                {
                    layer.Down.PrepareColumns(inner, column, groups / 2 * MatrixKernel.GroupRows, row, count, prepared);
                }
            }
        }

        workspace.Lap(worker, PassPart.Products);
        input = new PhaseInput(this, worker, workspace, layer.Down, new ProductInput(workspace.Inner, workspace.InnerStride, count, prepared));
        ProductOntoResidual(worker, workspace, layer.Down, layer.DownBias, ref input);
    }

    private void ProductOntoResidual(Worker worker, StackWorkspace workspace, WeightMatrix matrix, NativeBuffer? bias, ref PhaseInput input)
    {
        nint stride = workspace.HiddenStride;
        while (Take(worker, matrix, SmallestChunk(matrix), out int first, out int groups))
        {
            Multiply(ref input, matrix, bias, first, groups, workspace.Sum, stride);
            nint at = first * MatrixKernel.GroupRows;
            for (int row = 0; row < input.Rows; row++, at += stride)
            {
                Vector.AddTo(workspace.Residual + at, workspace.Sum + at, groups * MatrixKernel.GroupRows);
            }
        }

        workspace.Lap(worker, PassPart.Products);
    }

    private void Multiply(ref PhaseInput input, WeightMatrix matrix, NativeBuffer? bias, int first, int groups, float* outputs, nint stride)
    {
        matrix.Multiply(first, groups, input.Ready(), outputs, stride);
        nint at = first * MatrixKernel.GroupRows;
        for (int row = 0; row < input.Rows && bias is not null; row++)
        {
            Vector.AddTo(outputs + (row * stride) + at, bias.Floats + at, groups * MatrixKernel.GroupRows);
        }
    }

    /// <summary>
    /// The inputs of a product, normalised where there is a norm, as the matrix reads them. Many rows are made in a phase of their own, at once;
    /// few by every worker for itself, when it has taken its first chunk: before that the rows may be another phase's already.
    /// </summary>
    private ref struct PhaseInput
    {
        private readonly DecoderStack _stack;
        private readonly Worker _worker;
        private readonly StackWorkspace _workspace;
        private readonly WeightMatrix _matrix;
        private readonly NativeBuffer? _norm;
        private readonly float* _inputs;
        private readonly float* _normalized;
        private readonly byte* _prepared;
        private readonly nint _stride;
        private bool _ready;

        public PhaseInput(DecoderStack stack, Worker worker, StackWorkspace workspace, WeightMatrix matrix, NativeBuffer? norm, float* inputs, nint stride, int rows)
        {
            (_stack, _worker, _workspace, _matrix, _norm, _stride, Rows) = (stack, worker, workspace, matrix, norm, stride, rows);
            _inputs = inputs;
            bool own = StackWorkspace.IsOwn(rows, matrix.Columns);
            WorkerScratch scratch = workspace.Scratch(worker);
            _normalized = norm is null ? inputs : own ? scratch.Normalized : workspace.Normalized;
            _prepared = matrix.PreparedRowBytes == 0 ? null : own ? scratch.Prepared : workspace.Prepared;
            _ready = norm is null && _prepared is null;
            if (_ready || own)
            {
                return;
            }

            while (worker.Take(rows, 1, 8, out int first, out int count))
            {
                Make(first, count);
            }

            workspace.Lap(worker, PassPart.Norms);
            _ready = true;
        }

        /// <summary>Inputs that the phase before has prepared.</summary>
        public PhaseInput(DecoderStack stack, Worker worker, StackWorkspace workspace, WeightMatrix matrix, ProductInput input)
        {
            (_stack, _worker, _workspace, _matrix) = (stack, worker, workspace, matrix);
            _inputs = _normalized = input.Floats;
            _prepared = input.Prepared;
            (_stride, Rows, _ready) = (input.Stride, input.Rows, true);
        }

        public int Rows { get; }

        public ProductInput Ready()
        {
            if (!_ready)
            {
                _workspace.Lap(_worker, PassPart.Products);
                Make(0, Rows);
                _workspace.Lap(_worker, PassPart.Norms);
                _ready = true;
            }

            return new ProductInput(_normalized, _stride, Rows, _prepared);
        }

        private readonly void Make(int first, int count)
        {
            for (int row = first; row < first + count; row++)
            {
                float* normalized = _normalized + (row * _stride);
                if (_norm is not null)
                {
                    _stack.Vector.RmsNorm(_inputs + (row * _stride), _norm.Floats, _stack.Shape.NormEpsilon, _stack.Shape.Hidden, normalized);
                }

                if (_prepared is not null)
                {
                    _matrix.PrepareRow(normalized, row, Rows, _prepared);
                }
            }
        }
    }
}
