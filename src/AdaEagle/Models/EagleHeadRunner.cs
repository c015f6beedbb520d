using AdaEagle.Kernels;

namespace AdaEagle.Models;

/// <summary>
/// A session's way to run an <see cref="EagleHead"/>: rows of (feature, next token) in, predicted features and the last rows' logits out.
/// Results are valid until the next pass. Not thread-safe.
/// </summary>
internal sealed unsafe class EagleHeadRunner : IDisposable
{
    private readonly WorkerPool _pool;
    private readonly StackWorkspace _workspace;
    private readonly NativeBuffer _inputs;
    private readonly NativeBuffer _logits;
    private readonly int _inputStride;
    private readonly int _logitsStride;
    private readonly HeadPass _pass;

    public EagleHeadRunner(EagleHead head, WorkerPool pool, int maxRows)
    {
        Head = head;
        _pool = pool;
        MaxRows = maxRows;
        _workspace = new StackWorkspace(head.Stack, maxRows, pool.WorkerCount, head.Fuse, head.LmHead);
        _inputStride = 2 * HiddenSize;
        _inputs = NativeBuffer.OfFloats(((long)maxRows * _inputStride) + 16);
        _logitsStride = head.LmHead.GroupCount * MatrixKernel.GroupRows;
        _logits = NativeBuffer.OfFloats((long)maxRows * _logitsStride);
        _pass = new HeadPass(this);
    }

    public EagleHead Head { get; }

    public int MaxRows { get; }

    public int HiddenSize => Head.Config.HiddenSize;

    public KvCache CreateCache(int capacity) => new(Head.Blocks, capacity);

    /// <summary>Where the feature of row <paramref name="row"/> of the coming pass is to be written.</summary>
    public Span<float> FeatureInput(int row) => new(_inputs.Floats + ((nint)row * _inputStride) + HiddenSize, HiddenSize);

    /// <summary>Runs the rows, whose features were written and whose tokens are t_(i+1); the last <paramref name="logitRows"/> get logits.</summary>
    public void Forward(PassRows rows, int logitRows)
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
        _pass.Set(rows, logitRows);
        _pool.Run(_pass);
    }

    /// <summary>A row's output: the predicted feature, which is also the feature input of its children.</summary>
    public ReadOnlySpan<float> Output(int row) => new(_workspace.Residual + ((nint)row * _workspace.HiddenStride), HiddenSize);

    /// <summary>Logits of one of the last rows.</summary>
    public ReadOnlySpan<float> Logits(int row) => new(LogitsOf(row), Head.Target.Config.VocabularySize);

    public int ArgMax(int row) => Head.Stack.Vector.ArgMax(LogitsOf(row), Head.Target.Config.VocabularySize);

    /// <summary>ln of the sum of e^logit, given the largest logit.</summary>
    public float LogSumExp(int row, float max) => Head.Stack.Vector.LogSumExp(LogitsOf(row), Head.Target.Config.VocabularySize, max);

    public void Dispose()
    {
        _workspace.Dispose();
        _inputs.Dispose();
        _logits.Dispose();
    }

    private float* LogitsOf(int row) => _logits.Floats + ((nint)(row - _pass.FirstLogitRow) * _logitsStride);

    private sealed class HeadPass(EagleHeadRunner runner) : ParallelJob
    {
        private PassRows _rows = null!;

        public int FirstLogitRow { get; private set; }

        public void Set(PassRows rows, int logitRows)
        {
            _rows = rows;
            FirstLogitRow = rows.Active - logitRows;
        }

        public override void Execute(Worker worker)
        {
            EagleHead head = runner.Head;
            StackWorkspace workspace = runner._workspace;
            int count = _rows.Active, stride = workspace.HiddenStride, inputStride = runner._inputStride;
            workspace.Begin(worker);
            while (worker.Take(count, 1, 16, out int from, out int rows))
            {
                for (int row = from; row < from + rows; row++)
                {
                    head.Embedding.UnpackRow(_rows.Token(_rows.Start + row), runner._inputs.Floats + ((nint)row * inputStride));
                }
            }

            head.Stack.Product(worker, workspace, head.Fuse, head.FuseBias, runner._inputs.Floats, inputStride, count, workspace.Residual, stride);
            head.Stack.Execute(worker, workspace, _rows, null);
            if (FirstLogitRow < count)
            {
                head.Stack.Product(
                    worker, workspace, head.LmHead, null, workspace.Residual + ((nint)FirstLogitRow * stride), stride,
                    count - FirstLogitRow, runner._logits.Floats, runner._logitsStride);
            }
        }
    }
}
