using System.Text;
using AdaEagle.Tokenization.Normalization;
using CsCheck;

namespace AdaEagle.Tests.Tokenization;

/// <summary>Lines of Unicode's NormalizationTest.txt, and laws of Unicode Standard Annex 15.</summary>
public class NormalizationTests
{
    private static readonly NormalizationForm[] _forms =
        [NormalizationForm.FormC, NormalizationForm.FormD, NormalizationForm.FormKC, NormalizationForm.FormKD];

    [Theory]
    [InlineData("\u1E0A", "\u1E0A", "D\u0307", "\u1E0A", "D\u0307")]
    [InlineData("\u1E0A\u0323", "\u1E0C\u0307", "D\u0323\u0307", "\u1E0C\u0307", "D\u0323\u0307")]
    [InlineData("D\u0307\u0323", "\u1E0C\u0307", "D\u0323\u0307", "\u1E0C\u0307", "D\u0323\u0307")]
    [InlineData("\u212B", "\u00C5", "A\u030A", "\u00C5", "A\u030A")]
    [InlineData("\uFB01", "\uFB01", "\uFB01", "fi", "fi")]
    [InlineData("\u1E9B\u0323", "\u1E9B\u0323", "\u017F\u0323\u0307", "\u1E69", "s\u0323\u0307")]
    [InlineData("\uAC01", "\uAC01", "\u1100\u1161\u11A8", "\uAC01", "\u1100\u1161\u11A8")]
    [InlineData("\u1100\u1161\u11A8", "\uAC01", "\u1100\u1161\u11A8", "\uAC01", "\u1100\u1161\u11A8")]
    [InlineData("\u0958", "\u0915\u093C", "\u0915\u093C", "\u0915\u093C", "\u0915\u093C")]
    [InlineData("\uD834\uDD5E", "\uD834\uDD57\uD834\uDD65", "\uD834\uDD57\uD834\uDD65", "\uD834\uDD57\uD834\uDD65", "\uD834\uDD57\uD834\uDD65")]
    [InlineData("\uD835\uDCB3", "\uD835\uDCB3", "\uD835\uDCB3", "X", "X")]
    [InlineData("\u0344", "\u0308\u0301", "\u0308\u0301", "\u0308\u0301", "\u0308\u0301")]
    [InlineData("a\u0315\u0300\u05AE\u0300b", "\u00E0\u05AE\u0300\u0315b", "a\u05AE\u0300\u0300\u0315b", "\u00E0\u05AE\u0300\u0315b", "a\u05AE\u0300\u0300\u0315b")]
    [InlineData("\uFDFA", "\uFDFA", "\uFDFA", "\u0635\u0644\u0649 \u0627\u0644\u0644\u0647 \u0639\u0644\u064A\u0647 \u0648\u0633\u0644\u0645", "\u0635\u0644\u0649 \u0627\u0644\u0644\u0647 \u0639\u0644\u064A\u0647 \u0648\u0633\u0644\u0645")]
    public void Forms_are_those_of_the_standard(string text, string nfc, string nfd, string nfkc, string nfkd) =>
        Assert.Equal([nfc, nfd, nfkc, nfkd], _forms.Select(form => UnicodeNormalization.Normalize(text, form)));

    [Fact]
    public void A_form_of_a_form_is_the_last_ones() => RandomText.WellFormed.Sample(
        text =>
        {
            foreach (NormalizationForm form in _forms)
            {
                string once = UnicodeNormalization.Normalize(text, form);
                Assert.Equal(once, UnicodeNormalization.Normalize(once, form));
                bool compatible = form is NormalizationForm.FormKC or NormalizationForm.FormKD;
                foreach (NormalizationForm first in _forms[..(compatible ? 4 : 2)])
                {
                    Assert.Equal(once, UnicodeNormalization.Normalize(UnicodeNormalization.Normalize(text, first), form));
                }
            }
        },
        iter: 1000);

    [Fact]
    public void A_long_run_of_marks_takes_no_square_of_time()
    {
        string marks = string.Concat(Enumerable.Range(0, 200_000).Select(i => i % 2 == 0 ? '\u0301' : '\u0323'));
        string normal = UnicodeNormalization.Normalize("a" + marks, NormalizationForm.FormC);
        Assert.Equal(200_000, normal.Length);
        Assert.StartsWith("\u1EA1\u0323", normal, StringComparison.Ordinal);
    }
}
