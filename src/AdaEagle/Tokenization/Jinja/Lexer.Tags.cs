using System.Globalization;
using System.Text;

namespace AdaEagle.Tokenization.Jinja;

// What stands inside {{ }} and {% %}: strings, numbers, names, operators.
internal sealed partial class Lexer
{
    private void ReadString(char quote)
    {
        int end = _at + 1;
        while (end < _source.Length && _source[end] != quote)
        {
            end += _source[end] == '\\' ? 2 : 1;
        }

        if (end >= _source.Length)
        {
            throw Error($"unexpected char {(quote == '"' ? "'\"'" : "\"'\"")} at {_at}");
        }

        Add(TokenKind.String, Unescape(_source[(_at + 1)..end]));
        _at = end + 1;
    }

    private void ReadNumber()
    {
        int start = _at;
        bool afterDot = start > 0 && _source[start - 1] == '.';
        if (Peek() == '0' && char.ToLowerInvariant(Peek(1)) is 'x' or 'o' or 'b')
        {
            char radix = char.ToLowerInvariant(Peek(1));
            int digits = SkipDigits(_at + 2, c => radix switch { 'x' => char.IsAsciiHexDigit(c), 'o' => c is >= '0' and <= '7', _ => c is '0' or '1' }, true);
            if (digits > _at + 2)
            {
                _at = digits;
                Add(TokenKind.Integer, Number(start));
                return;
            }
        }

        int whole = SkipDigits(_at, char.IsAsciiDigit, false);
        int end = whole;
        if (!afterDot)
        {
            if (end + 1 < _source.Length && _source[end] == '.' && char.IsAsciiDigit(_source[end + 1]))
            {
                end = SkipDigits(end + 1, char.IsAsciiDigit, false);
            }

            int exponent = end < _source.Length && _source[end] is 'e' or 'E' ? end + 1 : -1;
            if (exponent > 0 && exponent < _source.Length && _source[exponent] is '+' or '-')
            {
                exponent++;
            }

            if (exponent > 0 && exponent < _source.Length && char.IsAsciiDigit(_source[exponent]))
            {
                end = SkipDigits(exponent, char.IsAsciiDigit, false);
            }
        }

        // An integer with a leading zero ends behind its zeros, as in Python.
        _at = end > whole ? end : _source[start] == '0' ? SkipDigits(start, c => c == '0', false) : whole;
        Add(end > whole ? TokenKind.Float : TokenKind.Integer, Number(start));
    }

    private string Number(int start) => _source[start.._at].Replace("_", "", StringComparison.Ordinal);

    // Digits with single underscores between them (before them, too, where a prefix stands there).
    private int SkipDigits(int at, Func<char, bool> isDigit, bool leadingUnderscore)
    {
        int start = at;
        while (at < _source.Length)
        {
            bool joins = _source[at] == '_' && (at > start || leadingUnderscore) && at + 1 < _source.Length && isDigit(_source[at + 1]);
            if (!joins && !isDigit(_source[at]))
            {
                break;
            }

            at += joins ? 2 : 1;
        }

        return at;
    }

    private bool TryReadName()
    {
        int end = _at;
        while (end < _source.Length && Rune.TryGetRuneAt(_source, end, out Rune rune) && Unicode.IsWord(rune))
        {
            end += rune.Utf16SequenceLength;
        }

        if (end == _at)
        {
            return false;
        }

        if (!Unicode.IsNameStart(Rune.GetRuneAt(_source, _at)))
        {
            throw Error("Invalid character in identifier");
        }

        // One string for all uses of a name: looking it up then mostly compares references.
        string name = _source[_at..end];
        _names.TryGetValue(name, out string? known);
        _names.Add(known ?? name);
        Add(TokenKind.Name, known ?? name);
        _at = end;
        return true;
    }

    private void ReadOperator(Stack<char> brackets)
    {
        string pair = _at + 1 < _source.Length ? _source.Substring(_at, 2) : "";
        string text = Array.IndexOf(s_pairs, pair) >= 0 ? pair : _source[_at].ToString();
        if (text.Length == 1 && !"+-/*%~[](){}><=.:|,;".Contains(text[0], StringComparison.Ordinal))
        {
            throw Error($"unexpected char '{text}' at {_at}");
        }

        switch (text[0])
        {
            case '(':
                brackets.Push(')');
                break;
            case '[':
                brackets.Push(']');
                break;
            case '{':
                brackets.Push('}');
                break;
            case ')' or ']' or '}':
                if (!brackets.TryPop(out char expected))
                {
                    throw Error($"unexpected '{text}'");
                }

                if (expected != text[0])
                {
                    throw Error($"unexpected '{text}', expected '{expected}'");
                }

                break;
        }

        Add(TokenKind.Operator, text);
        _at += text.Length;
    }

    private string Unescape(string raw)
    {
        if (!raw.Contains('\\', StringComparison.Ordinal))
        {
            return raw;
        }

        StringBuilder text = new(raw.Length);
        for (int i = 0; i < raw.Length; i++)
        {
            if (raw[i] != '\\')
            {
                text.Append(raw[i]);
                continue;
            }

            char c = raw[++i];
            switch (c)
            {
                case '\n':
                    break;
                case '\\' or '\'' or '"':
                    text.Append(c);
                    break;
                case 'a' or 'b' or 'f' or 'n' or 'r' or 't' or 'v':
                    text.Append("\a\b\f\n\r\t\v"["abfnrtv".IndexOf(c, StringComparison.Ordinal)]);
                    break;
                case >= '0' and <= '7':
                    int value = 0;
                    int end = Math.Min(i + 3, raw.Length);
                    for (; i < end && raw[i] is >= '0' and <= '7'; i++)
                    {
                        value = value * 8 + raw[i] - '0';
                    }

                    text.Append((char)value);
                    i--;
                    break;
                case 'x' or 'u' or 'U':
                    int digits = c == 'x' ? 2 : c == 'u' ? 4 : 8;
                    if (i + digits >= raw.Length || !int.TryParse(raw.AsSpan(i + 1, digits), NumberStyles.AllowHexSpecifier, CultureInfo.InvariantCulture, out int code) || code is < 0 or > 0x10ffff)
                    {
                        throw Error($"A string holds '\\{c}' without {digits} hexadecimal digits of a character behind it");
                    }

                    _ = Rune.IsValid(code) ? text.Append(new Rune(code).ToString()) : text.Append((char)code);
                    i += digits;
                    break;
                case 'N':
                    throw new ChatTemplateException("Characters by name ('\\N{…}') are not supported.", LineNow(), unsupported: "\\N");
                default:
                    text.Append('\\').Append(c);
                    break;
            }
        }

        return text.ToString();
    }
}
