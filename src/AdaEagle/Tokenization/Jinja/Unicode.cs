using System.Globalization;
using System.Text;

namespace AdaEagle.Tokenization.Jinja;

/// <summary>What Python's <c>str</c> knows of Unicode and .NET's strings do not: white space, full case mappings, printable characters, code points.</summary>
internal static class Unicode
{
    // Characters whose upper case is longer than one, each followed by it (SpecialCasing.txt of Unicode, unconditional part).
    private const string UpperExpansions =
        "ßSS ŉʼN ǰJ\u030c ΐΙ\u0308\u0301 ΰΥ\u0308\u0301 ևԵՒ ẖH\u0331 ẗT\u0308 ẘW\u030a ẙY\u030a ẚAʾ " +
        "ὐΥ\u0313 ὒΥ\u0313\u0300 ὔΥ\u0313\u0301 ὖΥ\u0313\u0342 " +
        "ᾀἈΙ ᾁἉΙ ᾂἊΙ ᾃἋΙ ᾄἌΙ ᾅἍΙ ᾆἎΙ ᾇἏΙ ᾈἈΙ ᾉἉΙ ᾊἊΙ ᾋἋΙ ᾌἌΙ ᾍἍΙ ᾎἎΙ ᾏἏΙ " +
        "ᾐἨΙ ᾑἩΙ ᾒἪΙ ᾓἫΙ ᾔἬΙ ᾕἭΙ ᾖἮΙ ᾗἯΙ ᾘἨΙ ᾙἩΙ ᾚἪΙ ᾛἫΙ ᾜἬΙ ᾝἭΙ ᾞἮΙ ᾟἯΙ " +
        "ᾠὨΙ ᾡὩΙ ᾢὪΙ ᾣὫΙ ᾤὬΙ ᾥὭΙ ᾦὮΙ ᾧὯΙ ᾨὨΙ ᾩὩΙ ᾪὪΙ ᾫὫΙ ᾬὬΙ ᾭὭΙ ᾮὮΙ ᾯὯΙ " +
        "ᾲ\u1fbaΙ ᾳΑΙ ᾴ\u0386Ι ᾶΑ\u0342 ᾷΑ\u0342Ι ᾼΑΙ ῂ\u1fcaΙ ῃΗΙ ῄ\u0389Ι ῆΗ\u0342 ῇΗ\u0342Ι ῌΗΙ " +
        "ῒΙ\u0308\u0300 \u1fd3Ι\u0308\u0301 ῖΙ\u0342 ῗΙ\u0308\u0342 ῢΥ\u0308\u0300 \u1fe3Υ\u0308\u0301 ῤΡ\u0313 ῦΥ\u0342 ῧΥ\u0308\u0342 " +
        "ῲ\u1ffaΙ ῳΩΙ ῴ\u038fΙ ῶΩ\u0342 ῷΩ\u0342Ι ῼΩΙ ﬀFF ﬁFI ﬂFL ﬃFFI ﬄFFL ﬅST ﬆST ﬓՄՆ ﬔՄԵ ﬕՄԻ ﬖՎՆ ﬗՄԽ";

    private static readonly Dictionary<char, string> s_upper =
        UpperExpansions.Split(' ').ToDictionary(entry => entry[0], entry => entry[1..]);

    /// <summary>White space as <c>str.isspace</c>, <c>str.strip</c> and <c>\s</c> see it.</summary>
    public static bool IsSpace(char c) => char.IsWhiteSpace(c) || c is >= '\x1c' and <= '\x1f';

    /// <summary>Ends a line for <c>str.splitlines</c>; "\r\n" counts as one end.</summary>
    public static bool IsLineEnd(char c) =>
        c is '\n' or '\r' or '\v' or '\f' or >= '\x1c' and <= '\x1e' or '\x85' or '\u2028' or '\u2029';

    /// <summary>Part of a word: <c>\w</c>.</summary>
    public static bool IsWord(Rune rune) => rune.Value == '_' || IsAlphanumeric(rune);

    /// <summary>A letter or anything numeric: <c>str.isalnum</c>.</summary>
    public static bool IsAlphanumeric(Rune rune) => Rune.IsLetter(rune) || IsNumeric(rune);

    /// <summary>A digit, number letter or other number: <c>str.isnumeric</c> (Han numerals aside).</summary>
    public static bool IsNumeric(Rune rune) =>
        Rune.GetUnicodeCategory(rune) is UnicodeCategory.DecimalDigitNumber or UnicodeCategory.LetterNumber or UnicodeCategory.OtherNumber;

    /// <summary>May begin a Python identifier.</summary>
    public static bool IsNameStart(Rune rune) => rune.Value == '_' || Rune.IsLetter(rune) || Rune.GetUnicodeCategory(rune) == UnicodeCategory.LetterNumber;

    /// <summary>Shown as it is by <c>repr</c>: neither control, format, surrogate, private, unassigned nor a separator other than the space.</summary>
    public static bool IsPrintable(Rune rune) => rune.Value == ' ' || Rune.GetUnicodeCategory(rune) is not
        (UnicodeCategory.Control or UnicodeCategory.Format or UnicodeCategory.Surrogate or UnicodeCategory.PrivateUse or
        UnicodeCategory.OtherNotAssigned or UnicodeCategory.LineSeparator or UnicodeCategory.ParagraphSeparator or UnicodeCategory.SpaceSeparator);

    /// <summary>Has case at all: upper, lower or title.</summary>
    public static bool IsCased(Rune rune) => Rune.IsUpper(rune) || Rune.IsLower(rune) || Rune.GetUnicodeCategory(rune) == UnicodeCategory.TitlecaseLetter;

    /// <summary>Code points of a string; a lone surrogate counts as one.</summary>
    public static int CountCodePoints(ReadOnlySpan<char> text)
    {
        int count = text.Length;
        for (int i = 0; i + 1 < text.Length; i++)
        {
            if (char.IsSurrogatePair(text[i], text[i + 1]))
            {
                count--;
                i++;
            }
        }

        return count;
    }

    /// <summary><c>str.upper</c>: the full mapping, so that ß becomes SS.</summary>
    public static string Upper(string text)
    {
        string simple = text.ToUpperInvariant();
        if (!text.AsSpan().ContainsAnyExceptInRange('\0', '\x7f'))
        {
            return simple;
        }

        StringBuilder full = new(simple.Length);
        for (int i = 0; i < text.Length; i++)
        {
            full.Append(s_upper.TryGetValue(text[i], out string? expansion) ? expansion : simple[i]);
        }

        return full.ToString();
    }

    /// <summary><c>str.lower</c>: İ becomes two characters, a sigma at the end of a word is the final one.</summary>
    public static string Lower(string text)
    {
        string simple = text.ToLowerInvariant();
        if (!text.AsSpan().ContainsAny('\u0130', '\u03a3'))
        {
            return simple;
        }

        StringBuilder full = new(simple.Length);
        for (int i = 0; i < text.Length; i++)
        {
            _ = text[i] switch
            {
                '\u0130' => full.Append("i\u0307"),
                '\u03a3' when IsFinalSigma(text, i) => full.Append('\u03c2'),
                _ => full.Append(simple[i]),
            };
        }

        return full.ToString();
    }

    /// <summary>The title case of one character (a code point as text): ß becomes Ss, ǆ becomes ǅ.</summary>
    public static string Title(string character)
    {
        char first = character[0];
        if (first is >= '\u10d0' and <= '\u10ff')
        {
            return character;
        }

        if (first is >= '\u01c4' and <= '\u01cc')
        {
            return ((char)('\u01c5' + (first - '\u01c4') / 3 * 3)).ToString();
        }

        if (first is >= '\u01f1' and <= '\u01f3')
        {
            return "\u01f2";
        }

        string simple = character.ToUpperInvariant();
        return simple == character && s_upper.TryGetValue(first, out string? expansion) && first < '\u1f88' | first > '\u1fff'
            ? expansion[0] + expansion[1..].ToLowerInvariant()
            : simple;
    }

    private static bool IsFinalSigma(string text, int at)
    {
        int before = at - 1;
        while (before >= 0 && IsCaseIgnorable(text[before]))
        {
            before--;
        }

        int after = at + 1;
        while (after < text.Length && IsCaseIgnorable(text[after]))
        {
            after++;
        }

        return before >= 0 && char.IsLetter(text[before]) && (after == text.Length || !char.IsLetter(text[after]));
    }

    private static bool IsCaseIgnorable(char c) => c is '\'' or '.' or ':' or '·' or '’' || CharUnicodeInfo.GetUnicodeCategory(c) is
        UnicodeCategory.NonSpacingMark or UnicodeCategory.EnclosingMark or UnicodeCategory.Format or UnicodeCategory.ModifierLetter or UnicodeCategory.ModifierSymbol;
}
