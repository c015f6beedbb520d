using System.Globalization;

namespace AdaEagle.Speculation.Policies;

/// <summary>
/// <c>adaedl:L:A</c>: drafts until 1 - sqrt(0.2 x entropy) of the distribution that the last token came from, a lower bound of its chance of acceptance, is
/// below lambda; that token stays. Lambda begins at L with every output, and moves so that the share of accepted tokens comes to A.
/// </summary>
/// <remarks>
/// Source: AdaEDL (arXiv 2410.18351), gamma 0.2. It moves its threshold as Draft &amp; Verify does (arXiv 2309.08168, and its code, whose constants these are):
/// the share r = 0.5 r + 0.5 accepted / drafted, from 0; lambda' = lambda + 0.01 where r &lt; A, else lambda - 0.01 unless the draft was as long as may be;
/// lambda = 0.9 lambda + 0.1 lambda'.
/// </remarks>
public sealed class AdaEdlPolicy(float first, float target, int maxDraft) : ChainPolicy
{
    private const float EntropyFactor = 0.2f, ShareKept = 0.5f, Step = 0.01f, ThresholdKept = 0.9f;

    private readonly float _first = first;
    private float _share;

    /// <inheritdoc/>
    public override string Name { get; } = string.Create(CultureInfo.InvariantCulture, $"adaedl:{first}:{target}");

    /// <inheritdoc/>
    public override int MaxDraft => maxDraft;

    /// <inheritdoc/>
    public override DraftNeeds Needs => DraftNeeds.Signals;

    /// <summary>Lambda.</summary>
    public float Threshold { get; private set; } = first;

    internal static AdaEdlPolicy? Make(string name, PolicyResources resources)
    {
        if (PolicyArguments.Of(name, "adaedl") is not { } parts)
        {
            return null;
        }

        PolicyArguments.RequireAtMost(name, parts, 2);
        return new AdaEdlPolicy(
            PolicyArguments.Number(name, parts, 0, "L", -10, 1, usual: 0.4f), PolicyArguments.Number(name, parts, 1, "A", 0, 1, usual: 0.9f), resources.MaxDraft);
    }

    /// <inheritdoc/>
    public override int Plan(in PlanContext context)
    {
        if (context.RootIndex == 0)
        {
            (Threshold, _share) = (_first, 0);
        }

        return maxDraft;
    }

    /// <inheritdoc/>
    public override bool Extends(DraftTree draft, int planned)
    {
        ArgumentNullException.ThrowIfNull(draft);
        return draft.Count < maxDraft && (draft.Count == 0 || 1 - MathF.Sqrt(EntropyFactor * draft.Signals(draft.Parent(draft.Count - 1)).Entropy) >= Threshold);
    }

    /// <inheritdoc/>
    public override void Observe(in RoundObservation round)
    {
        if (round.Drafted == 0)
        {
            return;
        }

        _share = (ShareKept * _share) + ((1 - ShareKept) * round.Accepted / round.Drafted);
        float next = _share < target ? Threshold + Step : round.Drafted == maxDraft ? Threshold : Threshold - Step;
        Threshold = (ThresholdKept * Threshold) + ((1 - ThresholdKept) * next);
    }
}
