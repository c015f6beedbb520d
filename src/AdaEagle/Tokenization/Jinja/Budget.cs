using System.Runtime.CompilerServices;

namespace AdaEagle.Tokenization.Jinja;

/// <summary>
/// What one rendering may use up. A template is code from a model file, so every step, character, item and level is charged here before it is spent;
/// going over is an error of the template. The allowances grow with the request: a long conversation may take long, a short one may not.
/// </summary>
internal sealed class Budget
{
    /// <summary>Levels that expressions, statements and macro calls may nest in.</summary>
    public const int MaximumDepth = 1500;

    /// <summary>Binary digits of an integer; about the 4300 decimal digits that Python prints.</summary>
    public const int MaximumBits = 14_284;

    private readonly long _maximumText;
    private long _steps;
    private long _text;
    private long _items;
    private int _depth;

    /// <summary>Allowances for a request of so many JSON values that hold so many characters.</summary>
    public Budget(long requestValues, long requestCharacters)
    {
        _steps = 300_000 + 10_000 * requestValues + 2 * requestCharacters;
        _items = 500_000 + 1_000 * requestValues + requestCharacters;
        _maximumText = 2_000_000 + 4 * requestCharacters;
        _text = 8_000_000 + 64 * requestCharacters;
    }

    /// <summary>Charges work: about one evaluated node each.</summary>
    public void Step(long count = 1)
    {
        if ((_steps -= count) < 0)
        {
            throw new ChatTemplateException("The template takes too many steps for this conversation; is there an endless loop in it?");
        }
    }

    /// <summary>Charges a string of <paramref name="length"/> UTF-16 units that is about to be made.</summary>
    public void Text(long length)
    {
        Step(1 + length / 64);
        if (length > _maximumText || (_text -= length) < 0)
        {
            throw new ChatTemplateException("The template makes more text than a conversation of this size can need.");
        }
    }

    /// <summary>Charges a collection of <paramref name="count"/> items that is about to be made.</summary>
    public void Items(long count)
    {
        Step(1 + count / 16);
        if ((_items -= count) < 0)
        {
            throw new ChatTemplateException("The template makes longer lists than a conversation of this size can need.");
        }
    }

    /// <summary>Refuses a text that has grown too long; its parts are charged already.</summary>
    public void CheckLength(long length)
    {
        if (length > _maximumText)
        {
            throw new ChatTemplateException("The template makes more text than a conversation of this size can need.");
        }
    }

    /// <summary>One level deeper; <see cref="Leave"/> when it is done. An error needs no Leave: it ends the rendering.</summary>
    public void Enter()
    {
        if (++_depth > MaximumDepth || !RuntimeHelpers.TryEnsureSufficientExecutionStack())
        {
            throw new ChatTemplateException("The template nests too deep; does a macro call itself without end?");
        }
    }

    /// <summary>Back from a level.</summary>
    public void Leave() => _depth--;
}
