using System.Text;
using System.Text.RegularExpressions;

namespace AdaEagle.Tokenization.Gguf;

/// <summary>
/// What llama.cpp's detokenizer does to the text of some vocabularies: spaces before <c>? ! . ,</c> go, those around a lone apostrophe, and the one
/// before <c>'s 'm 're 've</c>, one rule after the other.
/// </summary>
internal static partial class SpaceCleanup
{
    public static string Apply(string text)
    {
        text = BeforeSign().Replace(text, "");
        text = AroundApostrophe().Replace(text, "'");
        return BeforeContraction().Replace(text, "");
    }

    [GeneratedRegex(" (?=[?!.,])", RegexOptions.CultureInvariant)]
    private static partial Regex BeforeSign();

    [GeneratedRegex(" ' ", RegexOptions.CultureInvariant)]
    private static partial Regex AroundApostrophe();

    [GeneratedRegex(" (?='(?:[sm]|re|ve))", RegexOptions.CultureInvariant)]
    private static partial Regex BeforeContraction();
}
