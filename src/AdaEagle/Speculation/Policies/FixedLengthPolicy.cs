using System.Globalization;

namespace AdaEagle.Speculation.Policies;

/// <summary><c>fixed:K</c>: always K tokens; 0 drafts nothing.</summary>
public sealed class FixedLengthPolicy(int length) : IDraftPolicy
{
    /// <inheritdoc/>
    public string Name { get; } = string.Create(CultureInfo.InvariantCulture, $"fixed:{length}");

    /// <inheritdoc/>
    public int MaxDraft => length;

    /// <inheritdoc/>
    public bool NeedsLogProbabilities => false;

    /// <inheritdoc/>
    public int Plan(in PlanContext context) => length;

    /// <inheritdoc/>
    public bool Extends(DraftTree draft, int planned) => draft.Count < planned;

    /// <inheritdoc/>
    public void Observe(in RoundObservation round)
    {
    }
}
