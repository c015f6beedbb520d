namespace AdaEagle.Tokenization;

/// <summary>A part of a text, in UTF-16 units.</summary>
internal readonly record struct Piece(int Start, int Length)
{
    /// <summary>The place after the last unit.</summary>
    public int End => Start + Length;
}
