using AdaEagle.Kernels;

namespace AdaEagle.Models;

/// <summary>A session's way to run a <see cref="LlamaModel"/> on the processor: workspace and results; the weights are the model's.</summary>
public sealed unsafe class LlamaTarget : ITarget
{
    private readonly LlamaModel _model;
    private readonly WorkerPool _pool;
    private readonly StackWorkspace _workspace;
    private readonly NativeBuffer _features;
    private readonly NativeBuffer _logits;
    private readonly int _logitsStride;
    private readonly TargetPass _pass;
    private readonly Dictionary<int, float[]> _boundaries = [];

    /// <summary>Makes the workspace for passes of at most <paramref name="maxRows"/> rows, <paramref name="maxLogitRows"/> of them with logits.</summary>
    public LlamaTarget(LlamaModel model, WorkerPool? pool = null, int maxRows = 128, int maxLogitRows = 32)
    {
        ArgumentNullException.ThrowIfNull(model);
        _model = model;
        _pool = pool ?? WorkerPool.Shared;
        MaxRows = maxRows;
        MaxLogitRows = Math.Min(maxLogitRows, maxRows);
        _workspace = new StackWorkspace(model.Stack, maxRows, _pool.WorkerCount, model.LmHead);
        _features = NativeBuffer.OfFloats((long)maxRows * _workspace.HiddenStride);
        _logitsStride = model.LmHead.GroupCount * MatrixKernel.GroupRows;
        _logits = NativeBuffer.OfFloats((long)MaxLogitRows * _logitsStride);
        _pass = new TargetPass(this);
    }

    /// <inheritdoc/>
    public int HiddenSize => _model.Config.HiddenSize;

    /// <inheritdoc/>
    public int VocabularySize => _model.Config.VocabularySize;

    /// <inheritdoc/>
    public int MaxPositions => _model.Config.MaxPositions;

    /// <inheritdoc/>
    public int MaxRows { get; }

    /// <inheritdoc/>
    public int MaxLogitRows { get; }

    /// <summary>Where passes note the time of their parts; null: nowhere.</summary>
    internal PassProfile? Profile
    {
        get => _workspace.Profile;
        set => _workspace.Profile = value;
    }

    /// <inheritdoc/>
    public KvCache CreateCache(int capacity) => new(_model.Blocks, capacity);

    /// <inheritdoc/>
    public void Forward(PassRows rows, PassRequest request)
    {
        ArgumentNullException.ThrowIfNull(rows);
        ArgumentNullException.ThrowIfNull(request);
        if (rows.Active == 0 || rows.Active > MaxRows)
        {
            throw new ArgumentException($"A pass has 1 to {MaxRows} rows, not {rows.Active}.", nameof(rows));
        }

        ArgumentOutOfRangeException.ThrowIfNegative(request.LogitsFrom, nameof(request));
        if (rows.Active - request.LogitsFrom > MaxLogitRows)
        {
            throw new ArgumentException($"At most {MaxLogitRows} rows get logits.", nameof(request));
        }

        for (int row = rows.Start; row < rows.Count; row++)
        {
            if ((uint)rows.Token(row) >= (uint)VocabularySize)
            {
                throw new ArgumentException($"Token {rows.Token(row)} is outside the vocabulary of {VocabularySize}.", nameof(rows));
            }
        }

        // By index: an enumerator of the list would be allocated in every pass.
        for (int i = 0; i < request.Boundaries.Count; i++)
        {
            int boundary = request.Boundaries[i];
            if ((uint)boundary > (uint)_model.Stack.Layers.Count)
            {
                throw new ArgumentException($"Boundary {boundary} is outside 0 … {_model.Stack.Layers.Count}.", nameof(request));
            }

            if (!_boundaries.ContainsKey(boundary))
            {
                _boundaries.Add(boundary, new float[MaxRows * HiddenSize]);
            }
        }

        _model.Stack.Prepare(_workspace, rows, _pool.WorkerCount);
        _pass.Set(rows, request);
        _pool.Run(_pass);
    }

    /// <inheritdoc/>
    public ReadOnlySpan<float> Logits(int row) => new(LogitsOf(row), VocabularySize);

    /// <inheritdoc/>
    public int ArgMax(int row) => _model.Stack.Vector.ArgMax(LogitsOf(row), VocabularySize);

    /// <inheritdoc/>
    public ReadOnlySpan<float> Feature(int row)
    {
        ArgumentOutOfRangeException.ThrowIfGreaterThanOrEqual((uint)row, (uint)_pass.RowCount);
        return new(_features.Floats + ((nint)row * _workspace.HiddenStride), HiddenSize);
    }

    /// <inheritdoc/>
    public ReadOnlySpan<float> Boundary(int boundary, int row)
    {
        ArgumentOutOfRangeException.ThrowIfGreaterThanOrEqual((uint)row, (uint)_pass.RowCount);
        return _boundaries[boundary].AsSpan(row * HiddenSize, HiddenSize);
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        _workspace.Dispose();
        _features.Dispose();
        _logits.Dispose();
    }

    private float* LogitsOf(int row)
    {
        int index = row - _pass.Request.LogitsFrom;
        if (index < 0 || row >= _pass.RowCount)
        {
            throw new InvalidOperationException($"No logits were requested for row {row}.");
        }

        return _logits.Floats + ((nint)index * _logitsStride);
    }

    /// <summary>The parallel region of a pass: embedding, layers, final norm, LM head.</summary>
    private sealed class TargetPass : ParallelJob
    {
        private readonly LlamaTarget _target;
        private readonly Action<int> _keepBoundary;
        private PassRows _rows = null!;

        public TargetPass(LlamaTarget target)
        {
            _target = target;
            _keepBoundary = KeepBoundary;
        }

        public PassRequest Request { get; private set; } = PassRequest.FeaturesOnly;

        public int RowCount { get; private set; }

        public void Set(PassRows rows, PassRequest request)
        {
            _rows = rows;
            Request = request;
            RowCount = rows.Active;
        }

        public override void Execute(Worker worker)
        {
            LlamaModel model = _target._model;
            StackWorkspace workspace = _target._workspace;
            int count = RowCount, stride = workspace.HiddenStride, hidden = model.Config.HiddenSize;
            workspace.Begin(worker);
            while (worker.Take(count, 1, 16, out int from, out int rows))
            {
                for (int row = from; row < from + rows; row++)
                {
                    model.Embedding.UnpackRow(_rows.Token(_rows.Start + row), workspace.Residual + ((nint)row * stride));
                }
            }

            workspace.Lap(worker, PassPart.Norms);
            model.Stack.Execute(worker, workspace, _rows, Request.Boundaries, _keepBoundary);

            float* features = _target._features.Floats;
            while (worker.Take(count, 1, 16, out int from, out int rows))
            {
                for (int row = from; row < from + rows; row++)
                {
                    nint at = (nint)row * stride;
                    model.Stack.Vector.RmsNorm(workspace.Residual + at, model.FinalNorm.Floats, model.Config.NormEpsilon, hidden, features + at);
                }
            }

            workspace.Lap(worker, PassPart.Norms);
            int first = Request.LogitsFrom;
            if (first < count)
            {
                model.Stack.Product(
                    worker, workspace, model.LmHead, null, null, features + ((nint)first * stride), stride, count - first, _target._logits.Floats, _target._logitsStride);
            }
        }

        private void KeepBoundary(int boundary)
        {
            float[] kept = _target._boundaries[boundary];
            int hidden = _target.HiddenSize;
            for (int row = 0; row < RowCount; row++)
            {
                new ReadOnlySpan<float>(_target._workspace.Residual + ((nint)row * _target._workspace.HiddenStride), hidden).CopyTo(kept.AsSpan(row * hidden));
            }
        }
    }
}
