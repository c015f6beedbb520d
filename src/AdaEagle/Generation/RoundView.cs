using AdaEagle.Speculation;

namespace AdaEagle.Generation;

/// <summary>Told of every round while its draft is still there.</summary>
internal delegate void RoundListener(in RoundView round);

/// <summary>A round that is over, for display. Valid during the call that hands it over. Node numbers are the pool's.</summary>
internal readonly ref struct RoundView
{
    /// <summary>All candidates.</summary>
    public required DraftTree Pool { get; init; }

    /// <summary>Those that were verified, in the order of their rows.</summary>
    public required ReadOnlySpan<int> Verified { get; init; }

    /// <summary>Those that were accepted, from the root on.</summary>
    public required ReadOnlySpan<int> Accepted { get; init; }

    /// <summary>The tokens that went to the output: the accepted ones and one of the target's own, but for what an end, stop or limit cut off.</summary>
    public required ReadOnlySpan<int> Emitted { get; init; }

    /// <summary>What <see cref="Speculation.Policies.IDraftPolicy.Plan"/> returned.</summary>
    public required int Planned { get; init; }

    /// <summary>Time in the policy's plan.</summary>
    public required TimeSpan PlanTime { get; init; }

    /// <summary>Time in the drafter, and in the policy while it drafts.</summary>
    public required TimeSpan DraftTime { get; init; }

    /// <summary>Time in the target.</summary>
    public required TimeSpan VerifyTime { get; init; }
}
