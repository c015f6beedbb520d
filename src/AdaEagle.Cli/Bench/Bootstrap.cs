using AdaEagle.Sampling;

namespace AdaEagle.Cli.Bench;

/// <summary>A value and its 95% confidence interval.</summary>
internal readonly record struct Interval(double Value, double Low, double High);

/// <summary>Confidence intervals by resampling prompts: paired, since a resample draws prompts with replacement, and all that is compared uses the same ones.</summary>
internal static class Bootstrap
{
    public const int Resamples = 2000;

    private const ulong Seed = 20241218;
    private const double Tail = 0.025;

    /// <summary>The ratio of two rates, each the sum of amounts over the sum of times. NaN where a rate is undefined.</summary>
    /// <param name="rated">Amount and seconds for each prompt.</param>
    /// <param name="baseline">The same prompts, of what it is compared with.</param>
    public static Interval RateRatio(IReadOnlyList<(double Amount, double Seconds)> rated, IReadOnlyList<(double Amount, double Seconds)> baseline)
    {
        RequireSame(rated, baseline);
        return Of(rated.Count, prompts => Rate(rated, prompts) / Rate(baseline, prompts));
    }

    /// <summary>
    /// The share of a gain: (rated - baseline) / (ceiling - baseline) of rates as above. NaN where the ceiling gains nothing; resamples in which it does not are left out.
    /// </summary>
    /// <param name="rated">Amount and seconds for each prompt.</param>
    /// <param name="baseline">The same prompts, of what gains are counted from.</param>
    /// <param name="ceiling">The same prompts, of what gains all there is.</param>
    public static Interval GainShare(
        IReadOnlyList<(double Amount, double Seconds)> rated, IReadOnlyList<(double Amount, double Seconds)> baseline, IReadOnlyList<(double Amount, double Seconds)> ceiling)
    {
        RequireSame(rated, baseline);
        RequireSame(ceiling, baseline);
        return Of(rated.Count, prompts =>
        {
            double least = Rate(baseline, prompts), all = Rate(ceiling, prompts) - least;
            return all > 0 ? (Rate(rated, prompts) - least) / all : double.NaN;
        });
    }

    // A percentile interval of a statistic over prompts, given by their places.
    private static Interval Of(int count, Func<int[], double> statistic)
    {
        int[] drawn = [.. Enumerable.Range(0, count)];
        double value = statistic(drawn);
        if (!double.IsFinite(value))
        {
            return new Interval(double.NaN, double.NaN, double.NaN);
        }

        double[] values = new double[Resamples];
        for (int resample = 0; resample < Resamples; resample++)
        {
            for (int i = 0; i < count; i++)
            {
                drawn[i] = (int)(CounterRandom.Uniform(Seed, resample, i) * count);
            }

            values[resample] = statistic(drawn);
        }

        // A resample without a single decoded token has no rate.
        double[] sorted = [.. values.Where(double.IsFinite).Order()];
        int cut = (int)(Tail * sorted.Length);
        return sorted.Length == 0 ? new Interval(value, double.NaN, double.NaN) : new Interval(value, sorted[cut], sorted[^(cut + 1)]);
    }

    private static double Rate(IReadOnlyList<(double Amount, double Seconds)> rated, int[] prompts)
    {
        double amount = 0, seconds = 0;
        foreach (int prompt in prompts)
        {
            amount += rated[prompt].Amount;
            seconds += rated[prompt].Seconds;
        }

        return amount / seconds;
    }

    private static void RequireSame(IReadOnlyList<(double Amount, double Seconds)> rated, IReadOnlyList<(double Amount, double Seconds)> baseline)
    {
        if (rated.Count != baseline.Count)
        {
            throw new ArgumentException("The prompts of both must be the same.", nameof(baseline));
        }
    }
}
