namespace AdaEagle.Speculation.Policies;

/// <summary>A policy whose drafts are chains: it says before each step whether to draft one more token, and at the end how many are verified.</summary>
public abstract class ChainPolicy : IDraftPolicy
{
    /// <inheritdoc/>
    public abstract string Name { get; }

    /// <inheritdoc/>
    public abstract int MaxDraft { get; }

    /// <inheritdoc/>
    public int MaxPool => MaxDraft;

    /// <inheritdoc/>
    public virtual DraftNeeds Needs => DraftNeeds.None;

    /// <inheritdoc/>
    public abstract int Plan(in PlanContext context);

    /// <summary>Before each draft step: whether to draft one more token. The draft holds what was drafted; <paramref name="planned"/> is the plan.</summary>
    public abstract bool Extends(DraftTree draft, int planned);

    /// <summary>How many leading tokens of the draft are verified: all, unless a policy knows better.</summary>
    public virtual int Keep(DraftTree draft, int planned)
    {
        ArgumentNullException.ThrowIfNull(draft);
        return draft.Count;
    }

    /// <inheritdoc/>
    public virtual void Observe(in RoundObservation round)
    {
    }

    /// <inheritdoc/>
    public int NextNodes(DraftTree pool, int planned, Span<Expansion> nodes)
    {
        ArgumentNullException.ThrowIfNull(pool);
        if (!Extends(pool, planned))
        {
            return 0;
        }

        nodes[0] = new Expansion(pool.Count - 1, 1);
        return 1;
    }

    /// <inheritdoc/>
    public int SelectNodes(DraftTree pool, int planned, Span<int> keep) => Math.Min(Keep(pool, planned), keep.Length);
}
