using System.Text;

namespace AdaEagle.Tokenization.Normalization;

/// <summary>Rewrites a text before it is cut. Immutable.</summary>
internal abstract class Normalizer
{
    /// <summary>The rewritten text.</summary>
    public abstract string Apply(string text);
}

/// <summary>Several normalisers, one after the other (none at all changes nothing).</summary>
internal sealed class NormalizerSequence(IReadOnlyList<Normalizer> items) : Normalizer
{
    public override string Apply(string text) => items.Aggregate(text, (current, item) => item.Apply(current));
}

/// <summary>A Unicode normalisation form (NFC, NFD, NFKC, NFKD).</summary>
internal sealed class UnicodeNormalizer(NormalizationForm form) : Normalizer
{
    public override string Apply(string text) => UnicodeNormalization.Normalize(text, form);
}

/// <summary>Puts a text in front of every text that is not empty.</summary>
internal sealed class PrependNormalizer(string prefix) : Normalizer
{
    public override string Apply(string text) => text.Length == 0 ? text : prefix + text;
}

/// <summary>Puts one text in the place of another, wherever that is found.</summary>
internal sealed class ReplaceNormalizer((string Pattern, string Content) replacement) : Normalizer
{
    public override string Apply(string text) => text.Replace(replacement.Pattern, replacement.Content, StringComparison.Ordinal);
}
