using AdaEagle.Models;
using AdaEagle.Sampling;
using AdaEagle.Speculation.Drafting;
using AdaEagle.Speculation.Policies;
using AdaEagle.Speculation.Verification;

namespace AdaEagle.Speculation;

/// <summary>One round: what was planned, drafted (verified, that is) and accepted, and how many tokens it emitted.</summary>
public readonly record struct RoundRecord(int Planned, int Drafted, int Accepted, int Emitted)
{
    /// <summary>Length of the draft's longest path: of a chain, all of it.</summary>
    public int Depth { get; init; } = Drafted;
}

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
    private readonly DraftTree _pool;
    private readonly DraftTree _draft;
    private readonly Expansion[] _nodes;
    private readonly int[] _kept;
    private readonly float[] _feature;
    private readonly int[] _path;
    private readonly int[] _emitted;
    private IDrafter? _drafter;
    private DrafterInputs _inputs = DrafterInputs.Feature;
    private float[] _state = [];
    private PassRequest _featuresOnly = PassRequest.FeaturesOnly;
    private PassRequest _allLogits = PassRequest.AllLogits;
    private IDraftPolicy? _policy;
    private ISampler _sampler = null!;
    private Func<int, bool> _ends = null!;
    private KvCache? _cache;
    private int[] _tokens = [];
    private int _promptLength;
    private int _root;
    private int _featureToken;
    private DraftSignals _rootSignals;
    private TimeSpan _firstPass;

    /// <summary>Makes the scratch for drafts of at most <paramref name="maxDraft"/> tokens out of pools of at most <paramref name="maxPool"/>, by default the same.</summary>
    public SpeculativeDecoder(ITarget target, int maxDraft, TimeProvider? clock = null, int maxPool = 0)
    {
        if (maxDraft + 1 > target.MaxLogitRows)
        {
            throw new ArgumentOutOfRangeException(nameof(maxDraft), maxDraft, $"At most {target.MaxLogitRows - 1} tokens of a draft can be verified.");
        }

        _target = target;
        _clock = clock ?? TimeProvider.System;
        _rows = new PassRows(target.MaxRows);
        _draft = new DraftTree(maxDraft);
        _pool = new DraftTree(Math.Max(maxDraft, maxPool));
        _nodes = new Expansion[_pool.Capacity + 1];
        _kept = new int[maxDraft];
        MaxDraft = maxDraft;
        _feature = new float[target.HiddenSize];
        _path = new int[maxDraft + 1];
        _emitted = new int[maxDraft + 1];
    }

    /// <summary>The most tokens of a draft.</summary>
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

    /// <summary>The draft of the last round, for display: what was verified.</summary>
    public DraftTree LastDraft => _draft;

    /// <summary>All candidates of the last round.</summary>
    public DraftTree LastPool => _pool;

    /// <summary>For each node of <see cref="LastDraft"/> its number in <see cref="LastPool"/>.</summary>
    public ReadOnlySpan<int> LastKept => _kept.AsSpan(0, _draft.Count);

    /// <summary>What display needs beside the policy: drafts are the same, and their computation takes a little longer.</summary>
    public DraftNeeds AlsoNeeds { get; set; }

    internal KvCache? Cache => _cache;

    /// <summary>
    /// Starts a sequence: runs the prompt and samples the first token, which is returned.
    /// </summary>
    /// <param name="prompt">At least one token.</param>
    /// <param name="maxTokens">The most tokens that will be generated.</param>
    /// <param name="sampler">Chooses the tokens.</param>
    /// <param name="ends">Tells tokens that end the output.</param>
    /// <param name="drafter">Proposes tokens; null for plain decoding.</param>
    /// <param name="policy">Chooses how many and which; null for plain decoding.</param>
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
        ReadFor(drafter);
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

            _target.Forward(_rows, last ? LastRowLogits(count) : _featuresOnly);
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
                _drafter.Commit(_inputs.At(_target, i, _state), done + i + 1 < prompt.Length ? prompt[done + i + 1] : _root);
            }

            DraftTime += _clock.GetElapsedTime(committing);
            done += count;
            read?.Invoke(done);
        }

        _promptLength = prompt.Length;
        if (_tokens.Length < prompt.Length + maxTokens)
        {
            _tokens = new int[prompt.Length + maxTokens];
        }

        prompt.CopyTo(_tokens);
        _tokens[prompt.Length] = _root;
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
        _pool.Clear();
        _draft.Clear();
        int planned = 0, draftPasses = 0;
        long drafting = start;
        if (_drafter is not null && _policy is not null)
        {
            planned = _policy.Plan(new PlanContext
            {
                Feature = _feature, Token = _featureToken, Root = _root, RootIndex = Generated - 1, Committed = _tokens.AsSpan(0, _promptLength + Generated), RootSignals = _rootSignals,
            });
            drafting = _clock.GetTimestamp();
            draftPasses = Draft(_drafter, _policy, planned, budget - 1);
            _drafter.EndRound();
        }

        long verifying = _clock.GetTimestamp();
        Verifier.AddRows(_rows, cache, _root, _draft);
        _target.Forward(_rows, _allLogits);
        int accepted = Verifier.Accept(_target, _sampler, _draft, Generated, _ends, _path, out int next);
        long committing = _clock.GetTimestamp();

        ReadOnlySpan<int> path = _path.AsSpan(0, accepted + 1);
        cache.Commit(path);
        for (int i = 0; i <= accepted; i++)
        {
            _emitted[i] = i < accepted ? _draft.Token(path[i + 1] - 1) : next;
            _drafter?.Commit(_inputs.At(_target, path[i], _state), _emitted[i]);
        }

        int last = path[accepted];
        KeepFeature(last, _rows.Token(last));
        int matched = accepted + (_draft.FindChild(last - 1, next) < 0 ? 0 : 1);
        _emitted.AsSpan(0, accepted + 1).CopyTo(_tokens.AsSpan(_promptLength + Generated));
        _root = next;
        Passes++;
        Generated += accepted + 1;
        Drafted += _draft.Count;
        Accepted += accepted;
        PlanTime += _clock.GetElapsedTime(start, drafting);
        DraftTime += _clock.GetElapsedTime(drafting, verifying);
        VerifyTime += _clock.GetElapsedTime(verifying, committing);
        record = new RoundRecord(planned, _draft.Count, accepted, accepted + 1) { Depth = _draft.LongestPath };
        _policy?.Observe(new RoundObservation
        {
            Planned = planned,
            Pool = _pool.Count,
            DraftPasses = draftPasses,
            Drafted = _draft.Count,
            Depth = record.Depth,
            Accepted = accepted,
            Matched = matched,
            DraftSeconds = _clock.GetElapsedTime(drafting, verifying).TotalSeconds,
            FirstPassSeconds = draftPasses > 0 ? _firstPass.TotalSeconds : 0,
            VerifySeconds = _clock.GetElapsedTime(verifying, committing).TotalSeconds,
        });
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

    /// <summary>Grows the pool pass by pass and takes the draft out of it; no path is longer than <paramref name="longest"/>. Returns the number of draft passes.</summary>
    internal int Draft(IDrafter drafter, IDraftPolicy policy, int planned, int longest)
    {
        long start = _clock.GetTimestamp();
        _pool.Clear();
        int most = Math.Min(policy.MaxDraft, MaxDraft), passes = 0;
        longest = Math.Min(longest, most);
        int capacity = Math.Min(Math.Max(policy.MaxPool, most), _pool.Capacity);
        while (longest > 0 && _pool.Count < capacity && _pool.Expanded < drafter.MaxExpanded)
        {
            int before = _pool.Count;
            int wanted = policy.NextNodes(_pool, planned, _nodes.AsSpan(0, Math.Min(_nodes.Length, drafter.MaxExpanded - _pool.Expanded)));
            int count = Clamp(policy, _nodes.AsSpan(0, wanted), longest, capacity - before);
            if (count == 0)
            {
                break;
            }

            drafter.Expand(_pool, _nodes.AsSpan(0, count), policy.Needs | AlsoNeeds);
            // A drafter may have nothing to propose.
            if (_pool.Count == before)
            {
                break;
            }

            passes++;
            _firstPass = passes == 1 ? _clock.GetElapsedTime(start) : _firstPass;
        }

        if (longest > 0)
        {
            policy.AddNodes(_pool, longest);
            if (_pool.LongestPath > longest)
            {
                throw new InvalidOperationException($"Policy '{policy.Name}' added a path of {_pool.LongestPath} tokens where {longest} have a use.");
            }
        }

        Span<int> keep = _kept.AsSpan(0, Math.Min(most, _pool.Count));
        for (int i = 0; i < keep.Length; i++)
        {
            keep[i] = i;
        }

        keep = keep[..policy.SelectNodes(_pool, planned, keep)];
        _pool.PutChainFirst(keep);
        _draft.Take(_pool, keep);
        return passes;
    }

    // Passes over nodes whose children would lie too deep to be accepted, and cuts what the pool has no room for.
    private int Clamp(IDraftPolicy policy, Span<Expansion> nodes, int longest, int room)
    {
        int count = 0;
        foreach (Expansion node in nodes)
        {
            if (node.Children < 1 || !_pool.CanExpand(node.Node))
            {
                throw new InvalidOperationException($"Policy '{policy.Name}' wants {node.Children} children of node {node.Node}, of {_pool.Count} nodes, {_pool.Expanded} of them and the root expanded.");
            }

            int children = Math.Min(node.Children, room);
            if (children > 0 && _pool.Depth(node.Node) < longest)
            {
                nodes[count++] = node with { Children = children };
                room -= children;
            }
        }

        return count;
    }

    private int Sample(int row, int index) => _sampler.IsGreedy ? _target.ArgMax(row) : _sampler.Sample(_target.Logits(row), index);

    private void KeepFeature(int row, int token)
    {
        _target.Feature(row).CopyTo(_feature);
        _featureToken = token;
        if (_policy is not null && (_policy.Needs & DraftNeeds.RootSignals) != 0)
        {
            _rootSignals = DraftSignals.Of(_target.Logits(row));
        }
    }

    // What the drafter reads of the target is asked of every pass.
    private void ReadFor(IDrafter? drafter)
    {
        DrafterInputs inputs = drafter?.Inputs ?? DrafterInputs.Feature;
        if (!ReferenceEquals(inputs, _inputs))
        {
            _inputs = inputs;
            _state = new float[inputs.Width(_target.HiddenSize)];
            (_featuresOnly, _allLogits, _lastRow) = (inputs.In(PassRequest.FeaturesOnly), inputs.In(PassRequest.AllLogits), null);
        }
    }

    private PassRequest LastRowLogits(int count) =>
        _lastRow is { } request && request.LogitsFrom == count - 1 ? request : _lastRow = _featuresOnly with { LogitsFrom = count - 1 };

    private PassRequest? _lastRow;
}
