using System.Buffers;
using System.Text;
using AdaEagle.Formats;
using AdaEagle.Tokenization.Loading;
using AdaEagle.Tokenization.Merging;
using AdaEagle.Tokenization.Patterns;
using AdaEagle.Tokenization.PreTokenization;

namespace AdaEagle.Tokenization;

/// <summary>
/// The tokenizer that a Hugging Face <c>tokenizer.json</c> describes: byte-level BPE (GPT-2, Llama 3, Qwen, DeepSeek and their kin).
/// Ids equal those of Hugging Face's tokenizers library. Immutable, safe to use from many threads.
/// </summary>
/// <remarks>
/// A text goes: added tokens are cut out; what is left is normalised; added tokens that count in normalised text are cut out; the
/// rest is cut into pieces by the pre-tokenizer; each piece becomes its bytes' tokens, which are merged; the post-processor adds its own.
/// </remarks>
public sealed class HuggingFaceTokenizer : ITokenizer
{
    private readonly TokenizerParts _parts;
    private readonly Vocabulary _vocabulary;
    private readonly AddedTokens _rawTokens;
    private readonly AddedTokens _normalizedTokens;
    private readonly BytePieceEncoder _encoder;
    private readonly Lazy<string> _fingerprint;

    internal HuggingFaceTokenizer(TokenizerParts parts)
    {
        _parts = parts;
        _vocabulary = parts.Vocabulary;
        _rawTokens = new AddedTokens(parts.AddedTokens.Where(token => !token.Normalized), content => content);
        _normalizedTokens = new AddedTokens(parts.AddedTokens.Where(token => token.Normalized), parts.Normalizer.Apply);
        _encoder = new BytePieceEncoder(parts);
        _fingerprint = new Lazy<string>(() => _vocabulary.Fingerprint(parts.Merges));
    }

    /// <inheritdoc/>
    public int VocabularySize => _vocabulary.Size;

    /// <inheritdoc/>
    /// <remarks>What exactly is hashed is written at <c>Vocabulary.Fingerprint</c>.</remarks>
    public string Fingerprint => _fingerprint.Value;

    /// <summary>Loads <c>tokenizer.json</c> of a folder.</summary>
    /// <exception cref="ModelFormatException">The file is absent, broken, or of a kind that is not supported.</exception>
    public static HuggingFaceTokenizer Load(string folder) => LoadFile(Path.Combine(folder, "tokenizer.json"));

    /// <summary>Loads a <c>tokenizer.json</c>, whatever its name.</summary>
    /// <exception cref="ModelFormatException">The file is absent, broken, or of a kind that is not supported.</exception>
    public static HuggingFaceTokenizer LoadFile(string path) => Parse(JsonConfig.ReadText(path, TokenizerReader.LongestFile), path);

    /// <summary>Builds the tokenizer from the text of a <c>tokenizer.json</c>; <paramref name="file"/> is its name, for messages.</summary>
    /// <exception cref="ModelFormatException">The text is broken, or of a kind that is not supported.</exception>
    public static HuggingFaceTokenizer Parse(string json, string file) => new(TokenizerReader.Read(json, file));

    /// <summary>The tokenizer that <see cref="TokenizerJson"/> would write to a file.</summary>
    /// <exception cref="ModelFormatException">The merges name tokens that are not there, or the pattern is not supported.</exception>
    internal static HuggingFaceTokenizer FromMerges(
        IReadOnlyList<string> vocabulary,
        IReadOnlyList<(string Left, string Right)> merges,
        string splitRegex,
        IReadOnlyList<string> specialTokens) =>
        Parse(TokenizerJson.ToText(vocabulary, merges, splitRegex, specialTokens), "a tokenizer in memory");

    /// <inheritdoc/>
    /// <exception cref="ModelFormatException">The tokenizer's pattern backtracks without end on this text.</exception>
    public int[] Encode(string text, bool addSpecialTokens = false)
    {
        ArgumentNullException.ThrowIfNull(text);
        List<int> output = new((text.Length / 3) + 8);
        if (addSpecialTokens)
        {
            output.AddRange(_parts.Prefix);
        }

        Encode(text, recogniseSpecial: true, output);
        if (addSpecialTokens)
        {
            output.AddRange(_parts.Suffix);
        }

        return [.. output];
    }

    /// <inheritdoc/>
    /// <remarks>
    /// Added tokens that are not special (<c>"special": false</c>: runs of spaces, say, or <c>&lt;tool_call&gt;</c>) are found as always,
    /// as with <c>split_special_tokens</c> in Hugging Face's library.
    /// </remarks>
    /// <exception cref="ModelFormatException">The tokenizer's pattern backtracks without end on this text.</exception>
    public int[] EncodeOrdinary(string text)
    {
        ArgumentNullException.ThrowIfNull(text);
        List<int> output = new((text.Length / 3) + 8);
        Encode(text, recogniseSpecial: false, output);
        return [.. output];
    }

    /// <inheritdoc/>
    public string Decode(ReadOnlySpan<int> ids, bool skipSpecialTokens = false)
    {
        var bytes = new ArrayBufferWriter<byte>(Math.Max(ids.Length * 4, 16));
        foreach (int id in ids)
        {
            if (!(skipSpecialTokens && _vocabulary.IsSpecial(id)))
            {
                bytes.Write(_vocabulary.Bytes(id));
            }
        }

        return Encoding.UTF8.GetString(bytes.WrittenSpan);
    }

    /// <inheritdoc/>
    public bool TryGetId(string token, out int id) => _vocabulary.TryGetId(token, out id);

    /// <inheritdoc/>
    public bool IsSpecial(int id) => _vocabulary.IsSpecial(id);

    /// <inheritdoc/>
    public ReadOnlySpan<byte> TokenBytes(int id) => _vocabulary.Bytes(id);

    private void Encode(string text, bool recogniseSpecial, List<int> output)
    {
        try
        {
            string wellFormed = WellFormed(text);
            foreach ((Piece raw, AddedToken? rawToken) in _rawTokens.Cut(wellFormed, recogniseSpecial))
            {
                if (rawToken is not null)
                {
                    output.Add(rawToken.Id);
                    continue;
                }

                string normalized = _parts.Normalizer.Apply(wellFormed.Substring(raw.Start, raw.Length));
                foreach ((Piece piece, AddedToken? token) in _normalizedTokens.Cut(normalized, recogniseSpecial))
                {
                    if (token is not null)
                    {
                        output.Add(token.Id);
                    }
                    else
                    {
                        EncodePlain(normalized.Substring(piece.Start, piece.Length), output);
                    }
                }
            }
        }
        catch (PatternException e)
        {
            throw new ModelFormatException(_parts.File, "pre_tokenizer", e.Message, "Use a tokenizer with a simpler pattern", e);
        }
    }

    private void EncodePlain(string text, List<int> output)
    {
        var cut = new CutText(text);
        foreach (PreTokenizer step in _parts.PreTokenizers)
        {
            step.Apply(cut);
        }

        foreach (Piece piece in cut.Pieces)
        {
            _encoder.Encode(cut.Text.AsSpan(piece.Start, piece.Length), cut.IsInByteAlphabet, output);
        }
    }

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
