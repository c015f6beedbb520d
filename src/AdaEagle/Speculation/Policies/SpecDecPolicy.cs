using System.Globalization;

namespace AdaEagle.Speculation.Policies;

/// <summary>
/// <c>specdec++:H</c>: drafts until the chance that some token of the draft is rejected, 1 minus the product of the acceptances that a <see cref="StopHead"/> predicts, is above H (0.3). The token
/// that crossed H stays, since it has been paid for.
/// </summary>
/// <remarks>
/// Source: SpecDec++ (arXiv 2405.19715), whose code takes H 0.3 and drafts 2 to 20 tokens; here at least one, and at most k_max, as with the other rules.
/// </remarks>
public sealed class SpecDecPolicy : ChainPolicy
{
    private readonly StopHead _head;
    private readonly float _most;
    private double _accepted;
    private int _seen;

    /// <summary>Stops above <paramref name="most"/>, and at <paramref name="maxDraft"/> tokens.</summary>
    public SpecDecPolicy(StopHead head, float most, int maxDraft)
    {
        ArgumentNullException.ThrowIfNull(head);
        (_head, _most, MaxDraft) = (head, most, Math.Min(head.MaxDraft, maxDraft));
        Name = string.Create(CultureInfo.InvariantCulture, $"specdec++:{most}");
    }

    /// <inheritdoc/>
    public override string Name { get; }

    /// <inheritdoc/>
    public override int MaxDraft { get; }

    /// <inheritdoc/>
    public override DraftNeeds Needs => DraftNeeds.Hidden;

    internal static SpecDecPolicy? Make(string name, PolicyResources resources)
    {
        if (PolicyArguments.Of(name, "specdec++") is not { } parts)
        {
            return null;
        }

        PolicyArguments.RequireAtMost(name, parts, 1);
        float most = PolicyArguments.Number(name, parts, 0, "H", 0, 1, usual: 0.3f);
        return resources.StopHead is { } head
            ? new SpecDecPolicy(head, most, resources.MaxDraft)
            : throw new MissingPartException(
                $"'{name}' needs a stop head for the EAGLE head that drafts, and there is none: name one with --stop-head, or train one with adaeagle-train ldlp --kind stop.", nameof(name));
    }

    /// <inheritdoc/>
    public override int Plan(in PlanContext context)
    {
        (_accepted, _seen) = (1, 0);
        return MaxDraft;
    }

    /// <inheritdoc/>
    public override bool Extends(DraftTree draft, int planned)
    {
        ArgumentNullException.ThrowIfNull(draft);
        for (; _seen < draft.Count; _seen++)
        {
            _accepted *= _head.Acceptance(draft.Hidden(draft.Parent(_seen)));
        }

        return draft.Count < MaxDraft && (draft.Count == 0 || 1 - _accepted <= _most);
    }
}
