using System.Globalization;
using System.Text;

namespace AdaEagle.Tokenization.Jinja;

/// <summary><c>str.format</c>: fields in braces, with attributes and items looked up under the rules of the sandbox.</summary>
internal sealed class BraceFormat
{
    private readonly Interpreter _run;
    private readonly TextValue _self;
    private readonly Value[] _positional;
    private readonly Dictionary<string, Value> _named;
    private int _next;
    private bool _usesNumbers;

    private BraceFormat(Interpreter run, TextValue self, Value[] positional, Dictionary<string, Value> named)
    {
        _run = run;
        _self = self;
        _positional = positional;
        _named = named;
    }

    public static TextValue Apply(Interpreter run, TextValue format, Value[] positional, Dictionary<string, Value> named) =>
        format.With(new BraceFormat(run, format, positional, named).Expand(format.Text, 2));

    private string Expand(string format, int levels)
    {
        if (levels == 0)
        {
            throw new ChatTemplateException("Max string recursion exceeded.");
        }

        TextBuilder text = new(_run.Budget);
        int at = 0;
        while (at < format.Length)
        {
            int brace = format.AsSpan(at).IndexOfAny('{', '}');
            if (brace < 0)
            {
                break;
            }

            brace += at;
            text.Append(format.AsSpan(at, brace - at));
            if (brace + 1 < format.Length && format[brace + 1] == format[brace])
            {
                text.Append(format[brace]);
                at = brace + 2;
                continue;
            }

            if (format[brace] == '}')
            {
                throw new ChatTemplateException("Single '}' encountered in format string.");
            }

            int end = FindEnd(format, brace + 1);
            text.Append(Field(format[(brace + 1)..end], levels));
            at = end + 1;
        }

        return text.Append(format.AsSpan(at)).ToString();
    }

    private static int FindEnd(string format, int at)
    {
        for (int depth = 1; at < format.Length; at++)
        {
            depth += format[at] switch { '{' => 1, '}' => -1, _ => 0 };
            if (depth == 0)
            {
                return at;
            }
        }

        throw new ChatTemplateException("expected '}' before end of string.");
    }

    private string Field(string field, int levels)
    {
        _run.Budget.Step(2);
        int nameEnd = field.AsSpan().IndexOfAny('!', ':') is var mark and >= 0 ? mark : field.Length;
        Value value = Resolve(field[..nameEnd]);
        string specification = "";
        if (nameEnd < field.Length && field[nameEnd] == '!')
        {
            char conversion = nameEnd + 1 < field.Length ? field[nameEnd + 1] : '\0';
            value = new TextValue(conversion switch
            {
                's' => _run.Str(value),
                'r' => PythonText.Repr(_run.Budget, value),
                'a' => Ascii(PythonText.Repr(_run.Budget, value)),
                _ => throw new ChatTemplateException("Unknown conversion specifier in a format string."),
            });
            nameEnd += 2;
            if (nameEnd < field.Length && field[nameEnd] != ':')
            {
                throw new ChatTemplateException("expected ':' after conversion specifier.");
            }
        }

        if (nameEnd < field.Length)
        {
            specification = field[(nameEnd + 1)..];
            specification = specification.Contains('{', StringComparison.Ordinal) ? Expand(specification, levels - 1) : specification;
        }

        if (_self.IsMarkup)
        {
            return value is TextValue { IsMarkup: true } && specification.Length == 0
                ? ((TextValue)value).Text
                : PythonText.EscapeHtml(_run.Budget, FormatSpec.Format(_run, value, specification));
        }

        return FormatSpec.Format(_run, value, specification);
    }

    // name.attribute[item]…
    private Value Resolve(string path)
    {
        int at = path.AsSpan().IndexOfAny('.', '[') is var end and >= 0 ? end : path.Length;
        Value value = First(path[..at]);
        while (at < path.Length)
        {
            if (path[at] == '.')
            {
                int stop = path.AsSpan(at + 1).IndexOfAny('.', '[') is var next and >= 0 ? at + 1 + next : path.Length;
                string name = path[(at + 1)..stop];
                value = name.Length == 0 ? throw new ChatTemplateException("Empty attribute in format string.") : Attributes.Get(value, name);
                at = stop;
            }
            else
            {
                int close = path.IndexOf(']', at);
                string key = close < 0 ? throw new ChatTemplateException("Missing ']' in format string.") : path[(at + 1)..close];
                value = Attributes.GetItem(value, int.TryParse(key, NumberStyles.None, CultureInfo.InvariantCulture, out int index) ? IntValue.Of(index) : new TextValue(key));
                at = close + 1;
                if (at < path.Length && path[at] is not ('.' or '['))
                {
                    throw new ChatTemplateException("Only '.' or '[' may follow ']' in format field specifier.");
                }
            }

            if (value is UndefinedValue { IsUnsafe: true } hidden)
            {
                throw hidden.Error();
            }
        }

        return value;
    }

    private Value First(string name)
    {
        if (name.Length > 0 && !int.TryParse(name, NumberStyles.None, CultureInfo.InvariantCulture, out _))
        {
            return _named.TryGetValue(name, out Value? named) ? named : throw new ChatTemplateException($"A format string names '{ChatTemplateException.Shorten(name)}', which is not given.");
        }

        bool isNumber = name.Length > 0;
        if (isNumber ? _next > 0 : _usesNumbers)
        {
            throw new ChatTemplateException("cannot switch between manual field specification and automatic field numbering.");
        }

        _usesNumbers |= isNumber;
        int index = isNumber ? int.Parse(name, CultureInfo.InvariantCulture) : _next++;
        return index < _positional.Length ? _positional[index] : throw new ChatTemplateException($"Replacement index {index} out of range for positional args tuple.");
    }

    /// <summary>Characters beyond ASCII as escapes: <c>ascii()</c>.</summary>
    public static string Ascii(string text)
    {
        if (!text.AsSpan().ContainsAnyExceptInRange('\0', '\x7f'))
        {
            return text;
        }

        StringBuilder ascii = new();
        for (int i = 0; i < text.Length; i++)
        {
            bool isPair = i + 1 < text.Length && char.IsSurrogatePair(text[i], text[i + 1]);
            int code = isPair ? char.ConvertToUtf32(text[i], text[++i]) : text[i];
            _ = code < 0x80 ? ascii.Append((char)code)
                : code <= 0xff ? ascii.Append(CultureInfo.InvariantCulture, $"\\x{code:x2}")
                : code <= 0xffff ? ascii.Append(CultureInfo.InvariantCulture, $"\\u{code:x4}")
                : ascii.Append(CultureInfo.InvariantCulture, $"\\U{code:x8}");
        }

        return ascii.ToString();
    }
}
