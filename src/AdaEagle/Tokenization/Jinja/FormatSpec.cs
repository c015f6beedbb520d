using System.Globalization;
using System.Numerics;
using System.Text;

namespace AdaEagle.Tokenization.Jinja;

/// <summary>Python's format specification: <c>[[fill]align][sign][#][0][width][grouping][.precision][type]</c>.</summary>
internal readonly record struct FormatSpec
{
    public string Fill { get; init; }

    /// <summary>One of &lt; &gt; ^ =, or '\0' for the type's own.</summary>
    public char Align { get; init; }

    public char Sign { get; init; }

    public bool IsAlternate { get; init; }

    public long Width { get; init; }

    public char Grouping { get; init; }

    public long? Precision { get; init; }

    public char Type { get; init; }

    /// <summary><c>format(value, specification)</c></summary>
    public static string Format(Interpreter run, Value value, string specification)
    {
        if (specification.Length == 0)
        {
            return run.Str(value);
        }

        FormatSpec spec = Parse(specification);
        return value switch
        {
            TextValue when spec.Grouping != '\0' || spec.Type == 'c' => throw spec.Unknown(value),
            TextValue text => spec.FormatText(run, text.Text),
            _ when Numbers.IsNumber(value) => spec.FormatNumber(run, value),
            _ => throw new ChatTemplateException($"unsupported format string passed to {value.TypeName}.__format__."),
        };
    }

    /// <summary>A number, also for <c>%</c> formats.</summary>
    public string FormatNumber(Interpreter run, Value value)
    {
        bool isInt = Numbers.TryInt(value, out BigInteger whole);
        if (isInt && Type == 'c')
        {
            return whole.Sign >= 0 && whole <= 0x10ffff && Rune.IsValid((int)whole)
                ? FormatText(run, new Rune((int)whole).ToString())
                : throw new ChatTemplateException("%c arg not in range(0x110000).");
        }

        if (isInt && Type is '\0' or 'd' or 'n' or 'b' or 'o' or 'x' or 'X')
        {
            if (Precision is not null)
            {
                throw new ChatTemplateException("Precision not allowed in integer format specifier.");
            }

            (string prefix, string digits) = Digits(BigInteger.Abs(whole));
            return Assemble(run, whole.Sign < 0, prefix, digits, "", "");
        }

        run.Budget.Step(20 + (Precision ?? 0) / 16);
        double number = Numbers.ToDouble(value);
        double size = Math.Abs(number);
        string text = char.ToLowerInvariant(Type) switch
        {
            'f' => DecimalText.Fixed(size, Precision ?? 6),
            'e' => DecimalText.Exponential(size, Precision ?? 6),
            'g' or 'n' => DecimalText.General(size, Precision ?? 6, IsAlternate),
            '%' => DecimalText.Fixed(size * 100, Precision ?? 6),
            '\0' => Precision is null ? PythonText.Float(size) : DecimalText.General(size, Precision.Value, IsAlternate, endsWithPoint: true),
            _ => throw Unknown(value),
        };
        if (char.IsUpper(Type))
        {
            text = text.ToUpperInvariant();
        }

        int wholeLength = text.AsSpan().IndexOfAnyExceptInRange('0', '9') is var at and >= 0 ? at : text.Length;
        string rest = text[wholeLength..];
        if (IsAlternate && !text.Contains('.', StringComparison.Ordinal) && double.IsFinite(number))
        {
            rest = "." + rest;
        }

        bool negative = number < 0 || (number == 0 && double.IsNegative(number));
        return Assemble(run, negative, "", text[..wholeLength], rest, Type == '%' ? "%" : "");
    }

    /// <summary>A text, cut to the precision and padded to the width.</summary>
    public string FormatText(Interpreter run, string text)
    {
        if (Type is not ('\0' or 's' or 'c') || Sign != '\0' || IsAlternate || Align == '=')
        {
            throw new ChatTemplateException($"Unknown format code '{Type}' or option for object of type 'str'.");
        }

        TextValue value = new(text);
        if (Precision is long most && most < value.CodePoints)
        {
            value = new TextValue(value.Slice(0, (int)Math.Max(0, most)));
        }

        return Padded(run, value.Text, '<');
    }

    private static FormatSpec Parse(string text)
    {
        int at = 0;
        int fillLength = text.Length > 1 && char.IsSurrogatePair(text[0], text[1]) ? 2 : 1;
        bool hasFill = text.Length > fillLength && text[fillLength] is '<' or '>' or '^' or '=';
        string fill = hasFill ? text[..fillLength] : " ";
        at = hasFill ? fillLength : 0;
        char align = Take("<>^=");
        char sign = Take("+- ");
        Take("z");
        bool alternate = Take("#") != '\0';
        if (Take("0") != '\0' && align == '\0')
        {
            (fill, align) = (hasFill ? fill : "0", '=');
        }

        long width = TakeNumber() ?? 0;
        char grouping = Take(",_");
        long? precision = null;
        if (Take(".") != '\0')
        {
            precision = TakeNumber() ?? throw new ChatTemplateException("Format specifier missing precision.");
        }

        char type = at < text.Length ? text[at++] : '\0';
        if (at < text.Length)
        {
            throw new ChatTemplateException($"Invalid format specifier '{ChatTemplateException.Shorten(text)}'.");
        }

        return new FormatSpec { Fill = fill, Align = align, Sign = sign, IsAlternate = alternate, Width = width, Grouping = grouping, Precision = precision, Type = type };

        char Take(string choices) => at < text.Length && choices.Contains(text[at], StringComparison.Ordinal) ? text[at++] : '\0';

        long? TakeNumber()
        {
            int start = at;
            while (at < text.Length && char.IsAsciiDigit(text[at]))
            {
                at++;
            }

            return at == start ? null
                : long.TryParse(text.AsSpan(start, at - start), CultureInfo.InvariantCulture, out long number) ? number
                : throw new ChatTemplateException("Too many decimal digits in format string.");
        }
    }

    private (string Prefix, string Digits) Digits(BigInteger number)
    {
        (string prefix, string digits) = Type switch
        {
            'b' => ("0b", number.ToString("B", CultureInfo.InvariantCulture).TrimStart('0')),
            'o' => ("0o", Octal(number)),
            'x' => ("0x", number.ToString("x", CultureInfo.InvariantCulture).TrimStart('0')),
            'X' => ("0X", number.ToString("X", CultureInfo.InvariantCulture).TrimStart('0')),
            _ => ("", number.ToString(CultureInfo.InvariantCulture)),
        };
        return (IsAlternate ? prefix : "", digits.Length == 0 ? "0" : digits);
    }

    private static string Octal(BigInteger number)
    {
        StringBuilder digits = new();
        for (; !number.IsZero; number >>= 3)
        {
            digits.Insert(0, (char)('0' + (int)(number & 7)));
        }

        return digits.ToString();
    }

    private string Assemble(Interpreter run, bool negative, string prefix, string whole, string fraction, string suffix)
    {
        string sign = negative ? "-" : Sign is '+' or ' ' ? Sign.ToString() : "";
        string head = sign + prefix;
        string tail = fraction + suffix;
        int group = Type is 'b' or 'o' or 'x' or 'X' ? 4 : 3;
        if (Align == '=')
        {
            // The padding stands between sign and digits; zeros are grouped like digits.
            long room = Width - head.Length - tail.Length;
            if (Grouping != '\0' && Fill == "0")
            {
                TextBuilder zeros = new(run.Budget);
                zeros.Append("0", Math.Max(0, room - room / (group + 1) - whole.Length));
                whole = zeros.Append(whole).ToString();
            }

            string grouped = Grouped(whole, group);
            return new TextBuilder(run.Budget).Append(head).Append(Fill, room - grouped.Length).Append(grouped).Append(tail).ToString();
        }

        return Padded(run, head + Grouped(whole, group) + tail, '>');
    }

    private string Grouped(string digits, int group)
    {
        if (Grouping == '\0')
        {
            return digits;
        }

        StringBuilder grouped = new();
        for (int i = 0; i < digits.Length; i++)
        {
            if (i > 0 && (digits.Length - i) % group == 0)
            {
                grouped.Append(Grouping);
            }

            grouped.Append(digits[i]);
        }

        return grouped.ToString();
    }

    private string Padded(Interpreter run, string text, char standard)
    {
        long padding = Math.Max(0, Width - Unicode.CountCodePoints(text));
        long before = (Align == '\0' ? standard : Align) switch { '<' => 0, '^' => padding / 2, _ => padding };
        return new TextBuilder(run.Budget).Append(Fill, before).Append(text).Append(Fill, padding - before).ToString();
    }

    private ChatTemplateException Unknown(Value value) => new($"Unknown format code '{Type}' for object of type '{value.TypeName}'.");
}
