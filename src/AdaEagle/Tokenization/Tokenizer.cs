using System.Text;

namespace AdaEagle.Tokenization;

/// <summary>What all tokenizers of the engine share: a vocabulary, what is put around a text, and decoding. Immutable, safe to use from many threads.</summary>
public abstract class Tokenizer : ITokenizer
{
    private readonly Lazy<string> _fingerprint;

    private protected Tokenizer(Vocabulary vocabulary, IReadOnlyList<(int Left, int Right, int Result)> merges)
    {
        Vocabulary = vocabulary;
        _fingerprint = new Lazy<string>(() => vocabulary.Fingerprint(merges));
    }

    /// <inheritdoc/>
    public int VocabularySize => Vocabulary.Size;

    /// <inheritdoc/>
    /// <remarks>What exactly is hashed is written at <c>Vocabulary.Fingerprint</c>.</remarks>
    public string Fingerprint => _fingerprint.Value;

    /// <inheritdoc/>
    public DecodingRules Decoding { get; private protected init; } = DecodingRules.Plain;

    private protected Vocabulary Vocabulary { get; }

    /// <summary>What goes in front of a text when special tokens are asked for.</summary>
    private protected IReadOnlyList<int> Prefix { get; init; } = [];

    /// <summary>What goes behind it.</summary>
    private protected IReadOnlyList<int> Suffix { get; init; } = [];

    /// <inheritdoc/>
    /// <exception cref="AdaEagle.Formats.ModelFormatException">The tokenizer's pattern backtracks without end on this text.</exception>
    public int[] Encode(string text, bool addSpecialTokens = false)
    {
        ArgumentNullException.ThrowIfNull(text);
        List<int> output = new((text.Length / 3) + 8);
        if (addSpecialTokens)
        {
            output.AddRange(Prefix);
        }

        Encode(WellFormed(text), recogniseSpecial: true, output);
        if (addSpecialTokens)
        {
            output.AddRange(Suffix);
        }

        return [.. output];
    }

    /// <inheritdoc/>
    /// <remarks>
    /// Added tokens that are not special (<c>"special": false</c>, user-defined ones: runs of spaces, say, or <c>&lt;tool_call&gt;</c>) are
    /// found as always, as with <c>split_special_tokens</c> in Hugging Face's library and without <c>parse_special</c> in llama.cpp.
    /// </remarks>
    /// <exception cref="AdaEagle.Formats.ModelFormatException">The tokenizer's pattern backtracks without end on this text.</exception>
    public int[] EncodeOrdinary(string text)
    {
        ArgumentNullException.ThrowIfNull(text);
        List<int> output = new((text.Length / 3) + 8);
        Encode(WellFormed(text), recogniseSpecial: false, output);
        return [.. output];
    }

    /// <inheritdoc/>
    public string Decode(ReadOnlySpan<int> ids, bool skipSpecialTokens = false)
    {
        var assembler = new TextAssembler(this, skipSpecialTokens);
        var text = new StringBuilder(Math.Max(ids.Length * 4, 16));
        foreach (int id in ids)
        {
            assembler.Append(id, text);
        }

        assembler.Flush(text);
        return text.ToString();
    }

    /// <inheritdoc/>
    public bool TryGetId(string token, out int id) => Vocabulary.TryGetId(token, out id);

    /// <inheritdoc/>
    public bool IsSpecial(int id) => Vocabulary.IsSpecial(id);

    /// <inheritdoc/>
    public bool IsByteFallback(int id) => Vocabulary.IsByte(id);

    /// <inheritdoc/>
    public ReadOnlySpan<byte> TokenBytes(int id) => Vocabulary.Bytes(id);

    /// <summary>Appends the ids of a well-formed text.</summary>
    private protected abstract void Encode(string text, bool recogniseSpecial, List<int> output);

    /// <summary>The text with U+FFFD for each lone surrogate: what it would be in UTF-8.</summary>
    private static string WellFormed(string text)
    {
        if (!text.AsSpan().ContainsAnyInRange('\uD800', '\uDFFF'))
        {
            return text;
        }

        var output = new StringBuilder(text.Length);
        foreach (Rune rune in text.EnumerateRunes())
        {
            output.Append(rune.ToString());
        }

        return output.ToString();
    }
}
