using System.Numerics;

namespace AdaEagle.Tokenization.Jinja;

/// <summary>
/// A value of a template. These classes are all that a template can reach: nothing of .NET is looked up by name.
/// Lists and dictionaries never change once made (the sandbox refuses the methods that would), so no value but a namespace can hold itself.
/// </summary>
internal abstract class Value
{
    /// <summary>Python's name of the type, for messages.</summary>
    public abstract string TypeName { get; }

    /// <summary>Python's truth of the value.</summary>
    public virtual bool IsTrue => true;

    /// <summary><c>len()</c>; null where the value has none.</summary>
    public virtual int? Length => null;

    /// <summary>The items that a loop sees; null where the value cannot be iterated.</summary>
    public virtual IEnumerable<Value>? Items => null;
}

/// <summary>What an unknown name or item gives: prints as nothing, counts as empty, and fails with its message wherever it is used.</summary>
internal sealed class UndefinedValue(string? hint, Value? owner = null, Value? name = null, bool isUnsafe = false) : Value
{
    public override string TypeName => "Undefined";

    public override bool IsTrue => false;

    public override int? Length => 0;

    public override IEnumerable<Value> Items => [];

    /// <summary>True for an attribute that exists in Python and that the sandbox hides.</summary>
    public bool IsUnsafe => isUnsafe;

    public static UndefinedValue OfName(string name) => new($"'{name}' is undefined");

    public ChatTemplateException Error() => new(Message + ".");

    private string Message
    {
        get
        {
            if (hint is not null)
            {
                return hint;
            }

            string type = owner is NoneValue ? "None" : $"{owner?.TypeName} object";
            return name is TextValue text
                ? $"'{type}' has no attribute '{ChatTemplateException.Shorten(text.Text)}'"
                : $"{type} has no element {(name is IntValue number ? number.Number.ToString(System.Globalization.CultureInfo.InvariantCulture) : name?.TypeName)}";
        }
    }
}

internal sealed class NoneValue : Value
{
    public static readonly NoneValue Instance = new();

    public override string TypeName => "NoneType";

    public override bool IsTrue => false;
}

internal sealed class BoolValue : Value
{
    public static readonly BoolValue True = new();
    public static readonly BoolValue False = new();

    public override string TypeName => "bool";

    public override bool IsTrue => ReferenceEquals(this, True);

    public static BoolValue Of(bool value) => value ? True : False;
}

internal sealed class IntValue : Value
{
    private static readonly IntValue[] s_small = [.. Enumerable.Range(0, 1024).Select(i => new IntValue(i))];

    private IntValue(BigInteger number) => Number = number;

    public BigInteger Number { get; }

    public override string TypeName => "int";

    public override bool IsTrue => !Number.IsZero;

    public static IntValue Of(BigInteger number) =>
        number.Sign >= 0 && number < s_small.Length ? s_small[(int)number]
        : number.GetBitLength() > Budget.MaximumBits ? throw new ChatTemplateException("The template computes an integer of more than 4300 digits.")
        : new IntValue(number);
}

internal sealed class FloatValue(double number) : Value
{
    public double Number => number;

    public override string TypeName => "float";

    public override bool IsTrue => number != 0;
}

/// <summary>A string. It counts in code points where Python does. <paramref name="isMarkup"/>: HTML, not to be escaped again.</summary>
internal sealed class TextValue(string text, bool isMarkup = false) : Value
{
    public static readonly TextValue Empty = new("");

    private int _codePoints = -1;
    private int[]? _offsets;

    public string Text => text;

    public bool IsMarkup => isMarkup;

    public override string TypeName => isMarkup ? "Markup" : "str";

    public override bool IsTrue => text.Length > 0;

    public override int? Length => CodePoints;

    public int CodePoints => _codePoints >= 0 ? _codePoints : _codePoints = Unicode.CountCodePoints(text);

    public override IEnumerable<Value> Items => Enumerable.Range(0, CodePoints).Select(i => new TextValue(Slice(i, i + 1)));

    /// <summary>Another text of the same kind.</summary>
    public TextValue With(string other) => new(other, isMarkup);

    /// <summary>The code points from <paramref name="start"/> up to <paramref name="end"/>, both within the text.</summary>
    public string Slice(int start, int end) => text[OffsetOf(start)..OffsetOf(end)];

    /// <summary>The place in UTF-16 of a code point.</summary>
    public int OffsetOf(int codePoint) => CodePoints == text.Length ? codePoint : Offsets[codePoint];

    /// <summary>The code point that begins at a place in UTF-16.</summary>
    public int CodePointAt(int offset) => CodePoints == text.Length ? offset : Array.BinarySearch(Offsets, offset);

    private int[] Offsets
    {
        get
        {
            if (_offsets is null)
            {
                int[] offsets = new int[CodePoints + 1];
                int at = 0;
                for (int i = 0; i < offsets.Length; i++)
                {
                    offsets[i] = at;
                    at += at + 1 < text.Length && char.IsSurrogatePair(text[at], text[at + 1]) ? 2 : 1;
                }

                _offsets = offsets;
            }

            return _offsets;
        }
    }
}

/// <summary>A list or a tuple.</summary>
internal abstract class SequenceValue(IReadOnlyList<Value> elements) : Value
{
    public IReadOnlyList<Value> Elements => elements;

    public override bool IsTrue => elements.Count > 0;

    public override int? Length => elements.Count;

    public override IEnumerable<Value> Items => elements;

    /// <summary>Another sequence of the same kind.</summary>
    public abstract SequenceValue With(IReadOnlyList<Value> other);
}

internal sealed class ListValue(IReadOnlyList<Value> elements) : SequenceValue(elements)
{
    public override string TypeName => "list";

    public override SequenceValue With(IReadOnlyList<Value> other) => new ListValue(other);
}

internal sealed class TupleValue(params IReadOnlyList<Value> elements) : SequenceValue(elements)
{
    /// <summary>Names of the first elements, where it is a named tuple (what <c>groupby</c> gives).</summary>
    public string[] Names { get; init; } = [];

    public override string TypeName => "tuple";

    public override SequenceValue With(IReadOnlyList<Value> other) => new TupleValue(other);
}

/// <summary>A dictionary in the order of insertion. It is filled while it is made, then left alone.</summary>
internal sealed class DictValue(ValueComparer comparer) : Value
{
    public OrderedDictionary<Value, Value> Entries { get; } = new(comparer);

    public override string TypeName => "dict";

    public override bool IsTrue => Entries.Count > 0;

    public override int? Length => Entries.Count;

    public override IEnumerable<Value> Items => Entries.Keys;

    public Value? Find(string key) => Entries.GetValueOrDefault(new TextValue(key));

    public void Set(string key, Value value) => Entries[new TextValue(key)] = value;
}

/// <summary><c>dict.keys()</c>, <c>values()</c> and <c>items()</c>.</summary>
internal sealed class ViewValue(string kind, IReadOnlyList<Value> elements) : Value
{
    public IReadOnlyList<Value> Elements => elements;

    public override string TypeName => "dict_" + kind;

    public override bool IsTrue => elements.Count > 0;

    public override int? Length => elements.Count;

    public override IEnumerable<Value> Items => elements;
}

/// <summary>What <c>range()</c> makes: numbers that are counted out when asked for.</summary>
internal sealed class RangeValue(BigInteger start, BigInteger step, int count) : Value
{
    public BigInteger Start => start;

    public BigInteger Step => step;

    public required BigInteger Stop { get; init; }

    public override string TypeName => "range";

    public override bool IsTrue => count > 0;

    public override int? Length => count;

    public override IEnumerable<Value> Items => Enumerable.Range(0, count).Select(At);

    public Value At(int index) => IntValue.Of(start + step * index);
}

/// <summary>A generator: lazy, and used up by whoever reads it first. Nested ones charge their depth.</summary>
internal sealed class IteratorValue(Budget budget, IEnumerable<Value> source) : Value
{
    private readonly IEnumerator<Value> _source = source.GetEnumerator();

    public override string TypeName => "generator";

    public override IEnumerable<Value> Items
    {
        get
        {
            while (TryNext(out Value next))
            {
                yield return next;
            }
        }
    }

    private bool TryNext(out Value next)
    {
        budget.Enter();
        bool any = _source.MoveNext();
        next = any ? _source.Current : NoneValue.Instance;
        budget.Leave();
        return any;
    }
}

/// <summary>What <c>namespace()</c> makes: the only value that a template can change.</summary>
internal sealed class NamespaceValue : Value
{
    public Dictionary<string, Value> Attributes { get; } = [];

    public override string TypeName => "Namespace";

    /// <summary>Sets an attribute; transformers refuses names that begin with an underscore.</summary>
    public void Set(string name, Value value)
    {
        if (name.StartsWith('_'))
        {
            throw new ChatTemplateException(
                $"Chat templates cannot store underscore-prefixed attributes on a namespace, but got '{name}'. Please rename the attribute.");
        }

        Attributes[name] = value;
    }
}
