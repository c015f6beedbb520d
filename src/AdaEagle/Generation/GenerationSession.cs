using System.Runtime.InteropServices;
using AdaEagle.Models;
using AdaEagle.Sampling;
using AdaEagle.Speculation;
using AdaEagle.Speculation.Drafting;
using AdaEagle.Speculation.Policies;
using AdaEagle.Tokenization;

namespace AdaEagle.Generation;

/// <summary>What one generation at a time needs: workspaces of target, drafter and predictor. Reused for the next; not thread-safe.</summary>
internal sealed class GenerationSession : IDisposable
{
    /// <summary>The longest chain of any policy.</summary>
    public const int MaxDraft = 16;

    /// <summary>The most tokens of a draft tree.</summary>
    public const int MaxNodes = 63;

    /// <summary>The most candidates that a draft tree is chosen from.</summary>
    public const int MaxPool = 1024;

    // Draft passes of a tree run many nodes.
    private const int MaxExpanded = 128;

    private readonly LanguageModel _model;
    private readonly LlamaTarget _target;
    private readonly SpeculativeDecoder _decoder;
    private readonly Dictionary<string, IDrafter> _drafters = [];
    private readonly DraftLengthPredictor? _predictor;
    private readonly SurvivalPredictor? _survival;
    private readonly StopHead? _stopHead;
    private readonly DraftCosts _costs;
    private readonly Dictionary<(string? Drafter, string Policy), IDraftPolicy> _kept = [];
    private readonly TextStream _text;
    private readonly StopDetector _stops = new();
    private readonly TimeProvider _clock;
    private readonly Func<int, bool> _ends;
    private readonly Func<int, bool> _neverEnds = _ => false;

    public GenerationSession(LanguageModel model, TimeProvider? clock = null)
    {
        _model = model;
        _clock = clock ?? TimeProvider.System;
        _target = new LlamaTarget(model.Target, model.Pool, maxLogitRows: MaxNodes + 1);
        _decoder = new SpeculativeDecoder(_target, MaxNodes, _clock, MaxPool);
        _predictor = model.Predictor is { } weights ? new DraftLengthPredictor(weights) : null;
        _survival = model.Survival is { } survival ? new SurvivalPredictor(survival) : null;
        _stopHead = model.Stop is { } stop ? new StopHead(stop) : null;
        _costs = model.CostsFile is { } file ? DraftCosts.Read(file, MaxNodes + 1) : new DraftCosts(MaxNodes + 1);
        _text = new TextStream(model.Tokenizer);
        _ends = token => model.EndTokens.Contains(token);
    }

    /// <summary>Told of every round; null, as usual: nobody. While there is one, every candidate has its log-probability.</summary>
    public RoundListener? Listener { get; set; }

    /// <summary>Given every drafter that is made, says what drafts in its place, and disposes of it; null, as usual: the drafter itself. For measurements.</summary>
    public Func<IDrafter, IDrafter>? Override { get; init; }

    /// <summary>The policies this session can make.</summary>
    public PolicyResources PolicyResources => ResourcesFor(_model.DefaultDrafter);

    // Survival predictor and stop head were trained on what the EAGLE head says; other drafters are learnt while running.
    private PolicyResources ResourcesFor(string? drafter) => new(_predictor, MaxDraft, MaxNodes, MaxPool)
    {
        EndTokens = _model.EndTokens, Survival = drafter == Drafters.Eagle ? _survival : null, StopHead = drafter == Drafters.Eagle ? _stopHead : null, Costs = _costs, Clock = _clock,
        // What is drafted in an overridden drafter's place is the override's affair alone.
        MayCopy = Override is null,
    };

    /// <summary>The drafter of a name, made when it is first asked for; null takes the model's. The session keeps it.</summary>
    /// <exception cref="ArgumentException">No drafter has that name, or the model lacks what it needs.</exception>
    public IDrafter? Drafter(string? name)
    {
        if ((name ?? _model.DefaultDrafter) is not { } known)
        {
            return null;
        }

        if (!_drafters.TryGetValue(known, out IDrafter? drafter))
        {
            drafter = Drafters.Create(known, new DrafterResources(_model.Target, _model.Head, _model.DraftModel, _model.EndTokens, _model.Pool, MaxExpanded));
            drafter = Override?.Invoke(drafter) ?? drafter;
            _drafters.Add(known, drafter);
        }

        return drafter;
    }

    /// <summary>Generates with the policy that the options name.</summary>
    public GenerationResult Generate(IReadOnlyList<int> prompt, GenerationOptions options, Action<GenerationUpdate>? onUpdate, CancellationToken cancellation)
    {
        string name = options.Policy ?? (options.Drafter is null ? _model.DefaultPolicy : _model.PolicyFor(options.Drafter));
        string? drafter = options.Drafter ?? _model.DefaultDrafter;
        IDraftPolicy? policy = name == DraftPolicies.Plain ? null : _kept.GetValueOrDefault((drafter, name)) ?? DraftPolicies.Create(name, ResourcesFor(drafter));
        if (policy is AutoPolicy)
        {
            // It goes on learning from one generation to the next.
            _kept[(drafter, name)] = policy;
        }

        return Generate(prompt, options, policy, onUpdate, cancellation);
    }

    /// <summary>Generates with a policy of the caller's; null decodes plainly.</summary>
    public GenerationResult Generate(
        IReadOnlyList<int> prompt, GenerationOptions options, IDraftPolicy? policy, Action<GenerationUpdate>? onUpdate, CancellationToken cancellation)
    {
        options.Validate();
        IDrafter? drafter = policy is null ? null : Drafter(options.Drafter);
        if (policy is not null && drafter is null)
        {
            throw new InvalidOperationException($"Policy '{policy.Name}' needs a draft head, and the model has none: name one with --draft, take another drafter with --drafter, or decode with policy '{DraftPolicies.Plain}'.");
        }

        int room = _target.MaxPositions - prompt.Count;
        if (room < 1)
        {
            throw new ArgumentException($"The prompt has {prompt.Count} tokens and the model's context {_target.MaxPositions}: shorten it.", nameof(prompt));
        }

        if (policy is AutoPolicy auto)
        {
            auto.Begin(options.Sampling.Temperature);
            _model.Costs = auto.Costs;
        }

        _decoder.AlsoNeeds = Listener is null ? DraftNeeds.None : DraftNeeds.LogProbabilities;
        long start = _clock.GetTimestamp();
        var sampler = new Sampler(options.Sampling, _model.Target.Path);
        int most = Math.Min(options.MaxTokens, room);
        int[] promptTokens = [.. prompt];
        var output = new OutputCollector(this, most, options, onUpdate);
        Action<int>? read = options.Progress is { } progress ? done => progress.Report(new PromptProgress(done, promptTokens.Length)) : null;
        int first = _decoder.Prefill(
            promptTokens, most, sampler, options.StopAtEndToken ? _ends : _neverEnds, drafter, policy, read, cancellation);
        output.Add(first, 0, drafted: false);
        for (int round = 1; !output.Finished; round++)
        {
            cancellation.ThrowIfCancellationRequested();
            (int count, TimeSpan plan, TimeSpan draft, TimeSpan verify) = (output.Count, _decoder.PlanTime, _decoder.DraftTime, _decoder.VerifyTime);
            ReadOnlySpan<int> emitted = _decoder.Round(most - output.Count, out RoundRecord record);
            output.AddRound(emitted, round, record);
            if (Listener is { } listener)
            {
                emitted = emitted[..(output.Count - count)];
                Tell(listener, emitted, record, _decoder.PlanTime - plan, _decoder.DraftTime - draft, _decoder.VerifyTime - verify);
            }
        }

        TimeSpan total = _clock.GetElapsedTime(start);
        return output.Complete(promptTokens.Length, policy?.Name ?? DraftPolicies.Plain, drafter?.Name, total, _decoder);
    }

    public void Dispose()
    {
        _decoder.Dispose();
        foreach (IDrafter drafter in _drafters.Values)
        {
            drafter.Dispose();
        }

        _predictor?.Dispose();
        _survival?.Dispose();
        _stopHead?.Dispose();
        _target.Dispose();
    }

    private void Tell(RoundListener listener, ReadOnlySpan<int> emitted, RoundRecord record, TimeSpan plan, TimeSpan draft, TimeSpan verify)
    {
        DraftTree pool = _decoder.LastPool, verified = _decoder.LastDraft;
        ReadOnlySpan<int> kept = _decoder.LastKept;
        int[] accepted = new int[Math.Min(record.Accepted, emitted.Length)];
        for (int i = 0, node = -1; i < accepted.Length; i++)
        {
            node = verified.FindChild(node, emitted[i]);
            accepted[i] = kept[node];
        }

        listener(new RoundView
        {
            Pool = pool, Verified = kept, Accepted = accepted, Emitted = emitted, Planned = record.Planned, PlanTime = plan, DraftTime = draft, VerifyTime = verify,
        });
    }

    /// <summary>Collects tokens and text, and decides where the output ends: exactly where plain decoding ends it, mid-draft too.</summary>
    private sealed class OutputCollector
    {
        private readonly GenerationSession _session;
        private readonly GenerationOptions _options;
        private readonly Action<GenerationUpdate>? _onUpdate;
        private readonly List<int> _tokens;
        private readonly List<RoundRecord> _rounds;
        private readonly List<int>? _textBefore;
        private readonly bool _needsText;
        private readonly int _most;
        private FinishReason _reason;
        private bool _endToken;
        private int _accepted;
        private GenerationUpdate _last = new("", 0, false, null);

        public OutputCollector(GenerationSession session, int most, GenerationOptions options, Action<GenerationUpdate>? onUpdate)
        {
            _session = session;
            _options = options;
            _onUpdate = onUpdate;
            _most = most;
            _tokens = new List<int>(most);
            _rounds = options.KeepRounds ? new List<RoundRecord>(most) : [];
            // Without stop strings or a listener the text is made at the end, in one piece.
            _needsText = onUpdate is not null || options.StopStrings.Count > 0;
            _textBefore = options.StopStrings.Count > 0 ? new List<int>(most) : null;
            session._text.Reset();
            session._stops.Reset(options.StopStrings);
        }

        public bool Finished { get; private set; }

        public int Count => _tokens.Count;

        public void AddRound(ReadOnlySpan<int> emitted, int round, RoundRecord record)
        {
            int count = 0;
            for (; count < emitted.Length && !Finished; count++)
            {
                Add(emitted[count], round, drafted: count < record.Accepted);
            }

            int accepted = Math.Min(record.Accepted, count);
            _accepted += accepted;
            if (_options.KeepRounds)
            {
                _rounds.Add(record with { Accepted = accepted, Emitted = count });
            }
        }

        public void Add(int token, int round, bool drafted)
        {
            _tokens.Add(token);
            _textBefore?.Add(_session._stops.Length);
            _endToken = _options.StopAtEndToken && _session._ends(token);
            string piece = _endToken || !_needsText ? "" : _session._stops.Append(_session._text.Append(token));
            bool stopped = _endToken || _session._stops.Stopped;
            Finished = stopped || _tokens.Count == _most;
            _reason = stopped ? FinishReason.Stop : FinishReason.Length;
            if (!Finished)
            {
                _onUpdate?.Invoke(new GenerationUpdate(piece, round, drafted, null));
                return;
            }

            if (_needsText && !_session._stops.Stopped)
            {
                piece += _session._stops.Append(_session._text.Flush());
                piece += _session._stops.Flush();
            }

            _last = new GenerationUpdate(piece, round, drafted, null);
        }

        public GenerationResult Complete(int promptTokens, string policy, string? drafter, TimeSpan total, SpeculativeDecoder decoder)
        {
            int visible = _tokens.Count - (_endToken ? 1 : 0);
            string text = _needsText
                ? _session._stops.Text
                : _session._model.Tokenizer.Decode(CollectionsMarshal.AsSpan(_tokens)[..visible], skipSpecialTokens: true);
            if (_session._stops.Stopped)
            {
                // Tokens that begin where the stop string begins, or behind, are cut off with it.
                visible = _textBefore!.FindIndex(before => before >= text.Length) is int cut and >= 0 ? cut : visible;
            }

            var result = new GenerationResult(text, _tokens, _reason, new GenerationStatistics
            {
                Policy = policy,
                Drafter = drafter,
                PromptTokens = promptTokens,
                VisibleTokens = visible,
                EmittedTokens = _tokens.Count,
                Passes = decoder.Passes,
                Drafted = decoder.Drafted,
                Accepted = _accepted,
                TotalTime = total,
                PrefillTime = decoder.PrefillTime,
                PlanTime = decoder.PlanTime,
                DraftTime = decoder.DraftTime,
                VerifyTime = decoder.VerifyTime,
                Rounds = _rounds,
            });
            _onUpdate?.Invoke(_last with { Result = result });
            return result;
        }
    }
}
