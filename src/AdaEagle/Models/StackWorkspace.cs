using AdaEagle.Kernels;

namespace AdaEagle.Models;

/// <summary>
/// The scratch memory of passes through a <see cref="DecoderStack"/>, one per engine and reused: nothing in it outlives a pass but what the
/// pass was asked for. Rows are padded to whole vectors.
/// </summary>
internal sealed unsafe class StackWorkspace : IDisposable
{
    // Beyond this many numbers normalising and preparing them once for every worker costs more than a phase.
    private const int OwnNumbers = 8192;

    private readonly NativeBuffer _residual, _queryKeyValue, _attention, _gateUp, _inner, _sum, _normalized, _prepared, _innerPrepared;
    private readonly WorkerScratch[] _scratch;

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
        _normalized = NativeBuffer.OfFloats((long)maxRows * HiddenStride);
        WeightMatrix[] matrices = [.. stack.Layers.SelectMany(layer => (WeightMatrix[])[layer.QueryKeyValue, layer.Output, layer.GateUp, layer.Down]), .. others];
        _prepared = new NativeBuffer((long)maxRows * matrices.Max(matrix => matrix.PreparedRowBytes));
        _innerPrepared = new NativeBuffer((long)maxRows * stack.Layers.Max(layer => layer.Down.PreparedRowBytes));
        long ownPrepared = matrices.Max(matrix => (long)OwnRows(matrix.Columns) * matrix.PreparedRowBytes);
        long ownNormalized = (long)OwnRows(shape.Hidden) * HiddenStride;
        _scratch = [.. Enumerable.Range(0, workers).Select(_ => new WorkerScratch(ownNormalized, ownPrepared))];
        Attend = new AttentionWorkspace(shape, stack.Layers.Count, maxRows, workers);
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

    /// <summary>Normalised rows [rows, hidden] that the workers share.</summary>
    public float* Normalized => _normalized.Floats;

    /// <summary>Prepared inputs that the workers share.</summary>
    public byte* Prepared => _prepared.Bytes;

    /// <summary>What is inside the MLP, prepared for the product that leads out of it.</summary>
    public byte* InnerPrepared => _innerPrepared.Bytes;

    public AttentionWorkspace Attend { get; }

    public WorkerScratch Scratch(Worker worker) => _scratch[worker.Index];

    /// <summary>True if every worker normalises and prepares so many rows for itself: cheaper than a phase.</summary>
    public static bool IsOwn(int rows, int columns) => rows <= OwnRows(columns);

    /// <summary>Begins a pass on <paramref name="worker"/>.</summary>
    public void Begin(Worker worker)
    {
        worker.TimesWaits = Profile is not null;
        Profile?.Begin(worker);
    }

    /// <summary>Notes that what <paramref name="worker"/> did since the last call, waiting apart, was <paramref name="part"/>.</summary>
    public void Lap(Worker worker, PassPart part) => Profile?.Lap(worker, part);

    public void Dispose()
    {
        foreach (NativeBuffer buffer in (NativeBuffer[])[_residual, _queryKeyValue, _attention, _gateUp, _inner, _sum, _normalized, _prepared, _innerPrepared])
        {
            buffer.Dispose();
        }

        foreach (WorkerScratch scratch in _scratch)
        {
            scratch.Dispose();
        }

        Attend.Dispose();
    }

    // One row always is a worker's own: there is nothing to share.
    private static int OwnRows(int columns) => Math.Max(1, OwnNumbers / columns);

    private static int Pad(int length) => (length + 15) & ~15;
}

/// <summary>What one worker needs for itself.</summary>
internal sealed unsafe class WorkerScratch(long normalizedFloats, long preparedBytes) : IDisposable
{
    private readonly NativeBuffer _normalized = NativeBuffer.OfFloats(normalizedFloats);
    private readonly NativeBuffer _prepared = new(preparedBytes);

    /// <summary>Normalised rows [rows, hidden] of a product of few rows.</summary>
    public float* Normalized => _normalized.Floats;

    /// <summary>Inputs of a product of few rows, prepared.</summary>
    public byte* Prepared => _prepared.Bytes;

    public void Dispose()
    {
        _normalized.Dispose();
        _prepared.Dispose();
    }
}
