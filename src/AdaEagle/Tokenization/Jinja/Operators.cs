using System.Numerics;

namespace AdaEagle.Tokenization.Jinja;

/// <summary>Arithmetic, and what <c>+</c>, <c>*</c> and <c>%</c> do to texts and lists.</summary>
internal static class Operators
{
    /// <summary><c>left operation right</c></summary>
    public static Value Apply(Interpreter run, string operation, Value left, Value right)
    {
        if (operation == "%" && left is TextValue format)
        {
            return PercentFormat.Apply(run, format, right);
        }

        if ((left as UndefinedValue ?? right as UndefinedValue) is UndefinedValue undefined)
        {
            throw undefined.Error();
        }

        switch (operation, left, right)
        {
            case ("+", TextValue a, TextValue b):
                return Add(run, a, b);
            case ("+", ListValue a, ListValue b):
                return Add(run, a, b);
            case ("+", TupleValue a, TupleValue b):
                return Add(run, a, b);
            case ("+", TextValue or SequenceValue, _):
                throw new ChatTemplateException($"can only concatenate {left.TypeName} (not \"{right.TypeName}\") to {left.TypeName}.");
            case ("*", TextValue or SequenceValue, _):
                return Repeat(run, left, right);
            case ("*", _, TextValue or SequenceValue):
                return Repeat(run, right, left);
        }

        if (!Numbers.IsNumber(left) || !Numbers.IsNumber(right))
        {
            string shown = operation == "**" ? "** or pow()" : operation;
            throw new ChatTemplateException($"unsupported operand type(s) for {shown}: '{left.TypeName}' and '{right.TypeName}'.");
        }

        bool areInts = Numbers.TryInt(left, out BigInteger x) & Numbers.TryInt(right, out BigInteger y);
        run.Budget.Step(1 + (x.GetBitLength() + y.GetBitLength()) / 256);
        return areInts
            ? Apply(run, operation, x, y)
            : new FloatValue(Apply(operation, Numbers.ToDouble(left), Numbers.ToDouble(right)));
    }

    /// <summary><c>-value</c> or <c>+value</c></summary>
    public static Value Sign(string operation, Value value)
    {
        bool negates = operation == "-";
        return value switch
        {
            FloatValue real => negates ? new FloatValue(-real.Number) : real,
            UndefinedValue undefined => throw undefined.Error(),
            _ when Numbers.TryInt(value, out BigInteger number) => IntValue.Of(negates ? -number : number),
            _ => throw new ChatTemplateException($"bad operand type for unary {operation}: '{value.TypeName}'."),
        };
    }

    private static TextValue Add(Interpreter run, TextValue left, TextValue right)
    {
        if (left.IsMarkup || right.IsMarkup)
        {
            (left, right) = (run.Escape(left), run.Escape(right));
        }

        run.Budget.Text((long)left.Text.Length + right.Text.Length);
        return new TextValue(left.Text + right.Text, left.IsMarkup);
    }

    private static SequenceValue Add(Interpreter run, SequenceValue left, SequenceValue right)
    {
        run.Budget.Items((long)left.Elements.Count + right.Elements.Count);
        return left.With([.. left.Elements, .. right.Elements]);
    }

    private static Value Repeat(Interpreter run, Value repeated, Value times)
    {
        if (!Numbers.TryInt(times, out BigInteger number))
        {
            throw new ChatTemplateException($"can't multiply sequence by non-int of type '{times.TypeName}'.");
        }

        int length = repeated is TextValue { Text.Length: var characters } ? characters : ((SequenceValue)repeated).Elements.Count;
        BigInteger total = BigInteger.Max(0, number) * length;
        long count = total.IsZero ? 0 : (long)BigInteger.Min(number, int.MaxValue);
        if (repeated is TextValue text)
        {
            return text.With(new TextBuilder(run.Budget).Append(text.Text, count).ToString());
        }

        SequenceValue sequence = (SequenceValue)repeated;
        run.Budget.Items((long)BigInteger.Min(total, long.MaxValue / 2));
        Value[] items = new Value[count * length];
        for (int i = 0; i < items.Length; i++)
        {
            items[i] = sequence.Elements[i % length];
        }

        return sequence.With(items);
    }

    private static Value Apply(Interpreter run, string operation, BigInteger left, BigInteger right)
    {
        switch (operation)
        {
            case "+":
                return IntValue.Of(left + right);
            case "-":
                return IntValue.Of(left - right);
            case "*":
                return IntValue.Of(left * right);
            case "**":
                return Power(run, left, right);
        }

        if (right.IsZero)
        {
            throw new ChatTemplateException(operation == "%" ? "integer modulo by zero." : operation == "//" ? "integer division or modulo by zero." : "division by zero.");
        }

        return operation switch
        {
            "//" => IntValue.Of(Numbers.FloorDivide(left, right)),
            "%" => IntValue.Of(Numbers.Modulo(left, right)),
            _ => new FloatValue(Numbers.ToDouble(left) / Numbers.ToDouble(right)),
        };
    }

    private static Value Power(Interpreter run, BigInteger left, BigInteger right)
    {
        if (right.Sign < 0)
        {
            return new FloatValue(Apply("**", Numbers.ToDouble(left), Numbers.ToDouble(right)));
        }

        if (BigInteger.Abs(left) <= BigInteger.One)
        {
            return IntValue.Of(right.IsZero || (right.IsEven && !left.IsZero) ? BigInteger.One : left);
        }

        if (right * (left.GetBitLength() - 1) > Budget.MaximumBits)
        {
            throw new ChatTemplateException("The template computes an integer of more than 4300 digits.");
        }

        run.Budget.Step(1 + (long)right * left.GetBitLength() / 64);
        return IntValue.Of(BigInteger.Pow(left, (int)right));
    }

    private static double Apply(string operation, double left, double right)
    {
        switch (operation)
        {
            case "+":
                return left + right;
            case "-":
                return left - right;
            case "*":
                return left * right;
            case "**":
                if (left == 0 && right < 0)
                {
                    throw new ChatTemplateException("0.0 cannot be raised to a negative power.");
                }

                double power = left == 1 || right == 0 ? 1 : Math.Pow(left, right);
                return double.IsNaN(power) && !double.IsNaN(left) && !double.IsNaN(right) ? throw new ChatTemplateException("The result is a complex number; those are not supported.")
                    : double.IsInfinity(power) && double.IsFinite(left) && double.IsFinite(right) ? throw new ChatTemplateException("Numerical result out of range.")
                    : power;
        }

        if (right == 0)
        {
            throw new ChatTemplateException(operation == "%" ? "float modulo." : operation == "//" ? "float floor division by zero." : "float division by zero.");
        }

        return operation switch
        {
            "//" => Numbers.FloorDivide(left, right).Quotient,
            "%" => Numbers.FloorDivide(left, right).Remainder,
            _ => left / right,
        };
    }
}
