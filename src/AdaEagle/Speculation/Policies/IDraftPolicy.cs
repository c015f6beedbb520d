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

    /// <summary>Prompt and output, the root at the end; empty where recorded chains are replayed.</summary>
    public ReadOnlySpan<int> Committed { get; init; }

    /// <summary>The target's distribution at position j, which the root was taken from; there if the policy <see cref="DraftNeeds.RootSignals"/>.</summary>
    public DraftSignals RootSignals { get; init; }
}

/// <summary>How a round went.</summary>
public readonly record struct RoundObservation
{
    /// <summary>Nothing is known but what is set.</summary>
    public RoundObservation()
    {
    }

    /// <summary>What <see cref="IDraftPolicy.Plan"/> returned.</summary>
    public required int Planned { get; init; }

    /// <summary>Candidates that the drafter made.</summary>
    public required int Pool { get; init; }

    /// <summary>Passes of the drafter, the root's catch-up among them.</summary>
    public required int DraftPasses { get; init; }

    /// <summary>Tokens of the draft, those verified; the pass had one row more.</summary>
    public required int Drafted { get; init; }

    /// <summary>Length of the draft's longest path.</summary>
    public required int Depth { get; init; }

    /// <summary>Drafted tokens accepted, the depth that was reached.</summary>
    public required int Accepted { get; init; }

    /// <summary>
    /// Drafted tokens that equal the target's: the accepted ones, and an end token after them, which is emitted as the target's own. Of a chain the first
    /// so many tokens were right, and the next one, if there is one, was wrong; nothing is known of those behind it.
    /// </summary>
    public required int Matched { get; init; }

    /// <summary>Time in the drafter, and in the policy while it drafts.</summary>
    public required double DraftSeconds { get; init; }

    /// <summary>Of that the first pass, in which the drafter also catches up with what was committed since the last: more, the longer nothing was drafted. NaN where it is not known.</summary>
    public double FirstPassSeconds { get; init; } = double.NaN;

    /// <summary>Time in the target.</summary>
    public required double VerifySeconds { get; init; }
}

/// <summary>
/// Chooses the structure of a draft: plans before it from committed context, says before each draft pass which nodes are expanded, and at the end which
/// are verified. It can change speed, never output (law 2): it sees neither random numbers nor the target's view of the draft, and the round clamps
/// what it asks for to the tokens left and the room there is. Chains are easier with <see cref="ChainPolicy"/>.
/// </summary>
public interface IDraftPolicy
{
    /// <summary>The name it is asked for by, such as <c>fixed:4</c>.</summary>
    string Name { get; }

    /// <summary>The most tokens it ever has verified, and so the longest path.</summary>
    int MaxDraft { get; }

    /// <summary>The most candidates it ever has drafted, at least <see cref="MaxDraft"/>.</summary>
    int MaxPool { get; }

    /// <summary>What it reads.</summary>
    DraftNeeds Needs { get; }

    /// <summary>Before the draft: how long or large it should be, as far as committed context tells; what the number means is the policy's own affair.</summary>
    int Plan(in PlanContext context);

    /// <summary>
    /// Before each draft pass: writes the nodes to expand, and how many best children each gets. The root, -1, comes first and alone.
    /// Nodes too deep for the tokens that are left are passed over by the round, and where none is left drafting ends.
    /// </summary>
    /// <param name="pool">What was drafted so far.</param>
    /// <param name="planned">The plan.</param>
    /// <param name="nodes">Room for as many nodes as a pass can take.</param>
    /// <returns>How many were written; 0 ends the draft.</returns>
    int NextNodes(DraftTree pool, int planned, Span<Expansion> nodes);

    /// <summary>
    /// After the last draft pass: adds to the pool what the policy knows without the drafter, such as how the text went on where it said the same before. By default nothing.
    /// </summary>
    /// <param name="pool">All that was drafted.</param>
    /// <param name="longest">The longest path that has a use, at least 1: a node may be that deep.</param>
    void AddNodes(DraftTree pool, int longest)
    {
    }

    /// <summary>After the last draft pass: writes the nodes to verify, ascending, each with its parent.</summary>
    /// <param name="pool">All that was drafted or added.</param>
    /// <param name="planned">The plan.</param>
    /// <param name="keep">As long as the most that can be verified; it holds the first nodes already.</param>
    /// <returns>How many of it count; by default all.</returns>
    int SelectNodes(DraftTree pool, int planned, Span<int> keep) => keep.Length;

    /// <summary>After the round.</summary>
    void Observe(in RoundObservation round);
}
