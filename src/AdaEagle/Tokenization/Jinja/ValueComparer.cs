using System.Diagnostics.CodeAnalysis;
using System.Numerics;

namespace AdaEagle.Tokenization.Jinja;

/// <summary>Equality, order and membership as Python has them. Every step into nested values is charged, for they may share parts and so be endless to walk.</summary>
internal sealed class ValueComparer(Budget budget) : IEqualityComparer<Value>
{
    /// <summary>Whether <c>left operation right</c>, for <c>== != &lt; &lt;= &gt; &gt;= in</c> and <c>not in</c>.</summary>
    public bool Holds(string operation, Value left, Value right) => operation switch
    {
        "==" => Equals(left, right),
        "!=" => !Equals(left, right),
        "in" => Contains(right, left),
        "not in" => !Contains(right, left),
        _ => IsOrdered(operation, left, right),
    };

    /// <summary>Python's <c>==</c>: numbers by value (True is 1), texts, lists and dictionaries by content, anything else by identity.</summary>
    public bool Equals(Value? left, Value? right)
    {
        budget.Step();
        if (ReferenceEquals(left, right))
        {
            return left is not FloatValue { Number: double.NaN };
        }

        switch (left, right)
        {
            case (TextValue a, TextValue b):
                budget.Step(a.Text.Length / 64);
                return a.Text == b.Text;
            case (ListValue a, ListValue b):
                return EqualItems(a.Elements, b.Elements);
            case (TupleValue a, TupleValue b):
                return EqualItems(a.Elements, b.Elements);
            case (DictValue a, DictValue b):
                return EqualEntries(a, b);
            case (RangeValue a, RangeValue b):
                return a.Length == b.Length && (a.Length == 0 || (a.Start == b.Start && (a.Length == 1 || a.Step == b.Step)));
            case (UndefinedValue, UndefinedValue) or (NoneValue, NoneValue):
                return true;
            default:
                return Numbers.IsNumber(left) && Numbers.IsNumber(right) && Numbers.Compare(left, right) == 0;
        }
    }

    /// <summary>A hash for dictionary keys; an error for values that Python cannot hash.</summary>
    public int GetHashCode([DisallowNull] Value value)
    {
        budget.Step();
        switch (value)
        {
            case TextValue text:
                budget.Step(text.Text.Length / 64);
                return text.Text.GetHashCode(StringComparison.Ordinal);
            case IntValue or BoolValue or FloatValue:
                return Numbers.Hash(value);
            case NoneValue or UndefinedValue:
                return value.GetType().GetHashCode();
            case TupleValue tuple:
                budget.Enter();
                HashCode hash = new();
                foreach (Value item in tuple.Elements)
                {
                    hash.Add(GetHashCode(item));
                }

                budget.Leave();
                return hash.ToHashCode();
            case RangeValue range:
                return HashCode.Combine(range.Length);
            case ListValue or DictValue or ViewValue:
                throw new ChatTemplateException($"unhashable type: '{value.TypeName}'.");
            default:
                return System.Runtime.CompilerServices.RuntimeHelpers.GetHashCode(value);
        }
    }

    /// <summary>Python's <c>&lt;</c>, which sorting uses.</summary>
    public bool IsLess(Value left, Value right) => IsOrdered("<", left, right);

    /// <summary><c>item in container</c></summary>
    public bool Contains(Value container, Value item)
    {
        switch (container)
        {
            case TextValue text:
                TextValue part = item as TextValue
                    ?? throw new ChatTemplateException($"'in <string>' requires string as left operand, not {item.TypeName}.");
                return TextSearch.First(budget, text.Text, part.Text) >= 0;
            case DictValue dict:
                return dict.Entries.ContainsKey(item);
            case { Items: IEnumerable<Value> items }:
                return items.Any(candidate => Equals(candidate, item));
            default:
                throw new ChatTemplateException($"argument of type '{container.TypeName}' is not iterable.");
        }
    }

    private bool IsOrdered(string operation, Value left, Value right)
    {
        budget.Step();
        switch (left, right)
        {
            case (TextValue a, TextValue b):
                budget.Step(Math.Min(a.Text.Length, b.Text.Length) / 16);
                return Holds(operation, CompareCodePoints(a.Text, b.Text));
            case (ListValue a, ListValue b):
                return IsOrdered(operation, a.Elements, b.Elements);
            case (TupleValue a, TupleValue b):
                return IsOrdered(operation, a.Elements, b.Elements);
            default:
                if ((left as UndefinedValue ?? right as UndefinedValue) is UndefinedValue undefined)
                {
                    throw undefined.Error();
                }

                if (Numbers.IsNumber(left) && Numbers.IsNumber(right))
                {
                    return Numbers.Compare(left, right) is int order && Holds(operation, order);
                }

                throw new ChatTemplateException($"'{operation}' not supported between instances of '{left.TypeName}' and '{right.TypeName}'.");
        }
    }

    private bool IsOrdered(string operation, IReadOnlyList<Value> left, IReadOnlyList<Value> right)
    {
        budget.Enter();
        int same = 0;
        int shorter = Math.Min(left.Count, right.Count);
        while (same < shorter && Equals(left[same], right[same]))
        {
            same++;
        }

        bool ordered = same < shorter ? IsOrdered(operation, left[same], right[same]) : Holds(operation, left.Count.CompareTo(right.Count));
        budget.Leave();
        return ordered;
    }

    private bool EqualItems(IReadOnlyList<Value> left, IReadOnlyList<Value> right)
    {
        if (left.Count != right.Count)
        {
            return false;
        }

        budget.Enter();
        bool same = true;
        for (int i = 0; i < left.Count && same; i++)
        {
            same = Equals(left[i], right[i]);
        }

        budget.Leave();
        return same;
    }

    private bool EqualEntries(DictValue left, DictValue right)
    {
        if (left.Entries.Count != right.Entries.Count)
        {
            return false;
        }

        budget.Enter();
        bool same = left.Entries.All(entry => right.Entries.TryGetValue(entry.Key, out Value? other) && Equals(entry.Value, other));
        budget.Leave();
        return same;
    }

    private static bool Holds(string operation, int order) => operation switch
    {
        "<" => order < 0,
        "<=" => order <= 0,
        ">" => order > 0,
        _ => order >= 0,
    };

    // UTF-16 order is code point order except that surrogates sort before U+E000..U+FFFF.
    private static int CompareCodePoints(string left, string right)
    {
        int same = left.AsSpan().CommonPrefixLength(right);
        if (same == left.Length || same == right.Length)
        {
            return left.Length.CompareTo(right.Length);
        }

        (char a, char b) = (left[same], right[same]);
        return char.IsSurrogate(a) == char.IsSurrogate(b) ? a.CompareTo(b) : char.IsSurrogate(a) && b >= '\ue000' ? 1 : char.IsSurrogate(b) && a >= '\ue000' ? -1 : a.CompareTo(b);
    }
}
