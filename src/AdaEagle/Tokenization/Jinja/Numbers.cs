using System.Diagnostics.CodeAnalysis;
using System.Globalization;
using System.Numerics;

namespace AdaEagle.Tokenization.Jinja;

/// <summary>Python's numbers: integers without an end (up to the budget's), doubles, and booleans that count as 0 and 1.</summary>
internal static class Numbers
{
    public static bool IsNumber([NotNullWhen(true)] Value? value) => value is IntValue or FloatValue or BoolValue;

    /// <summary>The integer of an int or a bool.</summary>
    public static bool TryInt(Value value, out BigInteger number)
    {
        number = value switch { IntValue integer => integer.Number, BoolValue { IsTrue: true } => BigInteger.One, _ => BigInteger.Zero };
        return value is IntValue or BoolValue;
    }

    /// <summary>A number as a double; an error where it is too large for one.</summary>
    public static double ToDouble(Value value)
    {
        if (value is FloatValue real)
        {
            return real.Number;
        }

        TryInt(value, out BigInteger number);
        return ToDouble(number);
    }

    /// <summary>The nearest double.</summary>
    public static double ToDouble(BigInteger number)
    {
        // The conversion of .NET cuts off what parsing rounds.
        double near = number.GetBitLength() > 1024 ? double.PositiveInfinity
            : number.GetBitLength() <= 53 ? (double)number : double.Parse(number.ToString(CultureInfo.InvariantCulture), CultureInfo.InvariantCulture);
        return double.IsInfinity(near) ? throw new ChatTemplateException("int too large to convert to float.") : near;
    }

    /// <summary>The exact order of two numbers; null where one is not a number.</summary>
    public static int? Compare(Value left, Value right)
    {
        if (TryInt(left, out BigInteger a))
        {
            return TryInt(right, out BigInteger b) ? a.CompareTo(b) : -Compare(((FloatValue)right).Number, a);
        }

        double real = ((FloatValue)left).Number;
        return TryInt(right, out BigInteger whole) ? Compare(real, whole)
            : double.IsNaN(real) || double.IsNaN(((FloatValue)right).Number) ? null
            : real.CompareTo(((FloatValue)right).Number);
    }

    /// <summary>Equal for equal numbers, whatever their types.</summary>
    public static int Hash(Value value)
    {
        double real = 0;
        if (!TryInt(value, out BigInteger number))
        {
            real = ((FloatValue)value).Number;
            if (double.IsInteger(real))
            {
                number = new BigInteger(real);
                real = 0;
            }
        }

        long bits = BitConverter.DoubleToInt64Bits(real);
        return HashCode.Combine(number, (int)bits, (int)(bits >> 32));
    }

    /// <summary>Floor of the quotient: towards minus infinity.</summary>
    public static BigInteger FloorDivide(BigInteger left, BigInteger right)
    {
        BigInteger quotient = BigInteger.DivRem(left, right, out BigInteger rest);
        return !rest.IsZero && rest.Sign != right.Sign ? quotient - 1 : quotient;
    }

    /// <summary>The rest that goes with <see cref="FloorDivide(BigInteger, BigInteger)"/>: it has the divisor's sign.</summary>
    public static BigInteger Modulo(BigInteger left, BigInteger right)
    {
        BigInteger rest = BigInteger.Remainder(left, right);
        return !rest.IsZero && rest.Sign != right.Sign ? rest + right : rest;
    }

    /// <summary>Floor of the quotient of doubles, and the rest with the divisor's sign.</summary>
    public static (double Quotient, double Remainder) FloorDivide(double left, double right)
    {
        double rest = left % right;
        double quotient = (left - rest) / right;
        if (rest != 0 && rest < 0 != right < 0)
        {
            rest += right;
            quotient -= 1;
        }
        else if (rest == 0)
        {
            rest = Math.CopySign(0, right);
        }

        if (quotient == 0)
        {
            return (Math.CopySign(0, left / right), rest);
        }

        double floor = Math.Floor(quotient);
        return (quotient - floor > 0.5 ? floor + 1 : floor, rest);
    }

    /// <summary>Digits of a base up to 36, without sign.</summary>
    public static BigInteger ParseDigits(ReadOnlySpan<char> digits, int radix)
    {
        // Twelve digits of base 36 fit into 64 bits: so many at a time.
        BigInteger number = BigInteger.Zero;
        while (digits.Length > 0)
        {
            int count = Math.Min(12, digits.Length);
            (long part, long unit) = (0, 1);
            foreach (char c in digits[..count])
            {
                (part, unit) = (part * radix + Digit(c), unit * radix);
            }

            number = number * unit + part;
            digits = digits[count..];
        }

        return number;
    }

    /// <summary><c>int(text, base)</c>; false where Python raises ValueError.</summary>
    public static bool TryParseInt(string text, int radix, out BigInteger number)
    {
        number = BigInteger.Zero;
        ReadOnlySpan<char> digits = TrimSpace(text);
        bool negative = digits.StartsWith("-");
        digits = negative || digits.StartsWith("+") ? digits[1..] : digits;
        int prefix = digits.Length > 2 && digits[0] == '0' ? char.ToLowerInvariant(digits[1]) switch { 'x' => 16, 'o' => 8, 'b' => 2, _ => 0 } : 0;
        if (prefix != 0 && (radix == prefix || radix == 0))
        {
            digits = digits[2..];
            digits = digits[0] == '_' ? digits[1..] : digits;
            radix = prefix;
        }
        else if (radix == 0)
        {
            radix = 10;
            if (digits.Length > 1 && digits[0] == '0' && digits.ContainsAnyExcept('0', '_'))
            {
                return false;
            }
        }

        if (!AreDigits(digits, radix))
        {
            return false;
        }

        string plain = digits.ToString().Replace("_", "", StringComparison.Ordinal);
        if (plain.Length > 4300)
        {
            return false;
        }

        number = radix == 10 ? BigInteger.Parse(plain, CultureInfo.InvariantCulture) : ParseDigits(plain, radix);
        number = negative ? -number : number;
        return true;
    }

    /// <summary><c>float(text)</c>; false where Python raises ValueError.</summary>
    public static bool TryParseFloat(string text, out double number)
    {
        number = 0;
        ReadOnlySpan<char> trimmed = TrimSpace(text);
        if (trimmed.Length > 4300)
        {
            return false;
        }

        string plain = trimmed.ToString();
        switch (plain.TrimStart('+', '-').ToLowerInvariant())
        {
            case "inf" or "infinity" when plain.Length - plain.TrimStart('+', '-').Length <= 1:
                number = plain[0] == '-' ? double.NegativeInfinity : double.PositiveInfinity;
                return true;
            case "nan" when plain.Length <= 4:
                number = double.NaN;
                return true;
        }

        for (int i = 0; i < plain.Length; i++)
        {
            bool joins = plain[i] == '_' && i > 0 && i + 1 < plain.Length && char.IsAsciiDigit(plain[i - 1]) && char.IsAsciiDigit(plain[i + 1]);
            if (!joins && !char.IsAsciiDigit(plain[i]) && plain[i] is not ('.' or 'e' or 'E' or '+' or '-'))
            {
                return false;
            }
        }

        return double.TryParse(plain.Replace("_", "", StringComparison.Ordinal), NumberStyles.Float, CultureInfo.InvariantCulture, out number);
    }

    private static int? Compare(double real, BigInteger whole) =>
        double.IsNaN(real) ? null
        : double.IsPositiveInfinity(real) ? 1
        : double.IsNegativeInfinity(real) ? -1
        : new BigInteger(Math.Floor(real)).CompareTo(whole) is var order && order != 0 ? order
        : real > Math.Floor(real) ? 1 : 0;

    private static bool AreDigits(ReadOnlySpan<char> digits, int radix)
    {
        bool mayJoin = false;
        foreach (char c in digits)
        {
            if (c == '_' ? !mayJoin : Digit(c) >= radix)
            {
                return false;
            }

            mayJoin = c != '_';
        }

        return mayJoin;
    }

    private static int Digit(char c) => char.IsAsciiDigit(c) ? c - '0' : char.IsAsciiLetter(c) ? char.ToLowerInvariant(c) - 'a' + 10 : int.MaxValue;

    private static ReadOnlySpan<char> TrimSpace(string text)
    {
        int start = 0;
        int end = text.Length;
        while (start < end && Unicode.IsSpace(text[start]))
        {
            start++;
        }

        while (end > start && Unicode.IsSpace(text[end - 1]))
        {
            end--;
        }

        return text.AsSpan(start, end - start);
    }
}
