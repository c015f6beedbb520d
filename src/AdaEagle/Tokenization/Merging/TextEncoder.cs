using AdaEagle.Formats;
using AdaEagle.Tokenization.Patterns;
using AdaEagle.Tokenization.PreTokenization;

namespace AdaEagle.Tokenization.Merging;

/// <summary>Turns plain text, special tokens cut out and normalised, into ids. Safe to use from many threads.</summary>
internal abstract class TextEncoder
{
    /// <summary>Appends the ids of a text.</summary>
    /// <param name="text">Well-formed UTF-16.</param>
    /// <param name="beginsText">True if nothing came before it, not even a special token.</param>
    /// <param name="output">What is appended to.</param>
    public abstract void Encode(string text, bool beginsText, List<int> output);
}

/// <summary>Cuts the text into pieces and gives each to a <see cref="PieceEncoder"/>.</summary>
/// <param name="file">The file the steps came from, for messages.</param>
/// <param name="steps">How the text is cut.</param>
/// <param name="pieces">Pieces to ids.</param>
internal sealed class CuttingEncoder(string file, IReadOnlyList<PreTokenizer> steps, PieceEncoder pieces) : TextEncoder
{
    public override void Encode(string text, bool beginsText, List<int> output)
    {
        var cut = new CutText(text, beginsText);
        try
        {
            foreach (PreTokenizer step in steps)
            {
                step.Apply(cut);
            }
        }
        catch (PatternException e)
        {
            throw new ModelFormatException(file, "pre_tokenizer", e.Message, "Use a tokenizer with a simpler pattern", e);
        }

        foreach (Piece piece in cut.Pieces)
        {
            pieces.Encode(cut.Text.AsSpan(piece.Start, piece.Length), cut.IsInByteAlphabet, output);
        }
    }
}
