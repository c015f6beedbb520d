using System.Globalization;

namespace AdaEagle.Speculation.Policies;

/// <summary><c>fixed:K</c>: always K tokens; 0 drafts nothing.</summary>
public sealed class FixedLengthPolicy(int length) : ChainPolicy
{
    /// <inheritdoc/>
    public override string Name { get; } = string.Create(CultureInfo.InvariantCulture, $"fixed:{length}");

    /// <inheritdoc/>
    public override int MaxDraft => length;

    /// <inheritdoc/>
    public override int Plan(in PlanContext context) => length;

    /// <inheritdoc/>
    public override bool Extends(DraftTree draft, int planned)
    {
        ArgumentNullException.ThrowIfNull(draft);
        return draft.Count < planned;
    }
}
