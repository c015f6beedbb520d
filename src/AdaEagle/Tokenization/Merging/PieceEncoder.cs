using System.Runtime.InteropServices;

namespace AdaEagle.Tokenization.Merging;

/// <summary>What byte pair encoding of a vocabulary does to one piece, whatever it begins with.</summary>
internal sealed record MergeModel
{
    /// <summary>All tokens.</summary>
    public required Vocabulary Vocabulary { get; init; }

    /// <summary>The merges by rank, as ids.</summary>
    public required IReadOnlyList<(int Left, int Right, int Result)> Merges { get; init; }

    /// <summary>A piece that is a token is that token, whatever the merges say.</summary>
    public bool IgnoreMerges { get; init; }

    /// <summary>The token for what has none; null if it is left out.</summary>
    public int? UnknownToken { get; init; }

    /// <summary>Unknown ones in a row are one token.</summary>
    public bool FuseUnknown { get; init; }
}

/// <summary>Turns pieces of text into ids: first tokens, then the merges. Safe to use from many threads.</summary>
internal abstract class PieceEncoder(MergeModel model)
{
    private readonly PieceCache _cache = new();

    protected MergeTable Merges { get; } = new(model.Merges);

    protected MergeModel Model { get; } = model;

    /// <summary>Appends the ids of a piece.</summary>
    /// <param name="piece">Well-formed UTF-16.</param>
    /// <param name="isInByteAlphabet">True if it is spelt in the byte-level alphabet; always the same for one tokenizer.</param>
    /// <param name="output">What is appended to.</param>
    public void Encode(ReadOnlySpan<char> piece, bool isInByteAlphabet, List<int> output)
    {
        if (piece.Length > PieceCache.LongestPiece)
        {
            EncodeNew(piece, isInByteAlphabet, output);
        }
        else if (_cache.TryGet(piece, out ReadOnlySpan<int> ids))
        {
            output.AddRange(ids);
        }
        else
        {
            int before = output.Count;
            EncodeNew(piece, isInByteAlphabet, output);
            _cache.Add(piece, CollectionsMarshal.AsSpan(output)[before..]);
        }
    }

    protected abstract void EncodeNew(ReadOnlySpan<char> piece, bool isInByteAlphabet, List<int> output);
}
