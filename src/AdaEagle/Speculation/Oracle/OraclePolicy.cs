using AdaEagle.Speculation.Policies;

namespace AdaEagle.Speculation.Oracle;

/// <summary><c>oracle</c>: drafts what an <see cref="OraclePlan"/> says for the output at hand. A bound for other policies, of no use by itself.</summary>
internal sealed class OraclePolicy(int maxDraft) : ChainPolicy
{
    /// <summary>The name it is asked for by.</summary>
    public const string PolicyName = "oracle";

    /// <summary>Draft length by root of the output that is generated next.</summary>
    public IReadOnlyList<int> Lengths { get; set; } = [];

    /// <inheritdoc/>
    public override string Name => PolicyName;

    /// <inheritdoc/>
    public override int MaxDraft => maxDraft;

    /// <inheritdoc/>
    public override int Plan(in PlanContext context) => context.RootIndex < Lengths.Count ? Lengths[context.RootIndex] : 0;

    /// <inheritdoc/>
    public override bool Extends(DraftTree draft, int planned)
    {
        ArgumentNullException.ThrowIfNull(draft);
        return draft.Count < planned;
    }
}
