using AdaEagle.Kernels;

namespace AdaEagle.Models;

/// <summary>
/// A session's way to run an <see cref="EagleHead"/>: rows of (state, next token) in, outputs and the last rows' logits out. The state is the target's for
/// committed rows, the parent's output for drafted ones. Results are valid until the next pass. Not thread-safe.
/// </summary>
internal sealed unsafe class EagleHeadRunner : IDisposable
{
    private readonly WorkerPool _pool;
    private readonly StackWorkspace _workspace;
    private readonly NativeBuffer _logits;
    private readonly int _logitsStride;
    private readonly HeadPass _pass;

    // [embedding ; state] of a row: EAGLE-1's fc reads it, and the attention of EAGLE-3's first layer, normed. A norm writes whole vectors: room for a row's last.
    private readonly NativeBuffer _inputs;
    private readonly int _inputStride;

    // EAGLE-3 alone: the target's states before fc; embeddings, whose padding stays zero for the norm; normed outputs.
    private readonly NativeBuffer _states, _padded, _normed;
    private readonly int _stateStride, _paddedStride;

    public EagleHeadRunner(EagleHead head, WorkerPool pool, int maxRows)
    {
        Head = head;
        _pool = pool;
        MaxRows = maxRows;
        _workspace = new StackWorkspace(head.Stack, maxRows, pool.WorkerCount, head.Fuse, head.LmHead);
        _inputStride = Pad(2 * HiddenSize) + 16;
        _inputs = NativeBuffer.OfFloats((long)maxRows * _inputStride);
        int rowsOfEagle3 = head.IsEagle3 ? maxRows : 0;
        (_stateStride, _paddedStride) = (Pad(head.InputWidth), Pad(Math.Max(HiddenSize, head.Target.Config.HiddenSize)));
        _states = NativeBuffer.OfFloats((long)rowsOfEagle3 * _stateStride);
        _padded = NativeBuffer.OfFloats((long)rowsOfEagle3 * _paddedStride);
        _normed = NativeBuffer.OfFloats((long)(head.NormOutput ? maxRows : 0) * _workspace.HiddenStride);
        _logitsStride = head.LmHead.GroupCount * MatrixKernel.GroupRows;
        _logits = NativeBuffer.OfFloats((long)maxRows * _logitsStride);
        _pass = new HeadPass(this);
    }

    public EagleHead Head { get; }

    public int MaxRows { get; }

    /// <summary>Width of an output.</summary>
    public int HiddenSize => Head.Config.HiddenSize;

    public KvCache CreateCache(int capacity) => new(Head.Blocks, capacity);

    /// <summary>Where the target's state (<see cref="EagleHead.Inputs"/>) of row <paramref name="row"/> of the coming pass over committed rows is to be written.</summary>
    public Span<float> TargetInput(int row) => Head.IsEagle3
        ? new(_states.Floats + ((nint)row * _stateStride), Head.InputWidth)
        : FeatureInput(row);

    /// <summary>Where the output of its parent is to be written for row <paramref name="row"/> of the coming pass over drafted rows.</summary>
    public Span<float> FeatureInput(int row) => new(_inputs.Floats + ((nint)row * _inputStride) + HiddenSize, HiddenSize);

    /// <summary>Runs committed rows: their target states were written, their tokens are t_(i+1); the last <paramref name="logitRows"/> get logits.</summary>
    public void ForwardCommitted(PassRows rows, int logitRows) => Forward(rows, logitRows, committed: true);

    /// <summary>Runs drafted rows: their parents' outputs were written; the last <paramref name="logitRows"/> get logits.</summary>
    public void Forward(PassRows rows, int logitRows) => Forward(rows, logitRows, committed: false);

    /// <summary>A row's output, which its children read.</summary>
    public ReadOnlySpan<float> Output(int row) => new((Head.NormOutput ? _normed.Floats : _workspace.Residual) + ((nint)row * _workspace.HiddenStride), HiddenSize);

    /// <summary>Logits of one of the last rows, over the head's own vocabulary (<see cref="EagleHead.TargetToken"/>).</summary>
    public ReadOnlySpan<float> Logits(int row) => new(LogitsOf(row), Head.VocabularySize);

    /// <summary>The best of the head's own vocabulary.</summary>
    public int ArgMax(int row) => Head.Stack.Vector.ArgMax(LogitsOf(row), Head.VocabularySize);

    /// <summary>ln of the sum of e^logit, given the largest logit.</summary>
    public float LogSumExp(int row, float max) => Head.Stack.Vector.LogSumExp(LogitsOf(row), Head.VocabularySize, max);

    public void Dispose()
    {
        _workspace.Dispose();
        foreach (NativeBuffer buffer in (NativeBuffer[])[_inputs, _states, _padded, _normed, _logits])
        {
            buffer.Dispose();
        }
    }

    private static int Pad(int length) => (length + 15) & ~15;

    private float* LogitsOf(int row) => _logits.Floats + ((nint)(row - _pass.FirstLogitRow) * _logitsStride);

    private void Forward(PassRows rows, int logitRows, bool committed)
    {
        if (rows.Active == 0 || rows.Active > MaxRows)
        {
            throw new ArgumentException($"A pass of the head has 1 to {MaxRows} rows, not {rows.Active}.", nameof(rows));
        }

        for (int row = rows.Start; row < rows.Count; row++)
        {
            if ((uint)rows.Token(row) >= (uint)Head.Config.VocabularySize)
            {
                throw new ArgumentException($"Token {rows.Token(row)} is outside the vocabulary of {Head.Config.VocabularySize}.", nameof(rows));
            }
        }

        Head.Stack.Prepare(_workspace, rows, _pool.WorkerCount);
        _pass.Set(rows, logitRows, committed);
        _pool.Run(_pass);
    }

    private sealed class HeadPass(EagleHeadRunner runner) : ParallelJob
    {
        private readonly EagleHead _head = runner.Head;
        private readonly StackWorkspace _workspace = runner._workspace;
        private PassRows _rows = null!;
        private bool _committed;

        public int FirstLogitRow { get; private set; }

        public void Set(PassRows rows, int logitRows, bool committed)
        {
            _rows = rows;
            _committed = committed;
            FirstLogitRow = rows.Active - logitRows;
        }

        public override void Execute(Worker worker)
        {
            _workspace.Begin(worker);
            if (_head.IsEagle3)
            {
                ExecuteEagle3(worker);
            }
            else
            {
                ExecuteEagle1(worker);
            }

            Score(worker);
        }

        private void ExecuteEagle1(Worker worker)
        {
            while (worker.Take(_rows.Active, 1, 16, out int from, out int rows))
            {
                for (int row = from; row < from + rows; row++)
                {
                    _head.Embedding.UnpackRow(_rows.Token(_rows.Start + row), runner._inputs.Floats + ((nint)row * runner._inputStride));
                }
            }

            _head.Stack.Product(
                worker, _workspace, _head.Fuse, _head.FuseBias, null, runner._inputs.Floats, runner._inputStride, _rows.Active, _workspace.Residual, _workspace.HiddenStride);
            _head.Stack.Execute(worker, _workspace, _rows, [], null);
        }

        private void ExecuteEagle3(Worker worker)
        {
            if (_committed)
            {
                while (_head.FuseNorms.Length > 0 && worker.Take(_rows.Active, 1, 16, out int from, out int rows))
                {
                    for (int row = from; row < from + rows; row++)
                    {
                        NormState(row);
                    }
                }

                _head.Stack.Product(
                    worker, _workspace, _head.Fuse, null, null, runner._states.Floats, runner._stateStride, _rows.Active, _workspace.Residual, _workspace.HiddenStride);
            }

            while (worker.Take(_rows.Active, 1, 16, out int from, out int rows))
            {
                for (int row = from; row < from + rows; row++)
                {
                    MakeInput(row);
                }
            }

            _head.Stack.ExecuteFrom(worker, _workspace, _rows, runner._inputs.Floats, runner._inputStride);
        }

        /// <summary>norm_before_fc: the boundaries side by side; fc_norm: one by one, by way of a row whose padding is zero.</summary>
        private void NormState(int row)
        {
            float epsilon = _head.Config.NormEpsilon;
            float* state = runner._states.Floats + ((nint)row * runner._stateStride);
            if (_head.FuseNorms is [var all])
            {
                _head.Stack.Vector.RmsNorm(state, all.Floats, epsilon, _head.InputWidth, state);
                return;
            }

            int width = _head.Target.Config.HiddenSize;
            float* padded = runner._padded.Floats + ((nint)row * runner._paddedStride);
            var segment = new Span<float>(padded, width);
            for (int i = 0; i < _head.FuseNorms.Length; i++)
            {
                var boundary = new Span<float>(state + ((nint)i * width), width);
                // What an embedding of another width left behind.
                new Span<float>(padded, runner._paddedStride).Clear();
                boundary.CopyTo(segment);
                _head.Stack.Vector.RmsNorm(padded, _head.FuseNorms[i].Floats, epsilon, width, padded);
                segment.CopyTo(boundary);
            }
        }

        /// <summary>[normed embedding ; normed state] for the attention, and the residual stream beside it.</summary>
        private void MakeInput(int row)
        {
            DecoderLayer layer = _head.Stack.Layers[0];
            VectorKernels vector = _head.Stack.Vector;
            int hidden = runner.HiddenSize;
            float epsilon = _head.Config.NormEpsilon;
            float* residual = _workspace.Residual + ((nint)row * _workspace.HiddenStride);
            float* padded = runner._padded.Floats + ((nint)row * runner._paddedStride);
            float* input = runner._inputs.Floats + ((nint)row * runner._inputStride);
            if (!_committed)
            {
                runner.FeatureInput(row).CopyTo(new Span<float>(residual, hidden));
            }

            new Span<float>(padded, runner._paddedStride)[hidden..].Clear();
            _head.Embedding.UnpackRow(_rows.Token(_rows.Start + row), padded);
            vector.RmsNorm(padded, layer.InputNorm!.Floats, epsilon, hidden, input);
            vector.RmsNorm(residual, layer.StateNorm!.Floats, epsilon, hidden, input + hidden);
            if (_head.NormBeforeResidual)
            {
                new Span<float>(input + hidden, hidden).CopyTo(new Span<float>(residual, hidden));
            }
        }

        private void Score(Worker worker)
        {
            int count = _rows.Active, stride = _workspace.HiddenStride;
            float* outputs = _workspace.Residual;
            NativeBuffer? norm = _head.FinalNorm;
            if (_head.NormOutput)
            {
                // Every row's output is fed back: the norm is not the LM head's alone.
                outputs = runner._normed.Floats;
                while (worker.Take(count, 1, 16, out int from, out int rows))
                {
                    for (int row = from; row < from + rows; row++)
                    {
                        nint at = (nint)row * stride;
                        _head.Stack.Vector.RmsNorm(_workspace.Residual + at, norm!.Floats, _head.Config.NormEpsilon, runner.HiddenSize, outputs + at);
                    }
                }

                norm = null;
            }

            if (FirstLogitRow < count)
            {
                _head.Stack.Product(
                    worker, _workspace, _head.LmHead, null, norm, outputs + ((nint)FirstLogitRow * stride), stride, count - FirstLogitRow, runner._logits.Floats, runner._logitsStride);
            }
        }
    }
}
