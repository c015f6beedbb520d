using System.Globalization;
using System.Text;
using System.Text.RegularExpressions;
using AdaEagle.Tokenization;
using AdaEagle.Tokenization.Patterns;
using CsCheck;

namespace AdaEagle.Tests.Tokenization;

public class PatternTests
{
    [Theory]
    [InlineData(@"\p{L}+", "ab\ud835\udcb3c 1", "ab\ud835\udcb3c")]
    [InlineData(@"\p{L}", "a\ud835\udcb3", "a|\ud835\udcb3")]
    [InlineData(@"\p{N}{1,2}", "12\ud835\udfd7", "12|\ud835\udfd7")]
    [InlineData(@"[^\s\p{L}]+", "😀😀 x!", "😀😀|!")]
    [InlineData(@".", "😀", "😀")]
    [InlineData("[😀-😂]", "😁x", "😁")]
    [InlineData(@"(?i:\x{10400})", "\ud801\udc28", "\ud801\udc28")]
    [InlineData(@"(?<=😀)a", "😀a", "a")]
    public void Classes_take_characters_beyond_the_basic_plane_as_one(string pattern, string text, string matches) => Check(pattern, text, matches);

    [Theory]
    [InlineData(@"a{2}?", "aaa", "aa|")] // an optional "aa", not a lazy one
    [InlineData(@"\d{1,2}+", "123 4", "123|4")] // not possessive, but repeated
    [InlineData(@"a{,2}", "aaa", "aa|a")]
    [InlineData(@"a{x}", "a{x}", "a{x}")]
    [InlineData(@"a++b|a", "aab a", "aab|a")]
    [InlineData(@"a?+a", "aa", "aa")]
    [InlineData(@"(?>a|ab)c", "abc ac", "ac")]
    [InlineData(@"a*?b", "aab", "aab")]
    [InlineData(@"a+?", "aa", "a|a")]
    [InlineData(@"\s+(?!\S)|\s+", "a   b  ", "  | |  ")]
    [InlineData(@"(?<!a)b", "ab bb", "b|b")]
    [InlineData(@"(?<=aa|b)s", "aas as bs", "s|s")]
    [InlineData(@"^.", "ab\ncd\n", "a|c")] // lines count
    [InlineData(@".$", "ab\ncd", "b|d")]
    [InlineData(@"\A.|.\z", "ab\ncd", "a|d")]
    [InlineData(@".\Z", "ab\n", "b")]
    [InlineData(@"\bw|w\b", "we new", "w|w")]
    [InlineData(@"(?i:'s|'re)", "'S 'Re '\u017f", "'S|'Re|'\u017f")]
    [InlineData(@"(?i:k)", "kK\u212a", "k|K|\u212a")]
    [InlineData(@"(?i)a|b", "AB", "A|B")]
    [InlineData(@"a(?i)b|c", "aB aC c", "aB|aC")] // a(?i:b|c)
    [InlineData(@"(?-i:s)", "sS", "s")]
    [InlineData(@"(?m:.)+", "a\nb", "a\nb")]
    [InlineData(@"[a-c&&[^b]]+", "abcc", "a|cc")]
    [InlineData(@"[[a-c][1-3]]+", "a1d3", "a1|3")]
    [InlineData(@"[^(\s|[.,])]+", "ab, (c|d)", "ab|c|d")]
    [InlineData(@"[]a]+", "]a[", "]a")]
    [InlineData(@"[a-]+", "a-b", "a-")]
    [InlineData(@"[[:punct:]]", "a.$", ".|$")]
    [InlineData(@"\p{Punct}", "a.$", ".")]
    [InlineData(@"\h+", "xBEEFg", "BEEF")]
    [InlineData(@"\R", "a\r\nb\nc", "\r\n|\n")]
    [InlineData(@"\p{^L}\P{L}", "a1!b", "1!")]
    [InlineData(@"\p{Han}+|\p{Hiragana}+", "漢字かな", "漢字|かな")]
    [InlineData(@"\p{Uppercase_Letter}\p{Ll}", "aAbB", "Ab")]
    [InlineData(@"\u0062|\x41|\x{4e2d}", "Ab中", "A|b|中")]
    [InlineData(@"(?#comment)a(?<name>b)", "ab", "ab")]
    [InlineData(@"x*", "xa", "x|")]
    [InlineData(@"()", "ab", "||")]
    public void Patterns_mean_what_they_mean_in_Oniguruma(string pattern, string text, string matches) => Check(pattern, text, matches);

    [Theory]
    [InlineData(@"(a)\1", "back reference")]
    [InlineData(@"\k<a>", "'\\k'")]
    [InlineData(@"\X", "'\\X'")]
    [InlineData(@"\p{Greek}", "'Greek'")]
    [InlineData(@"(?x: a)", "'(?x")]
    [InlineData(@"(?(1)a|b)", "'(?(")]
    [InlineData(@"(a?)*", "match nothing")]
    [InlineData(@"(?<=a+)b", "varying length")]
    [InlineData(@"(", "')'")]
    [InlineData(@")", "'('")]
    [InlineData(@"[a", "end in the middle")]
    [InlineData(@"[z-a]", "wrong way round")]
    [InlineData(@"a{3,2}", "wrong way round")]
    [InlineData(@"*a", "nothing before it")]
    [InlineData(@"\", "end in the middle")]
    [InlineData(@"\x{110000}", "no character")]
    [InlineData(@"\x{d800}", "no character")]
    [InlineData(@"a{999999999999}", "100000")]
    public void What_is_broken_or_not_supported_is_refused_by_name(string pattern, string problem) =>
        Assert.Contains(problem, Assert.Throws<PatternException>(() => Pattern.Parse(pattern)).Message, StringComparison.Ordinal);

    [Fact]
    public void Patterns_that_grow_without_bound_are_refused_in_time()
    {
        string[] bombs =
        [
            "((((((((((a{100}){100}){100}){100}){100}){100}){100}){100}){100}){100})", "(((((){100000}){100000}){100000}){100000})", "((a|b){100000})",
            string.Concat(Enumerable.Repeat("(", 5000)), string.Concat(Enumerable.Repeat("[", 5000)), string.Concat(Enumerable.Repeat("(?i)", 2000)),
            "a" + string.Concat(Enumerable.Repeat("{1}", 2000)), new string('a', 100_000),
            $"(?<={string.Concat(Enumerable.Repeat("(", 60))}a{string.Concat(Enumerable.Repeat("|b)", 60))}{{2}}x+)",
        ];
        Patience.Run(() => Assert.All(bombs, bomb => Assert.Throws<PatternException>(() => Pattern.Parse(bomb))));
    }

    [Theory]
    [InlineData(@"(a+)+b")]
    [InlineData(@"(a|aa)+b")]
    [InlineData(@"(a|a)+b")]
    [InlineData(@"((a+)+)+b")]
    [InlineData(@"(?=(a+)+b)a")]
    [InlineData(@"(?>(a+)+b)")]
    [InlineData(@"(aa?){50,}b")]
    public void Backtracking_without_end_gives_up_with_an_error(string pattern)
    {
        Pattern compiled = Pattern.Parse(pattern);
        Patience.Run(() =>
        {
            PatternException e = Assert.Throws<PatternException>(() => compiled.FindAll(new string('a', 5000), []));
            Assert.Contains("backtracks too much", e.Message, StringComparison.Ordinal);
        });
    }

    [Fact]
    public void Matches_agree_with_dotnet_where_both_mean_the_same()
    {
        string[] patterns =
        [
            @"\p{L}+|\p{N}{1,3}|\s+(?!\S)|\s+", @"(a|ab)(c|bcd)?", @"a*?b|[^a]c?", @"(?:ab|a)+b", @"(?>a+)b|a", @"(?<=a)b|(?<!b)c", @"[^\s\p{L}]+[\r\n]*", @"a{2,3}|b{2}|c{1,}?",
            @"(a(b(c)?)?)+", @"(?=ab)a|b(?!c)", @"'(?:s|t|re)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+",
        ];
        (Pattern Ours, Regex Theirs)[] both = [.. patterns.Select(pattern => (Pattern.Parse(pattern), new Regex(pattern, RegexOptions.CultureInvariant)))];
        RandomText.OneOf("a", "b", "c", "abc", " ", "\n", "1", "'s", "'", "!", "é", "中", "\t", "\r\n").Array[0, 20].Select(string.Concat).Sample(
            text =>
            {
                foreach ((Pattern ours, Regex theirs) in both)
                {
                    Assert.Equal(theirs.Matches(text).Select(match => (match.Index, match.Length)), Matches(ours, text).Select(piece => (piece.Start, piece.Length)));
                }
            },
            iter: 3000);
    }

    [Fact]
    public void General_categories_are_those_of_all_code_points()
    {
        foreach (string category in new[] { "Lu", "Lo", "Nd", "No", "Mn", "Sc", "Zs", "Pd", "Cf", "L", "N", "P", "S", "M" })
        {
            var pattern = Pattern.Parse($@"\p{{{category}}}");
            for (int codePoint = 0; codePoint <= 0x10FFFF; codePoint += codePoint < 0x3000 ? 1 : 37)
            {
                if (Rune.IsValid(codePoint))
                {
                    string text = char.ConvertFromUtf32(codePoint);
                    bool expected = ShortName(CharUnicodeInfo.GetUnicodeCategory(codePoint)).StartsWith(category, StringComparison.Ordinal);
                    Assert.True(expected == (Matches(pattern, text).Count == 1), $"U+{codePoint:X} as {category}");
                }
            }
        }
    }

    private static string ShortName(UnicodeCategory category) => "LuLlLtLmLoMnMcMeNdNlNoZsZlZpCcCfCsCoPcPdPsPePiPfPoSmScSkSoCn".Substring((int)category * 2, 2);

    private static void Check(string pattern, string text, string matches) =>
        Assert.Equal(matches, string.Join('|', Matches(Pattern.Parse(pattern), text).Select(piece => text.Substring(piece.Start, piece.Length))));

    private static List<Piece> Matches(Pattern pattern, string text)
    {
        List<Piece> matches = [];
        pattern.FindAll(text, matches);
        return matches;
    }
}
