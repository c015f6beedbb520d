namespace AdaEagle.Speculation.Oracle;

/// <summary>What is known of one root, the output token t_n whose successors are drafted.</summary>
/// <param name="Run">
/// Run length: leading tokens of the drafter's chain from committed features that equal the output's t_(n+1), t_(n+2), …; at most the recorder's
/// longest draft, and at most the tokens that follow in the output.
/// </param>
/// <param name="Planned">What the recorded policy planned there; 0 without one.</param>
/// <param name="Drafted">How many tokens it has verified there, no more than the recorder's longest draft and the tokens left allow; 0 without one.</param>
internal readonly record struct RecordedRoot(int Run, int Planned, int Drafted)
{
    /// <summary>How many of them lie on the output's path: those that are accepted, unless the output ends before. Of a chain, the run as far as it was drafted.</summary>
    public int Matched { get; init; } = Math.Min(Drafted, Run);

    /// <summary>
    /// For each token t_(n+1), t_(n+2), … of the output its rank among the drafter's candidates, 0 for the best, behind the tokens before it; up to the
    /// first that is not among as many candidates as the recorder looks at. Leading zeros are the run.
    /// </summary>
    public IReadOnlyList<int> Ranks { get; init; } = [];
}

/// <summary>The roots of one output, by index: 0 is the first generated token. No token follows the last one, so its run is 0.</summary>
/// <param name="Roots">A root for each token of the output.</param>
/// <param name="MaxTokens">The most tokens that were to be generated: rounds draft no further.</param>
/// <param name="EndsWithEndToken">True if the last token is one that ends the output: it is never accepted from a draft, but follows as the target's own.</param>
internal sealed record RecordedOutput(IReadOnlyList<RecordedRoot> Roots, int MaxTokens, bool EndsWithEndToken)
{
    /// <summary>The longest draft from a root that is accepted in full: the run, cut where the output ends with the token after it.</summary>
    public int UsefulRun(int root) => Useful(root, Roots[root].Run);

    /// <summary>The same for one who may choose among the candidates.</summary>
    public int UsefulPath(int root) => Useful(root, Roots[root].Ranks.Count);

    /// <summary>Counts what a policy with these draft lengths does with chains: the rounds of <see cref="SpeculativeDecoder"/>, without a model.</summary>
    /// <param name="length">The draft length that the policy chooses at a root, unclamped.</param>
    /// <param name="knowsRanks">True for a policy that takes the right one of the candidates, as far as it is among them.</param>
    public ReplayedOutput Replay(Func<int, int> length, bool knowsRanks = false) => Replay(root =>
    {
        int draft = Math.Min(length(root), MaxTokens - root - 2);
        return (draft, Math.Min(draft, knowsRanks ? Roots[root].Ranks.Count : Roots[root].Run));
    });

    /// <summary>Counts what the policy does that was recorded.</summary>
    public ReplayedOutput Replay() => Replay(root => (Roots[root].Drafted, Roots[root].Matched));

    private int Useful(int root, int path) => Math.Max(Math.Min(path, Roots.Count - 2 - root), 0);

    private ReplayedOutput Replay(Func<int, (int Drafted, int Matched)> round)
    {
        int passes = 1, emitted = 1, drafted = 0, accepted = 0;
        var lengths = new List<int>();
        for (int root = 0; root < Roots.Count - 1; root = emitted - 1)
        {
            (int draft, int matched) = round(root);
            int left = Roots.Count - emitted;
            int taken = Math.Min(matched, EndsWithEndToken ? left - 1 : left);
            passes++;
            drafted += draft;
            accepted += taken;
            emitted += Math.Min(taken + 1, left);
            lengths.Add(draft);
        }

        return new ReplayedOutput(passes, emitted, drafted, accepted, lengths);
    }
}

/// <summary>What a replay counted.</summary>
/// <param name="Passes">Target passes, the prefill among them.</param>
/// <param name="Emitted">Tokens of the output.</param>
/// <param name="Drafted">Draft tokens verified.</param>
/// <param name="Accepted">Draft tokens accepted.</param>
/// <param name="Lengths">Tokens drafted in each round.</param>
internal sealed record ReplayedOutput(int Passes, int Emitted, int Drafted, int Accepted, IReadOnlyList<int> Lengths)
{
    /// <summary>tau.</summary>
    public double AcceptanceLength => (double)Emitted / Passes;
}
