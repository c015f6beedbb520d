using System.Collections.Frozen;
using System.Numerics;

namespace AdaEagle.Tokenization.Jinja;

/// <summary>All filters by name; here those of single values, the others in <see cref="TextFilters"/> and <see cref="SequenceFilters"/>.</summary>
internal static class Filters
{
    public static readonly FrozenDictionary<string, Method> Table = new Dictionary<string, Method>(TextFilters.All.Concat(SequenceFilters.All))
    {
        ["abs"] = (_, self, args) => args.Bind() is var _ && self is FloatValue real ? new FloatValue(Math.Abs(real.Number)) : IntValue.Of(BigInteger.Abs(Whole(self, "abs()"))),
        ["attr"] = (_, self, args) => Attributes.GetOnlyAttribute(self, args.Bind("name").Text(0).Text),
        ["d"] = Default,
        ["default"] = Default,
        ["filesizeformat"] = FileSize,
        ["float"] = (_, self, args) => ToFloat(self, args.Bind("default?").Find(0)),
        ["int"] = ToInt,
        ["round"] = Round,
        ["tojson"] = ToJson,
    }.ToFrozenDictionary();

    /// <summary>An attribute path as filters take it: names with dots between, digits being places.</summary>
    public static Func<Value, Value> Getter(Interpreter run, Value? attribute, Value? otherwise = null)
    {
        Value[] parts = attribute switch
        {
            null or NoneValue => [],
            TextValue path => [.. path.Text.Split('.').Select(Part)],
            _ => [attribute],
        };
        run.Budget.Items(parts.Length);
        return item =>
        {
            foreach (Value part in parts)
            {
                run.Budget.Step();
                item = Attributes.GetItem(item, part);
                item = item is UndefinedValue && otherwise is not (null or NoneValue) ? otherwise : item;
            }

            return item;
        };

        static Value Part(string part) =>
            part.Length > 0 && part.All(char.IsAsciiDigit) && Numbers.TryParseInt(part, 10, out BigInteger index) ? IntValue.Of(index) : new TextValue(part);
    }

    /// <summary>Texts in lower case, anything else as it is: how filters compare unless told to heed case.</summary>
    public static Value IgnoreCase(Interpreter run, Value value) => value is TextValue text ? run.Text(Unicode.Lower(text.Text)) : value;

    private static Value Default(Interpreter run, Value self, Arguments args)
    {
        Bound bound = args.Bind("default_value?", "boolean?");
        return self is UndefinedValue || (bound.IsTrue(1) && !self.IsTrue) ? bound.Find(0) ?? TextValue.Empty : self;
    }

    private static Value ToInt(Interpreter run, Value self, Arguments args)
    {
        Bound bound = args.Bind("default?", "base?");
        Value otherwise = bound.Find(0) ?? IntValue.Of(0);
        long radix = bound.Int(1, 10);
        if (radix is < 0 or 1 or > 36)
        {
            return otherwise;
        }

        switch (self)
        {
            case UndefinedValue undefined:
                throw undefined.Error();
            case TextValue text:
                // Digits of any base take time that grows with their square.
                long digits = Math.Min(text.Text.Length, 4300);
                run.Budget.Text(text.Text.Length);
                run.Budget.Step(digits * digits / 1024);
                return Numbers.TryParseInt(text.Text, (int)radix, out BigInteger parsed) ? IntValue.Of(parsed)
                    : Numbers.TryParseFloat(text.Text, out double read) && double.IsFinite(read) ? IntValue.Of(new BigInteger(read))
                    : otherwise;
            case FloatValue real:
                return double.IsInfinity(real.Number) ? throw new ChatTemplateException("cannot convert float infinity to integer.")
                    : double.IsNaN(real.Number) ? otherwise
                    : IntValue.Of(new BigInteger(real.Number));
            default:
                return Numbers.TryInt(self, out BigInteger number) ? IntValue.Of(number) : otherwise;
        }
    }

    private static Value ToFloat(Value self, Value? given)
    {
        Value otherwise = given ?? new FloatValue(0);
        return self switch
        {
            UndefinedValue undefined => throw undefined.Error(),
            TextValue text => Numbers.TryParseFloat(text.Text, out double number) ? new FloatValue(number) : otherwise,
            _ => Numbers.IsNumber(self) ? new FloatValue(Numbers.ToDouble(self)) : otherwise,
        };
    }

    private static Value Round(Interpreter run, Value self, Arguments args)
    {
        Bound bound = args.Bind("precision?", "method?");
        string method = bound.Text(1, "common");
        int places = (int)Math.Clamp(bound.Int(0, 0), -5000, 5000);
        run.Budget.Step(20 + Math.Abs(places) / 16);
        if (method is not ("common" or "ceil" or "floor"))
        {
            throw new ChatTemplateException("method must be common, ceil or floor.");
        }

        if (method != "common")
        {
            double scale = Math.Pow(10, places);
            double scaled = (self is FloatValue real ? real.Number : Numbers.ToDouble(IntValue.Of(Whole(self, "round")))) * scale;
            double whole = method == "ceil" ? Math.Ceiling(scaled) : Math.Floor(scaled);
            return new FloatValue(whole / scale);
        }

        if (self is FloatValue number)
        {
            return new FloatValue(DecimalText.Round(number.Number, places));
        }

        BigInteger integer = Whole(self, "round");
        if (places >= 0)
        {
            return IntValue.Of(integer);
        }

        BigInteger unit = BigInteger.Pow(10, -places);
        BigInteger rest = Numbers.Modulo(integer, unit);
        BigInteger below = integer - rest;
        int half = (2 * rest).CompareTo(unit);
        return IntValue.Of(half > 0 || (half == 0 && !(below / unit).IsEven) ? below + unit : below);
    }

    private static TextValue FileSize(Interpreter run, Value self, Arguments args)
    {
        bool binary = args.Bind("binary?").IsTrue(0);
        double bytes = self is UndefinedValue undefined ? throw undefined.Error()
            : ToFloat(self, NoneValue.Instance) is FloatValue { Number: var number } ? number
            : throw new ChatTemplateException($"filesizeformat wants a number, not {self.TypeName}.");
        double unit = binary ? 1024 : 1000;
        if (bytes == 1)
        {
            return new TextValue("1 Byte");
        }

        if (bytes < unit)
        {
            return new TextValue($"{Math.Truncate(bytes).ToString("0", System.Globalization.CultureInfo.InvariantCulture)} Bytes");
        }

        string[] prefixes = ["k", "M", "G", "T", "P", "E", "Z", "Y"];
        int power = 0;
        while (power < prefixes.Length - 1 && bytes >= Math.Pow(unit, power + 2))
        {
            power++;
        }

        string prefix = binary ? prefixes[power].ToUpperInvariant() + "i" : prefixes[power];
        return new TextValue($"{DecimalText.Fixed(unit * bytes / Math.Pow(unit, power + 2), 1)} {prefix}B");
    }

    private static TextValue ToJson(Interpreter run, Value self, Arguments args)
    {
        Bound bound = args.Bind("ensure_ascii?", "indent?", "separators?", "sort_keys?");
        string? indent = bound.FindSome(1) switch
        {
            null => null,
            TextValue text => text.Text,
            _ => new TextBuilder(run.Budget).Append(" ", bound.Int(1)).ToString(),
        };
        Value[] separators = bound.FindSome(2) is Value given ? run.ToArray(given) : [new TextValue(indent is null ? ", " : ","), new TextValue(": ")];
        if (separators is not [TextValue items, TextValue keys])
        {
            throw new ChatTemplateException("separators must be two strings.");
        }

        return new TextValue(new JsonText(run, bound.IsTrue(0), indent, items.Text, keys.Text, bound.IsTrue(3)).Write(self));
    }

    private static BigInteger Whole(Value value, string function) => value is UndefinedValue undefined ? throw undefined.Error()
        : Numbers.TryInt(value, out BigInteger number) ? number
        : throw new ChatTemplateException($"bad operand type for {function}: '{value.TypeName}'.");
}
