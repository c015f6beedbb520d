namespace AdaEagle.Tokenization;

/// <summary>How the bytes of a tokenizer's tokens are joined into text, beyond putting them one after the other.</summary>
/// <param name="LeadingSpace">What happens to a space that the tokenizer itself put in front of the text.</param>
/// <param name="BrokenBytes">What becomes of bytes that are not UTF-8.</param>
/// <param name="LeadingCount">How many spaces in front go, with <see cref="Tokenization.LeadingSpace.OfText"/>.</param>
/// <param name="UnknownToken">The token for what has none, whose spaces always stay, with <see cref="LeadingSpace.OfPiece"/> and <see cref="LeadingSpace.OfEveryPiece"/>.</param>
public readonly record struct DecodingRules(LeadingSpace LeadingSpace, BrokenBytes BrokenBytes, int LeadingCount = 1, int UnknownToken = -1)
{
    /// <summary>Bytes and nothing else (byte-level tokenizers).</summary>
    public static DecodingRules Plain { get; } = new(LeadingSpace.Stays, BrokenBytes.OneEachSequence);
}

/// <summary>What happens to spaces in front of a decoded text.</summary>
public enum LeadingSpace
{
    /// <summary>Nothing.</summary>
    Stays,

    /// <summary>The text's first ones go, whatever tokens they are of (Hugging Face's <c>Strip</c> after <c>Fuse</c>).</summary>
    OfText,

    /// <summary>One goes that a token brings as long as there is no text; a byte token's stays (SentencePiece with a dummy prefix).</summary>
    OfPiece,

    /// <summary>One of every token goes as long as there is no text (SentencePiece with extra white space removed).</summary>
    OfEveryPiece,

    /// <summary>One goes if the first token of all brings it (llama.cpp).</summary>
    OfFirstToken,

    /// <summary>Every space mark of the first token of all goes (Hugging Face's <c>Metaspace</c>).</summary>
    AllOfFirstToken,
}

/// <summary>How many U+FFFD stand for bytes that are not UTF-8.</summary>
public enum BrokenBytes
{
    /// <summary>One for each sequence that begins like a character and is cut (the Unicode Standard's practice); bytes of any tokens join.</summary>
    OneEachSequence,

    /// <summary>One for each byte; only byte tokens that follow each other join (SentencePiece).</summary>
    OneEachByte,

    /// <summary>One for each byte of the whole run of byte tokens in which one is broken (Hugging Face's <c>ByteFallback</c>).</summary>
    OneEachByteOfRun,
}
