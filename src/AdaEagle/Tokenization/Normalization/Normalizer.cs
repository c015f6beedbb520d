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
