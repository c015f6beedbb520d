using System.Globalization;

namespace AdaEagle.Speculation.Policies;

/// <summary>
/// <c>p-min:P</c>: drafts while the drafter's most probable token has at least probability P. The token that falls below is not verified, though its draft
/// step was paid for.
/// </summary>
/// <remarks>Source: llama.cpp's <c>p_min</c> (<c>--draft-p-min</c>, common/speculative.cpp); versions before 2026 verified that token too.</remarks>
public sealed class PMinPolicy(float least, int maxDraft) : ChainPolicy
{
    private readonly float _least = least > 0 ? MathF.Log(least) : float.NegativeInfinity;

    /// <inheritdoc/>
    public override string Name { get; } = string.Create(CultureInfo.InvariantCulture, $"p-min:{least}");

    /// <inheritdoc/>
    public override int MaxDraft => maxDraft;

    /// <inheritdoc/>
    public override DraftNeeds Needs => DraftNeeds.LogProbabilities;

    internal static PMinPolicy? Make(string name, PolicyResources resources)
    {
        if (PolicyArguments.Of(name, "p-min") is not { } parts)
        {
            return null;
        }

        PolicyArguments.RequireAtMost(name, parts, 1);
        return new PMinPolicy(PolicyArguments.Number(name, parts, 0, "P", 0, 1), resources.MaxDraft);
    }

    /// <inheritdoc/>
    public override int Plan(in PlanContext context) => maxDraft;

    /// <inheritdoc/>
    public override bool Extends(DraftTree draft, int planned)
    {
        ArgumentNullException.ThrowIfNull(draft);
        return draft.Count < maxDraft && !LastFallsBelow(draft);
    }

    /// <inheritdoc/>
    public override int Keep(DraftTree draft, int planned)
    {
        ArgumentNullException.ThrowIfNull(draft);
        return draft.Count - (LastFallsBelow(draft) ? 1 : 0);
    }

    private bool LastFallsBelow(DraftTree draft) => draft.Count > 0 && draft.LogProbability(draft.Count - 1) < _least;
}
