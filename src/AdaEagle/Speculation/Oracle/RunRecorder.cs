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
    private readonly IDrafter _drafter;
    private readonly bool _ownsDrafter;
    private readonly PassRows _rows;
    private readonly DraftTree _draft;

    /// <summary>Makes a recorder of runs of at most <paramref name="maxDraft"/> tokens that the head drafts.</summary>
    public RunRecorder(LlamaModel target, EagleHead head, WorkerPool pool, int maxDraft)
        : this(target, new EagleDrafter(head, pool, maxDraft), pool, maxDraft) => _ownsDrafter = true;

    /// <summary>Makes a recorder of what any drafter drafts, which stays the caller's.</summary>
    public RunRecorder(LlamaModel target, IDrafter drafter, WorkerPool pool, int maxDraft)
    {
        ArgumentOutOfRangeException.ThrowIfNegativeOrZero(maxDraft);
        _target = new LlamaTarget(target, pool);
        _drafter = drafter;
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
        IReadOnlyList<int> prompt, IReadOnlyList<int> output, int maxTokens, bool endsWithEndToken, ChainPolicy? policy = null, CancellationToken cancellation = default)
    {
        int[] tokens = [.. prompt, .. output];
        var roots = new RecordedRoot[output.Count];
        _drafter.Reset(tokens.Length, tokens[0]);
        bool signals = policy is not null && (policy.Needs & DraftNeeds.RootSignals) != 0;
        using KvCache cache = _target.CreateCache(tokens.Length);
        for (int done = 0; done < tokens.Length - 1;)
        {
            cancellation.ThrowIfCancellationRequested();
            int count = Math.Min(signals ? _target.MaxLogitRows : _target.MaxRows, tokens.Length - 1 - done);
            _rows.Clear();
            for (int i = 0; i < count; i++)
            {
                _rows.Add(cache, tokens[done + i], i - 1);
            }

            _target.Forward(_rows, signals ? PassRequest.AllLogits : PassRequest.FeaturesOnly);
            cache.CommitFirst(count);
            for (int i = 0; i < count; i++)
            {
                int position = done + i;
                ReadOnlySpan<float> feature = _target.Feature(i);
                _drafter.Commit(feature, tokens[position + 1]);
                int root = position + 1 - prompt.Count;
                if (root >= 0 && root < output.Count - 1)
                {
                    DraftSignals rootSignals = signals ? DraftSignals.Of(_target.Logits(i)) : default;
                    int planned = policy?.Plan(
                        new PlanContext { Feature = feature, Token = tokens[position], Root = tokens[position + 1], RootIndex = root, RootSignals = rootSignals }) ?? 0;
                    roots[root] = Draft(output, root, policy, planned, maxTokens - root - 2);
                }
            }

            done += count;
        }

        return new RecordedOutput(roots, maxTokens, endsWithEndToken);
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        if (_ownsDrafter)
        {
            _drafter.Dispose();
        }

        _target.Dispose();
    }

    /// <summary>
    /// Records all that the drafter proposes at every root, as long as may be, with what is known of each token: any chain policy can be replayed from it but those that read
    /// the head's output.
    /// </summary>
    public RecordedChains RecordChains(IReadOnlyList<int> prompt, IReadOnlyList<int> output, int maxTokens, bool endsWithEndToken, CancellationToken cancellation = default)
    {
        var recording = new ChainRecording(MaxDraft);
        RecordedOutput runs = Record(prompt, output, maxTokens, endsWithEndToken, recording, cancellation);
        return new RecordedChains(recording.Roots(runs), maxTokens, endsWithEndToken);
    }

    // Drafts while the chain agrees with the output, or the policy would go on; the round lets it draft so many tokens as are left.
    private RecordedRoot Draft(IReadOnlyList<int> output, int root, ChainPolicy? policy, int planned, int left)
    {
        _draft.Clear();
        bool agrees = true, extends = policy is not null;
        int run = 0, drafted = 0, longest = Math.Min(Math.Min(MaxDraft, policy?.MaxDraft ?? 0), left);
        while (true)
        {
            if (extends && !(_draft.Count < longest && policy!.Extends(_draft, planned)))
            {
                extends = false;
                drafted = policy!.Keep(_draft, planned);
            }

            if (_draft.Count == MaxDraft || (!agrees && !extends))
            {
                break;
            }

            int token = _drafter.Extend(_draft, policy?.Needs ?? DraftNeeds.None);
            if (token < 0)
            {
                drafted = extends ? policy!.Keep(_draft, planned) : drafted;
                break;
            }

            int index = root + _draft.Count;
            agrees = agrees && index < output.Count && output[index] == token;
            run += agrees ? 1 : 0;
        }

        _drafter.EndRound();
        return new RecordedRoot(run, planned, drafted);
    }
}
