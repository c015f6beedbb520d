namespace AdaEagle.Tokenization;

/// <summary>Text to token ids and back. Implementations are immutable to their callers and safe to use from many threads.</summary>
public interface ITokenizer
{
    /// <summary>The highest id + 1. Ids below it may be unused.</summary>
    int VocabularySize { get; }

    /// <summary>
    /// Hexadecimal SHA-256 over the vocabulary (id order, token text, special flag) and the merges: two tokenizers with the same
    /// fingerprint give the same meaning to every id. Draft heads and predictors record it.
    /// </summary>
    string Fingerprint { get; }

    /// <summary>
    /// Ids of <paramref name="text"/>. Special tokens written in the text are recognised. A lone surrogate counts as U+FFFD.
    /// </summary>
    /// <param name="text">Any text.</param>
    /// <param name="addSpecialTokens">Adds what the tokenizer's post-processor adds (a begin token, say).</param>
    int[] Encode(string text, bool addSpecialTokens = false);

    /// <summary>Ids of <paramref name="text"/>, where special tokens written in it are plain text (for text of untrusted users).</summary>
    int[] EncodeOrdinary(string text);

    /// <summary>The text of <paramref name="ids"/>. Bytes that are not UTF-8 become U+FFFD; ids that stand for no token give nothing.</summary>
    /// <param name="ids">Token ids.</param>
    /// <param name="skipSpecialTokens">Leaves special tokens out.</param>
    string Decode(ReadOnlySpan<int> ids, bool skipSpecialTokens = false);

    /// <summary>The id of a token by its text as the vocabulary spells it (byte-level tokenizers write a leading space as <c>Ġ</c>).</summary>
    bool TryGetId(string token, out int id);

    /// <summary>True if the token is one that <see cref="Decode"/> leaves out when asked to skip special tokens.</summary>
    bool IsSpecial(int id);

    /// <summary>The bytes a token decodes to (a part of a UTF-8 character, it may be); empty for an id that stands for no token.</summary>
    ReadOnlySpan<byte> TokenBytes(int id);

    /// <summary>True if the token stands for one byte of a character that the vocabulary does not have (<c>&lt;0x0A&gt;</c> of SentencePiece).</summary>
    bool IsByteFallback(int id) => false;

    /// <summary>How the bytes of tokens are joined into text.</summary>
    DecodingRules Decoding => DecodingRules.Plain;
}
