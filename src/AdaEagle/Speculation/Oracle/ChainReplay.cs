using AdaEagle.Speculation.Policies;

namespace AdaEagle.Speculation.Oracle;

/// <summary>What a replay with costs counted.</summary>
/// <param name="Rounds">The rounds.</param>
/// <param name="Seconds">What they would take: draft passes, verification and the rest of a round, as measured.</param>
internal sealed record PricedReplay(ReplayedOutput Rounds, double Seconds);

/// <summary>
/// Plays chain policies over recorded chains, without a model: the rounds of <see cref="SpeculativeDecoder"/>, plan, draft, selection and observation. What a policy observes as
/// time are the given costs. Not thread-safe.
/// </summary>
internal sealed class ChainReplay(RoundCosts costs)
{
    private readonly DraftTree _draft = new(Math.Max(costs.MaxDraft, 1));

    /// <summary>Replays an output. A policy that learns goes on from output to output.</summary>
    public PricedReplay Play(RecordedChains output, ChainPolicy policy)
    {
        int passes = 1, emitted = 1, drafted = 0, accepted = 0, tokens = output.Roots.Count + 1;
        double seconds = 0;
        var lengths = new List<int>();
        for (int index = 0; index < output.Roots.Count; index = emitted - 1)
        {
            RecordedChain root = output.Roots[index];
            int planned = policy.Plan(new PlanContext { Feature = root.Feature, Token = root.Token, Root = root.Root, RootIndex = index, RootSignals = root.RootSignals });
            int draftPasses = Draft(root, policy, planned, output.MaxTokens - emitted - 1);
            int verified = Math.Min(policy.Keep(_draft, planned), _draft.Count), left = tokens - emitted;
            int matched = Math.Min(verified, root.Run), taken = Math.Min(matched, output.EndsWithEndToken ? left - 1 : left);
            double draftSeconds = costs.DraftSeconds[_draft.Count], verifySeconds = costs.VerifySeconds[verified];
            policy.Observe(new RoundObservation
            {
                Planned = planned, Pool = _draft.Count, DraftPasses = draftPasses, Drafted = verified, Depth = verified, Accepted = taken, Matched = matched,
                DraftSeconds = draftSeconds, VerifySeconds = verifySeconds,
            });
            passes++;
            drafted += verified;
            accepted += taken;
            emitted += Math.Min(taken + 1, left);
            seconds += draftSeconds + verifySeconds + costs.OverheadSeconds;
            lengths.Add(verified);
        }

        return new PricedReplay(new ReplayedOutput(passes, emitted, drafted, accepted, lengths), seconds);
    }

    // The recorded chain, as far as the policy wants it; returns the number of draft passes.
    private int Draft(RecordedChain root, ChainPolicy policy, int planned, int left)
    {
        _draft.Clear();
        int longest = Math.Min(Math.Min(policy.MaxDraft, costs.MaxDraft), left), passes = 0;
        while (_draft.Count < longest && policy.Extends(_draft, planned))
        {
            int node = _draft.Count;
            // The drafter had nothing to propose.
            if (node == root.Chain.Length)
            {
                break;
            }

            passes++;
            RecordedToken next = root.Chain[node];
            _draft.Expand(node - 1);
            _draft.SetSignals(node - 1, next.Signals);
            _draft.Add(next.Token, node - 1, next.LogProbability);
        }

        return passes;
    }
}
