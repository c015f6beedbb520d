using AdaEagle.Kernels;
using AdaEagle.Models;
using AdaEagle.Speculation.Drafting;
using AdaEagle.Speculation.Policies;

namespace AdaEagle.Speculation.Oracle;

/// <summary>What a policy did in a rehearsal, over all outputs.</summary>
internal sealed class RehearsedPolicy(IDraftPolicy policy, TreeCosts costs)
{
    /// <summary>The policy.</summary>
    public IDraftPolicy Policy => policy;

    /// <summary>What its rounds cost.</summary>
    public TreeCosts Costs => costs;

    /// <summary>Rounds, prefills not among them.</summary>
    public int Rounds { get; internal set; }

    /// <summary>Tokens of rounds: those of outputs but for the first of each.</summary>
    public int Tokens { get; internal set; }

    /// <summary>Tokens verified.</summary>
    public int Drafted { get; internal set; }

    /// <summary>Tokens accepted.</summary>
    public int Accepted { get; internal set; }

    /// <summary>What the rounds would take.</summary>
    public double Seconds { get; internal set; }

    internal int NextRoot { get; set; }
}

/// <summary>
/// Plays policies of any kind over known outputs, side by side: the very rounds of <see cref="SpeculativeDecoder"/>, but the target walks over an output once for all of them, the drafter
/// runs every node once, and time is what measured costs say. A policy that learns goes on from output to output. Not thread-safe.
/// </summary>
internal sealed class Rehearsal : IDisposable
{
    // What a session gives a policy.
    private const int MaxNodes = 63;
    private const int MaxPool = 1024;
    private const int MaxExpanded = 128;

    private readonly LlamaTarget _target;
    private readonly RememberingDrafter _drafter;
    private readonly OutputWalk _walk;
    private readonly SpeculativeDecoder _rounds;
    private readonly RehearsedPolicy[] _policies;
    private readonly DraftNeeds _needs;

    /// <summary>Makes it.</summary>
    /// <param name="target">The model whose outputs they are.</param>
    /// <param name="drafter">Who drafts; it stays the caller's. <see cref="IDrafter.MaxExpanded"/> is as many nodes of a root as all policies together want.</param>
    /// <param name="pool">Who computes.</param>
    /// <param name="policies">The policies.</param>
    /// <param name="costs">What a policy's rounds cost.</param>
    /// <param name="mostChildren">The most children of a node that a policy asks for.</param>
    public Rehearsal(LlamaModel target, IDrafter drafter, WorkerPool pool, IEnumerable<IDraftPolicy> policies, Func<IDraftPolicy, TreeCosts> costs, int mostChildren = 10)
    {
        _policies = [.. policies.Select(policy => new RehearsedPolicy(policy, costs(policy)))];
        _needs = _policies.Aggregate(DraftNeeds.None, (all, policy) => all | policy.Policy.Needs);
        _target = new LlamaTarget(target, pool, maxLogitRows: MaxNodes + 1);
        _drafter = new RememberingDrafter(drafter, mostChildren, Math.Min(MaxExpanded, drafter.MaxExpanded), _needs);
        _walk = new OutputWalk(_target, _drafter);
        _rounds = new SpeculativeDecoder(_target, MaxNodes, maxPool: MaxPool);
    }

    /// <summary>What each policy did so far, in their order.</summary>
    public IReadOnlyList<RehearsedPolicy> Policies => _policies;

    /// <summary>Plays an output.</summary>
    /// <param name="prompt">The prompt's tokens.</param>
    /// <param name="output">All tokens that were generated, an end token included.</param>
    /// <param name="maxTokens">The most tokens that were to be generated: rounds draft no further.</param>
    /// <param name="endsWithEndToken">True if the last token is one that ended the output.</param>
    /// <param name="temperature">At which it was sampled; 0 is greedy.</param>
    /// <param name="cancellation">Observed between passes of the target.</param>
    public void Play(IReadOnlyList<int> prompt, IReadOnlyList<int> output, int maxTokens, bool endsWithEndToken, float temperature = 0, CancellationToken cancellation = default)
    {
        foreach (RehearsedPolicy policy in _policies)
        {
            policy.NextRoot = 0;
            (policy.Policy as AutoPolicy)?.Begin(temperature);
        }

        _walk.Run(prompt, output, _needs, (int root, in PlanContext context) =>
        {
            foreach (RehearsedPolicy policy in _policies)
            {
                if (policy.NextRoot == root)
                {
                    Round(policy, context, output, maxTokens, endsWithEndToken);
                }
            }
        }, cancellation);
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        _rounds.Dispose();
        _target.Dispose();
    }

    private void Round(RehearsedPolicy rehearsed, in PlanContext context, IReadOnlyList<int> output, int maxTokens, bool endsWithEndToken)
    {
        IDraftPolicy policy = rehearsed.Policy;
        int root = context.RootIndex, left = output.Count - root - 1, planned = policy.Plan(context);
        _drafter.EndRound();
        int passes = _rounds.Draft(_drafter, policy, planned, maxTokens - root - 2);
        DraftTree draft = _rounds.LastDraft;
        int matched = OutputWalk.Matched(draft, output, root), accepted = Math.Min(matched, endsWithEndToken ? left - 1 : left), emitted = Math.Min(accepted + 1, left);
        double draftSeconds = rehearsed.Costs.Draft(_drafter.Passes), verifySeconds = rehearsed.Costs.Verify(draft.Count, draft.LongestPath);
        policy.Observe(new RoundObservation
        {
            Planned = planned, Pool = _rounds.LastPool.Count, DraftPasses = passes, Drafted = draft.Count, Depth = draft.LongestPath, Accepted = accepted, Matched = matched,
            DraftSeconds = draftSeconds, VerifySeconds = verifySeconds,
        });
        rehearsed.Rounds++;
        rehearsed.Tokens += emitted;
        rehearsed.Drafted += draft.Count;
        rehearsed.Accepted += accepted;
        rehearsed.Seconds += draftSeconds + verifySeconds + rehearsed.Costs.Chains.OverheadSeconds;
        rehearsed.NextRoot = root + emitted;
    }
}
