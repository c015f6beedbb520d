using AdaEagle.Tokenization.Loading;
using AdaEagle.Tokenization.Patterns;

namespace AdaEagle.Tokenization.PreTokenization;

/// <summary>SentencePiece's view of spaces (<c>Metaspace</c>): a mark stands for each, perhaps one more in front, and perhaps words are cut before marks.</summary>
/// <param name="mark">What stands for a space.</param>
/// <param name="prepends">Where a mark is put in front of a piece that does not begin with one.</param>
/// <param name="split">Cuts before every mark.</param>
internal sealed class MetaspacePreTokenizer(string mark, PrependScheme prepends, bool split) : PreTokenizer
{
    private readonly SplitPreTokenizer? _split = split ? new SplitPreTokenizer(Pattern.Literal(mark), SeparatorBehavior.MergedWithNext, invert: false) : null;

    public override void Apply(CutText text)
    {
        bool first = text.BeginsText;
        text.Rewrite((piece, output) =>
        {
            bool prepend = prepends == PrependScheme.Always || (prepends == PrependScheme.First && first);
            first = false;
            int start = output.Length;
            if (prepend && !(piece[0] == ' ' || piece.StartsWith(mark, StringComparison.Ordinal)))
            {
                output.Append(mark);
                start = output.Length;
            }

            output.Append(piece).Replace(" ", mark, start, piece.Length);
        });
        _split?.Apply(text);
    }
}
