using AdaEagle.Tokenization.Patterns;

namespace AdaEagle.Tokenization.PreTokenization;

/// <summary>One step of cutting a text into pieces. Immutable.</summary>
internal abstract class PreTokenizer
{
    /// <summary>Cuts the pieces further or rewrites them.</summary>
    public abstract void Apply(CutText text);
}

/// <summary>What becomes of a separator that was found (<c>behavior</c> of Hugging Face's Split).</summary>
internal enum SeparatorBehavior
{
    /// <summary>It is dropped.</summary>
    Removed,

    /// <summary>It is a piece of its own.</summary>
    Isolated,

    /// <summary>It belongs to the piece before it.</summary>
    MergedWithPrevious,

    /// <summary>It belongs to the piece after it.</summary>
    MergedWithNext,

    /// <summary>It is a piece, together with separators that follow at once.</summary>
    Contiguous,
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

/// <summary>Joins separators and what is between them into parts, as a <see cref="SeparatorBehavior"/> says.</summary>
internal ref struct SeparatorCutter(SeparatorBehavior behavior, List<Piece> parts)
{
    private bool _lastWasSeparator;
    private Piece? _held;

    /// <summary>Takes the next stretch; they follow each other without gaps.</summary>
    public void Add(Piece stretch, bool isSeparator)
    {
        switch (behavior)
        {
            case SeparatorBehavior.Removed:
                if (!isSeparator)
                {
                    parts.Add(stretch);
                }

                break;
            case SeparatorBehavior.Isolated:
                parts.Add(stretch);
                break;
            case SeparatorBehavior.MergedWithPrevious:
                Join(stretch, join: isSeparator && !_lastWasSeparator);
                break;
            case SeparatorBehavior.Contiguous:
                Join(stretch, join: isSeparator == _lastWasSeparator);
                break;
            default:
                AddMergedWithNext(stretch, isSeparator);
                break;
        }

        _lastWasSeparator = isSeparator;
    }

    /// <summary>To be called after the last stretch.</summary>
    public void Finish()
    {
        if (_held is { } held)
        {
            parts.Add(held);
            _held = null;
        }
    }

    private readonly void Join(Piece stretch, bool join)
    {
        if (join && parts.Count > 0)
        {
            parts[^1] = new Piece(parts[^1].Start, stretch.End - parts[^1].Start);
        }
        else
        {
            parts.Add(stretch);
        }
    }

    /// <summary>Of several separators in a row only the last joins what comes next, so each is held back for one stretch.</summary>
    private void AddMergedWithNext(Piece stretch, bool isSeparator)
    {
        if (isSeparator)
        {
            Finish();
            _held = stretch;
        }
        else
        {
            parts.Add(_held is { } held ? new Piece(held.Start, stretch.End - held.Start) : stretch);
            _held = null;
        }
    }
}

/// <summary>GPT-2's step to bytes (<c>ByteLevel</c>): perhaps a space in front, perhaps its own split, then the byte-level alphabet.</summary>
internal sealed class ByteLevelPreTokenizer(bool addPrefixSpace, bool useRegex) : PreTokenizer
{
    /// <summary>How GPT-2 cuts text: English contractions, words, numbers, other signs, white space.</summary>
    private static readonly Lazy<SplitPreTokenizer> _split = new(() => new SplitPreTokenizer(
        Pattern.Parse(@"'s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+"), SeparatorBehavior.Isolated, invert: false));

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
