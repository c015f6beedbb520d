using AdaEagle.Kernels;

namespace AdaEagle.Models;

/// <summary>The scratch memory of attention: the plan of the pass, the workers' states, and states of spans that the workers share.</summary>
internal sealed unsafe class AttentionWorkspace : IDisposable
{
    private readonly AttentionScratch[] _scratch;
    private NativeBuffer _spans = NativeBuffer.OfFloats(0);
    private int _stateFloats;

    public AttentionWorkspace(LayerShape shape, int layers, int maxRows, int workers)
    {
        Plan = new AttentionPlan(maxRows);
        Tasks = new int[layers];
        _scratch = [.. Enumerable.Range(0, workers).Select(_ => new AttentionScratch(shape, maxRows))];
    }

    public AttentionPlan Plan { get; }

    /// <summary>How many tasks each layer's attention has in the pass.</summary>
    public int[] Tasks { get; }

    /// <summary>Spans of the pass that workers share; 0 if they don't.</summary>
    public int SharedSpans { get; private set; }

    public AttentionScratch Scratch(Worker worker) => _scratch[worker.Index];

    /// <summary>Makes room for the states of <paramref name="queries"/> over shared spans. Not to be called inside a pass.</summary>
    public void ShareSpans(int spans, int queries, int stateFloats)
    {
        SharedSpans = spans;
        _stateFloats = stateFloats;
        long floats = checked((long)spans * queries * stateFloats);
        if (floats * sizeof(float) > _spans.ByteLength)
        {
            _spans.Dispose();
            _spans = NativeBuffer.OfFloats(floats + (floats / 2));
        }
    }

    /// <summary>The state of a span for a query head of a planned row.</summary>
    public float* SpanState(int planned, int head, int heads, int span) =>
        _spans.Floats + (((((nint)planned * heads) + head) * SharedSpans) + span) * _stateFloats;

    public void Dispose()
    {
        _spans.Dispose();
        foreach (AttentionScratch scratch in _scratch)
        {
            scratch.Dispose();
        }
    }
}

/// <summary>What one worker needs for attention.</summary>
internal sealed unsafe class AttentionScratch : IDisposable
{
    /// <summary>Queries that go through a block together.</summary>
    public const int TileQueries = 8;

    private readonly NativeBuffer _queries, _states, _totals, _scores, _head;

    public AttentionScratch(LayerShape shape, int maxRows)
    {
        int stride = (shape.HeadDimension + 15) & ~15, queries = Math.Max(AttentionPlan.BatchQueries, shape.HeadsPerGroup);
        _queries = NativeBuffer.OfFloats((long)queries * stride);
        _states = NativeBuffer.OfFloats((long)queries * (AttentionKernels.StateHead + stride));
        _totals = NativeBuffer.OfFloats((long)queries * (AttentionKernels.StateHead + stride));
        _scores = NativeBuffer.OfFloats(2 * TileQueries * KvLayout.BlockPositions);
        _head = NativeBuffer.OfFloats(3 * stride);
        HeadStride = stride;
        Path = new int[maxRows];
    }

    /// <summary>Queries at their positions, times the scale of scores [queries, stride].</summary>
    public float* Queries => _queries.Floats;

    /// <summary>States of the queries in a span.</summary>
    public float* States => _states.Floats;

    /// <summary>States of the queries over the spans so far.</summary>
    public float* Totals => _totals.Floats;

    /// <summary>Scores of a tile with a block's positions [tile, 64].</summary>
    public float* Scores => _scores.Floats;

    /// <summary>Scores of a row's queries with a block of slots [tile, 64].</summary>
    public float* SlotScores => Scores + (TileQueries * KvLayout.BlockPositions);

    /// <summary>A head's vector, zeros behind it, and room for another behind that.</summary>
    public float* Head => _head.Floats;

    /// <summary>A key at its position.</summary>
    public float* Key => Head + (2 * HeadStride);

    /// <summary>Slots of a row's path.</summary>
    public int[] Path { get; }

    private int HeadStride { get; }

    public void Dispose()
    {
        foreach (NativeBuffer buffer in (NativeBuffer[])[_queries, _states, _totals, _scores, _head])
        {
            buffer.Dispose();
        }
    }
}
