using System.Globalization;
using System.Text;

namespace AdaEagle.Tokenization.Jinja;

/// <summary>Values as Python writes them: <c>str()</c> and <c>repr()</c>.</summary>
internal static class PythonText
{
    /// <summary><c>str(value)</c></summary>
    public static string Str(Budget budget, Value value) => value switch
    {
        TextValue text => text.Text,
        UndefinedValue => "",
        _ => Repr(budget, value),
    };

    /// <summary><c>repr(value)</c></summary>
    public static string Repr(Budget budget, Value value)
    {
        switch (value)
        {
            case NoneValue:
                return "None";
            case BoolValue truth:
                return truth.IsTrue ? "True" : "False";
            case IntValue number:
                return number.Number.ToString(CultureInfo.InvariantCulture);
            case FloatValue real:
                return Float(real.Number);
            default:
                TextBuilder text = new(budget);
                Write(budget, text, value);
                return text.ToString();
        }
    }

    /// <summary><c>repr(float)</c>: the shortest digits that read back the same, with an exponent below 1e-4 and from 1e16 on.</summary>
    public static string Float(double number)
    {
        if (!double.IsFinite(number))
        {
            return double.IsNaN(number) ? "nan" : number > 0 ? "inf" : "-inf";
        }

        (string sign, string digits, int exponent) = Shortest(number);
        if (exponent is < -4 or >= 16)
        {
            return $"{sign}{digits[0]}{(digits.Length > 1 ? "." + digits[1..] : "")}e{(exponent < 0 ? '-' : '+')}{Math.Abs(exponent):00}";
        }

        if (exponent < 0)
        {
            return sign + "0." + new string('0', -exponent - 1) + digits;
        }

        digits = digits.PadRight(exponent + 1, '0');
        string fraction = digits[(exponent + 1)..];
        return sign + digits[..(exponent + 1)] + "." + (fraction.Length > 0 ? fraction : "0");
    }

    /// <summary>The shortest digits of a finite number; the first stands before the point of d.ddd × 10^exponent.</summary>
    public static (string Sign, string Digits, int Exponent) Shortest(double number)
    {
        string shortest = number.ToString("R", CultureInfo.InvariantCulture);
        string sign = shortest.StartsWith('-') ? "-" : "";
        int exponentAt = shortest.IndexOf('E', StringComparison.Ordinal);
        string mantissa = shortest[sign.Length..(exponentAt < 0 ? shortest.Length : exponentAt)];
        string digits = mantissa.Replace(".", "", StringComparison.Ordinal).TrimStart('0').TrimEnd('0');
        if (digits.Length == 0)
        {
            return (sign, "0", 0);
        }

        int point = mantissa.IndexOf('.', StringComparison.Ordinal) is var at and >= 0 ? at : mantissa.Length;
        int first = mantissa.AsSpan().IndexOfAnyInRange('1', '9');
        int exponent = (first < point ? point - first - 1 : point - first) + (exponentAt < 0 ? 0 : int.Parse(shortest.AsSpan(exponentAt + 1), NumberStyles.AllowLeadingSign, CultureInfo.InvariantCulture));
        return (sign, digits, exponent);
    }

    /// <summary>A string as Python's source: in single quotes unless it holds only those, the unprintable escaped.</summary>
    public static void WriteText(TextBuilder target, string text)
    {
        char quote = text.Contains('\'', StringComparison.Ordinal) && !text.Contains('"', StringComparison.Ordinal) ? '"' : '\'';
        target.Append(quote);
        int plain = 0;
        int at = 0;
        while (at < text.Length)
        {
            bool valid = Rune.TryGetRuneAt(text, at, out Rune rune);
            int length = valid ? rune.Utf16SequenceLength : 1;
            string? escape = valid ? Escape(rune, quote) : $"\\u{(int)text[at]:x4}";
            if (escape is not null)
            {
                target.Append(text.AsSpan(plain, at - plain)).Append(escape);
                plain = at + length;
            }

            at += length;
        }

        target.Append(text.AsSpan(plain)).Append(quote);
    }

    /// <summary>HTML special characters as entities.</summary>
    public static string EscapeHtml(Budget budget, string text)
    {
        TextBuilder target = new(budget);
        int plain = 0;
        for (int i = 0; i < text.Length; i++)
        {
            string? entity = text[i] switch { '&' => "&amp;", '<' => "&lt;", '>' => "&gt;", '\'' => "&#39;", '"' => "&#34;", _ => null };
            if (entity is not null)
            {
                target.Append(text.AsSpan(plain, i - plain)).Append(entity);
                plain = i + 1;
            }
        }

        return target.Append(text.AsSpan(plain)).ToString();
    }

    private static void Write(Budget budget, TextBuilder target, Value value)
    {
        budget.Enter();
        switch (value)
        {
            case TextValue text:
                target.Append(text.IsMarkup ? "Markup(" : "");
                WriteText(target, text.Text);
                target.Append(text.IsMarkup ? ")" : "");
                break;
            case UndefinedValue:
                target.Append("Undefined");
                break;
            case TupleValue tuple:
                WriteItems(budget, target, "(", tuple.Elements, tuple.Elements.Count == 1 ? ",)" : ")");
                break;
            case SequenceValue list:
                WriteItems(budget, target, "[", list.Elements, "]");
                break;
            case ViewValue view:
                WriteItems(budget, target, view.TypeName + "([", view.Elements, "])");
                break;
            case DictValue dict:
                WriteEntries(budget, target, dict.Entries.Select(entry => (entry.Key, entry.Value)));
                break;
            case NamespaceValue space:
                target.Append("<Namespace ");
                WriteEntries(budget, target, space.Attributes.Select(entry => ((Value)new TextValue(entry.Key), entry.Value)));
                target.Append(">");
                break;
            case RangeValue range:
                target.Append($"range({range.Start}, {range.Stop}{(range.Step == 1 ? "" : $", {range.Step}")})");
                break;
            case MacroValue macro:
                target.Append(macro.Name is null ? "<Macro anonymous>" : $"<Macro '{macro.Name}'>");
                break;
            case LoopValue loop:
                target.Append($"<LoopContext {loop.Index0 + 1}/{loop.Count}>");
                break;
            case NoneValue or BoolValue or IntValue or FloatValue:
                target.Append(Repr(budget, value));
                break;
            default:
                target.Append($"<{value.TypeName} object>");
                break;
        }

        budget.Leave();
    }

    private static void WriteItems(Budget budget, TextBuilder target, string open, IReadOnlyList<Value> items, string close)
    {
        target.Append(open);
        for (int i = 0; i < items.Count; i++)
        {
            target.Append(i > 0 ? ", " : "");
            Write(budget, target, items[i]);
        }

        target.Append(close);
    }

    private static void WriteEntries(Budget budget, TextBuilder target, IEnumerable<(Value Key, Value Value)> entries)
    {
        target.Append("{");
        bool first = true;
        foreach ((Value key, Value value) in entries)
        {
            target.Append(first ? "" : ", ");
            Write(budget, target, key);
            target.Append(": ");
            Write(budget, target, value);
            first = false;
        }

        target.Append("}");
    }

    private static string? Escape(Rune rune, char quote) => rune.Value switch
    {
        '\\' => "\\\\",
        '\n' => "\\n",
        '\r' => "\\r",
        '\t' => "\\t",
        var code when code == quote => "\\" + quote,
        _ when Unicode.IsPrintable(rune) => null,
        <= 0xff and var code => $"\\x{code:x2}",
        <= 0xffff and var code => $"\\u{code:x4}",
        var code => $"\\U{code:x8}",
    };
}
