using System.Globalization;

namespace AdaEagle.Speculation.Policies;

/// <summary>
/// <c>ldlp</c> and <c>ldlp+threshold:T</c>: AdaEAGLE. The Lightweight Draft Length Predictor says before the draft how long it should be; with a
/// threshold the draft goes on beyond that while its cumulative log-probability is at least T (AdaEAGLE-DDD: stop if i >= L and S_i &lt; T).
/// </summary>
public sealed class LdlpPolicy(DraftLengthPredictor predictor, float? threshold) : ChainPolicy
{
    /// <inheritdoc/>
    public override string Name { get; } = threshold is { } t ? string.Create(CultureInfo.InvariantCulture, $"ldlp+threshold:{t}") : "ldlp";

    /// <inheritdoc/>
    public override int MaxDraft => predictor.MaxDraft;

    /// <inheritdoc/>
    public override DraftNeeds Needs => threshold is null ? DraftNeeds.None : DraftNeeds.LogProbabilities;

    /// <inheritdoc/>
    public override int Plan(in PlanContext context) => predictor.PredictLength(context.Token, context.Feature);

    /// <inheritdoc/>
    public override bool Extends(DraftTree draft, int planned)
    {
        ArgumentNullException.ThrowIfNull(draft);
        return draft.Count < predictor.MaxDraft
            && (draft.Count < planned || (threshold is { } t && draft.CumulativeLogProbability(draft.Count - 1) >= t));
    }
}
