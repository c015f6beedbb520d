namespace AdaEagle.Tokenization.Jinja;

// Expressions, by falling precedence of the functions: the conditional binds loosest. Jinja's order differs from Python's in places:
// '~' binds tighter than '+', '**' groups to the left, a sign binds tighter than '**' but looser than a filter.
internal sealed partial class Parser
{
    private Expression ParseExpression()
    {
        Enter();
        int unknownsBefore = _unknown.Count;
        Expression value = ParseOr();
        while (TakeName("if"))
        {
            int line = Current.Line;
            Expression test = ParseOr();
            Expression? otherwise = TakeName("else") ? ParseExpression() : null;
            value = new Conditional(line, test, value, otherwise);
            ForgiveUnknowns(unknownsBefore);
        }

        Leave();
        return value;
    }

    private Expression ParseOr()
    {
        Expression left = ParseAnd();
        while (Current.IsName("or"))
        {
            int line = Advance().Line;
            left = new Logic(line, false, left, ParseAnd());
        }

        return left;
    }

    private Expression ParseAnd()
    {
        Expression left = ParseNot();
        while (Current.IsName("and"))
        {
            int line = Advance().Line;
            left = new Logic(line, true, left, ParseNot());
        }

        return left;
    }

    private Expression ParseNot()
    {
        if (!Current.IsName("not"))
        {
            return ParseComparison();
        }

        Enter();
        int line = Advance().Line;
        Expression negation = new Unary(line, "not", ParseNot());
        Leave();
        return negation;
    }

    private Expression ParseComparison()
    {
        int line = Current.Line;
        Expression first = ParseSum();
        List<string> operations = [];
        List<Expression> operands = [];
        while (TryTakeComparison(out string operation))
        {
            operations.Add(operation);
            operands.Add(ParseSum());
        }

        return operations.Count == 0 ? first : new Comparison(line, first, [.. operations], [.. operands]);
    }

    private bool TryTakeComparison(out string operation)
    {
        operation = Current.Text;
        if ((Current.Kind == TokenKind.Operator && operation is "==" or "!=" or "<" or "<=" or ">" or ">=") || Current.IsName("in"))
        {
            Advance();
            return true;
        }

        if (Current.IsName("not") && Next.IsName("in"))
        {
            operation = "not in";
            Advance();
            Advance();
            return true;
        }

        return false;
    }

    private Expression ParseSum()
    {
        Expression left = ParseConcatenation();
        while (Current.Kind == TokenKind.Operator && Current.Text is "+" or "-")
        {
            Token operation = Advance();
            left = new Binary(operation.Line, operation.Text, left, ParseConcatenation());
        }

        return left;
    }

    private Expression ParseConcatenation()
    {
        int line = Current.Line;
        List<Expression> parts = [ParseProduct()];
        while (TakeOperator("~"))
        {
            parts.Add(ParseProduct());
        }

        return parts.Count == 1 ? parts[0] : new Concatenation(line, [.. parts]);
    }

    private Expression ParseProduct()
    {
        Expression left = ParsePower();
        while (Current.Kind == TokenKind.Operator && Current.Text is "*" or "/" or "//" or "%")
        {
            Token operation = Advance();
            left = new Binary(operation.Line, operation.Text, left, ParsePower());
        }

        return left;
    }

    private Expression ParsePower()
    {
        Expression left = ParseUnary(withFilters: true);
        while (Current.IsOperator("**"))
        {
            int line = Advance().Line;
            left = new Binary(line, "**", left, ParseUnary(withFilters: true));
        }

        return left;
    }

    private Expression ParseUnary(bool withFilters)
    {
        Expression value;
        if (Current.IsOperator("-") || Current.IsOperator("+"))
        {
            Enter();
            Token sign = Advance();
            value = new Unary(sign.Line, sign.Text, ParseUnary(withFilters: false));
            Leave();
        }
        else
        {
            value = ParsePrimary();
        }

        value = ParsePostfix(value);
        return withFilters ? ParseFiltersAndTests(value) : value;
    }
}
