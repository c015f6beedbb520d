using AdaEagle.Kernels;

namespace AdaEagle.Models;

/// <summary>
/// Decoder layers over a residual stream: the body of a target, and of a draft head. Immutable. <see cref="Execute"/> runs inside a parallel
/// region, every worker calling it; five barriers a layer.
/// </summary>
internal sealed unsafe class DecoderStack : IDisposable
{
    private readonly float _scoreScale;

    public DecoderStack(LayerShape shape, IReadOnlyList<DecoderLayer> layers, RopeTable rope, KernelPath path)
    {
        Shape = shape;
        Layers = layers;
        Rope = rope;
        Vector = VectorKernels.For(path);
        _scoreScale = 1f / MathF.Sqrt(shape.HeadDimension);
    }

    public LayerShape Shape { get; }

    public IReadOnlyList<DecoderLayer> Layers { get; }

    public RopeTable Rope { get; }

    public VectorKernels Vector { get; }

    public KvLayout CacheLayout => new(Layers.Count, Shape.KeyValueHeads, Shape.HeadDimension);

    /// <summary>Bytes of weights a pass streams.</summary>
    public long ByteLength => Layers.Sum(layer => layer.ByteLength);

    /// <summary>
    /// Readies tables, scratch and counters for a pass over <paramref name="rows"/>, and refuses rows that it cannot run: inside the parallel region
    /// it would be too late.
    /// </summary>
    public void Prepare(StackWorkspace workspace, PassRows rows)
    {
        KvLayout layout = CacheLayout;
        int positions = 0;
        for (int row = rows.Start; row < rows.Count; row++)
        {
            KvCache cache = rows.Cache(row);
            if (cache.Layout != layout)
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

            positions = Math.Max(positions, rows.Slot(row) + 1);
        }

        Rope.Reserve(positions);
        workspace.ReservePositions(positions);
        workspace.ResetCounters();
    }

    /// <summary>
    /// Adds every layer's work to the residual stream, which holds the rows' inputs and is complete when this is called;
    /// it is complete again when it returns. <paramref name="boundary"/> is called after b layers (b = 0 … layers), by worker 0 alone, with the stream complete.
    /// </summary>
    public void Execute(Worker worker, StackWorkspace workspace, PassRows rows, Action<int>? boundary)
    {
        for (int i = 0; i < Layers.Count; i++)
        {
            if (boundary is not null && worker.Index == 0)
            {
                boundary(i);
            }

            ExecuteLayer(worker, workspace, rows, i);
        }

        if (boundary is not null && worker.Index == 0)
        {
            boundary(Layers.Count);
        }
    }

    public void Dispose()
    {
        foreach (DecoderLayer layer in Layers)
        {
            layer.Dispose();
        }

        Rope.Dispose();
    }

    /// <summary>Groups of a product that a worker takes at a time: small enough to balance, whole tiles, a cache's worth at most.</summary>
    public static int ChunkGroups(int groups, int workers) =>
        workers == 1 ? Math.Min(groups, 64) : Math.Clamp((((groups / (4 * workers)) + 3) & ~3), 4, 64);

    private void ExecuteLayer(Worker worker, StackWorkspace workspace, PassRows rows, int index)
    {
        DecoderLayer layer = Layers[index];
        WorkerScratch scratch = workspace.Scratch(worker);
        int count = rows.Active, hidden = workspace.HiddenStride, counter = index * 4;
        float* input = layer.InputNorm is { } norm ? Normalize(scratch, workspace, count, norm) : workspace.Residual;
        workspace.Lap(worker, PassPart.Norms);
        Product(worker, workspace, counter, layer.QueryKeyValue, layer.QueryKeyValueBias, input, hidden, count, workspace.QueryKeyValue, workspace.QueryKeyValueStride);
        workspace.Meet(worker, PassPart.Products);

        Attend(worker, workspace, rows, index);
        workspace.Meet(worker, PassPart.Attention);

        ProductOntoResidual(worker, workspace, counter + 1, layer.Output, layer.OutputBias, workspace.Attention, workspace.AttentionStride, count);
        workspace.Meet(worker, PassPart.Products);

        input = Normalize(scratch, workspace, count, layer.PostAttentionNorm);
        workspace.Lap(worker, PassPart.Norms);
        ProductInput prepared = workspace.Prepare(worker, layer.GateUp, input, hidden, count);
        int chunk = ChunkGroups(layer.GateUp.GroupCount, worker.Count);
        while (workspace.NextChunk(counter + 2, layer.GateUp.GroupCount, chunk, out int first, out int groups))
        {
            layer.GateUp.Multiply(first, groups, prepared, workspace.GateUp, workspace.GateUpStride);
            for (int row = 0; row < count; row++)
            {
                float* gateUp = workspace.GateUp + ((nint)row * workspace.GateUpStride) + (first * MatrixKernel.GroupRows);
                if (layer.GateUpBias is { } bias)
                {
                    Vector.AddTo(gateUp, bias.Floats + (first * MatrixKernel.GroupRows), groups * MatrixKernel.GroupRows);
                }

                Vector.SwiGlu(gateUp, groups / 2, workspace.Inner + ((nint)row * workspace.InnerStride) + (first / 2 * MatrixKernel.GroupRows));
            }
        }

        workspace.Meet(worker, PassPart.Products);
        ProductOntoResidual(worker, workspace, counter + 3, layer.Down, layer.DownBias, workspace.Inner, workspace.InnerStride, count);
        workspace.Meet(worker, PassPart.Products);
    }

    // Every worker normalises all rows for itself: cheaper than a barrier.
    private float* Normalize(WorkerScratch scratch, StackWorkspace workspace, int rows, NativeBuffer weight)
    {
        for (int row = 0; row < rows; row++)
        {
            nint at = (nint)row * workspace.HiddenStride;
            Vector.RmsNorm(workspace.Residual + at, weight.Floats, Shape.NormEpsilon, Shape.Hidden, scratch.Normalized + at);
        }

        return scratch.Normalized;
    }

    /// <summary>outputs = inputs x matrix^T (+ bias), shared among the workers.</summary>
    public void Product(
        Worker worker, StackWorkspace workspace, int counter, WeightMatrix matrix, NativeBuffer? bias,
        float* inputs, nint inputStride, int rows, float* outputs, nint outputStride)
    {
        ProductInput input = workspace.Prepare(worker, matrix, inputs, inputStride, rows);
        int chunk = ChunkGroups(matrix.GroupCount, worker.Count);
        while (workspace.NextChunk(counter, matrix.GroupCount, chunk, out int first, out int groups))
        {
            matrix.Multiply(first, groups, input, outputs, outputStride);
            if (bias is not null)
            {
                int at = first * MatrixKernel.GroupRows;
                for (int row = 0; row < rows; row++)
                {
                    Vector.AddTo(outputs + (row * outputStride) + at, bias.Floats + at, groups * MatrixKernel.GroupRows);
                }
            }
        }
    }

    private void ProductOntoResidual(
        Worker worker, StackWorkspace workspace, int counter, WeightMatrix matrix, NativeBuffer? bias, float* inputs, nint inputStride, int rows)
    {
        ProductInput input = workspace.Prepare(worker, matrix, inputs, inputStride, rows);
        int chunk = ChunkGroups(matrix.GroupCount, worker.Count);
        nint stride = workspace.HiddenStride;
        while (workspace.NextChunk(counter, matrix.GroupCount, chunk, out int first, out int groups))
        {
            matrix.Multiply(first, groups, input, workspace.Sum, stride);
            int at = first * MatrixKernel.GroupRows;
            for (int row = 0; row < rows; row++)
            {
                float* sum = workspace.Sum + (row * stride) + at;
                if (bias is not null)
                {
                    Vector.AddTo(sum, bias.Floats + at, groups * MatrixKernel.GroupRows);
                }

                Vector.AddTo(workspace.Residual + (row * stride) + at, sum, groups * MatrixKernel.GroupRows);
            }
        }
    }

    private void Attend(Worker worker, StackWorkspace workspace, PassRows rows, int layer)
    {
        int heads = Shape.KeyValueHeads;
        if (heads % worker.Count == 0)
        {
            // A key/value head and everything that reads it stay with one worker: no barrier between.
            for (int head = worker.Index; head < heads; head += worker.Count)
            {
                for (int row = rows.Start; row < rows.Count; row++)
                {
                    StoreKeyValue(workspace, workspace.Scratch(worker), rows, row, layer, head);
                }

                for (int row = rows.Start; row < rows.Count; row++)
                {
                    AttendRow(workspace, workspace.Scratch(worker), rows, row, layer, head, head * Shape.HeadsPerGroup, Shape.HeadsPerGroup);
                }
            }

            return;
        }

        for (int task = worker.Index; task < rows.Active * heads; task += worker.Count)
        {
            StoreKeyValue(workspace, workspace.Scratch(worker), rows, rows.Start + (task / heads), layer, task % heads);
        }

        worker.Barrier();
        for (int task = worker.Index; task < rows.Active * Shape.Heads; task += worker.Count)
        {
            int head = task % Shape.Heads;
            AttendRow(workspace, workspace.Scratch(worker), rows, rows.Start + (task / Shape.Heads), layer, head / Shape.HeadsPerGroup, head, 1);
        }
    }

    private float* NormalizeHead(WorkerScratch scratch, float* vector, NativeBuffer weight)
    {
        int width = Shape.HeadDimension;
        new ReadOnlySpan<float>(vector, width).CopyTo(new Span<float>(scratch.Head, width));
        Vector.RmsNorm(scratch.Head, weight.Floats, Shape.NormEpsilon, width, scratch.NormalizedHead);
        return scratch.NormalizedHead;
    }

    private void StoreKeyValue(StackWorkspace workspace, WorkerScratch scratch, PassRows rows, int row, int layer, int head)
    {
        KvCache cache = rows.Cache(row);
        (int block, int offset) = (rows.Slot(row) / KvLayout.BlockPositions, rows.Slot(row) % KvLayout.BlockPositions);
        int width = Shape.HeadDimension;
        float* key = workspace.QueryKeyValue + ((nint)(row - rows.Start) * workspace.QueryKeyValueStride) + Shape.QueryWidth + (head * width);
        float* value = key + Shape.KeyValueWidth;
        if (Layers[layer].KeyNorm is { } norm)
        {
            key = NormalizeHead(scratch, key, norm);
        }

        Rope.Rotate(key, rows.Position(row), cache.Keys(layer, head, block) + offset, KvLayout.BlockPositions);
        float* stored = cache.Values(layer, head, block) + (offset * cache.Layout.ValueStride);
        new ReadOnlySpan<float>(value, width).CopyTo(new Span<float>(stored, width));
    }

    /// <summary>
    /// Attention of query heads that share a key/value head, for one row: all scores in logical order (committed positions, then the row's
    /// own path), one softmax, then the values in the same order. So the bits depend neither on blocks nor on where staged rows lie.
    /// </summary>
    private void AttendRow(StackWorkspace workspace, WorkerScratch scratch, PassRows rows, int row, int layer, int keyValueHead, int firstHead, int headCount)
    {
        KvCache cache = rows.Cache(row);
        bool chain = rows.IsChain(row);
        int position = rows.Position(row), slots = rows.Slot(row) + 1, width = Shape.HeadDimension, stride = cache.Layout.ValueStride;
        int depth = chain ? 0 : rows.Path(row, scratch.Path);
        int contiguous = chain ? position + 1 : cache.Length, first = Math.Max(position - Layers[layer].Window, -1) + 1;
        float* scores = scratch.Scores;
        for (int head = firstHead; head < firstHead + headCount; head++)
        {
            float* query = workspace.QueryKeyValue + ((nint)(row - rows.Start) * workspace.QueryKeyValueStride) + (head * width);
            if (Layers[layer].QueryNorm is { } norm)
            {
                query = NormalizeHead(scratch, query, norm);
            }

            Rope.Rotate(query, position, scratch.Query);
            for (int at = 0; at < slots; at += KvLayout.BlockPositions)
            {
                int count = Math.Min(KvLayout.BlockPositions, slots - at);
                Vector.Scores(scratch.Query, cache.Keys(layer, keyValueHead, at / KvLayout.BlockPositions), width, count, scores + at);
            }

            for (int i = 0; i < depth; i++)
            {
                scores[contiguous + i] = scores[scratch.Path[i]];
            }

            float sum = Vector.Exponentiate(scores + first, position + 1 - first, _scoreScale);
            float* output = scratch.Output;
            new Span<float>(output, stride).Clear();
            for (int at = first; at < contiguous;)
            {
                int skipped = at % KvLayout.BlockPositions, count = Math.Min(KvLayout.BlockPositions - skipped, contiguous - at);
                Vector.AccumulateValues(scores + at, cache.Values(layer, keyValueHead, at / KvLayout.BlockPositions) + (skipped * stride), count, stride, output);
                at += count;
            }

            for (int i = Math.Max(first - contiguous, 0); i < depth; i++)
            {
                int slot = scratch.Path[i];
                float* values = cache.Values(layer, keyValueHead, slot / KvLayout.BlockPositions) + (slot % KvLayout.BlockPositions * stride);
                Vector.AccumulateValues(scores + contiguous + i, values, 1, stride, output);
            }

            Vector.DivideBy(output, sum, stride);
            float* result = workspace.Attention + ((nint)(row - rows.Start) * workspace.AttentionStride) + (head * width);
            new ReadOnlySpan<float>(output, width).CopyTo(new Span<float>(result, width));
        }
    }
}
