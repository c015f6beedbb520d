using System.Text;

namespace AdaEagle.Tokenization.Jinja;

/// <summary>Makes the texts of a rendering, each character charged to the budget before it is there.</summary>
internal sealed class TextBuilder(Budget budget)
{
    private readonly StringBuilder _text = new();

    public int Length => _text.Length;

    public TextBuilder Append(string text)
    {
        Charge(text.Length);
        _text.Append(text);
        return this;
    }

    public TextBuilder Append(ReadOnlySpan<char> text)
    {
        Charge(text.Length);
        _text.Append(text);
        return this;
    }

    public TextBuilder Append(char c)
    {
        Charge(1);
        _text.Append(c);
        return this;
    }

    /// <summary>Appends <paramref name="text"/> <paramref name="count"/> times; nothing for a negative count.</summary>
    public TextBuilder Append(string text, long count)
    {
        if (count > 0 && text.Length > 0)
        {
            // In floating point, since the product may overflow.
            budget.Text((long)Math.Min((double)text.Length * count, long.MaxValue / 2));
            budget.CheckLength(_text.Length + text.Length * count);
            _text.Insert(_text.Length, text, (int)count);
        }

        return this;
    }

    public override string ToString() => _text.ToString();

    private void Charge(int length)
    {
        budget.Text(length);
        budget.CheckLength((long)_text.Length + length);
    }
}
