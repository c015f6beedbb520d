using AdaEagle.Formats;
using AdaEagle.Tokenization.Loading;

namespace AdaEagle.Tokenization;

/// <summary>
/// The tokenizer that a Hugging Face <c>tokenizer.json</c> describes: byte-level BPE (GPT-2, Llama 3, Qwen, DeepSeek and their kin)
/// and the BPE with byte fallback that SentencePiece models become (Llama 2, Mistral, Gemma).
/// Ids equal those of Hugging Face's tokenizers library. Immutable, safe to use from many threads.
/// </summary>
/// <remarks>
/// A text goes: added tokens are cut out; what is left is normalised; added tokens that count in normalised text are cut out; the
/// rest is cut into pieces by the pre-tokenizer; each piece becomes the tokens of its bytes or characters, which are merged; the post-processor adds its own.
/// </remarks>
public sealed class HuggingFaceTokenizer : Tokenizer
{
    internal const string FileName = "tokenizer.json";

    private readonly TokenizerParts _parts;
    private readonly AddedTokens _rawTokens;
    private readonly AddedTokens _normalizedTokens;

    internal HuggingFaceTokenizer(TokenizerParts parts)
        : base(parts.Vocabulary, parts.Merges)
    {
        _parts = parts;
        _rawTokens = new AddedTokens(parts.AddedTokens.Where(token => !token.Normalized), content => content);
        _normalizedTokens = new AddedTokens(parts.AddedTokens.Where(token => token.Normalized), parts.Normalizer.Apply);
        Prefix = parts.Prefix;
        Suffix = parts.Suffix;
        Decoding = parts.Decoding;
    }

    /// <summary>Loads <c>tokenizer.json</c> of a folder.</summary>
    /// <exception cref="ModelFormatException">The file is absent, broken, or of a kind that is not supported.</exception>
    public static HuggingFaceTokenizer Load(string folder) => LoadFile(Path.Combine(folder, FileName));

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

    private protected override void Encode(string text, bool recogniseSpecial, List<int> output)
    {
        foreach ((Piece raw, AddedToken? rawToken) in _rawTokens.Cut(text, recogniseSpecial))
        {
            if (rawToken is not null)
            {
                output.Add(rawToken.Id);
                continue;
            }

            string normalized = _parts.Normalizer.Apply(text.Substring(raw.Start, raw.Length));
            foreach ((Piece piece, AddedToken? token) in _normalizedTokens.Cut(normalized, recogniseSpecial))
            {
                if (token is not null)
                {
                    output.Add(token.Id);
                }
                else
                {
                    _parts.Model.Encode(normalized.Substring(piece.Start, piece.Length), raw.Start + piece.Start == 0, output);
                }
            }
        }
    }
}
