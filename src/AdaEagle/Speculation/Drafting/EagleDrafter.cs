using AdaEagle.Kernels;
using AdaEagle.Models;

namespace AdaEagle.Speculation.Drafting;

/// <summary>
/// Drafts with an EAGLE head. Its cache holds rows of committed (target state, next token) pairs only; rows of a draft, made from
/// the head's own outputs, are staged and dropped at the end of the round.
/// </summary>
public sealed class EagleDrafter : IDrafter
{
    private const int QueueRows = 256;
    private const int RunnerRows = 64;

    private readonly EagleHeadRunner _runner;
    private readonly PassRows _rows;
    private readonly float[] _queuedStates;
    private readonly int[] _queuedTokens = new int[QueueRows];
    private readonly float[] _outputs;
    private readonly ChildGrowth _growth;
    private KvCache? _cache;
    private int _queued;

    /// <summary>Makes a drafter that expands at most <paramref name="maxExpanded"/> nodes of a draft, the root among them.</summary>
    public EagleDrafter(EagleHead head, WorkerPool? pool = null, int maxExpanded = 128)
    {
        ArgumentNullException.ThrowIfNull(head);
        ArgumentOutOfRangeException.ThrowIfNegativeOrZero(maxExpanded);
        _runner = new EagleHeadRunner(head, pool ?? WorkerPool.Shared, RunnerRows);
        _growth = new ChildGrowth(head.Stack.Vector);
        MaxExpanded = maxExpanded;
        _rows = new PassRows(Math.Max(RunnerRows, maxExpanded));
        _queuedStates = new float[QueueRows * head.InputWidth];
        _outputs = new float[maxExpanded * head.Config.HiddenSize];
    }

    /// <inheritdoc/>
    public string Name => "eagle";

    /// <inheritdoc/>
    public int MaxExpanded { get; }

    /// <inheritdoc/>
    public DrafterInputs Inputs => _runner.Head.Inputs;

    /// <summary>Committed pairs that wait for the next draft.</summary>
    public int QueuedRows => _queued;

    /// <summary>Committed pairs that the head's cache holds.</summary>
    public int CommittedRows => _cache?.Length ?? 0;

    internal KvCache? Cache => _cache;

    private int Hidden => _runner.HiddenSize;

    private int Width => _runner.Head.InputWidth;

    /// <inheritdoc/>
    public void Reset(int capacity, int firstToken)
    {
        _cache?.Dispose();
        _cache = _runner.CreateCache(checked(capacity + MaxExpanded));
        _queued = 0;
    }

    /// <inheritdoc/>
    public void Commit(ReadOnlySpan<float> state, int nextToken)
    {
        ArgumentOutOfRangeException.ThrowIfNotEqual(state.Length, Width, nameof(state));
        // A full queue is worked off at once, so that long prompts need no more memory than short ones.
        if (_queued == QueueRows)
        {
            CatchUp();
        }

        state.CopyTo(_queuedStates.AsSpan(_queued * Width, Width));
        _queuedTokens[_queued++] = nextToken;
    }

    /// <inheritdoc/>
    public void Expand(DraftTree draft, ReadOnlySpan<Expansion> nodes, DraftNeeds needs)
    {
        ArgumentNullException.ThrowIfNull(draft);
        Expansions.Check(draft, nodes, MaxExpanded);
        if (draft.Expanded == 0)
        {
            ExpandRoot(draft, nodes, needs);
            return;
        }

        while (nodes.Length > 0)
        {
            int count = Math.Min(nodes.Length, RunnerRows);
            ExpandNodes(draft, nodes[..count], needs);
            nodes = nodes[count..];
        }
    }

    /// <inheritdoc/>
    public void EndRound()
    {
        _cache?.Discard();
        _rows.Clear();
    }

    /// <inheritdoc/>
    public void CheckIntegrity(int positions)
    {
        _cache?.CheckIntegrity();
        if (_cache is not null && (_cache.Staged != 0 || CommittedRows + QueuedRows != positions))
        {
            throw new InvalidOperationException($"The drafter holds {CommittedRows} + {QueuedRows} pairs for {positions} positions.");
        }
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        _cache?.Dispose();
        _runner.Dispose();
    }

    // The head's output of an expansion, number 0 being the root's: that of the last committed pair.
    private Span<float> OutputOf(int expansion) => _outputs.AsSpan(expansion * Hidden, Hidden);

    private void ExpandRoot(DraftTree draft, ReadOnlySpan<Expansion> nodes, DraftNeeds needs)
    {
        Grow(draft, nodes[0], CatchUp(), needs);
    }

    /// <summary>Runs the queued pairs and commits their rows; returns the row of the last one among the runner's results.</summary>
    private int CatchUp()
    {
        if (_queued == 0)
        {
            throw new InvalidOperationException("The root was expanded already, or nothing was committed.");
        }

        int last = 0;
        for (int done = 0; done < _queued;)
        {
            int count = Math.Min(RunnerRows, _queued - done);
            _rows.Clear();
            for (int i = 0; i < count; i++)
            {
                _rows.Add(_cache!, _queuedTokens[done + i], i - 1);
                _queuedStates.AsSpan((done + i) * Width, Width).CopyTo(_runner.TargetInput(i));
            }

            done += count;
            _runner.ForwardCommitted(_rows, logitRows: done == _queued ? 1 : 0);
            _cache!.CommitFirst(count);
            last = count - 1;
        }

        _queued = 0;
        _rows.Clear();
        return last;
    }

    // One pass of the head over the nodes. The staged rows are the expansions but the root's, in their order.
    private void ExpandNodes(DraftTree draft, ReadOnlySpan<Expansion> nodes, DraftNeeds needs)
    {
        if (draft.Expanded != _rows.Count + 1)
        {
            throw new InvalidOperationException("The draft was not expanded by this drafter, or belongs to another round.");
        }

        _rows.Continue();
        for (int i = 0; i < nodes.Length; i++)
        {
            int node = nodes[i].Node, parent = draft.Expansion(draft.Parent(node));
            OutputOf(parent).CopyTo(_runner.FeatureInput(i));
            _rows.Add(_cache!, draft.Token(node), parent - 1);
        }

        _runner.Forward(_rows, logitRows: nodes.Length);
        for (int i = 0; i < nodes.Length; i++)
        {
            Grow(draft, nodes[i], i, needs);
        }
    }

    private void Grow(DraftTree draft, Expansion node, int row, DraftNeeds needs)
    {
        int expansion = draft.Expand(node.Node);
        ReadOnlySpan<float> output = _runner.Output(row), logits = _runner.Logits(row);
        output.CopyTo(OutputOf(expansion));
        if ((needs & DraftNeeds.Hidden) != 0)
        {
            draft.SetHidden(node.Node, output);
        }

        _growth.Grow(draft, node, logits, logits.Length, _runner.Head.TargetTokens, needs);
    }
}
