using System.Numerics;

namespace AdaEagle.Tokenization.Jinja;

/// <summary>The names that every template knows: functions of Jinja and the two that transformers adds.</summary>
internal static class Globals
{
    /// <summary>The sandbox' limit of a range.</summary>
    private const int MaximumRange = 100_000;

    public static IEnumerable<KeyValuePair<string, Value>> Make(TemplateTree tree) =>
    [
        Function("range", (_, args) => Range(args)),
        Function("dict", Dict),
        Function("namespace", Namespace),
        Function("joiner", (_, args) => new JoinerValue(args.Bind("sep?").Find(0) ?? new TextValue(", "))),
        Function("cycler", (_, args) => args.Positional(0) is { Length: > 0 } items ? new CyclerValue(items) : throw new ChatTemplateException("at least one item has to be provided.")),
        Function("lipsum", (_, _) => throw new ChatTemplateException("The function 'lipsum' (random text) is not supported.", unsupported: "lipsum")),
        Function("raise_exception", (run, args) => throw new ChatTemplateException(run.Str(args.Bind("message")[0]), raisedByTemplate: true)),
        Function("strftime_now", (run, args) => new TextValue(Strftime.Format(run.Budget, args.Bind("format").Text(0).Text, run.Now))),
        new("self", new BlocksValue(tree)),
    ];

    private static KeyValuePair<string, Value> Function(string name, Function body) => new(name, new FunctionValue("function", body));

    private static RangeValue Range(Arguments args)
    {
        BigInteger[] numbers = [.. args.Positional(1, 3).Select(value => Numbers.TryInt(value, out BigInteger number) ? number
            : throw (value is UndefinedValue undefined ? undefined.Error() : new ChatTemplateException($"'{value.TypeName}' object cannot be interpreted as an integer.")))];
        (BigInteger start, BigInteger stop) = numbers.Length == 1 ? (0, numbers[0]) : (numbers[0], numbers[1]);
        BigInteger step = numbers.Length == 3 ? numbers[2] : 1;
        if (step.IsZero)
        {
            throw new ChatTemplateException("range() arg 3 must not be zero.");
        }

        BigInteger distance = step.Sign > 0 ? stop - start : start - stop;
        BigInteger count = distance.Sign <= 0 ? 0 : (distance - 1) / BigInteger.Abs(step) + 1;
        if (count > MaximumRange)
        {
            throw new ChatTemplateException($"Range too big. The sandbox blocks ranges larger than MAX_RANGE ({MaximumRange}).");
        }

        return new RangeValue(start, step, (int)count) { Stop = stop };
    }

    private static DictValue Dict(Interpreter run, Arguments args)
    {
        DictValue made = new(run.Comparer);
        if (args.Ordered.Length > 0)
        {
            Fill(run, made, new Arguments("dict", args.Ordered).Positional(0, 1)[0]);
        }

        foreach ((string name, Value value) in args.Named)
        {
            made.Set(name, value);
        }

        return made;
    }

    private static void Fill(Interpreter run, DictValue target, Value source)
    {
        if (source is DictValue dict)
        {
            run.Budget.Items(2L * dict.Entries.Count);
            foreach ((Value key, Value value) in dict.Entries)
            {
                target.Entries[key] = value;
            }

            return;
        }

        foreach (Value item in run.Iterate(source))
        {
            run.Budget.Items(2);
            Value[] pair = run.ToArray(item);
            target.Entries[pair.Length == 2 ? pair[0] : throw new ChatTemplateException("dict() wants pairs of key and value.")] = pair[1];
        }
    }

    private static NamespaceValue Namespace(Interpreter run, Arguments args)
    {
        NamespaceValue space = new();
        foreach ((Value key, Value value) in Dict(run, args).Entries)
        {
            space.Set(run.Str(key), value);
        }

        return space;
    }
}
