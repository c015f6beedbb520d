using AdaEagle.Speculation.Oracle;

namespace AdaEagle.Cli.Bench.Tune;

/// <summary>An answer to tune on.</summary>
/// <param name="Prompt">The prompt's tokens.</param>
/// <param name="Output">The answer's.</param>
/// <param name="Temperature">At which it was sampled; 0 is greedy.</param>
/// <param name="Chains">The chains that the drafter proposes at its roots, from which rules for chains are replayed.</param>
/// <param name="Ranks">The ranks of the answer's tokens among the drafter's candidates, for fixed trees and the oracles.</param>
internal sealed record RecordedAnswer(IReadOnlyList<int> Prompt, IReadOnlyList<int> Output, float Temperature, RecordedChains Chains, RecordedOutput Ranks);
