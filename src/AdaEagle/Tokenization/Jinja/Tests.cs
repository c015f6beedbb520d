using System.Collections.Frozen;
using System.Numerics;

namespace AdaEagle.Tokenization.Jinja;

/// <summary>All tests by name: what stands behind <c>is</c>.</summary>
internal static class Tests
{
    public static readonly FrozenDictionary<string, Method> Table = new Dictionary<string, Method>
    {
        ["boolean"] = Plain(value => value is BoolValue),
        ["callable"] = Plain(value => value is CallableValue or UndefinedValue),
        ["defined"] = Plain(value => value is not UndefinedValue),
        ["divisibleby"] = (run, self, args) => BoolValue.Of(IsRest(run, self, args.Bind("num")[0], 0)),
        ["escaped"] = Plain(value => value is TextValue { IsMarkup: true }),
        ["even"] = (run, self, args) => BoolValue.Of(args.Bind() is var _ && IsRest(run, self, IntValue.Of(2), 0)),
        ["false"] = Plain(value => value is BoolValue { IsTrue: false }),
        ["filter"] = (run, self, args) => BoolValue.Of(args.Bind() is var _ && run.Comparer.GetHashCode(self) is var _ && self is TextValue text && Filters.Table.ContainsKey(text.Text)),
        ["float"] = Plain(value => value is FloatValue),
        ["in"] = (run, self, args) => BoolValue.Of(run.Comparer.Contains(args.Bind("seq")[0], self)),
        ["integer"] = Plain(value => value is IntValue),
        ["iterable"] = Plain(value => value.Items is not null),
        ["lower"] = (run, self, args) => args.Bind() is var _ ? TextMethods.Table["islower"](run, run.SoftStr(self), args) : self,
        ["mapping"] = Plain(value => value is DictValue),
        ["none"] = Plain(value => value is NoneValue),
        ["number"] = Plain(Numbers.IsNumber),
        ["odd"] = (run, self, args) => BoolValue.Of(args.Bind() is var _ && IsRest(run, self, IntValue.Of(2), 1)),
        ["sameas"] = (_, self, args) => BoolValue.Of(IsSame(self, args.Bind("other")[0])),
        ["sequence"] = Plain(value => value is TextValue or SequenceValue or DictValue or RangeValue or UndefinedValue),
        ["string"] = Plain(value => value is TextValue),
        ["test"] = (run, self, args) => BoolValue.Of(args.Bind() is var _ && run.Comparer.GetHashCode(self) is var _ && self is TextValue text && Table!.ContainsKey(text.Text)),
        ["true"] = Plain(value => value is BoolValue { IsTrue: true }),
        ["undefined"] = Plain(value => value is UndefinedValue),
        ["upper"] = (run, self, args) => args.Bind() is var _ ? TextMethods.Table["isupper"](run, run.SoftStr(self), args) : self,
        ["=="] = Compared("=="),
        ["eq"] = Compared("=="),
        ["equalto"] = Compared("=="),
        ["!="] = Compared("!="),
        ["ne"] = Compared("!="),
        ["<"] = Compared("<"),
        ["lt"] = Compared("<"),
        ["lessthan"] = Compared("<"),
        ["<="] = Compared("<="),
        ["le"] = Compared("<="),
        [">"] = Compared(">"),
        ["gt"] = Compared(">"),
        ["greaterthan"] = Compared(">"),
        [">="] = Compared(">="),
        ["ge"] = Compared(">="),
    }.ToFrozenDictionary();

    private static Method Plain(Func<Value, bool> test) => (_, self, args) =>
    {
        args.Positional(0, 0);
        return BoolValue.Of(test(self));
    };

    private static Method Compared(string operation) => (run, self, args) => BoolValue.Of(run.Comparer.Holds(operation, self, args.Positional(1, 1)[0]));

    private static bool IsRest(Interpreter run, Value value, Value divisor, int rest) =>
        run.Comparer.Equals(Operators.Apply(run, "%", value, divisor), IntValue.Of(rest));

    // Identity. Small integers and equal texts are one object in Python, mostly.
    private static bool IsSame(Value left, Value right) => ReferenceEquals(left, right)
        || (left is IntValue a && right is IntValue b && a.Number == b.Number && BigInteger.Abs(a.Number) <= 256)
        || (left is TextValue x && right is TextValue y && x.Text.Length < 64 && x.Text == y.Text);
}
