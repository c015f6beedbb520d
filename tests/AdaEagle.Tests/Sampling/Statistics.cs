namespace AdaEagle.Tests.Sampling;

/// <summary>
/// Goodness of fit. The critical values are those of a false alarm in a million; seeds are fixed, so a test that passes passes always, and the rate says
/// how likely a change of the seeds alone would fail it.
/// </summary>
internal static class Statistics
{
    // The normal quantile of 1 - 1e-6.
    private const double Quantile = 4.753424;

    /// <summary>G = 2 sum o ln(o / e), asymptotically chi-square with (cells of probability above zero) - 1 degrees of freedom.</summary>
    public static double GTest(IReadOnlyList<int> counts, IReadOnlyList<double> probabilities)
    {
        double total = counts.Sum();
        double g = 0;
        for (int i = 0; i < counts.Count; i++)
        {
            Assert.True(probabilities[i] > 0 || counts[i] == 0, $"Cell {i} is impossible, and came {counts[i]} times.");
            if (counts[i] > 0)
            {
                g += 2 * counts[i] * Math.Log(counts[i] / (total * probabilities[i]));
            }
        }

        return g;
    }

    /// <summary>The chi-square value exceeded once in a million times (Wilson and Hilferty's approximation).</summary>
    public static double CriticalChiSquare(int degrees)
    {
        double v = 2.0 / (9 * degrees);
        double root = 1 - v + (Quantile * Math.Sqrt(v));
        return degrees * root * root * root;
    }
}
