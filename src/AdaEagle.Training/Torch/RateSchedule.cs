namespace AdaEagle.Training.Torch;

/// <summary>
/// Warm-up, constant, linear decay, as a share of the peak rate. The decay is the last part of a run's budget (of steps or time), so a run
/// without one ends in a state that a later run continues, at the constant rate or with a decay of its own.
/// </summary>
/// <param name="WarmUpSteps">Steps from nothing to the peak rate.</param>
/// <param name="DecayShare">Share of the budget, at its end, in which the rate falls; 0: none, 1: from the start.</param>
/// <param name="StartShare">Share of the peak rate that a decay begins at: 1, or what an interrupted decay had reached.</param>
internal sealed record RateSchedule(int WarmUpSteps, double DecayShare, double StartShare = 1)
{
    /// <summary>Share of the peak rate left at the end.</summary>
    public const double FinalShare = 0.02;

    /// <summary>True from the point of the budget on at which the rate falls.</summary>
    public bool IsDecaying(double budgetUsed) => DecayShare > 0 && budgetUsed >= 1 - DecayShare;

    /// <summary>Share of the peak rate for step number <paramref name="step"/> (from 0, over all runs), when this share of the budget is used.</summary>
    public double At(long step, double budgetUsed)
    {
        double warm = Math.Min(1, (step + 1.0) / Math.Max(1, WarmUpSteps));
        if (!IsDecaying(budgetUsed))
        {
            return warm;
        }

        double done = Math.Clamp((budgetUsed - (1 - DecayShare)) / DecayShare, 0, 1);
        return Math.Min(warm, StartShare + (FinalShare - StartShare) * done);
    }
}
