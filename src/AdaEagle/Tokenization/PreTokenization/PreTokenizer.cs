using AdaEagle.Tokenization.Patterns;

namespace AdaEagle.Tokenization.PreTokenization;

/// <summary>One step of cutting a text into pieces. Immutable.</summary>
internal abstract class PreTokenizer
{
    /// <summary>Cuts the pieces further or rewrites them.</summary>
    public abstract void Apply(CutText text);
}

/// <summary>Cuts where a pattern matches (<c>Split</c>; <c>Digits</c> and <c>Punctuation</c> are patterns too).</summary>
/// <param name="pattern">What a separator is; with <paramref name="invert"/>, what is between separators.</param>
/// <param name="behavior">What becomes of separators.</param>
/// <param name="invert">Matches and what lies between them change places.</param>
internal sealed class SplitPreTokenizer(Pattern pattern, SeparatorBehavior behavior, bool invert) : PreTokenizer
{
    public override void Apply(CutText text)
    {
        List<Piece> matches = [];
        text.Cut((piece, parts) =>
        {
            matches.Clear();
            pattern.FindAll(piece, matches);
            var cutter = new SeparatorCutter(behavior, parts);
            int end = 0;
            foreach (Piece match in matches)
            {
                if (match.Start > end)
                {
                    cutter.Add(new Piece(end, match.Start - end), isSeparator: invert);
                }

                cutter.Add(match, isSeparator: !invert);
                end = match.End;
            }

            if (piece.Length > end)
            {
                cutter.Add(new Piece(end, piece.Length - end), isSeparator: invert);
            }

            cutter.Finish();
        });
    }
}

/// <summary>GPT-2's step to bytes (<c>ByteLevel</c>): perhaps a space in front, perhaps its own split, then the byte-level alphabet.</summary>
internal sealed class ByteLevelPreTokenizer(bool addPrefixSpace, bool useRegex) : PreTokenizer
{
    /// <summary>How GPT-2 cuts text: English contractions, words, numbers, other signs, white space.</summary>
    public const string Gpt2Pattern = @"'s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+";

    private static readonly Lazy<SplitPreTokenizer> _split = new(() => new SplitPreTokenizer(
        Pattern.Parse(Gpt2Pattern), SeparatorBehavior.Isolated, invert: false));

    public override void Apply(CutText text)
    {
        if (addPrefixSpace)
        {
            text.Rewrite(static (piece, output) => output.Append(piece[0] == ' ' ? "" : " ").Append(piece));
        }

        if (useRegex)
        {
            _split.Value.Apply(text);
        }

        text.SpellBytes();
    }
}
