namespace AdaEagle.Tokenization.Jinja;

/// <summary>
/// Cuts a template into tokens, with the white space rules that transformers sets: <c>trim_blocks</c>, <c>lstrip_blocks</c>,
/// one newline at the end dropped, line ends normalised.
/// </summary>
internal sealed partial class Lexer
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
