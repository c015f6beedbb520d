namespace AdaEagle.Tokenization.Jinja;

// Evaluates expressions, and what filters, tests and methods need of the running template.
internal sealed partial class Interpreter
{
    /// <summary>Calls a value with arguments.</summary>
    public Value Call(Value target, Arguments arguments) => target switch
    {
        CallableValue callable => callable.Call(this, arguments),
        UndefinedValue undefined => throw undefined.Error(),
        _ => throw new ChatTemplateException($"'{target.TypeName}' object is not callable."),
    };

    /// <summary>Applies a filter by its name: <c>value | name(arguments)</c>.</summary>
    public Value ApplyFilter(string name, Value value, Arguments arguments) =>
        Filters.Table.TryGetValue(name, out Method? filter) ? filter(this, value, arguments) : throw Parser.UnknownName("filter", name, null);

    /// <summary>Applies a test by its name: <c>value is name(arguments)</c>.</summary>
    public bool ApplyTest(string name, Value value, Arguments arguments) =>
        Tests.Table.TryGetValue(name, out Method? test) ? test(this, value, arguments).IsTrue : throw Parser.UnknownName("test", name, null);

    /// <summary>The items of a value, each charged as a step; an error where it has none.</summary>
    public IEnumerable<Value> Iterate(Value value)
    {
        return Charged(value.Items ?? throw new ChatTemplateException($"'{value.TypeName}' object is not iterable."));

        IEnumerable<Value> Charged(IEnumerable<Value> items)
        {
            foreach (Value item in items)
            {
                Budget.Step();
                yield return item;
            }
        }
    }

    /// <summary>The items of a value, charged as a list of its own.</summary>
    public Value[] ToArray(Value value)
    {
        if (value is SequenceValue { Elements: Value[] elements })
        {
            return elements;
        }

        List<Value> items = [];
        foreach (Value item in Iterate(value))
        {
            Budget.Items(1);
            items.Add(item);
        }

        return [.. items];
    }

    /// <summary>A list of values, charged.</summary>
    public ListValue List(IReadOnlyList<Value> items)
    {
        Budget.Items(items.Count);
        return new ListValue(items);
    }

    /// <summary>A text, charged.</summary>
    public TextValue Text(string text, bool isMarkup = false)
    {
        Budget.Text(text.Length);
        return new TextValue(text, isMarkup);
    }

    /// <summary><c>str(value)</c></summary>
    public string Str(Value value) => PythonText.Str(Budget, value);

    /// <summary>A value as text, markup staying markup.</summary>
    public TextValue SoftStr(Value value) => value as TextValue ?? new TextValue(Str(value));

    /// <summary>HTML-escaped, unless it is markup already.</summary>
    public TextValue Escape(Value value) => value is TextValue { IsMarkup: true } markup ? markup : new TextValue(PythonText.EscapeHtml(Budget, Str(value)), true);

    private Value? Find(string name) => _scope.Find(name) ?? _context.GetValueOrDefault(name);

    private string ToOutput(Value value) => EscapesOutput ? Escape(value).Text : Str(value);

    private Value Evaluate(Expression expression)
    {
        Budget.Step();
        switch (expression)
        {
            case Literal literal:
                return literal.Value;
            case Name name:
                return Find(name.Id) ?? UndefinedValue.OfName(name.Id);
        }

        Budget.Enter();
        Value value = EvaluateNested(expression);
        Budget.Leave();
        return value;
    }

    private Value EvaluateNested(Expression expression) => expression switch
    {
        AttributeOf attribute => Attributes.Get(Evaluate(attribute.Target), attribute.Name),
        ItemOf item => EvaluateItem(item),
        Call call => EvaluateCall(call),
        FilterOf filter => ApplyFilter(filter, Evaluate(filter.Target!)),
        TestOf test => EvaluateTest(test),
        Comparison comparison => EvaluateComparison(comparison),
        Logic logic => EvaluateLogic(logic),
        Conditional conditional => EvaluateConditional(conditional),
        Concatenation concatenation => EvaluateConcatenation(concatenation),
        Binary binary => Operators.Apply(this, binary.Operation, Evaluate(binary.Left), Evaluate(binary.Right)),
        Unary { Operation: "not" } not => BoolValue.Of(!Evaluate(not.Operand).IsTrue),
        Unary sign => Operators.Sign(sign.Operation, Evaluate(sign.Operand)),
        ListLiteral list => EvaluateList(list),
        DictLiteral dict => EvaluateDict(dict),
        Slice => throw new ChatTemplateException("A slice can stand only alone in brackets."),
        _ => throw new InvalidOperationException($"No way to evaluate a {expression.GetType().Name}."),
    };

    private Value EvaluateItem(ItemOf item)
    {
        Value target = Evaluate(item.Target);
        return item.Index is Slice slice
            ? Attributes.GetSlice(this, target, Bound(slice.Start), Bound(slice.Stop), Bound(slice.Step))
            : Attributes.GetItem(target, Evaluate(item.Index));

        Value? Bound(Expression? bound) => bound is null || Evaluate(bound) is not (var value and not NoneValue) ? null : value;
    }

    private Value EvaluateCall(Call call, KeyValuePair<string, Value>? extra = null)
    {
        Value target = Evaluate(call.Target);
        string name = call.Target switch { Name id => id.Id, AttributeOf attribute => attribute.Name, _ => target.TypeName };
        return Call(target, EvaluateArguments(name, call.Arguments, extra));
    }

    private Value ApplyFilter(FilterOf filter, Value value) => ApplyFilter(filter.Name, value, EvaluateArguments(filter.Name, filter.Arguments));

    private BoolValue EvaluateTest(TestOf test) =>
        BoolValue.Of(ApplyTest(test.Name, Evaluate(test.Target), EvaluateArguments(test.Name, test.Arguments)));

    private Arguments EvaluateArguments(string function, ArgumentList list, KeyValuePair<string, Value>? extra = null)
    {
        if (ReferenceEquals(list, ArgumentList.Empty) && extra is null)
        {
            return new Arguments(function, []);
        }

        List<Value> positional = [.. list.Positional.Select(Evaluate)];
        List<KeyValuePair<string, Value>> named = [.. list.Named.Select(pair => KeyValuePair.Create(pair.Key, Evaluate(pair.Value)))];
        if (list.Star is not null)
        {
            positional.AddRange(ToArray(Evaluate(list.Star)));
        }

        if (list.DoubleStar is not null)
        {
            Value more = Evaluate(list.DoubleStar);
            foreach ((Value key, Value value) in (more as DictValue ?? throw new ChatTemplateException($"argument after ** must be a mapping, not {more.TypeName}.")).Entries)
            {
                named.Add(new((key as TextValue ?? throw new ChatTemplateException("keywords must be strings.")).Text, value));
            }
        }

        if (extra is not null)
        {
            named.Add(extra.Value);
        }

        if (named.Count > 1 && named.DistinctBy(pair => pair.Key).Count() < named.Count)
        {
            throw new ChatTemplateException($"{function}() got multiple values for a keyword argument.");
        }

        Budget.Items(positional.Count + named.Count);
        return new Arguments(function, [.. positional], [.. named]);
    }

    private BoolValue EvaluateComparison(Comparison comparison)
    {
        Value left = Evaluate(comparison.First);
        for (int i = 0; i < comparison.Operands.Length; i++)
        {
            Value right = Evaluate(comparison.Operands[i]);
            if (!Comparer.Holds(comparison.Operations[i], left, right))
            {
                return BoolValue.False;
            }

            left = right;
        }

        return BoolValue.True;
    }

    private Value EvaluateLogic(Logic logic)
    {
        Value left = Evaluate(logic.Left);
        return left.IsTrue == logic.IsAnd ? Evaluate(logic.Right) : left;
    }

    private Value EvaluateConditional(Conditional conditional)
    {
        if (Evaluate(conditional.Test).IsTrue)
        {
            return Evaluate(conditional.Then);
        }

        return conditional.Otherwise is not null
            ? Evaluate(conditional.Otherwise)
            : new UndefinedValue($"the inline if-expression on line {conditional.Line} evaluated to false and no else section was defined");
    }

    private TextValue EvaluateConcatenation(Concatenation concatenation)
    {
        Value[] parts = [.. concatenation.Parts.Select(Evaluate)];
        bool isMarkup = EscapesOutput && parts.Any(part => part is TextValue { IsMarkup: true });
        TextBuilder text = new(Budget);
        foreach (Value part in parts)
        {
            text.Append(isMarkup ? Escape(part).Text : Str(part));
        }

        return new TextValue(text.ToString(), isMarkup);
    }

    private SequenceValue EvaluateList(ListLiteral list)
    {
        Budget.Items(list.Items.Length);
        Value[] items = [.. list.Items.Select(Evaluate)];
        return list.IsTuple ? new TupleValue(items) : new ListValue(items);
    }

    private DictValue EvaluateDict(DictLiteral dict)
    {
        Budget.Items(2 * dict.Keys.Length);
        DictValue value = new(Comparer);
        for (int i = 0; i < dict.Keys.Length; i++)
        {
            Value key = Evaluate(dict.Keys[i]);
            value.Entries[key] = Evaluate(dict.Values[i]);
        }

        return value;
    }
}
