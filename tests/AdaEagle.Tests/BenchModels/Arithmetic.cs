namespace AdaEagle.Tests.BenchModels;

/// <summary>
/// The arithmetic that law 1 fixes, in scalar code: products by fused multiply-add in an order that depends on k alone (even and odd k apart),
/// sums of squares in 16 lanes by k mod 16.
/// </summary>
internal static class Arithmetic
{
    /// <summary>weight [rows, x.Length] times x, plus bias.</summary>
    public static float[] Linear(float[] weight, float[]? bias, float[] x)
    {
        var y = new float[weight.Length / x.Length];
        for (int row = 0; row < y.Length; row++)
        {
            float sum = Dot(weight.AsSpan(row * x.Length, x.Length), x);
            y[row] = bias is null ? sum : sum + bias[row];
        }

        return y;
    }

    /// <summary>One output of a product.</summary>
    public static float Dot(ReadOnlySpan<float> a, ReadOnlySpan<float> b)
    {
        float even = 0, odd = 0;
        for (int k = 0; k + 1 < a.Length; k += 2)
        {
            even = MathF.FusedMultiplyAdd(a[k], b[k], even);
            odd = MathF.FusedMultiplyAdd(a[k + 1], b[k + 1], odd);
        }

        if (a.Length % 2 == 1)
        {
            even = MathF.FusedMultiplyAdd(a[^1], b[^1], even);
        }

        return even + odd;
    }

    /// <summary>RMSNorm.</summary>
    public static float[] Norm(float[] x, float[] weight, float epsilon)
    {
        var lanes = new float[16];
        for (int k = 0; k < x.Length; k++)
        {
            lanes[k % 16] = MathF.FusedMultiplyAdd(x[k], x[k], lanes[k % 16]);
        }

        for (int width = 8; width > 0; width /= 2)
        {
            for (int lane = 0; lane < width; lane++)
            {
                lanes[lane] += lanes[lane + width];
            }
        }

        float scale = 1 / MathF.Sqrt((lanes[0] / x.Length) + epsilon);
        return [.. x.Select((value, k) => value * scale * weight[k])];
    }

    /// <summary>The sum of two vectors.</summary>
    public static float[] Add(float[] a, float[] b) => [.. a.Select((value, k) => value + b[k])];

    /// <summary>x / (1 + e^-x).</summary>
    public static float Silu(float x) => x / (1 + MathF.Exp(-x));

    /// <summary>Rotates one head's halves (Hugging Face's order of the pairs).</summary>
    public static void Rotate(Span<float> head, int position, double theta, double stretch)
    {
        int half = head.Length / 2;
        for (int i = 0; i < half; i++)
        {
            double angle = position / stretch * Math.Pow(theta, -2.0 * i / head.Length);
            float cosine = (float)Math.Cos(angle), sine = (float)Math.Sin(angle);
            (float a, float b) = (head[i], head[i + half]);
            head[i] = (a * cosine) - (b * sine);
            head[i + half] = (b * cosine) + (a * sine);
        }
    }
}
