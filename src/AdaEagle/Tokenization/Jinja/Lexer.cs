using System.Globalization;
using System.Text;

namespace AdaEagle.Tokenization.Jinja;

internal enum TokenKind
{
    Data,
    OpenPrint,
    ClosePrint,
    OpenTag,
    CloseTag,
    Name,
    String,
    Integer,
    Float,
    Operator,
    End,
}

/// <summary>A token; <paramref name="Text"/> is the data, the name, the string's value, the number without underscores or the operator.</summary>
internal readonly record struct Token(TokenKind Kind, string Text, int Line)
{
    public bool IsName(string name) => Kind == TokenKind.Name && Text == name;

    public bool IsOperator(string text) => Kind == TokenKind.Operator && Text == text;

    /// <summary>How an error message names it.</summary>
    public string Description => Kind switch
    {
        TokenKind.Data => "template data / text",
        TokenKind.OpenPrint => "begin of print statement",
        TokenKind.ClosePrint => "end of print statement",
        TokenKind.OpenTag => "begin of statement block",
        TokenKind.CloseTag => "end of statement block",
        TokenKind.String => "string",
        TokenKind.Integer => "integer",
        TokenKind.Float => "float",
        TokenKind.End => "end of template",
        _ => Text.Length <= 40 ? Text : Text[..40] + "…",
    };
}

/// <summary>
/// Cuts a template into tokens, with the white space rules that transformers sets: <c>trim_blocks</c>, <c>lstrip_blocks</c>,
/// one newline at the end dropped, line ends normalised.
/// </summary>
internal sealed class Lexer
{
    private const int MaximumLength = 2_000_000;
    private static readonly string[] s_pairs = ["//", "**", "==", "!=", ">=", "<="];

    private readonly string _source;
    private readonly List<Token> _tokens = [];
    private readonly HashSet<string> _names = [];
    private int _at;
    private int _line = 1;
    private int _lineAt;
    private bool _atLineStart = true;

    private Lexer(string source) => _source = source;

    /// <summary>All tokens of a template, the last one <see cref="TokenKind.End"/>.</summary>
    public static List<Token> Read(string source)
    {
        if (source.Length > MaximumLength)
        {
            throw new ChatTemplateException($"The template has {source.Length} characters; no more than {MaximumLength} are read.");
        }

        string normal = source.Replace("\r\n", "\n", StringComparison.Ordinal).Replace('\r', '\n');
        Lexer lexer = new(normal.EndsWith('\n') ? normal[..^1] : normal);
        lexer.ReadAll();
        return lexer._tokens;
    }

    private void ReadAll()
    {
        while (_at < _source.Length)
        {
            int open = FindOpening();
            if (open < 0)
            {
                AddData(_source[_at..]);
                _at = _source.Length;
                break;
            }

            char kind = _source[open + 1];
            int start = _at;
            _at = open + 2;
            char sign = TakeSign();
            AddData(StripBefore(_source[start..open], sign, kind));
            switch (kind)
            {
                case '#':
                    SkipComment();
                    break;
                case '{':
                    Add(TokenKind.OpenPrint, "{{");
                    ReadTag(TokenKind.ClosePrint, '}');
                    break;
                default:
                    if (!TryReadRaw())
                    {
                        Add(TokenKind.OpenTag, "{%");
                        ReadTag(TokenKind.CloseTag, '%');
                    }

                    break;
            }
        }

        Add(TokenKind.End, "");
    }

    private int FindOpening()
    {
        for (int i = _at; i + 1 < _source.Length; i++)
        {
            int brace = _source.AsSpan(i, _source.Length - 1 - i).IndexOf('{');
            if (brace < 0)
            {
                return -1;
            }

            i += brace;
            if (_source[i + 1] is '{' or '%' or '#')
            {
                return i;
            }
        }

        return -1;
    }

    // A sign after an opening: '-' strips what stands before, '+' keeps it in spite of lstrip_blocks.
    private char TakeSign()
    {
        char sign = Peek();
        if (sign is '-' or '+')
        {
            _at++;
            return sign;
        }

        return '\0';
    }

    private string StripBefore(string text, char sign, char kind)
    {
        if (sign == '-')
        {
            int end = text.Length;
            while (end > 0 && Unicode.IsSpace(text[end - 1]))
            {
                end--;
            }

            return text[..end];
        }

        int lineStart = text.LastIndexOf('\n') + 1;
        bool strips = sign != '+' && kind != '{' && (lineStart > 0 || _atLineStart);
        return strips && IsBlank(text.AsSpan(lineStart)) ? text[..lineStart] : text;
    }

    private static bool IsBlank(ReadOnlySpan<char> text)
    {
        foreach (char c in text)
        {
            if (!Unicode.IsSpace(c))
            {
                return false;
            }
        }

        return true;
    }

    private void SkipComment()
    {
        int close = _source.IndexOf("#}", _at, StringComparison.Ordinal);
        if (close < 0)
        {
            throw Error("Missing end of comment tag");
        }

        char sign = close > _at ? _source[close - 1] : '\0';
        Close(close + 2, sign, trimsNewline: true);
    }

    // {% raw %} … {% endraw %}: the text between is data. The position is behind "{%" and its sign.
    private bool TryReadRaw()
    {
        int at = SkipSpace(_at);
        if (!Follows(at, "raw"))
        {
            return false;
        }

        at = SkipSpace(at + 3);
        char sign = Follows(at, "-%}") ? '-' : '\0';
        if (sign == '\0' && !Follows(at, "%}"))
        {
            return false;
        }

        Close(at + (sign == '-' ? 3 : 2), sign, trimsNewline: false);
        for (int open = _source.IndexOf("{%", _at, StringComparison.Ordinal); open >= 0; open = _source.IndexOf("{%", open + 2, StringComparison.Ordinal))
        {
            int inside = open + 2;
            char before = inside < _source.Length && _source[inside] is '-' or '+' ? _source[inside++] : '\0';
            inside = SkipSpace(inside);
            if (!Follows(inside, "endraw"))
            {
                continue;
            }

            inside = SkipSpace(inside + 6);
            char after = inside < _source.Length && _source[inside] is '-' or '+' ? _source[inside++] : '\0';
            if (Follows(inside, "%}"))
            {
                string text = StripBefore(_source[_at..open], before, '%');
                AddData(text);
                Close(inside + 2, after, trimsNewline: true);
                return true;
            }
        }

        throw Error("Missing end of raw directive");
    }

    // Moves behind a closing tag: '-' eats the white space that follows, without a sign one newline may go.
    private void Close(int at, char sign, bool trimsNewline)
    {
        _at = at;
        if (sign == '-')
        {
            _at = SkipSpace(_at);
        }
        else if (trimsNewline && sign != '+' && Peek() == '\n')
        {
            _at++;
        }

        _atLineStart = _source[_at - 1] == '\n';
    }

    // Tokens inside {{ }} or {% %}, up to its end or the template's. Inside brackets "}}" and "%}" do not end it.
    private void ReadTag(TokenKind end, char closing)
    {
        Stack<char> brackets = new();
        while (true)
        {
            _at = SkipSpace(_at);
            if (_at >= _source.Length)
            {
                return;
            }

            if (brackets.Count == 0 && IsClosing(closing, out char sign))
            {
                Add(end, closing + "}");
                Close(_at + (sign == '\0' ? 2 : 3), sign, trimsNewline: closing == '%');
                return;
            }

            char c = _source[_at];
            if (c is '\'' or '"')
            {
                ReadString(c);
            }
            else if (char.IsAsciiDigit(c))
            {
                ReadNumber();
            }
            else if (!TryReadName())
            {
                ReadOperator(brackets);
            }
        }
    }

    private bool IsClosing(char closing, out char sign)
    {
        sign = Peek() == '-' || (Peek() == '+' && closing == '%') ? Peek() : '\0';
        int at = sign == '\0' ? _at : _at + 1;
        return at + 1 < _source.Length && _source[at] == closing && _source[at + 1] == '}';
    }

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

    private void AddData(string text)
    {
        if (text.Length > 0)
        {
            Add(TokenKind.Data, text);
        }
    }

    private void Add(TokenKind kind, string text) => _tokens.Add(new Token(kind, text, LineNow()));

    // The line of the current position; counted on from where it was counted last.
    private int LineNow()
    {
        int at = Math.Min(_at, _source.Length);
        _line += _source.AsSpan(_lineAt, at - _lineAt).Count('\n');
        _lineAt = at;
        return _line;
    }

    private char Peek(int offset = 0) => _at + offset < _source.Length ? _source[_at + offset] : '\0';

    private bool Follows(int at, string text) => string.CompareOrdinal(_source, at, text, 0, text.Length) == 0;

    private int SkipSpace(int at)
    {
        while (at < _source.Length && Unicode.IsSpace(_source[at]))
        {
            at++;
        }

        return at;
    }

    private ChatTemplateException Error(string problem) => new($"{problem}.", LineNow());
}
