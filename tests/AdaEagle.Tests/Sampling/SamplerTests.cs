using AdaEagle.Kernels;
using AdaEagle.Sampling;

namespace AdaEagle.Tests.Sampling;

/// <summary>The pipeline from logits to a token, on cases computed by hand and against a plain reference in double precision.</summary>
public class SamplerTests
{
    // Probabilities 0.4, 0.3, 0.15, 0.1, 0.05 at temperature 1, not in order of id.
    private static readonly float[] s_logits = [MathF.Log(0.1f), MathF.Log(0.4f), MathF.Log(0.05f), MathF.Log(0.3f), MathF.Log(0.15f)];

    public static TheoryData<float, int, float, float, double[]> HandCases => new()
    {
        { 1, 0, 1, 0, [0.1, 0.4, 0.05, 0.3, 0.15] },
        { 1, 2, 1, 0, [0, 4 / 7.0, 0, 3 / 7.0, 0] },
        { 1, 1, 1, 0, [0, 1, 0, 0, 0] },
        { 1, 9, 1, 0, [0.1, 0.4, 0.05, 0.3, 0.15] },
        { 1, 0, 0.5f, 0, [0, 4 / 7.0, 0, 3 / 7.0, 0] }, // the token that reaches 0.5 stays
        { 1, 0, 0.71f, 0, [0, 0.4 / 0.85, 0, 0.3 / 0.85, 0.15 / 0.85] },
        { 1, 0, 0.01f, 0, [0, 1, 0, 0, 0] },
        { 1, 0, 1, 0.3f, [0, 0.4 / 0.85, 0, 0.3 / 0.85, 0.15 / 0.85] }, // at least 0.12
        { 1, 0, 1, 1, [0, 1, 0, 0, 0] },
        // Top-k before top-p: 0.4, 0.3, 0.15 renormalise to 0.47, 0.35, 0.18, of which two make 0.8. The other order would keep three.
        { 1, 3, 0.8f, 0, [0, 4 / 7.0, 0, 3 / 7.0, 0] },
        // Top-p before min-p; both relative to the best, so that 0.15 falls by min-p after top-p let it pass.
        { 1, 0, 0.75f, 0.5f, [0, 4 / 7.0, 0, 3 / 7.0, 0] },
        // Temperature first: squared, 0.16, 0.09, 0.0225, 0.01, 0.0025 of 0.285.
        { 0.5f, 0, 1, 0, [0.01 / 0.285, 0.16 / 0.285, 0.0025 / 0.285, 0.09 / 0.285, 0.0225 / 0.285] },
        // … and so 0.56 and 0.32 make 0.85, where unsquared it would take four.
        { 0.5f, 0, 0.85f, 0, [0, 0.64, 0, 0.36, 0] },
    };

    [Theory]
    [MemberData(nameof(HandCases))]
    public void Filters_apply_in_the_documented_order(float temperature, int topK, float topP, float minP, double[] expected)
    {
        var options = new SamplingOptions { Temperature = temperature, TopK = topK, TopP = topP, MinP = minP };
        Close(expected, new Sampler(options).Probabilities(s_logits), 1e-6);
        Close(expected, Reference(s_logits, options), 1e-6);
    }

    [Fact]
    public void Probabilities_equal_a_plain_reference_on_random_logits()
    {
        var random = new Random(4);
        for (int i = 0; i < 400; i++)
        {
            float[] logits = Logits(random, random.Next(1, 120), spread: random.Next(1, 14));
            var options = Options(random);
            double[] expected = Reference(logits, options);
            double[] actual = new Sampler(options).Probabilities(logits);
            // A cumulative sum within rounding of top-p may keep one token more or less: then the sets differ by the least likely one.
            if (actual.Count(p => p > 0) == expected.Count(p => p > 0))
            {
                Close(expected, actual, 2e-6);
            }
            else
            {
                Assert.True(options.TopP < 1 || options.MinP > 0, $"{options}");
                Assert.InRange(Math.Abs(actual.Count(p => p > 0) - expected.Count(p => p > 0)), 0, 1);
            }
        }
    }

    [Fact]
    public void Every_instruction_set_draws_the_same_tokens()
    {
        var random = new Random(8);
        for (int i = 0; i < 60; i++)
        {
            float[] logits = Logits(random, random.Next(1, 100), spread: 6);
            SamplingOptions options = Options(random) with { Seed = (ulong)i };
            int[] expected = Draw(new Sampler(options, KernelPath.Scalar));
            foreach (KernelPath path in KernelPaths.Available)
            {
                Assert.Equal(expected, Draw(new Sampler(options, path)));
            }

            int[] Draw(Sampler sampler) => [.. Enumerable.Range(0, 20).Select(index => sampler.Sample(logits, index))];
        }
    }

    [Theory]
    [InlineData(1f, 0, 1f, 0f)]
    [InlineData(0.6f, 0, 1f, 0f)]
    [InlineData(1.4f, 7, 1f, 0f)]
    [InlineData(1f, 0, 0.8f, 0f)]
    [InlineData(1f, 0, 1f, 0.08f)]
    [InlineData(1.2f, 9, 0.9f, 0.05f)]
    public void Draws_follow_the_probabilities(float temperature, int topK, float topP, float minP)
    {
        const int Draws = 40_000;
        var random = new Random(21);
        float[] logits = Logits(random, 24, spread: 3);
        for (ulong seed = 0; seed < 2; seed++)
        {
            var sampler = new Sampler(new SamplingOptions { Temperature = temperature, TopK = topK, TopP = topP, MinP = minP, Seed = seed });
            double[] probabilities = sampler.Probabilities(logits);
            int[] counts = new int[logits.Length];
            for (int index = 0; index < Draws; index++)
            {
                counts[sampler.Sample(logits, index)]++;
            }

            int degrees = probabilities.Count(p => p > 0) - 1;
            Assert.InRange(Statistics.GTest(counts, probabilities), 0, Statistics.CriticalChiSquare(degrees));
        }
    }

    [Fact]
    public void A_draw_is_the_inverse_of_the_distribution_at_the_number_of_its_coordinates()
    {
        var options = new SamplingOptions { Temperature = 1, Seed = 99, Sequence = 4 };
        var sampler = new Sampler(options);
        double[] probabilities = sampler.Probabilities(s_logits);
        for (int index = 0; index < 500; index++)
        {
            double left = CounterRandom.Uniform(99, 4, index);
            int expected = 0;
            while (expected < probabilities.Length - 1 && left >= probabilities[expected])
            {
                left -= probabilities[expected++];
            }

            Assert.Equal(expected, sampler.Sample(s_logits, index));
        }
    }

    [Fact]
    public void A_draw_does_not_depend_on_the_draws_before_it()
    {
        var random = new Random(5);
        var options = new SamplingOptions { Temperature = 0.9f, TopP = 0.95f, Seed = 3 };
        float[][] rows = [.. Enumerable.Range(0, 50).Select(_ => Logits(random, random.Next(5, 200), 4))];
        var reused = new Sampler(options);
        int[] forward = [.. rows.Select((row, i) => reused.Sample(row, i))];
        int[] backward = [.. Enumerable.Range(0, rows.Length).Reverse().Select(i => reused.Sample(rows[i], i))];
        Assert.Equal(forward, backward.Reverse());
        Assert.Equal(forward, rows.Select((row, i) => new Sampler(options).Sample(row, i)));
    }

    [Fact]
    public void Greedy_takes_the_largest_logit_and_the_lowest_id_of_equals()
    {
        var greedy = new Sampler(SamplingOptions.Greedy);
        Assert.True(greedy.IsGreedy);
        Assert.Equal(1, greedy.Sample(s_logits, 0));
        Assert.Equal(2, greedy.Sample([0, 1, 5, 5, 5, 3], 7));
        Assert.Equal([0, 0, 1.0, 0, 0, 0], greedy.Probabilities([0, 1, 5, 5, 5, 3]));
    }

    [Fact]
    public void Among_equals_top_k_keeps_the_lowest_ids()
    {
        float[] logits = new float[40];
        double[] probabilities = new Sampler(new SamplingOptions { Temperature = 1, TopK = 3 }).Probabilities(logits);
        Assert.Equal([0, 1, 2], Enumerable.Range(0, 40).Where(token => probabilities[token] > 0));
    }

    [Theory]
    [InlineData(1e-5f)]
    [InlineData(1e-7f)]
    [InlineData(1e-38f)]
    [InlineData(float.Epsilon)]
    [InlineData(1e30f)]
    [InlineData(float.MaxValue)]
    public void Extreme_temperatures_draw_from_the_limit(float temperature)
    {
        float[] logits = [20, -5, 30, 29.5f];
        foreach (SamplingOptions options in (SamplingOptions[])[new() { Temperature = temperature }, new() { Temperature = temperature, TopK = 4 }, new() { Temperature = temperature, TopP = 0.9f }])
        {
            double[] probabilities = new Sampler(options).Probabilities(logits);
            double[] expected = temperature < 1 ? [0, 0, 1, 0] : [0.25, 0.25, 0.25, 0.25];
            Close(expected, probabilities, 1e-6);
            for (int index = 0; index < 50; index++)
            {
                Assert.True(probabilities[new Sampler(options).Sample(logits, index)] > 0);
            }
        }
    }

    [Theory]
    [InlineData(-0.1f, 0, 1f, 0f, "Temperature")]
    [InlineData(float.NaN, 0, 1f, 0f, "Temperature")]
    [InlineData(float.PositiveInfinity, 0, 1f, 0f, "Temperature")]
    [InlineData(1f, -1, 1f, 0f, "TopK")]
    [InlineData(1f, 0, 0f, 0f, "TopP")]
    [InlineData(1f, 0, 1.01f, 0f, "TopP")]
    [InlineData(1f, 0, float.NaN, 0f, "TopP")]
    [InlineData(1f, 0, 1f, -0.01f, "MinP")]
    [InlineData(1f, 0, 1f, 1.01f, "MinP")]
    [InlineData(1f, 0, 1f, float.NaN, "MinP")]
    public void Values_out_of_range_are_refused_by_name(float temperature, int topK, float topP, float minP, string name)
    {
        var options = new SamplingOptions { Temperature = temperature, TopK = topK, TopP = topP, MinP = minP };
        Assert.Equal(name, Assert.Throws<ArgumentOutOfRangeException>(() => new Sampler(options)).ParamName);
    }

    private static SamplingOptions Options(Random random) => new()
    {
        Temperature = 0.2f + (2 * random.NextSingle()),
        TopK = random.Next(3) == 0 ? random.Next(1, 60) : 0,
        TopP = random.Next(2) == 0 ? 0.05f + (0.94f * random.NextSingle()) : 1,
        MinP = random.Next(3) == 0 ? random.NextSingle() : 0,
    };

    private static float[] Logits(Random random, int count, float spread) => [.. Enumerable.Range(0, count).Select(_ => spread * ((2 * random.NextSingle()) - 1))];

    /// <summary>Temperature, top-k, top-p, min-p one after the other, each on a renormalised distribution.</summary>
    private static double[] Reference(float[] logits, SamplingOptions options)
    {
        double most = logits.Max();
        double[] p = Normalized([.. logits.Select(logit => Math.Exp((logit - most) / options.Temperature))]);
        int[] order = [.. Enumerable.Range(0, p.Length).OrderByDescending(i => logits[i]).ThenBy(i => i)];
        if (options.TopK > 0)
        {
            p = Keep(order.Take(options.TopK));
        }

        if (options.TopP < 1)
        {
            double sum = 0;
            p = Keep(order.TakeWhile(token => (sum += p[token]) - p[token] < options.TopP));
        }

        if (options.MinP > 0)
        {
            double least = options.MinP * p.Max();
            p = Keep(order.Where(token => p[token] >= least * (1 - 1e-12)));
        }

        return p;

        double[] Keep(IEnumerable<int> tokens)
        {
            double[] kept = new double[p.Length];
            foreach (int token in tokens.ToArray())
            {
                kept[token] = p[token];
            }

            return Normalized(kept);
        }

        static double[] Normalized(double[] weights)
        {
            double total = weights.Sum();
            return [.. weights.Select(weight => weight / total)];
        }
    }

    private static void Close(double[] expected, double[] actual, double tolerance)
    {
        Assert.Equal(expected.Length, actual.Length);
        for (int i = 0; i < expected.Length; i++)
        {
            Assert.True(Math.Abs(expected[i] - actual[i]) <= tolerance, $"Token {i} has probability {actual[i]} instead of {expected[i]}.");
        }
    }
}
