namespace AdaEagle.Tokenization.PreTokenization;

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
