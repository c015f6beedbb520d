namespace AdaEagle.Speculation.Oracle;

/// <summary>What the parts of a round cost on this machine, in seconds: measured, never assumed (law 4).</summary>
/// <param name="DraftSeconds">By draft length from 0; the drafter's catch-up on the round before is in it.</param>
/// <param name="VerifySeconds">By draft length from 0: a pass over the root and the draft.</param>
/// <param name="OverheadSeconds">The rest of a round.</param>
/// <param name="Samples">Rounds that were measured, by draft length.</param>
internal sealed record RoundCosts(IReadOnlyList<double> DraftSeconds, IReadOnlyList<double> VerifySeconds, double OverheadSeconds, IReadOnlyList<int> Samples)
{
    /// <summary>The longest draft that was measured.</summary>
    public int MaxDraft => DraftSeconds.Count - 1;

    /// <summary>A round that drafts <paramref name="length"/> tokens.</summary>
    public double Round(int length) => DraftSeconds[length] + VerifySeconds[length] + OverheadSeconds;

    /// <summary>A draft step's time over a pass', the slope of the draft times.</summary>
    public double DraftStepOverPass => MaxDraft < 1 ? 0 : (DraftSeconds[MaxDraft] - DraftSeconds[0]) / MaxDraft / VerifySeconds[0];

    /// <summary>What verifying <paramref name="rows"/> rows costs over one row.</summary>
    public double VerifyOverPass(int rows) => VerifySeconds[rows - 1] / VerifySeconds[0];
}
