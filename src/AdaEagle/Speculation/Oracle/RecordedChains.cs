namespace AdaEagle.Speculation.Oracle;

/// <summary>One token of a recorded chain, and what the drafter knew of it.</summary>
/// <param name="Token">The token.</param>
/// <param name="LogProbability">The drafter's ln p of it.</param>
/// <param name="Signals">The distribution that it came from.</param>
internal readonly record struct RecordedToken(int Token, float LogProbability, DraftSignals Signals);

/// <summary>A root with the whole chain that the drafter proposes there.</summary>
/// <param name="Feature">f_j, the target's feature at the root's parent.</param>
/// <param name="Token">t_j, the root's parent.</param>
/// <param name="Root">t_(j+1), the root.</param>
/// <param name="RootSignals">The target's distribution that the root came from.</param>
/// <param name="Chain">The chain, as long as the recorder's longest draft, or as the drafter's.</param>
/// <param name="Run">How many of its leading tokens equal what follows in the output.</param>
internal sealed record RecordedChain(float[] Feature, int Token, int Root, DraftSignals RootSignals, RecordedToken[] Chain, int Run);

/// <summary>The chains of one output's roots, the last root excepted: nothing follows it. From them any chain policy can be replayed.</summary>
/// <param name="Roots">By index of the root among the generated tokens.</param>
/// <param name="MaxTokens">The most tokens that were to be generated: rounds draft no further.</param>
/// <param name="EndsWithEndToken">True if the last token is one that ends the output: it is never accepted from a draft, but follows as the target's own.</param>
internal sealed record RecordedChains(IReadOnlyList<RecordedChain> Roots, int MaxTokens, bool EndsWithEndToken)
{
    /// <summary>Its run lengths alone, for the oracle.</summary>
    public RecordedOutput Runs() => new([.. Roots.Select(root => new RecordedRoot(root.Run, 0, 0)), new RecordedRoot(0, 0, 0)], MaxTokens, EndsWithEndToken);
}
