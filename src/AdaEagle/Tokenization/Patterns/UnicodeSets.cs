using System.Collections.Concurrent;
using System.Globalization;
using System.Text;

namespace AdaEagle.Tokenization.Patterns;

/// <summary>The named sets that patterns use, with Oniguruma's meaning over Unicode (its doc/RE), and equality of letters but for case.</summary>
internal static class UnicodeSets
{
    private static readonly Lazy<List<(int First, int Last, UnicodeCategory Category)>> _categoryRuns = new(ReadCategoryRuns);
    private static readonly Lazy<Dictionary<int, HashSet<int>>> _caseFamilies = new(ReadCaseFamilies);
    private static readonly ConcurrentDictionary<string, CodePointSet> _byCategory = new();

    /// <summary><c>\d</c>: decimal digits.</summary>
    public static CodePointSet Digit => Category("Nd");

    /// <summary><c>\s</c>: white space.</summary>
    public static CodePointSet Space { get; } = CodePointSet.FromRanges(
        [(0x09, 0x0D), (0x20, 0x20), (0x85, 0x85), (0xA0, 0xA0), (0x1680, 0x1680), (0x2000, 0x200A), (0x2028, 0x2029), (0x202F, 0x202F), (0x205F, 0x205F), (0x3000, 0x3000)]);

    /// <summary><c>\w</c> inside of a class: letters and letter-like symbols, marks, digits, letter numbers, connectors.</summary>
    public static CodePointSet Word => _byCategory.GetOrAdd("word", _ => CodePointSet.Union(
        Category("L"), Category("M"), Category("Nd"), Category("Nl"), Category("Pc"),
        CodePointSet.FromRanges([(0x24B6, 0x24E9), (0x1F130, 0x1F149), (0x1F150, 0x1F169), (0x1F170, 0x1F189)])));

    /// <summary><c>\w</c> by itself and what <c>\b</c> goes by: here Oniguruma takes ², ³, ¹, ¼, ½ and ¾ too.</summary>
    public static CodePointSet WordAlone => _byCategory.GetOrAdd("word alone", _ => CodePointSet.Union(
        Word, CodePointSet.FromRanges([(0xB2, 0xB3), (0xB9, 0xB9), (0xBC, 0xBE)])));

    /// <summary><c>[[:punct:]]</c>.</summary>
    public static CodePointSet PunctuationAndSymbols => CodePointSet.Union(Category("P"), Category("S"));

    /// <summary><c>\h</c>: hexadecimal digits.</summary>
    public static CodePointSet HexDigit { get; } = CodePointSet.Of("0123456789abcdefABCDEF");

    /// <summary>
    /// The set of a property name, case, spaces, <c>_</c> and <c>-</c> not mattering: general categories, short or long, some POSIX
    /// names and scripts. Null if the name is not known.
    /// </summary>
    public static CodePointSet? ByName(string name)
    {
        string plain = string.Concat(name.Where(c => c is not (' ' or '_' or '-'))).ToLowerInvariant();
        return plain switch
        {
            "any" => CodePointSet.All,
            "assigned" => Category("Cn").Complement(),
            "ascii" => CodePointSet.FromRanges([(0, 0x7F)]),
            "blank" => CodePointSet.Union(Category("Zs"), CodePointSet.Of('\t')),
            "cntrl" => Category("Cc"),
            "digit" => Digit,
            "punct" => Category("P"),
            "space" or "whitespace" => Space,
            "word" => Word,
            "xdigit" => HexDigit,
            "han" => UnicodeScripts.Han,
            "hiragana" => UnicodeScripts.Hiragana,
            "katakana" => UnicodeScripts.Katakana,
            "hangul" => UnicodeScripts.Hangul,
            _ => CategoryCode(plain) is { } code ? Category(code) : null,
        };
    }

    /// <summary>The set with, for each member, all code points that differ from it by case alone.</summary>
    /// <remarks>One for one only: that Oniguruma also takes <c>ß</c> for <c>ss</c> is left out.</remarks>
    public static CodePointSet IgnoringCase(CodePointSet set)
    {
        IEnumerable<(int, int)> variants = _caseFamilies.Value
            .Where(entry => set.Contains(entry.Key))
            .SelectMany(entry => entry.Value.Select(member => (member, member)));
        return CodePointSet.Union(set, CodePointSet.FromRanges(variants));
    }

    /// <summary>The code points of a general category, by its code of two letters, or of one for the whole family.</summary>
    private static CodePointSet Category(string code) => _byCategory.GetOrAdd(code, static code => CodePointSet.FromRanges(
        _categoryRuns.Value
            .Where(run => Code(run.Category).StartsWith(code, StringComparison.Ordinal))
            .Select(run => (run.First, run.Last))));

    private static string? CategoryCode(string plain) => plain switch
    {
        "letter" => "L",
        "mark" or "combiningmark" => "M",
        "number" => "N",
        "punctuation" => "P",
        "symbol" => "S",
        "separator" => "Z",
        "other" => "C",
        "l" or "m" or "n" or "p" or "s" or "z" or "c" => plain.ToUpperInvariant(),
        _ => Enum.GetValues<UnicodeCategory>()
            .Where(category => plain.Equals(Code(category), StringComparison.OrdinalIgnoreCase) || plain == LongName(category))
            .Select(Code)
            .FirstOrDefault(),
    };

    private static string LongName(UnicodeCategory category) => category switch
    {
        UnicodeCategory.NonSpacingMark => "nonspacingmark",
        UnicodeCategory.SpacingCombiningMark => "spacingmark",
        UnicodeCategory.DecimalDigitNumber => "decimalnumber",
        UnicodeCategory.OtherNotAssigned => "unassigned",
        _ => category.ToString().ToLowerInvariant(),
    };

    private static string Code(UnicodeCategory category) => category switch
    {
        UnicodeCategory.UppercaseLetter => "Lu",
        UnicodeCategory.LowercaseLetter => "Ll",
        UnicodeCategory.TitlecaseLetter => "Lt",
        UnicodeCategory.ModifierLetter => "Lm",
        UnicodeCategory.OtherLetter => "Lo",
        UnicodeCategory.NonSpacingMark => "Mn",
        UnicodeCategory.SpacingCombiningMark => "Mc",
        UnicodeCategory.EnclosingMark => "Me",
        UnicodeCategory.DecimalDigitNumber => "Nd",
        UnicodeCategory.LetterNumber => "Nl",
        UnicodeCategory.OtherNumber => "No",
        UnicodeCategory.SpaceSeparator => "Zs",
        UnicodeCategory.LineSeparator => "Zl",
        UnicodeCategory.ParagraphSeparator => "Zp",
        UnicodeCategory.Control => "Cc",
        UnicodeCategory.Format => "Cf",
        UnicodeCategory.Surrogate => "Cs",
        UnicodeCategory.PrivateUse => "Co",
        UnicodeCategory.ConnectorPunctuation => "Pc",
        UnicodeCategory.DashPunctuation => "Pd",
        UnicodeCategory.OpenPunctuation => "Ps",
        UnicodeCategory.ClosePunctuation => "Pe",
        UnicodeCategory.InitialQuotePunctuation => "Pi",
        UnicodeCategory.FinalQuotePunctuation => "Pf",
        UnicodeCategory.OtherPunctuation => "Po",
        UnicodeCategory.MathSymbol => "Sm",
        UnicodeCategory.CurrencySymbol => "Sc",
        UnicodeCategory.ModifierSymbol => "Sk",
        UnicodeCategory.OtherSymbol => "So",
        _ => "Cn",
    };

    private static List<(int First, int Last, UnicodeCategory Category)> ReadCategoryRuns()
    {
        List<(int, int, UnicodeCategory)> runs = [];
        for (int first = 0, next; first <= CodePointSet.Last; first = next)
        {
            UnicodeCategory category = CharUnicodeInfo.GetUnicodeCategory(first);
            next = first + 1;
            while (next <= CodePointSet.Last && CharUnicodeInfo.GetUnicodeCategory(next) == category)
            {
                next++;
            }

            runs.Add((first, next - 1, category));
        }

        return runs;
    }

    /// <summary>For each code point that has others differing by case alone, the whole family.</summary>
    private static Dictionary<int, HashSet<int>> ReadCaseFamilies()
    {
        Dictionary<int, HashSet<int>> families = [];
        for (int codePoint = 0; codePoint <= CodePointSet.Last; codePoint++)
        {
            if (Rune.TryCreate(codePoint, out Rune rune))
            {
                // .NET keeps the long s apart from s, Unicode (CaseFolding.txt) doesn't.
                int folded = codePoint == 0x17F ? 's' : Rune.ToLowerInvariant(Rune.ToUpperInvariant(rune)).Value;
                if (folded != codePoint)
                {
                    HashSet<int> family = families.TryGetValue(folded, out HashSet<int>? known) ? known : families[folded] = [folded];
                    family.Add(codePoint);
                    families[codePoint] = family;
                }
            }
        }

        return families;
    }
}
