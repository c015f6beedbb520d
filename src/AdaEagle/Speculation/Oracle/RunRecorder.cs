using AdaEagle.Kernels;
using AdaEagle.Models;
using AdaEagle.Speculation.Drafting;
using AdaEagle.Speculation.Policies;

namespace AdaEagle.Speculation.Oracle;

/// <summary>
/// Records of every root of a known output its run length, or what another policy does there: on an <see cref="OutputWalk"/> the drafter sees what it would see in a round, committed
/// features only, and its draft is compared with what the output says. A policy that depends on the root and its draft alone is replayed exactly. Not thread-safe.
/// </summary>
internal sealed class RunRecorder : IDisposable
{
    // Of a recorded policy's drafts.
    private const int MaxNodes = 63;
    private const int MaxPool = 1024;
    private const int MaxExpanded = 128;

    private readonly LlamaTarget _target;
    private readonly IDrafter _drafter;
    private readonly bool _ownsDrafter;
    private readonly OutputWalk _walk;
    private readonly SpeculativeDecoder _rounds;

    /// <summary>
    /// Makes a recorder of runs of at most <paramref name="maxDraft"/> tokens that the head drafts, each looked for among so many <paramref name="candidates"/>.
    /// </summary>
    public RunRecorder(LlamaModel target, EagleHead head, WorkerPool pool, int maxDraft, int candidates = 1)
        : this(target, new EagleDrafter(head, pool, MaxExpanded + maxDraft), pool, maxDraft, candidates) => _ownsDrafter = true;

    /// <summary>Makes a recorder of what any drafter drafts, which stays the caller's.</summary>
    public RunRecorder(LlamaModel target, IDrafter drafter, WorkerPool pool, int maxDraft, int candidates = 1)
    {
        ArgumentOutOfRangeException.ThrowIfNegativeOrZero(maxDraft);
        ArgumentOutOfRangeException.ThrowIfNegativeOrZero(candidates);
        _target = new LlamaTarget(target, pool, maxLogitRows: MaxNodes + 1);
        _drafter = drafter;
        _walk = new OutputWalk(_target, drafter);
        _rounds = new SpeculativeDecoder(_target, MaxNodes, maxPool: MaxPool + (maxDraft * candidates));
        (MaxDraft, Candidates) = (maxDraft, candidates);
    }

    /// <summary>k_max: longer runs count as this.</summary>
    public int MaxDraft { get; }

    /// <summary>Candidates of a node among which the output's token is looked for.</summary>
    public int Candidates { get; }

    /// <summary>Records an output.</summary>
    /// <param name="prompt">The prompt's tokens.</param>
    /// <param name="output">All tokens that were generated, an end token included.</param>
    /// <param name="maxTokens">The most tokens that were to be generated.</param>
    /// <param name="endsWithEndToken">True if the last token is one that ended the output.</param>
    /// <param name="policy">A policy whose drafts are recorded too; it must depend on the root and its draft alone.</param>
    /// <param name="cancellation">Observed between passes.</param>
    public RecordedOutput Record(
        IReadOnlyList<int> prompt, IReadOnlyList<int> output, int maxTokens, bool endsWithEndToken, IDraftPolicy? policy = null, CancellationToken cancellation = default)
    {
        var roots = new RecordedRoot[output.Count];
        Array.Fill(roots, new RecordedRoot(0, 0, 0));
        _walk.Run(prompt, output, policy?.Needs ?? DraftNeeds.None, (int root, in PlanContext context) =>
            roots[root] = Draft(output, root, policy, policy?.Plan(context) ?? 0, maxTokens - root - 2), cancellation);
        return new RecordedOutput(roots, maxTokens, endsWithEndToken);
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        _rounds.Dispose();
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

    // What the policy does, as the round lets it, and the ranks of what the output says, over the same pool.
    private RecordedRoot Draft(IReadOnlyList<int> output, int root, IDraftPolicy? policy, int planned, int left)
    {
        DraftTree pool = _rounds.LastPool;
        pool.Clear();
        int drafted = 0, matched = 0;
        if (policy is not null)
        {
            _rounds.Draft(_drafter, policy, planned, left);
            drafted = _rounds.LastDraft.Count;
            matched = OutputWalk.Matched(_rounds.LastDraft, output, root);
        }

        var ranks = new List<int>();
        for (int node = -1; ranks.Count < MaxDraft && root + ranks.Count + 1 < output.Count;)
        {
            if (pool.Expansion(node) < 0)
            {
                if (pool.Expanded >= _drafter.MaxExpanded)
                {
                    break;
                }

                _drafter.Expand(pool, [new Expansion(node, Candidates)], policy?.Needs ?? DraftNeeds.None);
            }

            node = pool.FindChild(node, output[root + ranks.Count + 1]);
            if (node < 0 || pool.Rank(node) >= Candidates)
            {
                break;
            }

            ranks.Add(pool.Rank(node));
        }

        _drafter.EndRound();
        return new RecordedRoot(ranks.TakeWhile(rank => rank == 0).Count(), planned, drafted) { Matched = matched, Ranks = ranks };
    }
}
