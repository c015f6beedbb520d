using AdaEagle.Kernels;

namespace AdaEagle.Models;

/// <summary>
/// The scratch memory of passes through a <see cref="DecoderStack"/>, one per engine and reused: nothing in it outlives a pass but what the
/// pass was asked for. Rows are padded to whole vectors.
/// </summary>
internal sealed unsafe class StackWorkspace : IDisposable
{
    // Beyond this many bytes preparing inputs twice costs more than a barrier.
    private const int OwnPreparedBytes = 24 << 10;
    private readonly NativeBuffer _residual, _queryKeyValue, _attention, _gateUp, _inner, _sum, _prepared;
    private readonly WorkerScratch[] _scratch;
    private readonly PaddedCounter[] _counters;
    private int _reservedPositions;

    /// <summary>Room for passes of <paramref name="maxRows"/> through the stack, and for the inputs of <paramref name="others"/>: LM head, fc.</summary>
    public StackWorkspace(DecoderStack stack, int maxRows, int workers, params WeightMatrix[] others)
    {
        LayerShape shape = stack.Shape;
        MaxRows = maxRows;
        HiddenStride = Pad(shape.Hidden);
        QueryKeyValueStride = Pad(shape.QueryWidth + (2 * shape.KeyValueWidth));
        AttentionStride = Pad(shape.QueryWidth);
        InnerStride = Pad(shape.Inner);
        GateUpStride = 2 * InnerStride;
        _residual = NativeBuffer.OfFloats((long)maxRows * HiddenStride);
        _queryKeyValue = NativeBuffer.OfFloats((long)maxRows * QueryKeyValueStride);
        _attention = NativeBuffer.OfFloats((long)maxRows * AttentionStride);
        _gateUp = NativeBuffer.OfFloats((long)maxRows * GateUpStride);
        _inner = NativeBuffer.OfFloats((long)maxRows * InnerStride);
        _sum = NativeBuffer.OfFloats((long)maxRows * HiddenStride);
        int preparedRowBytes = stack.Layers
            .SelectMany(layer => (WeightMatrix[])[layer.QueryKeyValue, layer.Output, layer.GateUp, layer.Down]).Concat(others).Max(matrix => matrix.PreparedRowBytes);
        _prepared = new NativeBuffer((long)maxRows * preparedRowBytes);
        _scratch = [.. Enumerable.Range(0, workers).Select(_ => new WorkerScratch(maxRows, HiddenStride, shape.HeadDimension, preparedRowBytes > 0 ? OwnPreparedBytes : 0))];
        _counters = new PaddedCounter[(stack.Layers.Count * 4) + 8];
        ReservePositions(512);
    }

    public int MaxRows { get; }

    /// <summary>Where passes note the time of their parts; null: nowhere.</summary>
    public PassProfile? Profile { get; set; }

    public int HiddenStride { get; }

    public int QueryKeyValueStride { get; }

    public int AttentionStride { get; }

    public int InnerStride { get; }

    public int GateUpStride { get; }

    /// <summary>The residual stream [rows, hidden].</summary>
    public float* Residual => _residual.Floats;

    public float* QueryKeyValue => _queryKeyValue.Floats;

    public float* Attention => _attention.Floats;

    public float* GateUp => _gateUp.Floats;

    public float* Inner => _inner.Floats;

    /// <summary>What a sublayer adds to the residual stream.</summary>
    public float* Sum => _sum.Floats;

    public WorkerScratch Scratch(Worker worker) => _scratch[worker.Index];

    /// <summary>
    /// The rows as <paramref name="matrix"/> reads them. Few are prepared by every worker for itself; many are shared among the workers, who then meet at a
    /// barrier: all workers call this, with the same values in <paramref name="inputs"/>.
    /// </summary>
    public ProductInput Prepare(Worker worker, WeightMatrix matrix, float* inputs, nint stride, int rows)
    {
        if (matrix.PreparedRowBytes == 0)
        {
            return new ProductInput(inputs, stride, rows);
        }

        bool own = (long)rows * matrix.PreparedRowBytes <= OwnPreparedBytes;
        byte* prepared = own ? Scratch(worker).Prepared : _prepared.Bytes;
        for (int row = own ? 0 : worker.Index; row < rows; row += own ? 1 : worker.Count)
        {
            matrix.PrepareRow(inputs + (row * stride), row, rows, prepared);
        }

        if (!own)
        {
            worker.Barrier();
        }

        return new ProductInput(inputs, stride, rows, prepared);
    }

    /// <summary>Makes room for attention over <paramref name="positions"/>. Not to be called inside a pass.</summary>
    public void ReservePositions(int positions)
    {
        if (positions > _reservedPositions)
        {
            _reservedPositions = Math.Max(positions, 2 * _reservedPositions);
            foreach (WorkerScratch scratch in _scratch)
            {
                scratch.ReservePositions(_reservedPositions);
            }
        }
    }

    /// <summary>Notes that what <paramref name="worker"/> did since the last call was <paramref name="part"/>.</summary>
    public void Lap(Worker worker, PassPart part) => Profile?.Lap(worker, part);

    /// <summary>Ends a part that the other workers must have ended too before anything goes on.</summary>
    public void Meet(Worker worker, PassPart ended)
    {
        Lap(worker, ended);
        worker.Barrier();
        Lap(worker, PassPart.Synchronisation);
    }

    /// <summary>Sets all work counters to zero. Not to be called inside a pass.</summary>
    public void ResetCounters() => Array.Clear(_counters);

    /// <summary>
    /// Hands out the next chunk of a product's groups: workers that are held up take fewer. The bits do not depend on who computes what.
    /// </summary>
    public bool NextChunk(int counter, int groups, int chunk, out int first, out int count)
    {
        first = (Interlocked.Increment(ref _counters[counter].Value) - 1) * chunk;
        count = Math.Min(chunk, groups - first);
        return count > 0;
    }

    public void Dispose()
    {
        foreach (NativeBuffer buffer in (NativeBuffer[])[_residual, _queryKeyValue, _attention, _gateUp, _inner, _sum, _prepared])
        {
            buffer.Dispose();
        }

        foreach (WorkerScratch scratch in _scratch)
        {
            scratch.Dispose();
        }
    }

    private static int Pad(int length) => (length + 15) & ~15;
}

/// <summary>What one worker needs for itself.</summary>
internal sealed unsafe class WorkerScratch(int maxRows, int hiddenStride, int headDimension, int preparedBytes) : IDisposable
{
    private readonly NativeBuffer _normalized = NativeBuffer.OfFloats((long)maxRows * hiddenStride);
    private readonly NativeBuffer _query = NativeBuffer.OfFloats(headDimension + 16);
    private readonly NativeBuffer _output = NativeBuffer.OfFloats(headDimension + 16);
    private readonly NativeBuffer _prepared = new(preparedBytes);
    private readonly NativeBuffer _head = NativeBuffer.OfFloats(headDimension + 16);
    private readonly NativeBuffer _normalizedHead = NativeBuffer.OfFloats(headDimension + 16);
    private NativeBuffer? _scores;

    /// <summary>Normalised rows [rows, hidden].</summary>
    public float* Normalized => _normalized.Floats;

    /// <summary>Inputs of a product of few rows, prepared.</summary>
    public byte* Prepared => _prepared.Bytes;

    /// <summary>One head's vector, zeros behind it.</summary>
    public float* Head => _head.Floats;

    /// <summary>The same, normalised.</summary>
    public float* NormalizedHead => _normalizedHead.Floats;

    /// <summary>A rotated query.</summary>
    public float* Query => _query.Floats;

    /// <summary>The output of one head.</summary>
    public float* Output => _output.Floats;

    /// <summary>Attention scores of one head over all positions.</summary>
    public float* Scores => _scores!.Floats;

    /// <summary>Slots of a row's path.</summary>
    public int[] Path { get; } = new int[maxRows];

    public void ReservePositions(int positions)
    {
        _scores?.Dispose();
        _scores = NativeBuffer.OfFloats(positions + KvLayout.BlockPositions);
    }

    public void Dispose()
    {
        _normalized.Dispose();
        _query.Dispose();
        _output.Dispose();
        _prepared.Dispose();
        _head.Dispose();
        _normalizedHead.Dispose();
        _scores?.Dispose();
    }
}
