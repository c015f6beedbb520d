namespace AdaEagle.Speculation.Drafting;

/// <summary>A token that a drafter proposes, and its natural-log probability (raw head logits, no temperature).</summary>
public readonly record struct DraftCandidate(int Token, float LogProbability)
{
    /// <summary>No token: what a drafter that has nothing more to propose fills the rest with.</summary>
    public static DraftCandidate None { get; } = new(-1, 0);

    /// <summary>True if there is no token.</summary>
    public bool IsNone => Token < 0;
}

/// <summary>
/// Proposes tokens. It is told what was committed, and grows a draft node by node; what it computed for a draft is scratch of that round.
/// </summary>
public interface IDrafter : IDisposable
{
    /// <summary>A short name for tables.</summary>
    string Name { get; }

    /// <summary>
    /// Forgets everything: the start of a sequence of at most <paramref name="capacity"/> positions, whose token at position 0 is
    /// <paramref name="firstToken"/>. <see cref="Commit"/> tells of all the others, the prompt's too.
    /// </summary>
    void Reset(int capacity, int firstToken);

    /// <summary>
    /// Tells of a committed position: the target's feature there and the token that followed. Queued; the work is done with the next draft,
    /// so a round that drafts nothing costs a plain pass.
    /// </summary>
    void Commit(ReadOnlySpan<float> feature, int nextToken);

    /// <summary>
    /// The best continuations of a node, best first; node -1 is the root, the token committed last.
    /// Nodes are expanded after their parents, each at most once in a round.
    /// </summary>
    /// <param name="draft">The draft so far.</param>
    /// <param name="node">The node to expand.</param>
    /// <param name="best">Filled with the best candidates, and behind them with <see cref="DraftCandidate.None"/> where there are fewer.</param>
    /// <param name="logProbabilities">False leaves the candidates' log-probabilities at zero, which is cheaper.</param>
    void Expand(DraftTree draft, int node, Span<DraftCandidate> best, bool logProbabilities);

    /// <summary>Ends the round: drops what was computed for the draft.</summary>
    void EndRound();

    /// <summary>Throws if its state contradicts itself, or <paramref name="positions"/>, which the target's cache holds. For tests, between rounds.</summary>
    void CheckIntegrity(int positions)
    {
    }
}
