using AdaEagle.Speculation.Policies;

namespace AdaEagle.Speculation.Oracle;

/// <summary>A policy that has the <see cref="RunRecorder"/> draft as long as may be, and notes what it sees. For one output.</summary>
internal sealed class ChainRecording(int maxDraft) : ChainPolicy
{
    private readonly List<RecordedChain> _roots = [];
    private (float[] Feature, int Token, int Root, DraftSignals Signals) _context;

    /// <inheritdoc/>
    public override string Name => "recording";

    /// <inheritdoc/>
    public override int MaxDraft => maxDraft;

    /// <inheritdoc/>
    public override DraftNeeds Needs => DraftNeeds.LogProbabilities | DraftNeeds.Signals | DraftNeeds.RootSignals;

    /// <summary>The chains with their run lengths.</summary>
    public RecordedChain[] Roots(RecordedOutput output) => [.. _roots.Select((root, index) => root with { Run = output.Roots[index].Run })];

    /// <inheritdoc/>
    public override int Plan(in PlanContext context)
    {
        _context = (context.Feature.ToArray(), context.Token, context.Root, context.RootSignals);
        return maxDraft;
    }

    /// <inheritdoc/>
    public override bool Extends(DraftTree draft, int planned) => draft.Count < planned;

    /// <inheritdoc/>
    public override int Keep(DraftTree draft, int planned)
    {
        _roots.Add(new RecordedChain(
            _context.Feature, _context.Token, _context.Root, _context.Signals,
            [.. Enumerable.Range(0, draft.Count).Select(node => new RecordedToken(draft.Token(node), draft.LogProbability(node), draft.Signals(node - 1)))], Run: 0));
        return draft.Count;
    }
}
