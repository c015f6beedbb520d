using System.Globalization;

namespace AdaEagle.Bench.Models;

/// <summary>Numbers of parameters and bytes as people write them: 110M, 1.1B.</summary>
internal static class Size
{
    private static readonly (char Suffix, double Factor)[] Suffixes = [('B', 1e9), ('M', 1e6), ('K', 1e3)];

    /// <summary>Reads such a number.</summary>
    /// <exception cref="FormatException">It is none, or not positive.</exception>
    public static long Parse(string text)
    {
        double factor = 1;
        string digits = text.Trim();
        foreach ((char suffix, double value) in Suffixes)
        {
            if (digits.EndsWith(suffix.ToString(), StringComparison.OrdinalIgnoreCase))
            {
                digits = digits[..^1];
                factor = value;
                break;
            }
        }

        return double.TryParse(digits, NumberStyles.AllowDecimalPoint, CultureInfo.InvariantCulture, out double number) && number * factor is >= 1 and <= 1e15
            ? (long)Math.Round(number * factor)
            : throw new FormatException($"'{text}' is not a size; write one like 110M, 1.1B or 110000000.");
    }

    /// <summary>Writes such a number, with up to four digits.</summary>
    public static string Text(long number)
    {
        foreach ((char suffix, double factor) in Suffixes)
        {
            if (number >= factor)
            {
                return string.Create(CultureInfo.InvariantCulture, $"{number / factor:G4}{suffix}");
            }
        }

        return number.ToString(CultureInfo.InvariantCulture);
    }
}
