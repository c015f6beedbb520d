using AdaEagle.Formats;
using AdaEagle.Kernels;
using AdaEagle.Models;

namespace AdaEagle.Tests.Models;

/// <summary>Rotary positions against the formulas, in double precision.</summary>
public unsafe class RopeTableTests
{
    public static TheoryData<int, double, RopeScaling?> Tables => new()
    {
        { 16, 10000, null },
        { 2, 10000, null },
        { 64, 500000, null },
        { 32, 10000, new RopeScaling { Kind = "linear", Factor = 4 } },
        { 64, 500000, new RopeScaling { Kind = "llama3", Factor = 8, LowFrequencyFactor = 1, HighFrequencyFactor = 4, OriginalMaxPositions = 8192 } },
        { 32, 10000, new RopeScaling { Kind = "llama3", Factor = 32, LowFrequencyFactor = 1, HighFrequencyFactor = 4, OriginalMaxPositions = 128 } },
    };

    [Theory]
    [MemberData(nameof(Tables))]
    public void Halves_turn_by_the_angle_of_their_position(int dimension, double theta, RopeScaling? scaling)
    {
        using var rope = new RopeTable(dimension, theta, scaling);
        rope.Reserve(1500);
        var random = new Random(1);
        float[] vector = [.. Enumerable.Range(0, dimension).Select(_ => (2 * random.NextSingle()) - 1)];
        float[] turned = new float[dimension];
        AttentionKernels kernels = AttentionKernels.For(KernelPaths.Best, CacheFormat.F32);
        foreach (int position in (int[])[0, 1, 2, 63, 64, 511, 512, 1499])
        {
            fixed (float* from = vector, to = turned)
            {
                kernels.Rotate(from, rope.Cosines(position), rope.Sines(position), rope.HalfDimension, 1, to);
            }

            for (int i = 0; i < dimension / 2; i++)
            {
                double angle = position * Frequency(Math.Pow(theta, -2.0 * i / dimension), scaling);
                (double low, double high) = (vector[i], vector[i + (dimension / 2)]);
                // The angle is a float: at position 1500 it is known to about 1e-4.
                Assert.Equal((low * Math.Cos(angle)) - (high * Math.Sin(angle)), turned[i], 2e-4);
                Assert.Equal((high * Math.Cos(angle)) + (low * Math.Sin(angle)), turned[i + (dimension / 2)], 2e-4);
            }
        }
    }

    [Fact]
    public void A_table_that_grew_turns_as_before()
    {
        using var small = new RopeTable(8, 10000, null);
        using var grown = new RopeTable(8, 10000, null);
        grown.Reserve(5000);
        grown.Reserve(100);
        float[] vector = [1, 2, 3, 4, 5, 6, 7, 8];
        for (int position = 0; position < 64; position++)
        {
            Assert.Equal(Turned(small, position), Turned(grown, position));
        }

        Assert.True(float.IsFinite(Turned(grown, 4999)[0]));

        float[] Turned(RopeTable table, int position)
        {
            float[] result = new float[8];
            fixed (float* from = vector, to = result)
            {
                AttentionKernels.For(KernelPath.Scalar, CacheFormat.F32).Rotate(from, table.Cosines(position), table.Sines(position), 4, 1, to);
            }

            return result;
        }
    }

    [Fact]
    public void Unknown_scalings_are_refused() =>
        Assert.Throws<NotSupportedException>(() => new RopeTable(8, 10000, new RopeScaling { Kind = "longrope" }));

    [Fact]
    public void Explicit_factors_divide_the_frequencies_before_any_scaling()
    {
        float[] plain = RopeFrequencies.Of(8, 10000, null);
        float[] divided = RopeFrequencies.Of(8, 10000, new RopeScaling { Kind = "default", FrequencyFactors = [1, 2, 4, 8] });
        float[] both = RopeFrequencies.Of(8, 10000, new RopeScaling { Kind = "linear", Factor = 2, FrequencyFactors = [1, 2, 4, 8] });
        for (int i = 0; i < 4; i++)
        {
            Assert.Equal(plain[i] / (1 << i), divided[i], 1e-6f * plain[i]);
            Assert.Equal(plain[i] / (2 << i), both[i], 1e-6f * plain[i]);
        }

        Assert.Throws<ArgumentException>(() => RopeFrequencies.Of(8, 10000, new RopeScaling { Kind = "default", FrequencyFactors = [1, 2] }));
    }

    [Fact]
    public void YaRN_keeps_fast_pairs_stretches_slow_ones_and_ramps_between()
    {
        var scaling = new RopeScaling { Kind = "yarn", Factor = 4, OriginalMaxPositions = 4096 };
        float[] plain = RopeFrequencies.Of(64, 10000, null), scaled = RopeFrequencies.Of(64, 10000, scaling);
        double[] kept = [.. plain.Zip(scaled, (a, b) => ((b / (double)a) - 0.25) / 0.75)];
        Assert.Equal(1, kept[0], 1e-6);
        Assert.Equal(0, kept[^1], 1e-6);
        // The pairs that turn 32 times and once within 4096 positions, rounded outwards: 10 and 23 of 32.
        Assert.All(kept[..11], share => Assert.Equal(1, share, 1e-6));
        Assert.All(kept[23..], share => Assert.Equal(0, share, 1e-6));
        for (int i = 11; i < 23; i++)
        {
            Assert.Equal((23 - i) / 13.0, kept[i], 1e-5);
        }

        Assert.Equal(1 + (0.1 * Math.Log(4)), RopeFrequencies.AttentionFactor(scaling), 1e-6);
        Assert.Equal(1.5f, RopeFrequencies.AttentionFactor(scaling with { AttentionFactor = 1.5 }));
        Assert.Equal((0.07 * Math.Log(4) + 1) / ((0.1 * Math.Log(4)) + 1), RopeFrequencies.AttentionFactor(scaling with { Mscale = 0.7, MscaleAllDim = 1 }), 1e-6);
        Assert.Equal(1, RopeFrequencies.AttentionFactor(scaling with { Factor = 0.5 }));
        Assert.Equal(1, RopeFrequencies.AttentionFactor(null));
    }

    // Written from the definition: waves longer than original / low are stretched, shorter than original / high kept, between them a blend.
    private static double Frequency(double plain, RopeScaling? scaling)
    {
        if (scaling is null)
        {
            return plain;
        }

        if (scaling.Kind == "linear")
        {
            return plain / scaling.Factor;
        }

        double turns = scaling.OriginalMaxPositions * plain / (2 * Math.PI);
        double keep = Math.Clamp((turns - scaling.LowFrequencyFactor) / (scaling.HighFrequencyFactor - scaling.LowFrequencyFactor), 0, 1);
        return (keep * plain) + ((1 - keep) * plain / scaling.Factor);
    }
}
