using System.Text;
using AdaEagle.Formats;
using AdaEagle.Tokenization.Gguf;
using AdaEagle.Tokenization.Merging;

namespace AdaEagle.Tokenization;

/// <summary>
/// The tokenizer in the metadata of a GGUF file: byte-level BPE (<c>gpt2</c>) or SentencePiece with scores (<c>llama</c>). Ids equal those of
/// llama.cpp: <see cref="ITokenizer.Encode"/> its <c>parse_special</c>, <see cref="ITokenizer.EncodeOrdinary"/> without. Immutable, safe to use from many threads.
/// </summary>
/// <remarks>
/// <see cref="ITokenizer.Decode"/> gives the tokens' bytes as they are, as llama.cpp's programs print them; <see cref="Detokenize"/> is its function of that name, which
/// for some vocabularies drops spaces before punctuation (and so spoils code).
/// </remarks>
public sealed class GgufTokenizer : Tokenizer
{
    private readonly SpecialPartition _special;
    private readonly TextEncoder _encoder;
    private readonly bool _cleansSpaces;

    private GgufTokenizer(GgufTokens tokens, GgufVocabulary source, string file)
        : base(tokens.Vocabulary, tokens.Merges)
    {
        bool isByteLevel = source.Model == GgufTokens.ByteLevel;
        bool addsSpace = source.AddsSpacePrefix ?? !isByteLevel;
        GgufPreTokenizer? pre = isByteLevel ? GgufPreTokenizers.Find(source.Pre, file) : null;
        _special = new SpecialPartition(tokens.Special);
        _cleansSpaces = pre?.CleansSpaces ?? false;
        _encoder = pre is null
            ? new ScoredEncoder(tokens.Vocabulary, tokens.Scored, addsSpace, source.UnknownToken)
            : new CuttingEncoder(file, pre.Steps(), new BytePieceEncoder(new MergeModel { Vocabulary = tokens.Vocabulary, Merges = tokens.Merges, IgnoreMerges = pre.IgnoresMerges }));
        Decoding = DecodingRules.Plain with { LeadingSpace = addsSpace ? LeadingSpace.OfFirstToken : LeadingSpace.Stays };
        Prefix = Around(source.AddsBegin ?? pre?.AddsBegin ?? true, source.BeginToken ?? (isByteLevel ? null : 1), "bos_token_id");
        Suffix = Around(source.AddsEnd ?? false, source.EndToken ?? (isByteLevel ? null : 2), "eos_token_id");
        EndTokens = tokens.EndTokens;

        int[] Around(bool adds, int? id, string key) => !adds ? []
            : id is { } token && tokens.Vocabulary.Contains(token) ? [token]
            : throw new ModelFormatException(file, $"tokenizer.ggml.{key}", "a token is to be put around texts, and it is not said which", "Fetch the file again, or make it anew with its converter");
    }

    /// <summary>Tokens that end a generation: the file's end tokens, and others known by their text (<c>&lt;|im_end|&gt;</c>, <c>&lt;end_of_turn&gt;</c>, …), ascending.</summary>
    public IReadOnlyList<int> EndTokens { get; }

    /// <summary>Builds the tokenizer; <paramref name="file"/> is the name of the file, for messages.</summary>
    /// <exception cref="ModelFormatException">The vocabulary is broken, or of a kind that is not supported.</exception>
    public static GgufTokenizer Create(GgufVocabulary vocabulary, string file)
    {
        ArgumentNullException.ThrowIfNull(vocabulary);
        ArgumentNullException.ThrowIfNull(file);
        return new GgufTokenizer(GgufTokens.Read(vocabulary, file), vocabulary, file);
    }

    /// <summary>Builds the tokenizer of an open file.</summary>
    /// <exception cref="ModelFormatException">The file has no tokenizer, or one that is broken or of a kind that is not supported.</exception>
    public static GgufTokenizer Load(GgufFile file)
    {
        ArgumentNullException.ThrowIfNull(file);
        return Create(GgufVocabulary.Read(file.Values), file.Path);
    }

    /// <summary>The text of tokens as llama.cpp's <c>llama_detokenize</c> gives it, spaces cleaned up where that does.</summary>
    /// <param name="ids">Token ids.</param>
    /// <param name="skipSpecialTokens">Leaves control and unknown tokens out.</param>
    public string Detokenize(ReadOnlySpan<int> ids, bool skipSpecialTokens = false)
    {
        string text = Decode(ids, skipSpecialTokens);
        return _cleansSpaces ? SpaceCleanup.Apply(text) : text;
    }

    private protected override void Encode(string text, bool recogniseSpecial, List<int> output)
    {
        foreach ((Piece piece, int? id) in _special.Cut(text, recogniseSpecial))
        {
            if (id is { } token)
            {
                output.Add(token);
            }
            else
            {
                _encoder.Encode(text.Substring(piece.Start, piece.Length), piece.Start == 0, output);
            }
        }
    }
}
