using System.Globalization;

namespace AdaEagle.Speculation.Policies;

/// <summary>
/// <c>threshold:T</c>: drafts while the chain's cumulative log-probability is at least T (DDD as AdaEAGLE uses it, section 0.6 of the paper's facts);
/// the token that crossed T stays, since it has been paid for. A threshold below 0 drafts at least one token.
/// </summary>
public sealed class ThresholdPolicy(float threshold, int maxDraft) : ChainPolicy
{
    /// <inheritdoc/>
    public override string Name { get; } = string.Create(CultureInfo.InvariantCulture, $"threshold:{threshold}");

    /// <inheritdoc/>
    public override int MaxDraft => maxDraft;

    /// <inheritdoc/>
    public override DraftNeeds Needs => DraftNeeds.LogProbabilities;

    /// <inheritdoc/>
    public override int Plan(in PlanContext context) => 0;

    /// <inheritdoc/>
    public override bool Extends(DraftTree draft, int planned)
    {
        ArgumentNullException.ThrowIfNull(draft);
        return draft.Count < maxDraft && draft.CumulativeLogProbability(draft.Count - 1) >= threshold;
    }
}
