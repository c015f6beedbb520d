using System.Globalization;
using System.Text;

namespace AdaEagle.Tokenization.Patterns;

/// <summary>
/// Reads a pattern in Oniguruma's default syntax (its doc/RE), the one that Hugging Face's tokenizers use, into a tree.
/// What needs a memory of earlier text (back references, calls, conditions) is refused by name.
/// </summary>
internal sealed partial class PatternParser
{
    /// <summary>How deep groups and classes may be nested.</summary>
    private const int DeepestNesting = 64;

    /// <summary>How many quantifiers may follow each other.</summary>
    private const int MostQuantifiers = 8;

    /// <summary>The highest count in braces, as in Oniguruma.</summary>
    private const int HighestCount = 100_000;

    private readonly int[] _pattern;
    private int _position;
    private int _depth;
    private Options _options;

    private PatternParser(string pattern) => _pattern = [.. pattern.EnumerateRunes().Select(rune => rune.Value)];

    [Flags]
    private enum Options
    {
        None = 0,
        IgnoreCase = 1,
        DotTakesLineFeed = 2,
    }

    private bool AtEnd => _position == _pattern.Length;

    private int Current => _position < _pattern.Length ? _pattern[_position] : -1;

    /// <summary>Reads a pattern.</summary>
    /// <exception cref="PatternException">It is broken or not supported.</exception>
    public static PatternNode Parse(string pattern)
    {
        var parser = new PatternParser(pattern);
        PatternNode node = parser.Choice();
        return parser.AtEnd ? node : throw parser.Fail("')' without '('");
    }

    private PatternNode Choice()
    {
        // Options set inside hold up to the end of the group around it.
        Options outside = _options;
        List<PatternNode> items = [Sequence()];
        while (Take('|'))
        {
            items.Add(Sequence());
        }

        _options = outside;
        return items.Count == 1 ? items[0] : new PatternNode.Choice(items);
    }

    private PatternNode Sequence()
    {
        List<PatternNode> items = [];
        while (!AtEnd && Current is not ('|' or ')'))
        {
            if (Atom() is { } atom)
            {
                items.Add(Quantified(atom));
            }
        }

        return items.Count == 1 ? items[0] : new PatternNode.Sequence(items);
    }

    private PatternNode Quantified(PatternNode atom)
    {
        for (int stacked = 0; ; stacked++)
        {
            if (stacked > MostQuantifiers)
            {
                throw Fail($"more than {MostQuantifiers} repetitions of one another");
            }

            int least;
            int most = PatternNode.Unbounded;
            bool braces = false;
            if (Take('*'))
            {
                least = 0;
            }
            else if (Take('+'))
            {
                least = 1;
            }
            else if (Take('?'))
            {
                (least, most) = (0, 1);
            }
            else if (Current == '{' && Braces() is var (low, high))
            {
                (least, most, braces) = (low, high, true);
            }
            else
            {
                return atom;
            }

            if (braces && least == most)
            {
                // In this syntax "{n}?" is an optional "{n}".
                atom = new PatternNode.Repeat(atom, least, most, Lazy: false);
            }
            else if (!braces && Take('+'))
            {
                // In this syntax "{n,m}+" is not possessive, but a repeated "{n,m}".
                atom = new PatternNode.Atomic(new PatternNode.Repeat(atom, least, most, Lazy: false));
            }
            else
            {
                atom = new PatternNode.Repeat(atom, least, most, Lazy: Take('?'));
            }
        }
    }

    /// <summary><c>{n}</c>, <c>{n,}</c>, <c>{,m}</c> or <c>{n,m}</c>; null, and nothing read, for anything else: then it is plain text.</summary>
    private (int Least, int Most)? Braces()
    {
        int start = _position++;
        int? least = Number();
        int? most = least;
        if (Take(','))
        {
            most = Number() ?? (least is null ? null : PatternNode.Unbounded);
        }

        if (most is null || !Take('}'))
        {
            _position = start;
            return null;
        }

        return least > most ? throw Fail("a repetition whose limits are the wrong way round") : (least ?? 0, most.Value);
    }

    private int? Number()
    {
        int? number = null;
        while (Current is >= '0' and <= '9')
        {
            number = ((number ?? 0) * 10) + Current - '0';
            _position++;
            if (number > HighestCount)
            {
                throw Fail($"a repetition of more than {HighestCount}");
            }
        }

        return number;
    }

    /// <summary>One thing that a quantifier can follow; null for what stands for nothing (comments, options).</summary>
    private PatternNode? Atom()
    {
        int start = _position;
        int codePoint = Next();
        switch (codePoint)
        {
            case '(':
                return Group();
            case '[':
                return new PatternNode.One(Class(outermost: true));
            case '.':
                return new PatternNode.One(_options.HasFlag(Options.DotTakesLineFeed) ? CodePointSet.All : CodePointSet.Of('\n').Complement());
            case '^':
                return new PatternNode.Place(PlaceKind.LineStart);
            case '$':
                return new PatternNode.Place(PlaceKind.LineEnd);
            case '*' or '+' or '?':
                _position = start;
                throw Fail($"'{(char)codePoint}' with nothing before it to repeat");
            case '\\':
                return Escape();
            default:
                return Literal(codePoint);
        }
    }

    private PatternNode.One Literal(int codePoint)
    {
        CodePointSet set = CodePointSet.Of(codePoint);
        return new PatternNode.One(_options.HasFlag(Options.IgnoreCase) ? UnicodeSets.IgnoringCase(set) : set);
    }

    private PatternNode? Group()
    {
        if (++_depth > DeepestNesting)
        {
            throw Fail($"groups nested deeper than {DeepestNesting}");
        }

        PatternNode? node = !Take('?') ? Closed(Choice()) : Next() switch
        {
            ':' => Closed(Choice()),
            '>' => Closed(new PatternNode.Atomic(Choice())),
            '=' => Closed(new PatternNode.Look(Choice(), Behind: false, Negative: false)),
            '!' => Closed(new PatternNode.Look(Choice(), Behind: false, Negative: true)),
            '<' when Take('=') => Closed(new PatternNode.Look(Choice(), Behind: true, Negative: false)),
            '<' when Take('!') => Closed(new PatternNode.Look(Choice(), Behind: true, Negative: true)),
            '<' => Closed(NamedGroup()),
            '#' => Comment(),
            _ => OptionGroup(),
        };
        _depth--;
        return node;
    }

    private PatternNode Closed(PatternNode node) => Take(')') ? node : throw Fail("a group without its ')'");

    private PatternNode NamedGroup()
    {
        while (Next() != '>')
        {
        }

        return Choice();
    }

    private PatternNode? Comment()
    {
        while (Next() != ')')
        {
        }

        return null;
    }

    /// <summary><c>(?i:…)</c>, or <c>(?i)</c>, which takes all up to the end of the group around it: a(?i)b|c is a(?i:b|c).</summary>
    private PatternNode OptionGroup()
    {
        Options outside = _options;
        bool on = true;
        _position--;
        while (true)
        {
            int letter = Next();
            Options option = letter switch
            {
                'i' => Options.IgnoreCase,
                'm' => Options.DotTakesLineFeed,
                '-' or ':' or ')' => Options.None,
                _ => throw Fail($"the group '(?{char.ConvertFromUtf32(letter)}…'", supported: false),
            };
            on &= letter != '-';
            _options = on ? _options | option : _options & ~option;
            if (letter is ':' or ')')
            {
                PatternNode body = letter == ':' ? Closed(Choice()) : Choice();
                _options = outside;
                return body;
            }
        }
    }

    private int Next() => AtEnd ? throw Fail("an end in the middle of a group or escape") : _pattern[_position++];

    private bool Take(int codePoint)
    {
        bool there = Current == codePoint;
        _position += there ? 1 : 0;
        return there;
    }

    private PatternException Fail(string what, bool supported = true)
    {
        var text = new StringBuilder();
        foreach (int codePoint in _pattern.Take(200))
        {
            text.Append(new Rune(codePoint).ToString());
        }

        string problem = supported ? $"has {what}" : $"uses {what}, which is not supported,";
        return new PatternException(string.Create(CultureInfo.InvariantCulture, $"the pattern {problem} at character {_position}: {text}"));
    }
}
