namespace AdaEagle.Speculation.Policies;

/// <summary>What a policy may know before a round: committed context only.</summary>
public readonly ref struct PlanContext
{
    /// <summary>f_j: the target's feature at the last position that has one, the root's parent. [hidden]</summary>
    public required ReadOnlySpan<float> Feature { get; init; }

    /// <summary>t_j: the token at that position.</summary>
    public required int Token { get; init; }

    /// <summary>t_(j+1): the root, sampled but not yet run through the target.</summary>
    public required int Root { get; init; }

    /// <summary>Index of the root among the generated tokens, from 0.</summary>
    public required int RootIndex { get; init; }
}

/// <summary>How a round went.</summary>
/// <param name="Planned">What <see cref="IDraftPolicy.Plan"/> returned.</param>
/// <param name="Drafted">Tokens drafted and verified.</param>
/// <param name="Accepted">Drafted tokens accepted.</param>
/// <param name="DraftSeconds">Time in the drafter.</param>
/// <param name="VerifySeconds">Time in the target.</param>
public readonly record struct RoundObservation(int Planned, int Drafted, int Accepted, double DraftSeconds, double VerifySeconds);

/// <summary>
/// Chooses the structure of a draft: plans before it from committed context, and may stop it after each step. It can change speed, never output
/// (law 2): it sees neither random numbers nor the target's view of the draft, and the round clamps what it asks for.
/// </summary>
public interface IDraftPolicy
{
    /// <summary>The name it is asked for by, such as <c>fixed:4</c>.</summary>
    string Name { get; }

    /// <summary>The longest draft it ever asks for.</summary>
    int MaxDraft { get; }

    /// <summary>True if it reads the drafter's log-probabilities.</summary>
    bool NeedsLogProbabilities { get; }

    /// <summary>Before the draft: how long it should be, as far as committed context tells.</summary>
    int Plan(in PlanContext context);

    /// <summary>Before each draft step: whether to draft one more token. The draft holds what was drafted; <paramref name="planned"/> is the plan.</summary>
    bool Extends(DraftTree draft, int planned);

    /// <summary>After the round.</summary>
    void Observe(in RoundObservation round);
}
