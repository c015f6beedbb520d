using System.Globalization;

namespace AdaEagle.Speculation.Policies;

/// <summary>
/// <c>svip:H</c>: drafts until sqrt(0.15 x entropy) of the distribution that the last token came from is above H; that token stays. The root of the entropy
/// bounds how far the drafter's distribution may be from the target's, and with it the chance of acceptance, from below.
/// </summary>
/// <remarks>Source: SVIP (arXiv 2411.18462); the factor, the usual H of 0.3 and the order of check and token are its code's.</remarks>
public sealed class SvipPolicy(float most, int maxDraft) : ChainPolicy
{
    private const float EntropyFactor = 0.15f;

    /// <inheritdoc/>
    public override string Name { get; } = string.Create(CultureInfo.InvariantCulture, $"svip:{most}");

    /// <inheritdoc/>
    public override int MaxDraft => maxDraft;

    /// <inheritdoc/>
    public override DraftNeeds Needs => DraftNeeds.Signals;

    internal static SvipPolicy? Make(string name, PolicyResources resources)
    {
        if (PolicyArguments.Of(name, "svip") is not { } parts)
        {
            return null;
        }

        PolicyArguments.RequireAtMost(name, parts, 1);
        return new SvipPolicy(PolicyArguments.Number(name, parts, 0, "H", 0, 10, usual: 0.3f), resources.MaxDraft);
    }

    /// <inheritdoc/>
    public override int Plan(in PlanContext context) => maxDraft;

    /// <inheritdoc/>
    public override bool Extends(DraftTree draft, int planned)
    {
        ArgumentNullException.ThrowIfNull(draft);
        return draft.Count < maxDraft && (draft.Count == 0 || MathF.Sqrt(EntropyFactor * draft.Signals(draft.Parent(draft.Count - 1)).Entropy) <= most);
    }
}
