using AdaEagle.Speculation;
using AdaEagle.Speculation.Oracle;
using AdaEagle.Speculation.Policies;

namespace AdaEagle.Cli.Bench.Tune;

/// <summary>What rounds cost that are tuned with.</summary>
/// <param name="Bare">Of policies that read nothing of the drafter but its tokens.</param>
/// <param name="Reading">Of those that read probabilities, signals or output rows, which a draft step has to work out for them.</param>
internal sealed record TuneCosts(TreeCosts Bare, TreeCosts Reading)
{
    /// <summary>What the second are measured with.</summary>
    public const DraftNeeds Needs = DraftNeeds.LogProbabilities | DraftNeeds.Signals | DraftNeeds.Hidden;

    /// <summary>What a policy's rounds cost, but for the time of its own thoughts.</summary>
    public TreeCosts Of(IDraftPolicy policy) => (policy.Needs & Needs) == 0 ? Bare : Reading;
}
