using System.Numerics;

namespace AdaEagle.Tokenization.Jinja;

/// <summary>The arguments of one call, and their binding to parameters as Python does it.</summary>
internal sealed class Arguments(string function, Value[] positional, params KeyValuePair<string, Value>[] named)
{
    public string Function => function;

    public Value[] Ordered => positional;

    public KeyValuePair<string, Value>[] Named => named;

    /// <summary>All of them by position, between <paramref name="minimum"/> and <paramref name="maximum"/> many; names are refused.</summary>
    public Value[] Positional(int minimum, int maximum = int.MaxValue)
    {
        if (named.Length > 0)
        {
            throw Error($"got an unexpected keyword argument '{named[0].Key}'");
        }

        if (positional.Length < minimum || positional.Length > maximum)
        {
            string expected = minimum == maximum ? $"{minimum}" : maximum == int.MaxValue ? $"at least {minimum}" : $"{minimum} to {maximum}";
            throw Error($"takes {expected} argument(s), {positional.Length} given");
        }

        return positional;
    }

    /// <summary>Binds to parameters in their order; a name that ends with '?' may be left out.</summary>
    public Bound Bind(params ReadOnlySpan<string> parameters)
    {
        if (positional.Length > parameters.Length)
        {
            throw Error($"takes no more than {parameters.Length} argument(s), {positional.Length} given");
        }

        Value?[] values = new Value?[parameters.Length];
        positional.CopyTo(values, 0);
        foreach ((string name, Value value) in named)
        {
            int at = IndexOf(parameters, name);
            if (at < 0)
            {
                throw Error($"got an unexpected keyword argument '{name}'");
            }

            values[at] = values[at] is null ? value : throw Error($"got multiple values for argument '{name}'");
        }

        for (int i = 0; i < values.Length; i++)
        {
            if (values[i] is null && !parameters[i].EndsWith('?'))
            {
                throw Error($"misses the argument '{parameters[i]}'");
            }
        }

        return new Bound(this, values);
    }

    /// <summary>The same call without its first argument.</summary>
    public Arguments Rest(string name, int skip) => new(name, positional[skip..], named);

    public ChatTemplateException Error(string problem) => new($"{function}() {problem}.");

    private static int IndexOf(ReadOnlySpan<string> parameters, string name)
    {
        for (int i = 0; i < parameters.Length; i++)
        {
            if (parameters[i].AsSpan().TrimEnd('?').SequenceEqual(name))
            {
                return i;
            }
        }

        return -1;
    }
}

/// <summary>Arguments in the order of a function's parameters; null where one was left out.</summary>
internal sealed class Bound(Arguments call, Value?[] values)
{
    public Value this[int index] => values[index] ?? throw new InvalidOperationException($"The argument {index} of {call.Function} is optional.");

    /// <summary>The argument, or null where it was left out.</summary>
    public Value? Find(int index) => values[index];

    /// <summary>The argument, or null where it was left out or none.</summary>
    public Value? FindSome(int index) => values[index] is NoneValue ? null : values[index];

    public bool IsTrue(int index, bool otherwise = false) => values[index]?.IsTrue ?? otherwise;

    public TextValue Text(int index) => ToText(call, this[index]);

    public string Text(int index, string otherwise) => values[index] is Value value ? ToText(call, value).Text : otherwise;

    public long Int(int index) => ToInt(call, this[index]);

    public long Int(int index, long otherwise) => values[index] is Value value ? ToInt(call, value) : otherwise;

    public static TextValue ToText(Arguments call, Value value) => value switch
    {
        TextValue text => text,
        UndefinedValue undefined => throw undefined.Error(),
        _ => throw call.Error($"wants a str, not {value.TypeName}"),
    };

    /// <summary>An integer as a size or a place; what does not fit into 64 bits becomes the nearest that does.</summary>
    public static long ToInt(Arguments call, Value value) => value switch
    {
        IntValue number => (long)BigInteger.Max(long.MinValue, BigInteger.Min(long.MaxValue, number.Number)),
        BoolValue truth => truth.IsTrue ? 1 : 0,
        UndefinedValue undefined => throw undefined.Error(),
        _ => throw call.Error($"wants an int, not {value.TypeName}"),
    };
}
