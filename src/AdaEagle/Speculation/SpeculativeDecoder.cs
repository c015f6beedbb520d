using AdaEagle.Models;
using AdaEagle.Sampling;
using AdaEagle.Speculation.Drafting;
using AdaEagle.Speculation.Policies;
using AdaEagle.Speculation.Verification;

namespace AdaEagle.Speculation;

/// <summary>One round: what was planned, drafted and accepted, and how many tokens it emitted.</summary>
public readonly record struct RoundRecord(int Planned, int Drafted, int Accepted, int Emitted);

/// <summary>
/// Speculative decoding of one sequence: prefill, then rounds of plan, draft, verify, accept, commit, observe (docs/architecture.md).
/// </summary>
/// <remarks>
/// Authoritative state, and nothing else: the committed tokens, of which the last, the <em>root</em>, is not yet in the target's cache; the target's
/// cache over the others; the drafter's committed pairs; the last target feature. Everything else is scratch of one round.
/// With no drafter it is plain decoding: the same passes, one row each.
/// </remarks>
internal sealed class SpeculativeDecoder : IDisposable
{
    private readonly ITarget _target;
    private readonly TimeProvider _clock;
    private readonly PassRows _rows;
    private readonly DraftTree _draft;
    private readonly float[] _feature;
    private readonly int[] _path;
    private readonly int[] _emitted;
    private readonly DraftCandidate[] _candidate = new DraftCandidate[1];
    private IDrafter? _drafter;
    private IDraftPolicy? _policy;
    private ISampler _sampler = null!;
    private Func<int, bool> _ends = null!;
    private KvCache? _cache;
    private int _root;
    private int _featureToken;

    /// <summary>Makes the scratch for drafts of at most <paramref name="maxDraft"/> tokens.</summary>
    public SpeculativeDecoder(ITarget target, int maxDraft, TimeProvider? clock = null)
    {
        if (maxDraft + 1 > target.MaxLogitRows)
        {
            throw new ArgumentOutOfRangeException(nameof(maxDraft), maxDraft, $"At most {target.MaxLogitRows - 1} tokens of a draft can be verified.");
        }

        _target = target;
        _clock = clock ?? TimeProvider.System;
        _rows = new PassRows(target.MaxRows);
        _draft = new DraftTree(Math.Max(maxDraft, 1));
        MaxDraft = maxDraft;
        _feature = new float[target.HiddenSize];
        _path = new int[maxDraft + 1];
        _emitted = new int[maxDraft + 1];
    }

    /// <summary>The longest draft.</summary>
    public int MaxDraft { get; }

    /// <summary>Tokens generated so far, the root included.</summary>
    public int Generated { get; private set; }

    /// <summary>Target passes, a prefill counting as one.</summary>
    public int Passes { get; private set; }

    public int Drafted { get; private set; }

    public int Accepted { get; private set; }

    public TimeSpan PrefillTime { get; private set; }

    public TimeSpan PlanTime { get; private set; }

    public TimeSpan DraftTime { get; private set; }

    public TimeSpan VerifyTime { get; private set; }

    /// <summary>The draft of the last round, for display: what was proposed.</summary>
    public DraftTree LastDraft => _draft;

    internal KvCache? Cache => _cache;

    /// <summary>
    /// Starts a sequence: runs the prompt and samples the first token, which is returned.
    /// </summary>
    /// <param name="prompt">At least one token.</param>
    /// <param name="maxTokens">The most tokens that will be generated.</param>
    /// <param name="sampler">Chooses the tokens.</param>
    /// <param name="ends">Tells tokens that end the output.</param>
    /// <param name="drafter">Proposes tokens; null for plain decoding.</param>
    /// <param name="policy">Chooses how many; null for plain decoding.</param>
    /// <param name="read">Told after each pass how many tokens of the prompt are read; null: nobody.</param>
    /// <param name="cancellation">Observed between passes.</param>
    public int Prefill(
        ReadOnlySpan<int> prompt, int maxTokens, ISampler sampler, Func<int, bool> ends, IDrafter? drafter, IDraftPolicy? policy, Action<int>? read = null,
        CancellationToken cancellation = default)
    {
        if (prompt.Length == 0)
        {
            throw new ArgumentException("The prompt is empty.", nameof(prompt));
        }

        (_sampler, _ends, _drafter, _policy) = (sampler, ends, drafter, policy);
        (Passes, Drafted, Accepted, Generated) = (0, 0, 0, 0);
        PrefillTime = PlanTime = DraftTime = VerifyTime = TimeSpan.Zero;
        long start = _clock.GetTimestamp();
        _cache?.Dispose();
        _cache = _target.CreateCache(checked(prompt.Length + maxTokens + MaxDraft));
        _drafter?.Reset(prompt.Length + maxTokens, prompt[0]);
        for (int done = 0; done < prompt.Length;)
        {
            cancellation.ThrowIfCancellationRequested();
            int count = Math.Min(_target.MaxRows, prompt.Length - done);
            bool last = done + count == prompt.Length;
            _rows.Clear();
            for (int i = 0; i < count; i++)
            {
                _rows.Add(_cache, prompt[done + i], i - 1);
            }

            _target.Forward(_rows, last ? LastRowLogits(count) : PassRequest.FeaturesOnly);
            _cache.CommitFirst(count);
            if (last)
            {
                _root = Sample(count - 1, 0);
                KeepFeature(count - 1, prompt[^1]);
            }

            // A long prompt fills the drafter's queue, which then works: its catch-up counts as drafting, whenever it runs.
            long committing = _clock.GetTimestamp();
            for (int i = 0; i < count && _drafter is not null; i++)
            {
                _drafter.Commit(_target.Feature(i), done + i + 1 < prompt.Length ? prompt[done + i + 1] : _root);
            }

            DraftTime += _clock.GetElapsedTime(committing);
            done += count;
            read?.Invoke(done);
        }

        Passes = 1;
        Generated = 1;
        PrefillTime = _clock.GetElapsedTime(start) - DraftTime;
        return _root;
    }

    /// <summary>
    /// One round: emits at least one token and at most <paramref name="budget"/>. Nothing follows a token that ends the output.
    /// The span is valid until the next round.
    /// </summary>
    public ReadOnlySpan<int> Round(int budget, out RoundRecord record)
    {
        ArgumentOutOfRangeException.ThrowIfNegativeOrZero(budget);
        KvCache cache = _cache ?? throw new InvalidOperationException("A round needs a prefill before it.");
        long start = _clock.GetTimestamp();
        _draft.Clear();
        int planned = 0;
        long drafting = start;
        if (_drafter is not null && _policy is not null)
        {
            planned = _policy.Plan(new PlanContext { Feature = _feature, Token = _featureToken, Root = _root, RootIndex = Generated - 1 });
            drafting = _clock.GetTimestamp();
            DraftChain(Math.Min(Math.Min(_policy.MaxDraft, MaxDraft), budget - 1), planned);
        }

        long verifying = _clock.GetTimestamp();
        Verifier.AddRows(_rows, cache, _root, _draft);
        _target.Forward(_rows, PassRequest.AllLogits);
        int accepted = Verifier.Accept(_target, _sampler, _draft, Generated, _ends, _path, out int next);
        long committing = _clock.GetTimestamp();

        ReadOnlySpan<int> path = _path.AsSpan(0, accepted + 1);
        cache.Commit(path);
        for (int i = 0; i <= accepted; i++)
        {
            _emitted[i] = i < accepted ? _draft.Token(path[i + 1] - 1) : next;
            _drafter?.Commit(_target.Feature(path[i]), _emitted[i]);
        }

        KeepFeature(path[accepted], _rows.Token(path[accepted]));
        _root = next;
        Passes++;
        Generated += accepted + 1;
        Drafted += _draft.Count;
        Accepted += accepted;
        PlanTime += _clock.GetElapsedTime(start, drafting);
        DraftTime += _clock.GetElapsedTime(drafting, verifying);
        VerifyTime += _clock.GetElapsedTime(verifying, committing);
        record = new RoundRecord(planned, _draft.Count, accepted, accepted + 1);
        _policy?.Observe(new RoundObservation(
            planned, _draft.Count, accepted, _clock.GetElapsedTime(drafting, verifying).TotalSeconds, _clock.GetElapsedTime(verifying, committing).TotalSeconds));
        return _emitted.AsSpan(0, accepted + 1);
    }

    /// <summary>Throws if the state contradicts itself (tests call it between rounds).</summary>
    public void CheckIntegrity(int promptLength)
    {
        KvCache cache = _cache ?? throw new InvalidOperationException("There is no sequence.");
        cache.CheckIntegrity();
        if (cache.Staged != 0 || cache.Length != promptLength + Generated - 1)
        {
            throw new InvalidOperationException($"The target's cache holds {cache.Length} + {cache.Staged} positions instead of {promptLength + Generated - 1}.");
        }

        _drafter?.CheckIntegrity(cache.Length);
    }

    /// <inheritdoc/>
    public void Dispose() => _cache?.Dispose();

    private void DraftChain(int most, int planned)
    {
        while (_draft.Count < most && _policy!.Extends(_draft, planned))
        {
            int node = _draft.Count - 1;
            _drafter!.Expand(_draft, node, _candidate, _policy.NeedsLogProbabilities);
            if (_candidate[0].IsNone)
            {
                break;
            }

            _draft.Add(_candidate[0].Token, node, _candidate[0].LogProbability);
        }

        _drafter!.EndRound();
    }

    private int Sample(int row, int index) => _sampler.IsGreedy ? _target.ArgMax(row) : _sampler.Sample(_target.Logits(row), index);

    private void KeepFeature(int row, int token)
    {
        _target.Feature(row).CopyTo(_feature);
        _featureToken = token;
    }

    private PassRequest LastRowLogits(int count) =>
        _lastRow is { } request && request.LogitsFrom == count - 1 ? request : _lastRow = new PassRequest { LogitsFrom = count - 1 };

    private PassRequest? _lastRow;
}
