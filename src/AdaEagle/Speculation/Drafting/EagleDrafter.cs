using AdaEagle.Kernels;
using AdaEagle.Models;

namespace AdaEagle.Speculation.Drafting;

/// <summary>
/// Drafts with an EAGLE-1 head. Its cache holds rows of committed (target feature, next token) pairs only; rows of a draft, made from
/// predicted features, are staged and dropped at the end of the round.
/// </summary>
public sealed class EagleDrafter : IDrafter
{
    private const int QueueRows = 256;
    private const int RunnerRows = 64;

    private readonly EagleHeadRunner _runner;
    private readonly PassRows _rows;
    private readonly float[] _queuedFeatures;
    private readonly int[] _queuedTokens = new int[QueueRows];
    private readonly float[] _outputs;
    private readonly int[] _nodeRows;
    private readonly int _maxDraft;
    private KvCache? _cache;
    private int _queued;

    /// <summary>Makes a drafter for drafts of at most <paramref name="maxDraft"/> tokens.</summary>
    public EagleDrafter(EagleHead head, WorkerPool? pool = null, int maxDraft = 64)
    {
        ArgumentNullException.ThrowIfNull(head);
        _runner = new EagleHeadRunner(head, pool ?? WorkerPool.Shared, RunnerRows);
        _maxDraft = maxDraft;
        _rows = new PassRows(Math.Max(RunnerRows, maxDraft));
        _queuedFeatures = new float[QueueRows * head.Config.HiddenSize];
        _outputs = new float[(maxDraft + 1) * head.Config.HiddenSize];
        _nodeRows = new int[maxDraft];
    }

    /// <inheritdoc/>
    public string Name => "eagle";

    /// <summary>Committed pairs that wait for the next draft.</summary>
    public int QueuedRows => _queued;

    /// <summary>Committed pairs that the head's cache holds.</summary>
    public int CommittedRows => _cache?.Length ?? 0;

    internal KvCache? Cache => _cache;

    private int Hidden => _runner.HiddenSize;

    /// <inheritdoc/>
    public void Reset(int capacity, int firstToken)
    {
        _cache?.Dispose();
        _cache = _runner.CreateCache(checked(capacity + _maxDraft));
        _queued = 0;
    }

    /// <inheritdoc/>
    public void Commit(ReadOnlySpan<float> feature, int nextToken)
    {
        ArgumentOutOfRangeException.ThrowIfNotEqual(feature.Length, Hidden, nameof(feature));
        // A full queue is worked off at once, so that long prompts need no more memory than short ones.
        if (_queued == QueueRows)
        {
            CatchUp();
        }

        feature.CopyTo(_queuedFeatures.AsSpan(_queued * Hidden, Hidden));
        _queuedTokens[_queued++] = nextToken;
    }

    /// <inheritdoc/>
    public void Expand(DraftTree draft, int node, Span<DraftCandidate> best, bool logProbabilities)
    {
        ArgumentNullException.ThrowIfNull(draft);
        int row;
        if (node < 0)
        {
            row = CatchUp();
        }
        else
        {
            int parent = draft.Parent(node);
            _rows.Continue();
            _nodeRows[node] = _rows.Add(_cache!, draft.Token(node), parent < 0 ? -1 : _nodeRows[parent]);
            OutputOf(parent).CopyTo(_runner.FeatureInput(0));
            _runner.Forward(_rows, logitRows: 1);
            row = 0;
        }

        _runner.Output(row).CopyTo(OutputOf(node));
        Best(row, best, logProbabilities);
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

    // The head's output for a node; node -1 is the root, whose output is that of the last committed pair.
    private Span<float> OutputOf(int node) => _outputs.AsSpan((node + 1) * Hidden, Hidden);

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
                _queuedFeatures.AsSpan((done + i) * Hidden, Hidden).CopyTo(_runner.FeatureInput(i));
            }

            done += count;
            _runner.Forward(_rows, logitRows: done == _queued ? 1 : 0);
            _cache!.CommitFirst(count);
            last = count - 1;
        }

        _queued = 0;
        _rows.Clear();
        return last;
    }

    private void Best(int row, Span<DraftCandidate> best, bool logProbabilities)
    {
        ReadOnlySpan<float> logits = _runner.Logits(row);
        int top = _runner.ArgMax(row);
        float normalizer = logProbabilities ? _runner.LogSumExp(row, logits[top]) : 0;
        float logProbability(float logit) => logProbabilities ? logit - normalizer : 0;
        best[0] = new DraftCandidate(top, logProbability(logits[top]));
        if (best.Length == 1)
        {
            return;
        }

        // Few are wanted of many: insertion into a short sorted list.
        int found = 0;
        for (int token = 0; token < logits.Length; token++)
        {
            float logit = logits[token];
            if (found == best.Length && logit <= best[found - 1].LogProbability)
            {
                continue;
            }

            int at = found < best.Length ? found++ : found - 1;
            while (at > 0 && best[at - 1].LogProbability < logit)
            {
                best[at] = best[at - 1];
                at--;
            }

            best[at] = new DraftCandidate(token, logit);
        }

        for (int i = 0; i < best.Length; i++)
        {
            best[i] = new DraftCandidate(best[i].Token, logProbability(best[i].LogProbability));
        }
    }
}
