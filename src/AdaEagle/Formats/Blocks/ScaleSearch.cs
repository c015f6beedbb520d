using System.Runtime.Intrinsics;
using static AdaEagle.Formats.BlockMath;

namespace AdaEagle.Formats;

/// <summary>
/// The scales of the least squared error for a few values that share one. Codes are whole numbers; a range of starting scales around the one
/// that just holds the values is tried, and each choice of codes gets the scale that suits it best.
/// </summary>
internal static class ScaleSearch
{
    // Starting scales put the furthest value up to a code and a bit beside the end of the codes.
    private const int Steps = 5;
    private const float Width = 1.2f;

    // How often codes are chosen anew under the best scale and minimum, while that helps.
    private const int Refinements = 4;

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

        float sum = 0;
        foreach (float value in values)
        {
            sum += value;
        }

        Line best = new(0, -min, float.PositiveInfinity);
        for (int step = -Steps; step <= Steps; step++)
        {
            best = Better(best, Fit(values, sum, (most + (step * Width / Steps)) / (max - min), min, most));
        }

        for (int i = 0; i < Refinements && best.Scale > 0; i++)
        {
            Line refined = Fit(values, sum, 1 / best.Scale, -best.Minimum, most);
            if (refined.Error >= best.Error)
            {
                break;
            }

            best = refined;
        }

        return (best.Scale, best.Minimum);
    }

    private static Line Better(Line a, Line b) => b.Error < a.Error ? b : a;

    /// <summary>The line of the least squared error through the codes that values have under a scale (its inverse) and an offset.</summary>
    private static Line Fit(ReadOnlySpan<float> values, float sum, float inverse, float offset, int most)
    {
        (Vector256<float> codes, Vector256<float> squares, Vector256<float> products) = (default, default, default);
        for (int i = 0; i < values.Length; i += 8)
        {
            Vector256<float> x = Load(values, i);
            Vector256<float> code = Codes((x - Vector256.Create(offset)) * inverse, 0, most);
            codes += code;
            squares += code * code;
            products += x * code;
        }

        float count = values.Length;
        (float code1, float code2, float product) = (Vector256.Sum(codes), Vector256.Sum(squares), Vector256.Sum(products));
        float determinant = (count * code2) - (code1 * code1);
        float scale = determinant > 0 ? ((count * product) - (code1 * sum)) / determinant : 0;
        float start = (sum - (scale * code1)) / count;
        if (start > 0 || scale <= 0)
        {
            // A positive minimum cannot be stored: the best line through zero instead.
            (start, scale) = (0, code2 > 0 ? MathF.Max(product / code2, 0) : 0);
        }

        // The squared error less sum(x^2), which is the same for every choice.
        float error = (scale * ((scale * code2) + (2 * start * code1) - (2 * product))) + (start * ((count * start) - (2 * sum)));
        return new Line(scale, -start, error);
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

    /// <summary>(scale * code) - minimum, and its squared error but for a constant.</summary>
    private readonly record struct Line(float Scale, float Minimum, float Error);
}
