using System.Runtime.Intrinsics;
using static AdaEagle.Formats.BlockMath;

namespace AdaEagle.Formats;

/// <summary>
/// The scales of the least squared error for a few values that share one. Codes are whole numbers; a range of starting scales around the one
/// that just holds the values is tried, and each choice of codes gets the scale that suits it best.
/// </summary>
internal static class ScaleSearch
{
    // Starting scales put the furthest value up to a code and a half beside the end of the codes.
    private const int Steps = 8;
    private const float Width = 1.2f;

    /// <summary>values = scale * code with codes from -<paramref name="end"/> to <paramref name="end"/> - 1; the scale may be negative.</summary>
    public static float Symmetric(ReadOnlySpan<float> values, int end)
    {
        float furthest = Furthest(values);
        if (furthest == 0)
        {
            return 0;
        }

        (float best, float gain) = (0, 0);
        for (int step = -Steps; step <= Steps; step++)
        {
            float inverse = -(end + (step * Width / Steps)) / furthest;
            (Vector256<float> products, Vector256<float> squares) = (default, default);
            for (int i = 0; i < values.Length; i += 8)
            {
                Vector256<float> x = Load(values, i);
                Vector256<float> code = Codes(x * inverse, -end, end - 1);
                products += x * code;
                squares += code * code;
            }

            // With scale p/s the squared error is sum(x^2) - p^2/s.
            (float product, float square) = (Vector256.Sum(products), Vector256.Sum(squares));
            float fitted = product * product / square;
            if (fitted > gain)
            {
                (best, gain) = (product / square, fitted);
            }
        }

        return best;
    }

    /// <summary>values = (scale * code) - minimum with codes from 0 to <paramref name="most"/>, neither scale nor minimum negative.</summary>
    public static (float Scale, float Minimum) Affine(ReadOnlySpan<float> values, int most)
    {
        (float min, float max) = Range(values);
        min = MathF.Min(min, 0);
        if (!(max > min))
        {
            return (0, -min);
        }

        float count = values.Length;
        float sum = 0;
        foreach (float value in values)
        {
            sum += value;
        }

        (float bestScale, float bestMinimum, float least) = (0f, 0f, float.PositiveInfinity);
        for (int step = -Steps; step <= Steps; step++)
        {
            float inverse = (most + (step * Width / Steps)) / (max - min);
            (Vector256<float> codes, Vector256<float> squares, Vector256<float> products) = (default, default, default);
            for (int i = 0; i < values.Length; i += 8)
            {
                Vector256<float> x = Load(values, i);
                Vector256<float> code = Codes((x - Vector256.Create(min)) * inverse, 0, most);
                codes += code;
                squares += code * code;
                products += x * code;
            }

            (float code1, float code2, float product) = (Vector256.Sum(codes), Vector256.Sum(squares), Vector256.Sum(products));
            float determinant = (count * code2) - (code1 * code1);
            float scale = determinant > 0 ? ((count * product) - (code1 * sum)) / determinant : 0;
            float offset = (sum - (scale * code1)) / count;
            if (offset > 0 || scale <= 0)
            {
                // A positive minimum cannot be stored: the best line through zero instead.
                (offset, scale) = (0, MathF.Max(product / code2, 0));
            }

            // The squared error less sum(x^2), which is the same for every choice.
            float error = (scale * ((scale * code2) + (2 * offset * code1) - (2 * product))) + (offset * ((count * offset) - (2 * sum)));
            if (error < least)
            {
                (bestScale, bestMinimum, least) = (scale, -offset, error);
            }
        }

        return (bestScale, bestMinimum);
    }

    /// <summary>Writes the codes of values under a scale and minimum, added to <paramref name="bias"/>, as bytes.</summary>
    public static void WriteCodes(ReadOnlySpan<float> values, float scale, float minimum, int least, int most, int bias, Span<byte> codes)
    {
        float inverse = Inverse(scale);
        for (int i = 0; i < values.Length; i += 16)
        {
            Bytes(code(Load(values, i)), code(Load(values, i + 8))).CopyTo(codes[i..]);
        }

        Vector256<int> code(Vector256<float> x) =>
            Vector256.ConvertToInt32(Codes((x + Vector256.Create(minimum)) * inverse, least, most)) + Vector256.Create(bias);
    }

    private static Vector256<float> Codes(Vector256<float> scaled, int least, int most) =>
        Vector256.Min(Vector256.Max(Vector256.Round(scaled), Vector256.Create((float)least)), Vector256.Create((float)most));
}
