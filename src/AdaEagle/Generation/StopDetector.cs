using System.Text;

namespace AdaEagle.Generation;

/// <summary>
/// Collects text and finds where a stop string first appears, also across pieces. What might be the beginning of a stop string is held back.
/// </summary>
internal sealed class StopDetector
{
    private readonly StringBuilder _text = new();
    private IReadOnlyList<string> _stops = [];
    private int _released;
    private int _longest;

    /// <summary>True once a stop string has appeared; nothing is released after it.</summary>
    public bool Stopped { get; private set; }

    /// <summary>Characters so far.</summary>
    public int Length => _text.Length;

    /// <summary>All text so far, a stop string and what followed it left out.</summary>
    public string Text => _text.ToString();

    public void Reset(IReadOnlyList<string> stops)
    {
        _text.Clear();
        _stops = stops;
        _longest = stops.Count == 0 ? 0 : stops.Max(stop => stop.Length);
        _released = 0;
        Stopped = false;
    }

    /// <summary>Takes a piece and returns the text that can be shown now.</summary>
    public string Append(string piece)
    {
        int before = _text.Length;
        _text.Append(piece);
        if (_stops.Count == 0)
        {
            _released = _text.Length;
            return piece;
        }

        // A stop string that ends in the new piece begins at most its length minus one before it.
        int from = Math.Max(before - _longest + 1, 0);
        string window = _text.ToString(from, _text.Length - from);
        int first = -1;
        foreach (string stop in _stops)
        {
            int at = window.IndexOf(stop, StringComparison.Ordinal);
            if (at >= 0 && (first < 0 || at < first))
            {
                first = at;
            }
        }

        if (first >= 0)
        {
            Stopped = true;
            _text.Length = from + first;
            return Release(_text.Length);
        }

        return Release(_text.Length - HeldBack(window));
    }

    /// <summary>What was held back: the output has ended.</summary>
    public string Flush() => Release(_text.Length);

    private string Release(int until)
    {
        if (until <= _released)
        {
            return "";
        }

        string text = _text.ToString(_released, until - _released);
        _released = until;
        return text;
    }

    // The longest end of the text that is a proper beginning of a stop string.
    private int HeldBack(string window)
    {
        for (int length = Math.Min(_longest - 1, window.Length); length > 0; length--)
        {
            ReadOnlySpan<char> end = window.AsSpan(window.Length - length);
            foreach (string stop in _stops)
            {
                if (stop.Length > length && stop.AsSpan(0, length).SequenceEqual(end))
                {
                    return length;
                }
            }
        }

        return 0;
    }
}
