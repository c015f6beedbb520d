using AdaEagle.Kernels;
using AdaEagle.Models;
using AdaEagle.Speculation.Drafting;
using AdaEagle.Speculation.Policies;

namespace AdaEagle.Speculation.Oracle;

/// <summary>
/// Records the run length of every root of a known output: the target's features come from passes over prompt and output, the drafter sees what
/// it would see in a round, committed features only, and its chain is compared with what the output says. By law 1 these are the very bits of
/// decoding. Not thread-safe.
/// </summary>
internal sealed class RunRecorder : IDisposable
{
    private readonly LlamaTarget _target;
    private readonly EagleDrafter _drafter;
    private readonly PassRows _rows;
    private readonly DraftTree _draft;
    private readonly DraftCandidate[] _candidate = new DraftCandidate[1];

    /// <summary>Makes a recorder of runs of at most <paramref name="maxDraft"/> tokens.</summary>
    public RunRecorder(LlamaModel target, EagleHead head, WorkerPool pool, int maxDraft)
    {
        ArgumentOutOfRangeException.ThrowIfNegativeOrZero(maxDraft);
        _target = new LlamaTarget(target, pool);
        _drafter = new EagleDrafter(head, pool, maxDraft);
        _rows = new PassRows(_target.MaxRows);
        _draft = new DraftTree(maxDraft);
        MaxDraft = maxDraft;
    }

    /// <summary>k_max: longer runs count as this.</summary>
    public int MaxDraft { get; }

    /// <summary>Records an output.</summary>
    /// <param name="prompt">The prompt's tokens.</param>
    /// <param name="output">All tokens that were generated, an end token included.</param>
    /// <param name="maxTokens">The most tokens that were to be generated.</param>
    /// <param name="endsWithEndToken">True if the last token is one that ended the output.</param>
    /// <param name="policy">A policy whose lengths are recorded too; it must depend on the root and its draft alone.</param>
    /// <param name="cancellation">Observed between passes.</param>
    public RecordedOutput Record(
        IReadOnlyList<int> prompt, IReadOnlyList<int> output, int maxTokens, bool endsWithEndToken, IDraftPolicy? policy = null, CancellationToken cancellation = default)
    {
        int[] tokens = [.. prompt, .. output];
        var roots = new RecordedRoot[output.Count];
        _drafter.Reset(tokens.Length, tokens[0]);
        using KvCache cache = _target.CreateCache(tokens.Length);
        for (int done = 0; done < tokens.Length - 1;)
        {
            cancellation.ThrowIfCancellationRequested();
            int count = Math.Min(_target.MaxRows, tokens.Length - 1 - done);
            _rows.Clear();
            for (int i = 0; i < count; i++)
            {
                _rows.Add(cache, tokens[done + i], i - 1);
            }

            _target.Forward(_rows, PassRequest.FeaturesOnly);
            cache.CommitFirst(count);
            for (int i = 0; i < count; i++)
            {
                int position = done + i;
                ReadOnlySpan<float> feature = _target.Feature(i);
                _drafter.Commit(feature, tokens[position + 1]);
                int root = position + 1 - prompt.Count;
                if (root >= 0 && root < output.Count - 1)
                {
                    int planned = policy?.Plan(new PlanContext { Feature = feature, Token = tokens[position], Root = tokens[position + 1], RootIndex = root }) ?? 0;
                    roots[root] = Draft(output, root, policy, planned);
                }
            }

            done += count;
        }

        return new RecordedOutput(roots, maxTokens, endsWithEndToken);
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        _drafter.Dispose();
        _target.Dispose();
    }

    // Drafts while the chain agrees with the output, or the policy would go on.
    private RecordedRoot Draft(IReadOnlyList<int> output, int root, IDraftPolicy? policy, int planned)
    {
        _draft.Clear();
        bool agrees = true, extends = policy is not null;
        int run = 0, drafted = 0;
        while (_draft.Count < MaxDraft)
        {
            extends = extends && _draft.Count < policy!.MaxDraft && policy.Extends(_draft, planned);
            if (!agrees && !extends)
            {
                break;
            }

            _drafter.Expand(_draft, _draft.Count - 1, _candidate, policy?.NeedsLogProbabilities ?? false);
            if (_candidate[0].IsNone)
            {
                break;
            }

            _draft.Add(_candidate[0].Token, _draft.Count - 1, _candidate[0].LogProbability);
            drafted += extends ? 1 : 0;
            int index = root + _draft.Count;
            agrees = agrees && index < output.Count && output[index] == _candidate[0].Token;
            run += agrees ? 1 : 0;
        }

        _drafter.EndRound();
        return new RecordedRoot(run, planned, drafted);
    }
}
