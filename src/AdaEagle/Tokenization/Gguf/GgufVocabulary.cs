using AdaEagle.Formats;

namespace AdaEagle.Tokenization;

/// <summary>What the metadata of a GGUF file says about its tokenizer (<c>tokenizer.ggml.*</c>; github.com/ggml-org/ggml, docs/gguf.md), as it is there.</summary>
public sealed record GgufVocabulary
{
    private const string Prefix = "tokenizer.ggml.";

    /// <summary>The kind: <c>gpt2</c> (byte-level BPE) or <c>llama</c> (SentencePiece with scores); others exist.</summary>
    public required string Model { get; init; }

    /// <summary>The name of the pre-tokenizer of byte-level BPE; null where the file does not say.</summary>
    public string? Pre { get; init; }

    /// <summary>Tokens by id: in the byte-level alphabet, or with U+2581 for spaces.</summary>
    public required IReadOnlyList<string> Tokens { get; init; }

    /// <summary>Scores by id; null for none.</summary>
    public IReadOnlyList<float>? Scores { get; init; }

    /// <summary>Types by id: 1 normal, 2 unknown, 3 control, 4 user-defined, 5 unused, 6 byte; null if all are normal.</summary>
    public IReadOnlyList<int>? Types { get; init; }

    /// <summary>Merges by rank, each two tokens with a space between; null for none.</summary>
    public IReadOnlyList<string>? Merges { get; init; }

    /// <summary>The token that begins a text.</summary>
    public int? BeginToken { get; init; }

    /// <summary>The token that ends a text.</summary>
    public int? EndToken { get; init; }

    /// <summary>The token that ends a turn.</summary>
    public int? EndOfTurnToken { get; init; }

    /// <summary>The token for what has none.</summary>
    public int? UnknownToken { get; init; }

    /// <summary>The token that fills up.</summary>
    public int? PaddingToken { get; init; }

    /// <summary>A begin token is put in front; null for the kind's habit.</summary>
    public bool? AddsBegin { get; init; }

    /// <summary>An end token is put behind; null for the kind's habit.</summary>
    public bool? AddsEnd { get; init; }

    /// <summary>A space is put in front of plain text; null for the kind's habit.</summary>
    public bool? AddsSpacePrefix { get; init; }

    /// <summary>Reads it.</summary>
    /// <exception cref="ModelFormatException">The file has no tokenizer, or a value is of the wrong type.</exception>
    public static GgufVocabulary Read(GgufMetadata metadata)
    {
        ArgumentNullException.ThrowIfNull(metadata);
        string[] tokens = metadata.Texts(Prefix + "tokens") ?? throw metadata.Fault(Prefix + "tokens", "the key is missing", "Use a GGUF file with its tokenizer");
        return new GgufVocabulary
        {
            Model = metadata.RequiredText(Prefix + "model"),
            Pre = metadata.Text(Prefix + "pre"),
            Tokens = tokens,
            Scores = metadata.Floats(Prefix + "scores"),
            Types = metadata.Ints(Prefix + "token_type", int.MinValue, int.MaxValue),
            Merges = metadata.Texts(Prefix + "merges"),
            BeginToken = Id("bos_token_id"),
            EndToken = Id("eos_token_id"),
            EndOfTurnToken = Id("eot_token_id"),
            UnknownToken = Id("unknown_token_id"),
            PaddingToken = Id("padding_token_id"),
            AddsBegin = metadata.Flag(Prefix + "add_bos_token"),
            AddsEnd = metadata.Flag(Prefix + "add_eos_token"),
            AddsSpacePrefix = metadata.Flag(Prefix + "add_space_prefix"),
        };

        // Older writers store -1 for "none", in 32 bits without a sign.
        int? Id(string key)
        {
            object? value = metadata.Values.TryGetValue(Prefix + key, out GgufValue? found) ? found.Value : null;
            return value is uint.MaxValue or -1 ? null : metadata.Int(Prefix + key, 0, tokens.Length - 1);
        }
    }
}
