using AdaEagle.Kernels;

namespace AdaEagle.Tests.Kernels;

/// <summary>What a layer does besides its products: the bits of the scalar twin on every instruction set, and double precision within rounding.</summary>
public unsafe class VectorKernelTests
{
    private static readonly VectorKernels s_scalar = VectorKernels.For(KernelPath.Scalar);

    public static TheoryData<KernelPath> Paths => [.. KernelPaths.Available];

    [Theory]
    [MemberData(nameof(Paths))]
    public void Exponentials_are_right_to_a_ten_millionth(KernelPath path)
    {
        // Through softmax weights: the largest score is 0, so each weight is e^score.
        float[] scores = [0, .. Enumerable.Range(0, 4000).Select(i => -87f * i / 4000), -1e-7f, -1e-30f];
        float sum = Exponentiated(VectorKernels.For(path), scores, 1, out float[] weights);
        double exact = 0;
        for (int i = 0; i < scores.Length; i++)
        {
            double expected = Math.Exp(scores[i]);
            exact += expected;
            Assert.True(Math.Abs(weights[i] - expected) <= 2.5e-7 * expected, $"e^{scores[i]} is {weights[i]} instead of {expected}");
        }

        Assert.Equal(exact, sum, 1e-5 * exact);
    }

    [Theory]
    [MemberData(nameof(Paths))]
    public void Softmax_weights_have_the_twins_bits_for_every_length(KernelPath path)
    {
        var random = new Random(1);
        VectorKernels kernels = VectorKernels.For(path);
        for (int length = 1; length <= 150; length++)
        {
            float[] scores = Floats.Random(random, length, random.Next(1, 200));
            float scale = 0.05f + random.NextSingle();
            float expected = Exponentiated(s_scalar, scores, scale, out float[] expectedWeights);
            float actual = Exponentiated(kernels, scores, scale, out float[] weights);
            Assert.Equal(expected, actual);
            Assert.Equal(Floats.Bits(expectedWeights), Floats.Bits(weights));
            Assert.All(weights[length..], weight => Assert.Equal(0, weight));
            Assert.Equal(1, weights.Max());
            Assert.Equal(weights.Sum(weight => (double)weight), actual, 1e-5 * actual);
        }
    }

    [Theory]
    [MemberData(nameof(Paths))]
    public void Softmax_does_not_overflow_or_lose_its_largest(KernelPath path)
    {
        foreach (float[] scores in (float[][])[[1e30f, -1e30f, 1e30f], [-1e30f, -1e30f], [float.NegativeInfinity, 3, float.NegativeInfinity], [88, 89, 90]])
        {
            float sum = Exponentiated(VectorKernels.For(path), scores, 1, out float[] weights);
            float most = scores.Max();
            Assert.True(float.IsFinite(sum) && sum >= 1);
            for (int i = 0; i < scores.Length; i++)
            {
                Assert.Equal(Math.Exp(scores[i] - most), weights[i], 1e-6);
            }
        }
    }

    [Theory]
    [MemberData(nameof(Paths))]
    public void RMSNorm_is_right_and_has_the_twins_bits(KernelPath path)
    {
        var random = new Random(2);
        foreach (int length in (int[])[1, 2, 15, 16, 17, 48, 100, 257])
        {
            float[] input = Floats.Random(random, length, 5), weight = Floats.Random(random, length, 2);
            float[] actual = Normed(VectorKernels.For(path), input, weight, 1e-5f);
            Assert.Equal(Floats.Bits(Normed(s_scalar, input, weight, 1e-5f)), Floats.Bits(actual));
            double scale = 1 / Math.Sqrt((input.Sum(x => (double)x * x) / length) + 1e-5);
            for (int i = 0; i < length; i++)
            {
                Assert.Equal(input[i] * scale * weight[i], actual[i], 2e-6 * (1 + Math.Abs(actual[i])));
            }

            Assert.All(actual[length..], value => Assert.Equal(0, value));
        }
    }

    [Theory]
    [MemberData(nameof(Paths))]
    public void RMSNorm_of_a_stream_padded_by_a_power_of_four_has_the_same_bits(KernelPath path)
    {
        // What inflated models rest on: norm weights divided by 2^m, epsilon by 4^m, where the width grew by 4^m.
        var random = new Random(3);
        for (int m = 1; m <= 2; m++)
        {
            int grown = 1 << (2 * m);
            float[] input = Floats.Random(random, 24, 5), weight = Floats.Random(random, 24, 2);
            float[] expected = Normed(VectorKernels.For(path), input, weight, 1e-5f);
            float[] wideWeight = [.. weight.Select(w => w / (1 << m)), .. Floats.Random(random, 24 * (grown - 1))];
            float[] actual = Normed(VectorKernels.For(path), [.. input, .. new float[24 * (grown - 1)]], wideWeight, 1e-5f / grown);
            Assert.Equal(Floats.Bits(expected.AsSpan(0, 24)), Floats.Bits(actual.AsSpan(0, 24)));
        }
    }

    [Theory]
    [MemberData(nameof(Paths))]
    public void SwiGLU_and_the_residual_SiLU_are_right_and_have_the_twins_bits(KernelPath path)
    {
        var random = new Random(4);
        VectorKernels kernels = VectorKernels.For(path);
        foreach (float magnitude in (float[])[0.1f, 3, 40, 300])
        {
            float[] gateUp = Floats.Random(random, 5 * 32, magnitude);
            float[] actual = Activated(kernels, gateUp);
            Assert.Equal(Floats.Bits(Activated(s_scalar, gateUp)), Floats.Bits(actual));
            for (int i = 0; i < actual.Length; i++)
            {
                float gate = gateUp[(i / 16 * 32) + (i % 16)], up = gateUp[(i / 16 * 32) + 16 + (i % 16)];
                Assert.Equal(Silu(gate) * up, actual[i], (1e-6 * Math.Abs(actual[i])) + 1e-30);
            }

            float[] residual = Floats.Random(random, 160);
            float[] added = SiluAdded(kernels, gateUp, residual);
            Assert.Equal(Floats.Bits(SiluAdded(s_scalar, gateUp, residual)), Floats.Bits(added));
            for (int i = 0; i < added.Length; i++)
            {
                Assert.Equal(Silu(gateUp[i]) + residual[i], added[i], 1e-6 * (1 + Math.Abs(added[i])));
            }
        }

        static double Silu(double x) => x / (1 + Math.Exp(-x));
    }

    [Theory]
    [MemberData(nameof(Paths))]
    public void Sums_are_those_of_floats(KernelPath path)
    {
        var random = new Random(7);
        float[] target = Floats.Random(random, 64), addend = Floats.Random(random, 64);
        using var sums = new Floats(target);
        using var addends = new Floats(addend);
        VectorKernels.For(path).AddTo(sums.Pointer, addends.Pointer, 64);
        Assert.Equal(target.Zip(addend, (a, b) => a + b), sums.Span.ToArray());
    }

    [Theory]
    [MemberData(nameof(Paths))]
    public void ArgMax_finds_the_first_of_the_largest_anywhere(KernelPath path)
    {
        var random = new Random(8);
        VectorKernels kernels = VectorKernels.For(path);
        foreach (int length in (int[])[1, 5, 16, 17, 31, 64, 100])
        {
            float[] values = Floats.Random(random, length);
            for (int at = 0; at < length; at++)
            {
                using var one = new Floats(values, Floats.Pad(length));
                one.Span[length..].Fill(99); // padding does not count
                one.Span[at] = 2;
                Assert.Equal(at, kernels.ArgMax(one.Pointer, length));
                int second = random.Next(at, length);
                one.Span[second] = 2;
                Assert.Equal(at, kernels.ArgMax(one.Pointer, length));
            }

            foreach (float constant in (float[])[0, -0f, -1e30f, float.NegativeInfinity])
            {
                using var same = new Floats(Enumerable.Repeat(constant, length).ToArray());
                Assert.Equal(0, kernels.ArgMax(same.Pointer, length));
            }
        }

        using var zeros = new Floats([-1, -0f, 0f, -0f]);
        Assert.Equal(1, kernels.ArgMax(zeros.Pointer, 4));
    }

    [Theory]
    [MemberData(nameof(Paths))]
    public void LogSumExp_is_right_and_has_the_twins_bits(KernelPath path)
    {
        var random = new Random(9);
        VectorKernels kernels = VectorKernels.For(path);
        for (int length = 1; length <= 70; length++)
        {
            float[] logits = Floats.Random(random, length, 20);
            using var values = new Floats(logits);
            float actual = kernels.LogSumExp(values.Pointer, length, logits.Max());
            Assert.Equal(s_scalar.LogSumExp(values.Pointer, length, logits.Max()), actual);
            Assert.Equal(Math.Log(logits.Sum(logit => Math.Exp(logit))), actual, 1e-5);
        }
    }

    private static float Exponentiated(VectorKernels kernels, float[] scores, float scale, out float[] weights)
    {
        using var values = new Floats(scores, Floats.Pad(scores.Length));
        values.Span[scores.Length..].Fill(1e9f);
        float sum = kernels.Exponentiate(values.Pointer, scores.Length, scale);
        values.CheckMargin();
        weights = values.Span.ToArray();
        return sum;
    }

    private static float[] Normed(VectorKernels kernels, float[] input, float[] weight, float epsilon)
    {
        int padded = Floats.Pad(input.Length);
        using var inputs = new Floats(input, padded);
        using var weights = new Floats(weight, padded);
        using var output = new Floats(padded);
        kernels.RmsNorm(inputs.Pointer, weights.Pointer, epsilon, input.Length, output.Pointer);
        output.CheckMargin();
        return output.Span.ToArray();
    }

    private static float[] Activated(VectorKernels kernels, float[] gateUp)
    {
        using var inputs = new Floats(gateUp);
        using var output = new Floats(gateUp.Length / 2);
        kernels.SwiGlu(inputs.Pointer, gateUp.Length / 32, output.Pointer);
        output.CheckMargin();
        return output.Span.ToArray();
    }

    private static float[] SiluAdded(VectorKernels kernels, float[] input, float[] residual)
    {
        using var inputs = new Floats(input);
        using var residuals = new Floats(residual);
        using var output = new Floats(input.Length);
        kernels.SiluAdd(inputs.Pointer, residuals.Pointer, output.Pointer, input.Length);
        output.CheckMargin();
        return output.Span.ToArray();
    }
}
