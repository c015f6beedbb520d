using System.Numerics;

namespace AdaEagle.Tokenization.Jinja;

/// <summary><c>format % values</c>, as C's printf.</summary>
internal static class PercentFormat
{
    public static TextValue Apply(Interpreter run, TextValue format, Value values)
    {
        string text = format.Text;
        Value[] positional = values is TupleValue tuple ? [.. tuple.Elements] : [values];
        DictValue? named = values as DictValue;
        TextBuilder result = new(run.Budget);
        int used = 0;
        int at = 0;
        while (true)
        {
            int percent = text.IndexOf('%', at);
            if (percent < 0)
            {
                break;
            }

            run.Budget.Step(2);
            result.Append(text.AsSpan(at, percent - at));
            at = percent + 1;
            if (at < text.Length && text[at] == '%')
            {
                result.Append('%');
                at++;
                continue;
            }

            Value? byName = null;
            if (at < text.Length && text[at] == '(')
            {
                int close = FindParenthesis(text, at);
                string name = text[(at + 1)..close];
                byName = named is null ? throw new ChatTemplateException("format requires a mapping.")
                    : named.Find(name) ?? throw new ChatTemplateException($"A format string names '{ChatTemplateException.Shorten(name)}', which is not given.");
                at = close + 1;
            }

            string flags = TakeWhile(text, ref at, c => "#0- +".Contains(c, StringComparison.Ordinal));
            long width = TakeSize(text, ref at, Next) ?? 0;
            long? precision = null;
            if (at < text.Length && text[at] == '.')
            {
                at++;
                precision = TakeSize(text, ref at, Next) ?? 0;
            }

            TakeWhile(text, ref at, c => c is 'h' or 'l' or 'L');
            char type = at < text.Length ? text[at++] : throw new ChatTemplateException("incomplete format.");
            if (type == '%')
            {
                result.Append('%');
                continue;
            }

            bool toLeft = flags.Contains('-', StringComparison.Ordinal) || width < 0;
            bool zeros = flags.Contains('0', StringComparison.Ordinal) && !toLeft && type is not ('s' or 'r' or 'a' or 'c');
            FormatSpec spec = new()
            {
                Fill = zeros ? "0" : " ",
                Align = toLeft ? '<' : zeros ? '=' : '>',
                Sign = flags.Contains('+', StringComparison.Ordinal) ? '+' : flags.Contains(' ', StringComparison.Ordinal) ? ' ' : '\0',
                IsAlternate = flags.Contains('#', StringComparison.Ordinal),
                Width = Math.Abs(Math.Max(width, -int.MaxValue)),
                Precision = precision,
            };
            result.Append(Convert(run, format, byName ?? Next(), type, spec));
        }

        result.Append(text.AsSpan(at));

        // Python lets pass what has items, since it may have been meant as a mapping.
        bool mayRemain = values is DictValue or ListValue or RangeValue or UndefinedValue;
        return used < positional.Length && !mayRemain
            ? throw new ChatTemplateException("not all arguments converted during string formatting.")
            : format.With(result.ToString());

        Value Next() => used < positional.Length ? positional[used++] : throw new ChatTemplateException("not enough arguments for format string.");
    }

    private static string Convert(Interpreter run, TextValue format, Value value, char type, FormatSpec spec)
    {
        FormatSpec plain = spec with { Sign = '\0', IsAlternate = false };
        switch (type)
        {
            case 's':
                return plain.FormatText(run, format.IsMarkup ? run.Escape(value).Text : run.Str(value));
            case 'r':
                return plain.FormatText(run, PythonText.Repr(run.Budget, value));
            case 'a':
                return plain.FormatText(run, BraceFormat.Ascii(PythonText.Repr(run.Budget, value)));
            case 'c' when value is TextValue { CodePoints: 1 } character:
                return plain.FormatText(run, character.Text);
            case 'c' when value is IntValue or BoolValue:
                return (plain with { Type = 'c', Precision = null }).FormatNumber(run, value);
            case 'd' or 'i' or 'u' or 'x' or 'X' or 'o':
                return Integer(run, value, type, spec);
            case 'e' or 'E' or 'f' or 'F' or 'g' or 'G':
                return Numbers.IsNumber(value)
                    ? (spec with { Type = type }).FormatNumber(run, value is FloatValue ? value : new FloatValue(Numbers.ToDouble(value)))
                    : throw Mismatch(value, "must be real number, not " + value.TypeName);
            default:
                throw type == 'c' ? Mismatch(value, "%c requires int or char") : new ChatTemplateException($"unsupported format character '{type}' (0x{(int)type:x}).");
        }
    }

    private static string Integer(Interpreter run, Value value, char type, FormatSpec spec)
    {
        bool isDecimal = type is 'd' or 'i' or 'u';
        if (isDecimal && value is FloatValue real)
        {
            value = double.IsFinite(real.Number)
                ? IntValue.Of(new BigInteger(Math.Truncate(real.Number)))
                : throw new ChatTemplateException($"cannot convert float {(double.IsNaN(real.Number) ? "NaN" : "infinity")} to integer.");
        }

        if (!Numbers.TryInt(value, out BigInteger number))
        {
            throw Mismatch(value, $"%{type} format: {(isDecimal ? "a real number" : "an integer")} is required, not {value.TypeName}");
        }

        FormatSpec digitsOnly = spec with { Type = isDecimal ? 'd' : type, Precision = null, Grouping = '\0' };
        if (spec.Precision is not long least)
        {
            return digitsOnly.FormatNumber(run, IntValue.Of(number));
        }

        // A precision asks for at least so many digits.
        string digits = (digitsOnly with { Width = least, Fill = "0", Align = '=', Sign = '\0', IsAlternate = false }).FormatNumber(run, IntValue.Of(BigInteger.Abs(number)));
        string sign = number.Sign < 0 ? "-" : spec.Sign == '\0' ? "" : spec.Sign.ToString();
        return (spec with { Sign = '\0', IsAlternate = false, Precision = null, Align = spec.Align == '=' ? '>' : spec.Align, Fill = " " }).FormatText(run, sign + digits);
    }

    private static ChatTemplateException Mismatch(Value value, string problem) => value is UndefinedValue undefined ? undefined.Error() : new ChatTemplateException(problem + ".");

    private static int FindParenthesis(string text, int at)
    {
        for (int depth = 0; at < text.Length; at++)
        {
            depth += text[at] switch { '(' => 1, ')' => -1, _ => 0 };
            if (depth == 0)
            {
                return at;
            }
        }

        throw new ChatTemplateException("incomplete format key.");
    }

    private static long? TakeSize(string text, ref int at, Func<Value> next)
    {
        if (at < text.Length && text[at] == '*')
        {
            at++;
            return Numbers.TryInt(next(), out BigInteger given) ? (long)BigInteger.Max(-int.MaxValue, BigInteger.Min(int.MaxValue, given)) : throw new ChatTemplateException("* wants int.");
        }

        string digits = TakeWhile(text, ref at, char.IsAsciiDigit);
        return digits.Length == 0 ? null : digits.Length <= 9 ? long.Parse(digits, System.Globalization.CultureInfo.InvariantCulture) : int.MaxValue;
    }

    private static string TakeWhile(string text, ref int at, Func<char, bool> fits)
    {
        int start = at;
        while (at < text.Length && fits(text[at]))
        {
            at++;
        }

        return text[start..at];
    }
}
