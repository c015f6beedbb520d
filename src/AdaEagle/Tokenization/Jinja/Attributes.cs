using System.Collections.Frozen;
using System.Numerics;
using System.Text;

namespace AdaEagle.Tokenization.Jinja;

/// <summary>
/// <c>value.name</c>, <c>value[key]</c> and slices, as the sandbox of Jinja resolves them. Attributes are the methods listed here and nothing else;
/// what Python has and a template may not touch (dunder names, methods that change a list) gives an undefined value that fails when used.
/// </summary>
internal static class Attributes
{
    private static readonly FrozenSet<string> s_listChanges = ["append", "clear", "extend", "insert", "pop", "remove", "reverse", "sort"];
    private static readonly FrozenSet<string> s_dictChanges = ["clear", "pop", "popitem", "setdefault", "update"];

    /// <summary><c>target.name</c>: the attribute, else the item of that name, else undefined.</summary>
    public static Value Get(Value target, string name) =>
        target is UndefinedValue undefined ? throw undefined.Error()
        : FindAttribute(target, name) ?? (target is DictValue dict ? dict.Find(name) : null) ?? Missing(target, new TextValue(name));

    /// <summary><c>target[key]</c>: the item, else the attribute of that name, else undefined.</summary>
    public static Value GetItem(Value target, Value key)
    {
        Value? item = target switch
        {
            UndefinedValue undefined => throw undefined.Error(),
            DictValue dict => IsHashable(key) ? dict.Entries.GetValueOrDefault(key) : null,
            SequenceValue sequence => At(key, sequence.Elements.Count, index => sequence.Elements[index]),
            TextValue text => At(key, text.CodePoints, index => text.With(text.Slice(index, index + 1))),
            RangeValue range => At(key, range.Length!.Value, range.At),
            _ => null,
        };
        return item ?? (key is TextValue name ? FindAttribute(target, name.Text) : null) ?? Missing(target, key);
    }

    /// <summary>The attribute alone, without falling back to an item: the filter <c>attr</c>.</summary>
    public static Value GetOnlyAttribute(Value target, string name)
    {
        if (target is UndefinedValue)
        {
            return IsDunder(name) ? Missing(target, new TextValue(name)) : FindAttribute(target, name)!;
        }

        return FindAttribute(target, name) ?? Missing(target, new TextValue(name));
    }

    /// <summary><c>target[start:stop:step]</c> of a text, a list, a tuple or a range.</summary>
    public static Value GetSlice(Interpreter run, Value target, Value? start, Value? stop, Value? step)
    {
        if (target is UndefinedValue undefined)
        {
            throw undefined.Error();
        }

        if (target is not (TextValue or SequenceValue or RangeValue))
        {
            throw new ChatTemplateException(target is DictValue ? "unhashable type: 'slice'." : $"'{target.TypeName}' object is not subscriptable.");
        }

        int length = target.Length!.Value;
        long by = step is null ? 1 : Index(step);
        if (by == 0)
        {
            throw new ChatTemplateException("slice step cannot be zero.");
        }

        long first = by > 0 ? 0 : -1;
        long last = by > 0 ? length : length - 1;
        long from = start is null ? (by > 0 ? first : last) : Clamp(Index(start), length, first, last);
        long to = stop is null ? (by > 0 ? last : first) : Clamp(Index(stop), length, first, last);
        long distance = by > 0 ? to - from : from - to;
        int count = distance <= 0 ? 0 : (int)((distance - 1) / Math.Min(Math.Abs(Math.Max(by, -int.MaxValue)), int.MaxValue) + 1);
        switch (target)
        {
            case RangeValue range:
                return new RangeValue(range.Start + range.Step * from, range.Step * by, count) { Stop = range.Start + range.Step * to };
            case SequenceValue sequence:
                run.Budget.Items(count);
                Value[] items = new Value[count];
                for (int i = 0; i < count; i++)
                {
                    items[i] = sequence.Elements[(int)(from + i * by)];
                }

                return sequence.With(items);
            default:
                TextValue text = (TextValue)target;
                if (by == 1)
                {
                    run.Budget.Text(count);
                    return text.With(count == 0 ? "" : text.Slice((int)from, (int)to));
                }

                run.Budget.Text(2L * count);
                StringBuilder picked = new(count);
                for (int i = 0; i < count; i++)
                {
                    int at = (int)(from + i * by);
                    picked.Append(text.Text, text.OffsetOf(at), text.OffsetOf(at + 1) - text.OffsetOf(at));
                }

                return text.With(picked.ToString());
        }
    }

    private static Value? FindAttribute(Value target, string name)
    {
        bool isUnsafe = IsDunder(name) || target switch
        {
            ListValue => s_listChanges.Contains(name),
            DictValue => s_dictChanges.Contains(name),
            _ => false,
        };
        if (isUnsafe && !(target is DictValue dict && IsDunder(name) && dict.Find(name) is not null))
        {
            return new UndefinedValue($"access to attribute '{ChatTemplateException.Shorten(name)}' of '{target.TypeName}' object is unsafe", target, new TextValue(name), isUnsafe: true);
        }

        return target switch
        {
            UndefinedValue undefined => throw undefined.Error(),
            TextValue => BoundMethod(TextMethods.Table, target, name),
            SequenceValue sequence => BoundMethod(CollectionMethods.OfSequence, target, name)
                ?? (sequence is TupleValue tuple && Array.IndexOf(tuple.Names, name) is var at and >= 0 ? tuple.Elements[at] : null),
            DictValue => BoundMethod(CollectionMethods.OfDict, target, name),
            RangeValue range => name switch
            {
                "start" => IntValue.Of(range.Start),
                "stop" => IntValue.Of(range.Stop),
                "step" => IntValue.Of(range.Step),
                _ => BoundMethod(CollectionMethods.OfSequence, target, name),
            },
            IntValue or BoolValue or FloatValue => NumberMethods.Find(target, name),
            NamespaceValue space => space.Attributes.GetValueOrDefault(name),
            LoopValue loop => LoopAttributes.Find(loop, name),
            MacroValue macro => LoopAttributes.Find(macro, name),
            CyclerValue cycler => LoopAttributes.Find(cycler, name),
            BlocksValue blocks => blocks.Find(name),
            _ => null,
        };
    }

    private static FunctionValue? BoundMethod(FrozenDictionary<string, Method> methods, Value target, string name) =>
        methods.TryGetValue(name, out Method? method)
            ? new FunctionValue("builtin_function_or_method", (run, arguments) => method(run, target, arguments))
            : null;

    private static UndefinedValue Missing(Value target, Value name) => new(null, target, name);

    // Python's own attributes; every value has some, and none is for templates.
    private static bool IsDunder(string name) => name.Length > 4 && name.StartsWith("__", StringComparison.Ordinal) && name.EndsWith("__", StringComparison.Ordinal);

    private static bool IsHashable(Value key) => key is not (ListValue or DictValue or ViewValue);

    private static Value? At(Value key, int length, Func<int, Value> get)
    {
        if (!Numbers.TryInt(key, out BigInteger index))
        {
            return null;
        }

        index += index.Sign < 0 ? length : 0;
        return index.Sign >= 0 && index < length ? get((int)index) : null;
    }

    private static long Index(Value value) => value is UndefinedValue undefined ? throw undefined.Error()
        : Numbers.TryInt(value, out BigInteger number) ? (long)BigInteger.Max(-int.MaxValue, BigInteger.Min(int.MaxValue, number))
        : throw new ChatTemplateException("slice indices must be integers or None or have an __index__ method.");

    private static long Clamp(long index, int length, long first, long last) => Math.Clamp(index < 0 ? index + length : index, first, last);
}

/// <summary>Attributes of the values that the engine itself makes: <c>loop</c>, macros, cyclers.</summary>
internal static class LoopAttributes
{
    public static Value? Find(LoopValue loop, string name) => name switch
    {
        "index" => IntValue.Of(loop.Index0 + 1),
        "index0" => IntValue.Of(loop.Index0),
        "revindex" => IntValue.Of(loop.Count - loop.Index0),
        "revindex0" => IntValue.Of(loop.Count - loop.Index0 - 1),
        "first" => BoolValue.Of(loop.Index0 == 0),
        "last" => BoolValue.Of(loop.Following is null),
        "length" => IntValue.Of(loop.Count),
        "depth" => IntValue.Of(loop.Depth0 + 1),
        "depth0" => IntValue.Of(loop.Depth0),
        "previtem" => loop.Previous ?? new UndefinedValue("there is no previous item"),
        "nextitem" => loop.Following ?? new UndefinedValue("there is no next item"),
        "cycle" => new FunctionValue("method", (_, arguments) =>
            arguments.Positional(0) is { Length: > 0 } items ? items[loop.Index0 % items.Length] : throw new ChatTemplateException("no items for cycling given.")),
        "changed" => new FunctionValue("method", (_, arguments) => BoolValue.Of(loop.Changed(arguments.Positional(0)))),
        _ => null,
    };

    public static Value? Find(MacroValue macro, string name) => name switch
    {
        "name" => macro.Name is null ? NoneValue.Instance : new TextValue(macro.Name),
        "arguments" => new TupleValue([.. macro.Signature.Names.Select(argument => new TextValue(argument))]),
        "catch_kwargs" => BoolValue.Of(macro.Signature.TakesKwargs),
        "catch_varargs" => BoolValue.Of(macro.Signature.TakesVarargs),
        "caller" => BoolValue.Of(macro.Signature.TakesCaller),
        _ => null,
    };

    public static Value? Find(CyclerValue cycler, string name) => name switch
    {
        "next" => new FunctionValue("method", (_, arguments) => arguments.Positional(0, 0) is var _ ? cycler.Next() : NoneValue.Instance),
        "reset" => new FunctionValue("method", (_, arguments) =>
        {
            arguments.Positional(0, 0);
            cycler.Reset();
            return NoneValue.Instance;
        }),
        "current" => cycler.Current,
        _ => null,
    };
}

/// <summary>The variable <c>self</c>: the blocks of the template, to be called by name.</summary>
internal sealed class BlocksValue(TemplateTree tree) : Value
{
    public override string TypeName => "TemplateReference";

    public Value? Find(string name) => tree.Blocks.TryGetValue(name, out Block? block)
        ? new FunctionValue("BlockReference", (run, arguments) => arguments.Positional(0, 0) is var _ ? run.RunBlock(block) : NoneValue.Instance)
        : null;
}
