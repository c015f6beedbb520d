using AdaEagle.Kernels;
using AdaEagle.Models;

namespace AdaEagle.Speculation.Drafting;

/// <summary>
/// Drafts with a second model of the target's vocabulary: classic speculative decoding (Leviathan et al., Chen et al.), "assisted generation" in
/// Hugging Face's words. Its proposals are its most probable tokens, so that verification by the target's own choice is lossless.
/// </summary>
/// <remarks>
/// Its cache holds committed tokens only; rows of a draft are staged and dropped at the end of the round. Committed tokens queue and are run with the next
/// draft in one pass, the accepted ones of the last draft among them: n rows cost little more than one where weights stream.
/// </remarks>
public sealed class ModelDrafter : IDrafter
{
    private const int CatchUpRows = 64;

    // Rows with logits: a row of a large vocabulary is long.
    private const int ExpandedRows = 16;

    private readonly LlamaTarget _runner;
    private readonly PassRows _rows;
    private readonly PassRequest[] _lastRow;
    private readonly LlamaModel _model;
    private readonly ChildGrowth _growth;
    private readonly int[] _rowOf;
    private readonly int _vocabulary;
    private KvCache? _cache;
    private int[] _tokens = [];
    private int _count;
    private bool _unknownToken;

    /// <summary>Makes a drafter that expands at most <paramref name="maxExpanded"/> nodes of a draft, the root among them.</summary>
    /// <param name="model">The draft model. Whether its vocabulary is the target's is for the caller to know.</param>
    /// <param name="target">The target: tokens beyond its logits (models pad their vocabularies differently) are not proposed.</param>
    /// <param name="pool">Who computes; null: all processors.</param>
    /// <param name="maxExpanded">The most nodes that are expanded in a round.</param>
    public ModelDrafter(LlamaModel model, LlamaModel target, WorkerPool? pool = null, int maxExpanded = 128)
    {
        ArgumentNullException.ThrowIfNull(model);
        ArgumentNullException.ThrowIfNull(target);
        _model = model;
        _growth = new ChildGrowth(model.Stack.Vector);
        MaxExpanded = maxExpanded;
        _vocabulary = Math.Min(model.Config.VocabularySize, target.Config.VocabularySize);
        _runner = new LlamaTarget(model, pool, CatchUpRows, maxLogitRows: ExpandedRows);
        _rows = new PassRows(Math.Max(CatchUpRows, maxExpanded));
        _lastRow = [.. Enumerable.Range(0, CatchUpRows).Select(row => new PassRequest { LogitsFrom = row })];
        _rowOf = new int[maxExpanded];
    }

    /// <inheritdoc/>
    public string Name => "model";

    /// <inheritdoc/>
    public int MaxExpanded { get; }

    /// <summary>Committed tokens that its cache holds.</summary>
    public int CommittedRows => _cache?.Length ?? 0;

    /// <summary>Committed tokens that wait for the next draft, the root among them.</summary>
    public int QueuedRows => _count - CommittedRows;

    internal KvCache? Cache => _cache;

    /// <inheritdoc/>
    public void Reset(int capacity, int firstToken)
    {
        _cache?.Dispose();
        _cache = _runner.CreateCache(checked(capacity + MaxExpanded));
        if (_tokens.Length < capacity + 1)
        {
            _tokens = new int[capacity + 1];
        }

        _count = 0;
        _unknownToken = false;
        Add(firstToken);
    }

    /// <inheritdoc/>
    public void Commit(ReadOnlySpan<float> state, int nextToken) => Add(nextToken);

    /// <inheritdoc/>
    public void Expand(DraftTree draft, ReadOnlySpan<Expansion> nodes, DraftNeeds needs)
    {
        ArgumentNullException.ThrowIfNull(draft);
        Expansions.Check(draft, nodes, MaxExpanded);

        // A token it has no embedding for: it has lost the thread.
        if (_unknownToken)
        {
            foreach (Expansion node in nodes)
            {
                draft.Expand(node.Node);
            }

            return;
        }

        if (draft.Expanded == 0)
        {
            ExpandRoot(draft, nodes, needs);
            return;
        }

        while (nodes.Length > 0)
        {
            int count = Math.Min(nodes.Length, ExpandedRows);
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
        if (_cache is not null && (_cache.Staged != 0 || _count != positions + 1 || QueuedRows < 0))
        {
            throw new InvalidOperationException($"The drafter holds {CommittedRows} + {QueuedRows} tokens, {positions} positions and the root are {positions + 1}.");
        }
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        _cache?.Dispose();
        _runner.Dispose();
    }

    private void ExpandRoot(DraftTree draft, ReadOnlySpan<Expansion> nodes, DraftNeeds needs)
    {
        if (_count > _runner.MaxPositions)
        {
            draft.Expand(-1);
            return;
        }

        Grow(draft, nodes[0], CatchUp(), needs);
    }

    // One pass over the nodes that lie within its context; the others get no continuation.
    private void ExpandNodes(DraftTree draft, ReadOnlySpan<Expansion> nodes, DraftNeeds needs)
    {
        _rows.Continue();
        int first = draft.Expanded;
        for (int i = 0; i < nodes.Length; i++)
        {
            int node = nodes[i].Node, parent = draft.Expansion(draft.Parent(node));
            bool fits = _count + draft.Depth(node) <= _runner.MaxPositions;
            _rowOf[first + i] = fits ? _rows.Add(_cache!, draft.Token(node), parent == 0 ? -1 : _rowOf[parent]) : -1;
        }

        int start = _rows.Start;
        if (_rows.Active > 0)
        {
            _runner.Forward(_rows, PassRequest.AllLogits);
        }

        for (int i = 0; i < nodes.Length; i++)
        {
            if (_rowOf[first + i] >= 0)
            {
                Grow(draft, nodes[i], _rowOf[first + i] - start, needs);
            }
            else
            {
                draft.Expand(nodes[i].Node);
            }
        }
    }

    private void Grow(DraftTree draft, Expansion node, int row, DraftNeeds needs)
    {
        draft.Expand(node.Node);
        if ((needs & DraftNeeds.Hidden) != 0)
        {
            draft.SetHidden(node.Node, _runner.Feature(row));
        }

        ReadOnlySpan<float> logits = _runner.Logits(row);
        _growth.Grow(draft, node, logits, _vocabulary, [], needs);
    }

    private void Add(int token)
    {
        _tokens[_count++] = token;
        _unknownToken |= token >= _model.Config.VocabularySize;
    }

    /// <summary>Runs the queued tokens and commits their rows; returns the row of the root among the results.</summary>
    private int CatchUp()
    {
        if (QueuedRows == 0)
        {
            throw new InvalidOperationException("The root was expanded already.");
        }

        int last = 0;
        while (QueuedRows > 0)
        {
            int from = CommittedRows, count = Math.Min(CatchUpRows, QueuedRows);
            _rows.Clear();
            for (int i = 0; i < count; i++)
            {
                _rows.Add(_cache!, _tokens[from + i], i - 1);
            }

            last = count - 1;
            _runner.Forward(_rows, count == QueuedRows ? _lastRow[last] : PassRequest.FeaturesOnly);
            _cache!.CommitFirst(count);
        }

        _rows.Clear();
        return last;
    }
}
