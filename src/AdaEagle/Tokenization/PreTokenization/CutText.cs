using System.Text;

namespace AdaEagle.Tokenization.PreTokenization;

/// <summary>
/// A text that is being cut into the pieces that are tokenised each for itself: what the steps of a pre-tokenizer work on.
/// </summary>
internal sealed class CutText
{
    private List<Piece> _spare = [];
    private bool _bytesArePending;

    /// <summary>Begins with the whole text as one piece; none if it is empty.</summary>
    /// <param name="text">The text.</param>
    /// <param name="beginsText">True if nothing came before it, not even a special token.</param>
    public CutText(string text, bool beginsText = true)
    {
        BeginsText = beginsText;
        Text = text;
        Pieces = text.Length == 0 ? [] : [new Piece(0, text.Length)];
    }

    /// <summary>True if nothing came before the text, not even a special token.</summary>
    public bool BeginsText { get; }

    /// <summary>The text that the pieces lie in. Steps may change it.</summary>
    public string Text { get; private set; }

    /// <summary>The pieces, in order, none empty.</summary>
    public List<Piece> Pieces { get; private set; }

    /// <summary>
    /// After the last step: true if the bytes are spelt in the text, in the byte-level alphabet (see <see cref="ByteAlphabet"/>); false
    /// if they are the text's UTF-8.
    /// </summary>
    public bool IsInByteAlphabet => !_bytesArePending;

    /// <summary>Cuts every piece further: <paramref name="cut"/> appends the parts, with places counted from the piece's start.</summary>
    public void Cut(Action<ReadOnlySpan<char>, List<Piece>> cut)
    {
        SpellPendingBytes();
        List<Piece> parts = [];
        _spare.Clear();
        foreach (Piece piece in Pieces)
        {
            parts.Clear();
            cut(Text.AsSpan(piece.Start, piece.Length), parts);
            foreach (Piece part in parts)
            {
                if (part.Length > 0)
                {
                    _spare.Add(new Piece(piece.Start + part.Start, part.Length));
                }
            }
        }

        (Pieces, _spare) = (_spare, Pieces);
    }

    /// <summary>Puts another text in the place of every piece.</summary>
    public void Rewrite(Action<ReadOnlySpan<char>, StringBuilder> rewrite)
    {
        SpellPendingBytes();
        RewriteNow(rewrite);
    }

    /// <summary>
    /// Spells the text in the byte-level alphabet. Put off until another step needs it: what comes after the steps wants the bytes
    /// themselves, and gets them from the text as it is.
    /// </summary>
    public void SpellBytes()
    {
        SpellPendingBytes();
        _bytesArePending = true;
    }

    private void SpellPendingBytes()
    {
        if (_bytesArePending)
        {
            RewriteNow(static (piece, output) => output.Append(ByteAlphabet.ToText(Encoding.UTF8.GetBytes(piece.ToArray()))));
            _bytesArePending = false;
        }
    }

    private void RewriteNow(Action<ReadOnlySpan<char>, StringBuilder> rewrite)
    {
        var output = new StringBuilder(Text.Length);
        _spare.Clear();
        foreach (Piece piece in Pieces)
        {
            int start = output.Length;
            rewrite(Text.AsSpan(piece.Start, piece.Length), output);
            if (output.Length > start)
            {
                _spare.Add(new Piece(start, output.Length - start));
            }
        }

        Text = output.ToString();
        (Pieces, _spare) = (_spare, Pieces);
    }
}
