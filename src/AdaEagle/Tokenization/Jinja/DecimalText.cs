using System.Globalization;
using System.Numerics;

namespace AdaEagle.Tokenization.Jinja;

/// <summary>
/// Decimal digits of doubles, rounded from the exact binary value and half to even, as C and Python do it (.NET rounds ties away from zero).
/// </summary>
internal static class DecimalText
{
    // No double has more digits behind its point than 1074; the rest would be zeros.
    private const int MaximumPrecision = 2000;

    /// <summary>A number that is not negative with <paramref name="precision"/> digits behind the point: <c>%.3f</c>.</summary>
    public static string Fixed(double number, long precision)
    {
        if (!double.IsFinite(number))
        {
            return NotFinite(number);
        }

        int places = Checked(precision);
        string digits = Scaled(number, places).ToString(CultureInfo.InvariantCulture).PadLeft(places + 1, '0');
        return places == 0 ? digits : $"{digits[..^places]}.{digits[^places..]}";
    }

    /// <summary>A number that is not negative with one digit before the point and <paramref name="precision"/> behind it: <c>%.3e</c>.</summary>
    public static string Exponential(double number, long precision)
    {
        if (!double.IsFinite(number))
        {
            return NotFinite(number);
        }

        (string digits, int exponent) = Significant(number, Checked(precision));
        return WithExponent(digits, exponent);
    }

    /// <summary>
    /// A number that is not negative with <paramref name="precision"/> digits in all, in whichever of the two ways is shorter: <c>%.3g</c>.
    /// <paramref name="keepsZeros"/>: zeros at the end stay. <paramref name="endsWithPoint"/>: a number without a fraction gets ".0", as in <c>repr</c>.
    /// </summary>
    public static string General(double number, long precision, bool keepsZeros = false, bool endsWithPoint = false)
    {
        if (!double.IsFinite(number))
        {
            return NotFinite(number);
        }

        int count = Math.Max(1, Checked(precision));
        (string digits, int exponent) = Significant(number, count - 1);
        if (!keepsZeros)
        {
            digits = digits.TrimEnd('0') is { Length: > 0 } trimmed ? trimmed : "0";
        }

        if (exponent < -4 || exponent >= count - (endsWithPoint ? 1 : 0))
        {
            return WithExponent(digits, exponent);
        }

        if (exponent < 0)
        {
            return "0." + new string('0', -exponent - 1) + digits;
        }

        string padded = digits.PadRight(exponent + 1, '0');
        string fraction = padded[(exponent + 1)..];
        return padded[..(exponent + 1)] + (fraction.Length > 0 ? "." + fraction : endsWithPoint ? ".0" : "");
    }

    /// <summary><c>round(number, places)</c>: to the nearest, ties to even; negative places round before the point.</summary>
    public static double Round(double number, int places)
    {
        if (!double.IsFinite(number) || places > 400)
        {
            return number;
        }

        double size = Math.Abs(number);
        string digits = places >= 0
            ? Fixed(size, places)
            : places < -400 ? "0" : (Scaled(size, places) * BigInteger.Pow(10, -places)).ToString(CultureInfo.InvariantCulture);
        return Math.CopySign(double.Parse(digits, CultureInfo.InvariantCulture), number);
    }

    private static string WithExponent(string digits, int exponent) =>
        $"{digits[0]}{(digits.Length > 1 ? "." + digits[1..] : "")}e{(exponent < 0 ? '-' : '+')}{Math.Abs(exponent):00}";

    // The first precision + 1 digits, and the power of ten of the first one.
    private static (string Digits, int Exponent) Significant(double number, int precision)
    {
        if (number == 0)
        {
            return (new string('0', precision + 1), 0);
        }

        // The shortest digits may be rounded up to the next power of ten, the asked ones, too.
        int exponent = PythonText.Shortest(number).Exponent;
        string digits = Scaled(number, precision - exponent).ToString(CultureInfo.InvariantCulture);
        if (digits.Length <= precision)
        {
            exponent--;
            digits = Scaled(number, precision - exponent).ToString(CultureInfo.InvariantCulture);
        }

        return digits.Length > precision + 1 ? (digits[..^1], exponent + 1) : (digits, exponent);
    }

    // number × 10^places, rounded half to even.
    private static BigInteger Scaled(double number, int places)
    {
        long bits = BitConverter.DoubleToInt64Bits(number);
        int exponent = (int)(bits >> 52) & 0x7ff;
        BigInteger numerator = (bits & 0xfffffffffffffL) | (exponent == 0 ? 0 : 1L << 52);
        exponent = Math.Max(exponent, 1) - 1075;
        BigInteger denominator = BigInteger.One;
        (numerator, denominator) = places >= 0 ? (numerator * BigInteger.Pow(10, places), denominator) : (numerator, BigInteger.Pow(10, -places));
        (numerator, denominator) = exponent >= 0 ? (numerator << exponent, denominator) : (numerator, denominator << -exponent);
        return RoundedQuotient(numerator, denominator);
    }

    private static BigInteger RoundedQuotient(BigInteger numerator, BigInteger denominator)
    {
        BigInteger quotient = BigInteger.DivRem(numerator, denominator, out BigInteger rest);
        int half = (2 * rest).CompareTo(denominator);
        return half > 0 || (half == 0 && !quotient.IsEven) ? quotient + 1 : quotient;
    }

    private static int Checked(long precision) => precision is >= 0 and <= MaximumPrecision
        ? (int)precision
        : throw new ChatTemplateException($"A number is to be written with {precision} digits; no more than {MaximumPrecision} are supported.");

    private static string NotFinite(double number) => double.IsNaN(number) ? "nan" : "inf";
}
