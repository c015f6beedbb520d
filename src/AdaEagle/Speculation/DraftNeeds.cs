namespace AdaEagle.Speculation;

/// <summary>What a policy reads beside tokens; what nobody reads is not computed.</summary>
[Flags]
public enum DraftNeeds
{
    /// <summary>Tokens alone.</summary>
    None = 0,

    /// <summary>The drafter's log-probability of every node; without it they are zero.</summary>
    LogProbabilities = 1,

    /// <summary><see cref="DraftTree.Signals"/> of expanded nodes.</summary>
    Signals = 2,

    /// <summary><see cref="DraftTree.Hidden"/> of expanded nodes.</summary>
    Hidden = 4,

    /// <summary><see cref="Policies.PlanContext.RootSignals"/>.</summary>
    RootSignals = 8,
}
