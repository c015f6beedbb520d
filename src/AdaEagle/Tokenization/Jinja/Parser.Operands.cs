using System.Globalization;
using System.Numerics;
using System.Text;

namespace AdaEagle.Tokenization.Jinja;

// What operators stand between: names and literals, what may follow them (attributes, items, calls), filters and tests.
internal sealed partial class Parser
{
    private Expression ParsePrimary()
    {
        Token token = Advance();
        switch (token.Kind)
        {
            case TokenKind.Name:
                return token.Text switch
                {
                    "true" or "True" => new Literal(token.Line, BoolValue.True),
                    "false" or "False" => new Literal(token.Line, BoolValue.False),
                    "none" or "None" => new Literal(token.Line, NoneValue.Instance),
                    _ => Use(token),
                };
            case TokenKind.String:
                StringBuilder text = new(token.Text);
                while (Current.Kind == TokenKind.String)
                {
                    text.Append(Advance().Text);
                }

                return new Literal(token.Line, new TextValue(text.ToString()));
            case TokenKind.Integer:
                return new Literal(token.Line, ParseInteger(token));
            case TokenKind.Float:
                return new Literal(token.Line, new FloatValue(double.Parse(token.Text, CultureInfo.InvariantCulture)));
            case TokenKind.Operator when token.Text == "(":
                Expression inside = ParseTuple(inParentheses: true);
                ExpectOperator(")");
                return inside;
            case TokenKind.Operator when token.Text == "[":
                return new ListLiteral(token.Line, ParseItems("]"), isTuple: false);
            case TokenKind.Operator when token.Text == "{":
                return ParseDict(token.Line);
            default:
                throw Error($"unexpected '{token.Description}'", token.Line);
        }
    }

    private Name Use(Token token)
    {
        _function.Used.Add(token.Text);
        return new Name(token.Line, token.Text);
    }

    private IntValue ParseInteger(Token token)
    {
        string digits = token.Text;
        if (digits.Length > 4300)
        {
            throw Error($"an integer of {digits.Length} digits is too long", token.Line);
        }

        BigInteger number = digits.Length > 2 && char.ToLowerInvariant(digits[1]) is var radix and ('x' or 'o' or 'b')
            ? Numbers.ParseDigits(digits.AsSpan(2), radix switch { 'x' => 16, 'o' => 8, _ => 2 })
            : BigInteger.Parse(digits, CultureInfo.InvariantCulture);
        return IntValue.Of(number);
    }

    // An expression, or a tuple where commas stand; the brackets, if there are any, are the caller's.
    private Expression ParseTuple(bool inParentheses = false, bool withConditional = true, string? endsAtName = null)
    {
        int line = Current.Line;
        List<Expression> items = [];
        bool isTuple = false;
        while (!IsTupleEnd(endsAtName))
        {
            items.Add(withConditional ? ParseExpression() : ParseOr());
            if (!TakeOperator(","))
            {
                break;
            }

            isTuple = true;
        }

        if (!isTuple && items.Count == 1)
        {
            return items[0];
        }

        if (!isTuple && !inParentheses)
        {
            throw Error($"Expected an expression, got '{Current.Description}'");
        }

        return new ListLiteral(line, [.. items], isTuple: true);
    }

    private bool IsTupleEnd(string? endsAtName) =>
        Current.Kind is TokenKind.ClosePrint or TokenKind.CloseTag || Current.IsOperator(")") || (endsAtName is not null && Current.IsName(endsAtName));

    private Expression[] ParseItems(string closing)
    {
        List<Expression> items = [];
        while (!TakeOperator(closing))
        {
            if (items.Count > 0)
            {
                ExpectOperator(",");
                if (TakeOperator(closing))
                {
                    break;
                }
            }

            items.Add(ParseExpression());
        }

        return [.. items];
    }

    private DictLiteral ParseDict(int line)
    {
        List<Expression> keys = [];
        List<Expression> values = [];
        while (!TakeOperator("}"))
        {
            if (keys.Count > 0)
            {
                ExpectOperator(",");
                if (TakeOperator("}"))
                {
                    break;
                }
            }

            keys.Add(ParseExpression());
            ExpectOperator(":");
            values.Add(ParseExpression());
        }

        return new DictLiteral(line, [.. keys], [.. values]);
    }

    private Expression ParsePostfix(Expression value)
    {
        while (true)
        {
            int line = Current.Line;
            if (TakeOperator("."))
            {
                Token name = Advance();
                value = name.Kind switch
                {
                    TokenKind.Name => new AttributeOf(line, value, name.Text),
                    TokenKind.Integer => new ItemOf(line, value, new Literal(line, ParseInteger(name))),
                    _ => throw Error("expected name or number", name.Line),
                };
            }
            else if (TakeOperator("["))
            {
                value = new ItemOf(line, value, ParseIndex(line));
            }
            else if (Current.IsOperator("("))
            {
                value = new Call(line, value, ParseArguments());
            }
            else
            {
                return value;
            }
        }
    }

    private Expression ParseIndex(int line)
    {
        List<Expression> parts = [];
        while (!TakeOperator("]"))
        {
            if (parts.Count > 0)
            {
                ExpectOperator(",");
            }

            parts.Add(ParseIndexPart());
        }

        return parts.Count == 1 ? parts[0] : new ListLiteral(line, [.. parts], isTuple: true);
    }

    private Expression ParseIndexPart()
    {
        int line = Current.Line;
        Expression? start = Current.IsOperator(":") ? null : ParseExpression();
        if (!TakeOperator(":"))
        {
            return start!;
        }

        Expression? stop = IsSliceEnd() ? null : ParseExpression();
        Expression? step = TakeOperator(":") && !IsSliceEnd() ? ParseExpression() : null;
        return new Slice(line, start, stop, step);

        bool IsSliceEnd() => Current.IsOperator(":") || Current.IsOperator("]") || Current.IsOperator(",");
    }

    private ArgumentList ParseArguments()
    {
        int line = Current.Line;
        ExpectOperator("(");
        List<Expression> positional = [];
        List<KeyValuePair<string, Expression>> named = [];
        Expression? star = null;
        Expression? doubleStar = null;
        for (bool first = true; !TakeOperator(")"); first = false)
        {
            if (!first)
            {
                ExpectOperator(",");
                if (TakeOperator(")"))
                {
                    break;
                }
            }

            bool fits = doubleStar is null;
            if (TakeOperator("*"))
            {
                fits &= star is null;
                star = ParseExpression();
            }
            else if (TakeOperator("**"))
            {
                doubleStar = ParseExpression();
            }
            else if (Current.Kind == TokenKind.Name && Next.IsOperator("="))
            {
                string name = Advance().Text;
                Advance();
                fits &= named.TrueForAll(pair => pair.Key != name);
                named.Add(new(name, ParseExpression()));
            }
            else
            {
                fits &= star is null && named.Count == 0;
                positional.Add(ParseExpression());
            }

            if (!fits)
            {
                throw Error("invalid syntax for function call expression", line);
            }
        }

        return new ArgumentList([.. positional], [.. named], star, doubleStar);
    }

    private Expression ParseFiltersAndTests(Expression value)
    {
        while (true)
        {
            if (TakeOperator("|"))
            {
                value = ParseFilter(value);
            }
            else if (Current.IsName("is"))
            {
                value = ParseTest(value);
            }
            else if (Current.IsOperator("("))
            {
                value = new Call(Current.Line, value, ParseArguments());
            }
            else
            {
                return value;
            }
        }
    }

    // Behind the bar: a name, dotted maybe, and its arguments.
    private FilterOf ParseFilter(Expression? target)
    {
        int line = Current.Line;
        string name = ParseDottedName();
        if (!Filters.Table.ContainsKey(name))
        {
            _unknown.Add(new Unknown("filter", name, line));
        }

        return new FilterOf(line, target, name, Current.IsOperator("(") ? ParseArguments() : ArgumentList.Empty);
    }

    private Expression ParseTest(Expression target)
    {
        int line = Advance().Line;
        bool negated = TakeName("not");
        string name = ParseDottedName();
        if (!Tests.Table.ContainsKey(name))
        {
            _unknown.Add(new Unknown("test", name, line));
        }

        ArgumentList arguments = ArgumentList.Empty;
        if (Current.IsOperator("("))
        {
            arguments = ParseArguments();
        }
        else if (BeginsTestArgument())
        {
            if (Current.IsName("is"))
            {
                throw Error("You cannot chain multiple tests with is");
            }

            arguments = arguments with { Positional = [ParsePostfix(ParsePrimary())] };
        }

        Expression test = new TestOf(line, target, name, arguments);
        return negated ? new Unary(line, "not", test) : test;
    }

    private bool BeginsTestArgument() => Current.Kind switch
    {
        TokenKind.Name => Current.Text is not ("else" or "or" or "and"),
        TokenKind.String or TokenKind.Integer or TokenKind.Float => true,
        TokenKind.Operator => Current.Text is "[" or "{",
        _ => false,
    };

    private string ParseDottedName()
    {
        string name = ExpectName();
        while (TakeOperator("."))
        {
            name += "." + ExpectName();
        }

        return name;
    }
}
