using AdaEagle.Tokenization;
using AdaEagle.Tokenization.Patterns;
using AdaEagle.Tokenization.PreTokenization;
using CsCheck;

namespace AdaEagle.Tests.Tokenization;

public class PreTokenizerTests
{
    // The library's documented example, and its answers.
    [Theory]
    [InlineData(nameof(SeparatorBehavior.Removed), "the|final|countdown")]
    [InlineData(nameof(SeparatorBehavior.Isolated), "the|-|final|-|-|countdown")]
    [InlineData(nameof(SeparatorBehavior.MergedWithPrevious), "the-|final-|-|countdown")]
    [InlineData(nameof(SeparatorBehavior.MergedWithNext), "the|-final|-|-countdown")]
    [InlineData(nameof(SeparatorBehavior.Contiguous), "the|-|final|--|countdown")]
    public void Separators_go_where_the_behaviour_says(string behavior, string pieces) =>
        Assert.Equal(pieces, Cut("the-final--countdown", Split("-", behavior)));

    [Theory]
    [InlineData(nameof(SeparatorBehavior.Removed), "-|--")]
    [InlineData(nameof(SeparatorBehavior.MergedWithNext), "the-|final--|countdown")]
    [InlineData(nameof(SeparatorBehavior.MergedWithPrevious), "the|-final|--countdown")]
    public void Inverting_makes_separators_of_what_lies_between(string behavior, string pieces) =>
        Assert.Equal(pieces, Cut("the-final--countdown", Split("-+", behavior, invert: true)));

    [Fact]
    public void A_step_sees_the_pieces_of_the_step_before() =>
        Assert.Equal("1|2| ab| |3", Cut("12 ab 3", Split("[0-9]"), Split(" ab")));

    [Fact]
    public void Bytes_are_spelt_for_the_steps_that_follow()
    {
        // "½" is the bytes C2 BD, spelt "Â½", and its second character is a number.
        var cut = new CutText("½");
        new ByteLevelPreTokenizer(addPrefixSpace: true, useRegex: false).Apply(cut);
        Assert.False(cut.IsInByteAlphabet);
        Split(@"\p{N}").Apply(cut);
        Assert.True(cut.IsInByteAlphabet);
        Assert.Equal(["ĠÂ", "½"], cut.Pieces.Select(piece => cut.Text.Substring(piece.Start, piece.Length)));
    }

    [Fact]
    public void GPT2_cuts_words_numbers_signs_and_white_space() =>
        Assert.Equal("I|'m| 12| years|,|  | old|!!|\n", Cut("I'm 12 years,   old!!\n", new ByteLevelPreTokenizer(addPrefixSpace: false, useRegex: true)));

    [Fact]
    public void Pieces_follow_each_other_unless_separators_are_removed() => RandomText.WellFormed.Sample(
        text =>
        {
            foreach (string behavior in Enum.GetNames<SeparatorBehavior>().Where(name => name != nameof(SeparatorBehavior.Removed)))
            {
                var cut = new CutText(text);
                Split(@"\p{L}+|\s", behavior).Apply(cut);
                Split(@"[aeiou\p{N}]", behavior, invert: true).Apply(cut);
                Assert.Equal(text, string.Concat(cut.Pieces.Select(piece => text.Substring(piece.Start, piece.Length))));
                Assert.All(cut.Pieces, piece => Assert.NotEqual(0, piece.Length));
            }
        },
        iter: 1000);

    private static SplitPreTokenizer Split(string pattern, string behavior = nameof(SeparatorBehavior.Isolated), bool invert = false) =>
        new(Pattern.Parse(pattern), Enum.Parse<SeparatorBehavior>(behavior), invert);

    private static string Cut(string text, params PreTokenizer[] steps)
    {
        var cut = new CutText(text);
        Array.ForEach(steps, step => step.Apply(cut));
        return string.Join('|', cut.Pieces.Select(piece => cut.Text.Substring(piece.Start, piece.Length)));
    }
}
