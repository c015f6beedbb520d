using AdaEagle.Tokenization.Merging;
using AdaEagle.Tokenization.Normalization;

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

    /// <summary>Plain text to ids.</summary>
    public required TextEncoder Model { get; init; }

    /// <summary>How tokens become text.</summary>
    public required DecodingRules Decoding { get; init; }

    /// <summary>What the post-processor puts in front.</summary>
    public IReadOnlyList<int> Prefix { get; init; } = [];

    /// <summary>What the post-processor puts behind.</summary>
    public IReadOnlyList<int> Suffix { get; init; } = [];
}
