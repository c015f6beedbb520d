using AdaEagle.Formats;

namespace AdaEagle.Models;

/// <summary>
/// The frequencies by which RoPE turns its pairs: theta^(-2i / dimension), divided by explicit factors where there are some, then stretched as
/// <see cref="RopeScaling.Kind"/> says. Source of the kinds: transformers, <c>modeling_rope_utils.py</c>.
/// </summary>
internal static class RopeFrequencies
{
    /// <summary>The kinds of scaling that there are.</summary>
    public static IReadOnlyList<string> Supported { get; } = ["default", "linear", "llama3", "yarn"];

    /// <summary>Radians per position of each pair [dimension / 2].</summary>
    /// <exception cref="NotSupportedException">The kind of scaling is none of <see cref="Supported"/>.</exception>
    public static float[] Of(int headDimension, double theta, RopeScaling? scaling)
    {
        float[] frequencies = new float[headDimension / 2];
        for (int i = 0; i < frequencies.Length; i++)
        {
            double frequency = 1.0 / Math.Pow(theta, 2.0 * i / headDimension);
            frequencies[i] = (float)(scaling is null ? frequency : Scale(frequency / FactorOf(scaling, i, frequencies.Length), i, headDimension, theta, scaling));
        }

        return frequencies;
    }

    /// <summary>What cosines and sines are multiplied by: YaRN's attention factor, 1 otherwise.</summary>
    public static float AttentionFactor(RopeScaling? scaling)
    {
        if (scaling is not { Kind: "yarn" })
        {
            return 1;
        }

        double implied = scaling is { Mscale: > 0, MscaleAllDim: > 0 }
            ? Magnitude(scaling.Factor, scaling.Mscale) / Magnitude(scaling.Factor, scaling.MscaleAllDim)
            : Magnitude(scaling.Factor, 1);
        return (float)(scaling.AttentionFactor ?? implied);

        static double Magnitude(double factor, double scale) => factor <= 1 ? 1 : (0.1 * scale * Math.Log(factor)) + 1;
    }

    private static double FactorOf(RopeScaling scaling, int pair, int pairs)
    {
        if (scaling.FrequencyFactors.Length == 0)
        {
            return 1;
        }

        return scaling.FrequencyFactors.Length == pairs
            ? scaling.FrequencyFactors[pair]
            : throw new ArgumentException($"There are {scaling.FrequencyFactors.Length} frequency factors for {pairs} pairs.", nameof(scaling));
    }

    private static double Scale(double frequency, int pair, int headDimension, double theta, RopeScaling scaling) => scaling.Kind switch
    {
        "default" => frequency,
        "linear" => frequency / scaling.Factor,
        "llama3" => Llama3(frequency, scaling),
        "yarn" => Yarn(frequency, pair, headDimension, theta, scaling),
        _ => throw new NotSupportedException($"RoPE scaling '{scaling.Kind}' is not supported; supported: {string.Join(", ", Supported)}."),
    };

    // Meta's Llama 3.1: long waves are stretched by the factor, short ones kept, those between interpolated.
    private static double Llama3(double frequency, RopeScaling scaling)
    {
        double wavelength = 2 * Math.PI / frequency;
        double longest = scaling.OriginalMaxPositions / scaling.LowFrequencyFactor;
        double shortest = scaling.OriginalMaxPositions / scaling.HighFrequencyFactor;
        if (wavelength > longest)
        {
            return frequency / scaling.Factor;
        }

        if (wavelength < shortest)
        {
            return frequency;
        }

        double smooth = ((scaling.OriginalMaxPositions / wavelength) - scaling.LowFrequencyFactor) / (scaling.HighFrequencyFactor - scaling.LowFrequencyFactor);
        return ((1 - smooth) * frequency / scaling.Factor) + (smooth * frequency);
    }

    // YaRN (arXiv 2309.00071): pairs that turn often within the original positions are kept, slow ones stretched, a ramp over the pairs between.
    private static double Yarn(double frequency, int pair, int headDimension, double theta, RopeScaling scaling)
    {
        double first = PairTurning(scaling.BetaFast), last = PairTurning(scaling.BetaSlow);
        if (scaling.Truncate)
        {
            (first, last) = (Math.Floor(first), Math.Ceiling(last));
        }

        (first, last) = (Math.Max(first, 0), Math.Min(last, headDimension - 1));
        double stretched = Math.Clamp((pair - first) / (first == last ? 0.001 : last - first), 0, 1);
        return (frequency / scaling.Factor * stretched) + (frequency * (1 - stretched));

        double PairTurning(double times) => headDimension * Math.Log(scaling.OriginalMaxPositions / (times * 2 * Math.PI)) / (2 * Math.Log(theta));
    }
}
