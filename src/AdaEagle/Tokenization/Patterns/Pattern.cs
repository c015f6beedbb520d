namespace AdaEagle.Tokenization.Patterns;

/// <summary>
/// A regular expression in Oniguruma's syntax, matched by code points: a class takes a character beyond the basic plane as one.
/// The alternatives are tried in order (the first match counts, not the longest). Immutable and safe to use from many threads.
/// </summary>
/// <remarks>
/// .NET's own engine is not used: it matches UTF-16 units, so that <c>\p{L}</c> never takes 𝒳, and it either backtracks without
/// bound or knows no lookahead. This one counts its steps and gives up, with a clear error, at <see cref="PatternMatcher.StepsPerCharacter"/> a character.
/// </remarks>
internal sealed class Pattern
{
    /// <summary>The longest pattern. Real ones have less than a thousand characters.</summary>
    private const int Longest = 8192;

    private readonly Instruction[] _program;
    private readonly UInt128 _first;

    private Pattern(Instruction[] program, UInt128 first) => (_program, _first) = (program, first);

    /// <summary>Compiles a pattern.</summary>
    /// <exception cref="PatternException">It is broken, too large or not supported.</exception>
    public static Pattern Parse(string pattern)
    {
        if (pattern.Length > Longest)
        {
            throw new PatternException($"the pattern has {pattern.Length} characters; {Longest} are the most");
        }

        PatternNode tree = PatternParser.Parse(pattern);
        UInt128 first = PatternCompiler.FirstAscii(tree, out bool canBeEmpty);
        return new Pattern(PatternCompiler.Compile(tree), canBeEmpty ? UInt128.MaxValue : first);
    }

    /// <summary>The pattern that matches a text as it is.</summary>
    public static Pattern Literal(string text)
    {
        var tree = new PatternNode.Sequence([.. text.EnumerateRunes().Select(rune => new PatternNode.One(CodePointSet.Of(rune.Value)))]);
        return new Pattern(PatternCompiler.Compile(tree), UInt128.MaxValue);
    }

    /// <summary>Appends all matches in <paramref name="text"/> (well-formed UTF-16), from left to right, none overlapping.</summary>
    /// <exception cref="PatternException">Matching takes too long or too much memory.</exception>
    public void FindAll(ReadOnlySpan<char> text, List<Piece> matches)
    {
        using var matcher = new PatternMatcher(_program, text);
        int lastEnd = -1;
        int start = 0;
        while (start <= text.Length)
        {
            bool possible = start == text.Length || text[start] >= 128 || (_first >> text[start] & 1) != 0;
            int end = possible ? matcher.Match(start) : -1;

            // As in the library: an empty match right after a match does not count.
            if (end > start || (end == start && end != lastEnd))
            {
                matches.Add(new Piece(start, end - start));
                lastEnd = end;
            }

            start = end > start ? end : start + PatternMatcher.Width(text, start);
        }
    }
}
