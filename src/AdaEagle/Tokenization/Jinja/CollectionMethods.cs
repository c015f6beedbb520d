using System.Collections.Frozen;
using System.Numerics;

namespace AdaEagle.Tokenization.Jinja;

/// <summary>The methods of lists, tuples, ranges and dictionaries that leave them as they are.</summary>
internal static class CollectionMethods
{
    public static readonly FrozenDictionary<string, Method> OfSequence = new Dictionary<string, Method>
    {
        ["index"] = Index,
        ["count"] = (run, self, args) =>
        {
            Value wanted = args.Positional(1, 1)[0];
            return IntValue.Of(run.Iterate(self).Count(item => run.Comparer.Equals(item, wanted)));
        },
        ["copy"] = (_, self, args) => args.Positional(0, 0) is var _ && self is ListValue ? self : throw new ChatTemplateException($"'{self.TypeName} object' has no attribute 'copy'."),
    }.ToFrozenDictionary();

    public static readonly FrozenDictionary<string, Method> OfDict = new Dictionary<string, Method>
    {
        ["copy"] = (_, self, args) => args.Positional(0, 0) is var _ ? self : self,
        ["fromkeys"] = TextMethods.Unsupported("fromkeys"),
        ["get"] = (_, self, args) =>
        {
            Value[] given = args.Positional(1, 2);
            return ((DictValue)self).Entries.GetValueOrDefault(given[0]) ?? (given.Length > 1 ? given[1] : NoneValue.Instance);
        },
        ["items"] = (run, self, args) => View(run, self, args, "items", entry => new TupleValue(entry.Key, entry.Value)),
        ["keys"] = (run, self, args) => View(run, self, args, "keys", entry => entry.Key),
        ["values"] = (run, self, args) => View(run, self, args, "values", entry => entry.Value),
    }.ToFrozenDictionary();

    private static ViewValue View(Interpreter run, Value self, Arguments args, string kind, Func<KeyValuePair<Value, Value>, Value> pick)
    {
        args.Positional(0, 0);
        DictValue dict = (DictValue)self;
        run.Budget.Items(2L * dict.Entries.Count);
        return new ViewValue(kind, [.. dict.Entries.Select(pick)]);
    }

    private static IntValue Index(Interpreter run, Value self, Arguments args)
    {
        Value[] given = args.Positional(1, 3);
        int length = self.Length!.Value;
        BigInteger start = Place(given.Length > 1 ? Bound.ToInt(args, given[1]) : 0);
        BigInteger end = Place(given.Length > 2 ? Bound.ToInt(args, given[2]) : length);
        int at = 0;
        foreach (Value item in run.Iterate(self))
        {
            if (at >= start && at < end && run.Comparer.Equals(item, given[0]))
            {
                return IntValue.Of(at);
            }

            at++;
        }

        throw new ChatTemplateException($"The value is not in the {self.TypeName}.");

        BigInteger Place(long index) => index < 0 ? index + (BigInteger)length : index;
    }
}

/// <summary>The attributes and methods of numbers.</summary>
internal static class NumberMethods
{
    public static Value? Find(Value number, string name)
    {
        bool isFloat = number is FloatValue;
        Numbers.TryInt(number, out BigInteger whole);
        return name switch
        {
            "real" => isFloat ? number : IntValue.Of(whole),
            "imag" => isFloat ? new FloatValue(0) : IntValue.Of(0),
            "numerator" when !isFloat => IntValue.Of(whole),
            "denominator" when !isFloat => IntValue.Of(1),
            "conjugate" => Returns(() => isFloat ? number : IntValue.Of(whole)),
            "bit_length" when !isFloat => Returns(() => IntValue.Of(BigInteger.Abs(whole).GetBitLength())),
            "bit_count" when !isFloat => Returns(() => IntValue.Of(BigInteger.Abs(whole).ToByteArray().Sum(part => BitOperations.PopCount(part)))),
            "is_integer" when isFloat => Returns(() => BoolValue.Of(double.IsInteger(((FloatValue)number).Number))),
            "as_integer_ratio" or "hex" or "to_bytes" or "from_bytes" or "fromhex" =>
                new FunctionValue("builtin_function_or_method", (run, args) => TextMethods.Unsupported(name)(run, number, args)),
            _ => null,
        };
    }

    private static FunctionValue Returns(Func<Value> value) =>
        new("builtin_function_or_method", (_, args) => args.Positional(0, 0) is var _ ? value() : NoneValue.Instance);
}
