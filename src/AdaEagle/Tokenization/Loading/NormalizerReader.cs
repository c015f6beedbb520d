using System.Text;
using AdaEagle.Formats;
using AdaEagle.Tokenization.Normalization;

namespace AdaEagle.Tokenization.Loading;

/// <summary>Reads <c>normalizer</c>.</summary>
internal static class NormalizerReader
{
    public static Normalizer Read(JsonConfig root) => root.Object("normalizer") is { } normalizer ? ReadOne(normalizer) : new NormalizerSequence([]);

    private static Normalizer ReadOne(JsonConfig normalizer) => normalizer.Text("type") switch
    {
        "NFC" => new UnicodeNormalizer(NormalizationForm.FormC),
        "NFD" => new UnicodeNormalizer(NormalizationForm.FormD),
        "NFKC" => new UnicodeNormalizer(NormalizationForm.FormKC),
        "NFKD" => new UnicodeNormalizer(NormalizationForm.FormKD),
        "Sequence" => new NormalizerSequence([.. normalizer.Objects("normalizers").Select(ReadOne)]),
        "Prepend" => new PrependNormalizer(Literals.Content(normalizer, "prepend")),
        "Replace" => new ReplaceNormalizer(Literals.Replacement(normalizer)),
        var other => throw TokenizerReader.Unsupported(normalizer, "normaliser", other ?? "", "NFC, NFD, NFKC, NFKD, Prepend, Replace and Sequence"),
    };
}
