using AdaEagle.Tokenization.Merging;
using AdaEagle.Tokenization.Normalization;
using AdaEagle.Tokenization.PreTokenization;

namespace AdaEagle.Tokenization;

/// <summary>What a tokenizer is made of, read and checked.</summary>
internal sealed record TokenizerParts
{
    /// <summary>The file it came from, for messages.</summary>
    public required string File { get; init; }

    /// <summary>All tokens, added ones among them.</summary>
    public required Vocabulary Vocabulary { get; init; }

    /// <summary>The merges by rank, as ids.</summary>
    public required IReadOnlyList<(int Left, int Right, int Result)> Merges { get; init; }

    /// <summary>Tokens found in the text before anything else.</summary>
    public IReadOnlyList<AddedToken> AddedTokens { get; init; } = [];

    /// <summary>What happens to the text first.</summary>
    public Normalizer Normalizer { get; init; } = new NormalizerSequence([]);

    /// <summary>How the text is cut; ends in bytes.</summary>
    public required IReadOnlyList<PreTokenizer> PreTokenizers { get; init; }

    /// <summary>A piece that is a token is that token, whatever the merges say.</summary>
    public bool IgnoreMerges { get; init; }

    /// <summary>The token for bytes that have none; null if they are left out.</summary>
    public int? UnknownToken { get; init; }

    /// <summary>Unknown bytes in a row are one token.</summary>
    public bool FuseUnknown { get; init; }

    /// <summary>What the post-processor puts in front.</summary>
    public IReadOnlyList<int> Prefix { get; init; } = [];

    /// <summary>What the post-processor puts behind.</summary>
    public IReadOnlyList<int> Suffix { get; init; } = [];
}
