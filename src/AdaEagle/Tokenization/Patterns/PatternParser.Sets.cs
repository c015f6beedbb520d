using System.Globalization;

namespace AdaEagle.Tokenization.Patterns;

/// <summary>Escapes and character classes.</summary>
internal sealed partial class PatternParser
{
    /// <summary>What follows a backslash outside of a class.</summary>
    private PatternNode Escape()
    {
        int letter = Next();
        return letter switch
        {
            'A' => new PatternNode.Place(PlaceKind.TextStart),
            'z' => new PatternNode.Place(PlaceKind.TextEnd),
            'Z' => new PatternNode.Place(PlaceKind.TextEndOrLastLine),
            'b' => new PatternNode.Place(PlaceKind.WordBoundary),
            'B' => new PatternNode.Place(PlaceKind.NoWordBoundary),
            'N' => new PatternNode.One(CodePointSet.Of('\n').Complement()),
            'O' => new PatternNode.One(CodePointSet.All),
            'R' => LineBreak(),
            'w' => new PatternNode.One(UnicodeSets.WordAlone),
            'W' => new PatternNode.One(UnicodeSets.WordAlone.Complement()),
            _ => EscapedSet(letter),
        };
    }

    private PatternNode.One EscapedSet(int letter)
    {
        // Only what is written as a character differs by case; \p{Lu} stays what it is.
        CodePointSet set = SetAfterBackslash(letter, out int? single);
        return single is null ? new PatternNode.One(set) : Literal(single.Value);
    }

    /// <summary><c>\R</c>: any line break, the pair of carriage return and line feed as one.</summary>
    private static PatternNode.Atomic LineBreak() => new(new PatternNode.Choice(
    [
        new PatternNode.Sequence([new PatternNode.One(CodePointSet.Of('\r')), new PatternNode.One(CodePointSet.Of('\n'))]),
        new PatternNode.One(CodePointSet.FromRanges([('\n', '\r'), (0x85, 0x85), (0x2028, 0x2029)])),
    ]));

    /// <summary>A set named by an escape, the backslash being read; if it is a set of one, that one is in <paramref name="single"/>.</summary>
    private CodePointSet SetAfterBackslash(int letter, out int? single)
    {
        single = null;
        switch (letter)
        {
            case 'd' or 'D':
                return Negated(UnicodeSets.Digit, letter == 'D');
            case 's' or 'S':
                return Negated(UnicodeSets.Space, letter == 'S');
            case 'w' or 'W':
                return Negated(UnicodeSets.Word, letter == 'W');
            case 'h' or 'H':
                return Negated(UnicodeSets.HexDigit, letter == 'H');
            case 'p' or 'P':
                return Property(negative: letter == 'P');
            default:
                single = CodePointAfterBackslash(letter);
                return CodePointSet.Of(single.Value);
        }
    }

    private static CodePointSet Negated(CodePointSet set, bool negative) => negative ? set.Complement() : set;

    private int CodePointAfterBackslash(int letter)
    {
        switch (letter)
        {
            case 't':
                return '\t';
            case 'n':
                return '\n';
            case 'r':
                return '\r';
            case 'f':
                return '\f';
            case 'v':
                return '\v';
            case 'a':
                return '\a';
            case 'e':
                return 0x1B;
            case '0':
                return Digits(0, 2, 8, 0x7F);
            case 'u':
                return Digits(4, 4, 16, CodePointSet.Last);
            case 'x' when Take('{'):
                int value = Digits(1, 8, 16, CodePointSet.Last);
                return Take('}') ? value : throw Fail("'\\x{' without its '}'");
            case 'x':
                return Digits(0, 2, 16, 0x7F);
            case >= '1' and <= '9':
                throw Fail("a back reference", supported: false);
            case (>= 'a' and <= 'z') or (>= 'A' and <= 'Z'):
                throw Fail($"the escape '\\{(char)letter}'", supported: false);
            default:
                return letter;
        }
    }

    private int Digits(int least, int most, int radix, int highest)
    {
        long value = 0;
        int count = 0;
        while (count < most && Current is > 0 and < 128 && char.IsAsciiHexDigit((char)Current))
        {
            int digit = int.Parse([(char)Current], NumberStyles.AllowHexSpecifier, CultureInfo.InvariantCulture);
            if (digit >= radix)
            {
                break;
            }

            value = (value * radix) + digit;
            _position++;
            count++;
        }

        bool surrogate = value is >= 0xD800 and <= 0xDFFF;
        return count >= least && value <= highest && !surrogate ? (int)value : throw Fail("an escape that stands for no character");
    }

    /// <summary><c>\p{…}</c>, the <c>\p</c> being read.</summary>
    private CodePointSet Property(bool negative)
    {
        if (!Take('{'))
        {
            throw Fail("'\\p' without a name in braces");
        }

        negative ^= Take('^');
        return Named(negative, "}");
    }

    /// <summary>A name and the text that ends it.</summary>
    private CodePointSet Named(bool negative, string end)
    {
        string name = "";
        while (!Takes(end))
        {
            name += char.ConvertFromUtf32(Next());
            if (name.Length > 64)
            {
                throw Fail($"a name without its '{end}'");
            }
        }

        // Oniguruma counts symbols as punctuation for this spelling alone.
        CodePointSet? set = end == ":]" && name == "punct" ? UnicodeSets.PunctuationAndSymbols : UnicodeSets.ByName(name);
        return set is not null ? Negated(set, negative) : throw Fail(
            $"the property '{name}' (general categories, Any, Digit, Space, Word, Punct, XDigit, Blank, Cntrl, Han, Hiragana, Katakana and Hangul are known)",
            supported: false);
    }

    /// <summary>A class, its <c>[</c> being read; case is ignored in the outermost as a whole.</summary>
    private CodePointSet Class(bool outermost)
    {
        if (++_depth > DeepestNesting)
        {
            throw Fail($"classes nested deeper than {DeepestNesting}");
        }

        bool negative = Take('^');
        CodePointSet? common = null;
        List<CodePointSet> items = [];
        bool first = true;
        while (first || !Take(']'))
        {
            first = false;
            if (Takes("&&"))
            {
                common = Common(common, items);
                items = [];
            }
            else
            {
                ClassItem(items);
            }
        }

        _depth--;
        CodePointSet set = Common(common, items);
        set = outermost && _options.HasFlag(Options.IgnoreCase) ? UnicodeSets.IgnoringCase(set) : set;
        return Negated(set, negative);
    }

    private static CodePointSet Common(CodePointSet? left, List<CodePointSet> items) =>
        left?.Intersect(CodePointSet.Union(items)) ?? CodePointSet.Union(items);

    /// <summary>A character, a range of them, or a set inside a class.</summary>
    private void ClassItem(List<CodePointSet> items)
    {
        CodePointSet set = ClassElement(out int? first);
        items.Add(set);
        if (first is null || Current != '-' || Peek(1) is ']' or '[' or -1)
        {
            return;
        }

        _position++;
        set = ClassElement(out int? last);
        items.Add(set);
        items.Add(last is null ? CodePointSet.Of('-')
            : first <= last ? CodePointSet.FromRanges([(first.Value, last.Value)])
            : throw Fail("a range whose ends are the wrong way round"));
    }

    private CodePointSet ClassElement(out int? single)
    {
        single = null;
        if (AtPosixBracket())
        {
            _position += 2;
            bool negative = Take('^');
            return Named(negative, ":]");
        }

        int codePoint = Next();
        switch (codePoint)
        {
            case '[':
                return Class(outermost: false);
            case '\\' when Take('b'):
                single = '\b';
                return CodePointSet.Of('\b');
            case '\\':
                return SetAfterBackslash(Next(), out single);
            default:
                single = codePoint;
                return CodePointSet.Of(codePoint);
        }
    }

    /// <summary>True at <c>[:name:]</c>; any other <c>[:</c> begins a nested class.</summary>
    private bool AtPosixBracket()
    {
        if (Current != '[' || Peek(1) != ':')
        {
            return false;
        }

        int ahead = Peek(2) == '^' ? 3 : 2;
        while (Peek(ahead) is (>= 'a' and <= 'z') or (>= 'A' and <= 'Z'))
        {
            ahead++;
        }

        return Peek(ahead) == ':' && Peek(ahead + 1) == ']';
    }

    private int Peek(int ahead) => _position + ahead < _pattern.Length ? _pattern[_position + ahead] : -1;

    private bool Takes(string text)
    {
        for (int i = 0; i < text.Length; i++)
        {
            if (Peek(i) != text[i])
            {
                return false;
            }
        }

        _position += text.Length;
        return true;
    }
}
