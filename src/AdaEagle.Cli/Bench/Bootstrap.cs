using AdaEagle.Sampling;

namespace AdaEagle.Cli.Bench;

/// <summary>A value and its 95% confidence interval.</summary>
internal readonly record struct Interval(double Value, double Low, double High);

/// <summary>Confidence intervals by resampling prompts.</summary>
internal static class Bootstrap
{
    public const int Resamples = 2000;

    private const ulong Seed = 20241218;
    private const double Tail = 0.025;

    /// <summary>
    /// The ratio of two rates, each the sum of amounts over the sum of times, with a paired percentile interval: a resample draws prompts with
    /// replacement, and both rates use the same ones. NaN where a rate is undefined.
    /// </summary>
    /// <param name="rated">Amount and seconds for each prompt.</param>
    /// <param name="baseline">The same prompts, of what it is compared with.</param>
    public static Interval RateRatio(IReadOnlyList<(double Amount, double Seconds)> rated, IReadOnlyList<(double Amount, double Seconds)> baseline)
    {
        if (rated.Count != baseline.Count)
        {
            throw new ArgumentException("The prompts of both must be the same.", nameof(baseline));
        }

        int count = rated.Count;
        double value = Ratio(rated, baseline, i => i);
        if (!double.IsFinite(value))
        {
            return new Interval(double.NaN, double.NaN, double.NaN);
        }

        double[] ratios = new double[Resamples];
        int[] drawn = new int[count];
        for (int resample = 0; resample < Resamples; resample++)
        {
            for (int i = 0; i < count; i++)
            {
                drawn[i] = (int)(CounterRandom.Uniform(Seed, resample, i) * count);
            }

            ratios[resample] = Ratio(rated, baseline, i => drawn[i]);
        }

        // A resample without a single decoded token has no rate.
        double[] sorted = [.. ratios.Where(double.IsFinite).Order()];
        int cut = (int)(Tail * sorted.Length);
        return sorted.Length == 0 ? new Interval(value, double.NaN, double.NaN) : new Interval(value, sorted[cut], sorted[^(cut + 1)]);
    }

    private static double Ratio(IReadOnlyList<(double Amount, double Seconds)> rated, IReadOnlyList<(double Amount, double Seconds)> baseline, Func<int, int> prompt)
    {
        double amount = 0, seconds = 0, baseAmount = 0, baseSeconds = 0;
        for (int i = 0; i < rated.Count; i++)
        {
            int p = prompt(i);
            amount += rated[p].Amount;
            seconds += rated[p].Seconds;
            baseAmount += baseline[p].Amount;
            baseSeconds += baseline[p].Seconds;
        }

        return amount / seconds / (baseAmount / baseSeconds);
    }
}
