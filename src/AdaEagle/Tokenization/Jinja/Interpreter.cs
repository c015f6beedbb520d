namespace AdaEagle.Tokenization.Jinja;

/// <summary>
/// Renders one conversation: walks the statements (here) and evaluates expressions (in the other part). One is made for each rendering;
/// an error ends it, so nothing is put back when one is thrown.
/// </summary>
internal sealed partial class Interpreter
{
    private readonly TemplateTree _tree;
    private readonly Dictionary<string, Value> _context = [];
    private readonly Scope _root = new(null);
    private readonly List<(int Start, int End)> _generations = [];
    private readonly TextBuilder _main;
    private TextBuilder _output;
    private Scope _scope;

    public Interpreter(TemplateTree tree, Budget budget, DateTime now)
    {
        _tree = tree;
        Budget = budget;
        Now = now;
        Comparer = new ValueComparer(budget);
        _main = _output = new TextBuilder(budget);
        _scope = _root;
        foreach ((string name, Value value) in Globals.Make(tree))
        {
            _context[name] = value;
        }
    }

    private enum Signal
    {
        None,
        Break,
        Continue,
    }

    public Budget Budget { get; }

    public ValueComparer Comparer { get; }

    /// <summary>The local time that <c>strftime_now</c> shows.</summary>
    public DateTime Now { get; }

    /// <summary>True inside <c>{% autoescape true %}</c>: what is printed becomes HTML.</summary>
    public bool EscapesOutput { get; private set; }

    /// <summary>The line of the statement that runs, for error messages.</summary>
    public int Line { get; private set; }

    /// <summary>Where generation blocks lie in the output, in UTF-16 units.</summary>
    public IReadOnlyList<(int Start, int End)> Generations => _generations;

    /// <summary>Sets a variable before the template runs.</summary>
    public void Define(string name, Value value) => _context[name] = value;

    /// <summary>Runs the template; gives its text.</summary>
    public string Run()
    {
        Execute(_tree.Body);
        return _main.ToString();
    }

    /// <summary>A block's text: <c>self.name()</c>.</summary>
    public Value RunBlock(Block block) => Capture(_root, block.Body);

    /// <summary>Calls a macro: fills its parameters, runs its body with a fresh scope inside the one it was defined in.</summary>
    public Value RunMacro(MacroValue macro, IReadOnlyList<Statement> body, Scope definedIn, Arguments arguments)
    {
        Budget.Step(10);
        Scope scope = new(definedIn);
        Dictionary<string, Value> named = new(arguments.Named);
        MacroSignature signature = macro.Signature;
        Scope callerScope = _scope;
        _scope = scope;
        for (int i = 0; i < signature.Names.Length; i++)
        {
            string name = signature.Names[i];
            Value? given = i < arguments.Ordered.Length ? arguments.Ordered[i] : named.Remove(name, out Value? byName) ? byName : null;
            scope.Set(name, given ?? (signature.Defaults[i] is Expression standard
                ? Evaluate(standard)
                : new UndefinedValue($"parameter '{name}' was not provided")));
        }

        BindSpecials(macro, scope, arguments, named);
        _scope = callerScope;
        return Capture(scope, body);
    }

    private void BindSpecials(MacroValue macro, Scope scope, Arguments arguments, Dictionary<string, Value> named)
    {
        MacroSignature signature = macro.Signature;
        string shown = macro.Name is null ? "None" : $"'{macro.Name}'";
        if (signature.TakesCaller && !signature.Names.Contains("caller"))
        {
            scope.Set("caller", named.Remove("caller", out Value? caller) ? caller : new UndefinedValue("No caller defined"));
        }

        if (signature.TakesKwargs)
        {
            DictValue kwargs = new(Comparer);
            foreach ((string name, Value value) in named)
            {
                kwargs.Set(name, value);
            }

            scope.Set("kwargs", kwargs);
        }
        else if (named.Count > 0)
        {
            throw new ChatTemplateException($"macro {shown} takes no keyword argument '{named.First().Key}'.");
        }

        int count = signature.Names.Length;
        if (signature.TakesVarargs)
        {
            scope.Set("varargs", new TupleValue([.. arguments.Ordered.Skip(count)]));
        }
        else if (arguments.Ordered.Length > count)
        {
            throw new ChatTemplateException($"macro {shown} takes not more than {count} argument(s).");
        }
    }

    private Signal Execute(IReadOnlyList<Statement> body)
    {
        Budget.Enter();
        foreach (Statement statement in body)
        {
            Budget.Step();
            Line = statement.Line;
            Signal signal = Execute(statement);
            if (signal != Signal.None)
            {
                Budget.Leave();
                return signal;
            }
        }

        Budget.Leave();
        return Signal.None;
    }

    private Signal Execute(Statement statement)
    {
        switch (statement)
        {
            case TextOutput text:
                _output.Append(text.Text);
                return Signal.None;
            case Output output:
                _output.Append(ToOutput(Evaluate(output.Value)));
                return Signal.None;
            case If choice:
                return ExecuteIf(choice);
            case For loop:
                return ExecuteFor(loop);
            case LoopControl control:
                return control.IsBreak ? Signal.Break : Signal.Continue;
            case Assign assign:
                SetTarget(_scope, assign.Target, Evaluate(assign.Value));
                return Signal.None;
            case AssignBlock block:
                return ExecuteAssignBlock(block);
            case MacroDefinition macro:
                _scope.Set(macro.Name, new MacroValue(macro.Name, macro.Signature, macro.Body, _scope));
                return Signal.None;
            case CallBlock call:
                MacroValue caller = new(null, call.Signature, call.Body, _scope);
                _output.Append(ToOutput(EvaluateCall(call.Call, new("caller", caller))));
                return Signal.None;
            case FilterBlock filter:
                return ExecuteFilterBlock(filter);
            case With with:
                return ExecuteWith(with);
            case Autoescape autoescape:
                return ExecuteAutoescape(autoescape);
            case Block block:
                return ExecuteIn(new Scope(block.IsScoped ? _scope : _root), block.Body);
            case Generation generation:
                return ExecuteGeneration(generation);
            case ExternalTemplate external:
                throw new ChatTemplateException($"The tag '{external.Tag}' needs another template; a chat template stands alone.", unsupported: external.Tag);
            default:
                throw new InvalidOperationException($"No way to run a {statement.GetType().Name}.");
        }
    }

    private Signal ExecuteGeneration(Generation generation)
    {
        // Like transformers: the place is the one in the template's own output, also where a macro has the block.
        int start = _main.Length;
        string text = Capture(new Scope(_scope), generation.Body).Text;
        _generations.Add((start, start + text.Length));
        _output.Append(text);
        return Signal.None;
    }

    private Signal ExecuteIf(If choice)
    {
        foreach ((Expression test, IReadOnlyList<Statement> body) in choice.Branches)
        {
            if (Evaluate(test).IsTrue)
            {
                return Execute(body);
            }
        }

        return Execute(choice.Else);
    }

    private Signal ExecuteFor(For loop)
    {
        Value items = Evaluate(loop.Items);
        Scope outside = _scope;
        return RunLoop(loop, items, outside, 0);
    }

    // Runs a loop's turns inside the scope that the loop was written in; a recursive loop calls this again for its texts.
    private Signal RunLoop(For loop, Value iterable, Scope outside, int depth0)
    {
        Func<Value, int, Value>? recurse = !loop.IsRecursive ? null : (inner, depth) =>
        {
            (TextBuilder output, Scope scope) = (_output, _scope);
            _output = new TextBuilder(Budget);
            RunLoop(loop, inner, outside, depth);
            Value text = new TextValue(_output.ToString(), EscapesOutput);
            (_output, _scope) = (output, scope);
            return text;
        };

        IEnumerable<Value> items = Iterate(iterable);
        LoopValue state = loop.Test is null
            ? new LoopValue(this, items, iterable.Length, depth0, recurse)
            : new LoopValue(this, Filter(loop, items, outside), null, depth0, recurse);
        Signal signal = Signal.None;
        bool anyTurnEnded = false;
        while (signal != Signal.Break && state.MoveNext())
        {
            Scope turn = new(outside);
            turn.Set("loop", state);
            SetTarget(turn, loop.Target, state.Current);
            signal = ExecuteIn(turn, loop.Body);
            anyTurnEnded |= signal == Signal.None;
        }

        // As in Jinja, the else part runs unless a turn came to the end of the body: also where each was cut short by break or continue.
        return anyTurnEnded ? Signal.None : ExecuteIn(new Scope(outside), loop.Else);
    }

    private IEnumerable<Value> Filter(For loop, IEnumerable<Value> items, Scope outside)
    {
        foreach (Value item in items)
        {
            Scope turn = new(outside);
            SetTarget(turn, loop.Target, item);
            Scope before = _scope;
            _scope = turn;
            bool passes = Evaluate(loop.Test!).IsTrue;
            _scope = before;
            if (passes)
            {
                yield return item;
            }
        }
    }

    private Signal ExecuteAssignBlock(AssignBlock block)
    {
        (TextBuilder output, Scope scope) = (_output, _scope);
        (_output, _scope) = (new TextBuilder(Budget), new Scope(scope));
        Signal signal = Execute(block.Body);
        Value text = new TextValue(_output.ToString(), EscapesOutput);
        if (signal == Signal.None)
        {
            Value value = block.Filter is null ? text : ApplyToBlock(block.Filter, text);
            SetTarget(scope, block.Target, value is TextValue || !EscapesOutput ? value : new TextValue(Str(value), true));
        }

        (_output, _scope) = (output, scope);
        return signal;
    }

    private Signal ExecuteFilterBlock(FilterBlock filter)
    {
        (TextBuilder output, Scope scope) = (_output, _scope);
        (_output, _scope) = (new TextBuilder(Budget), new Scope(scope));
        Signal signal = Execute(filter.Body);
        Value text = new TextValue(_output.ToString(), EscapesOutput);
        Value? value = signal == Signal.None ? ApplyToBlock(filter.Filter, text) : null;
        (_output, _scope) = (output, scope);
        _output.Append(value is null ? "" : ToOutput(value));
        return signal;
    }

    private Value ApplyToBlock(FilterOf filter, Value body) =>
        ApplyFilter(filter, filter.Target is FilterOf inner ? ApplyToBlock(inner, body) : body);

    private Signal ExecuteWith(With with)
    {
        Scope inside = new(_scope);
        Value[] values = [.. with.Bindings.Select(binding => Evaluate(binding.Value))];
        for (int i = 0; i < values.Length; i++)
        {
            SetTarget(inside, with.Bindings[i].Target, values[i]);
        }

        return ExecuteIn(inside, with.Body);
    }

    private Signal ExecuteAutoescape(Autoescape autoescape)
    {
        bool before = EscapesOutput;
        EscapesOutput = Evaluate(autoescape.Value).IsTrue;
        Signal signal = ExecuteIn(new Scope(_scope), autoescape.Body);
        EscapesOutput = before;
        return signal;
    }

    private Signal ExecuteIn(Scope scope, IReadOnlyList<Statement> body)
    {
        Scope before = _scope;
        _scope = scope;
        Signal signal = Execute(body);
        _scope = before;
        return signal;
    }

    // What statements print, as a value.
    private TextValue Capture(Scope scope, IReadOnlyList<Statement> body)
    {
        TextBuilder before = _output;
        int line = Line;
        _output = new TextBuilder(Budget);
        ExecuteIn(scope, body);
        TextValue text = new(_output.ToString(), EscapesOutput);
        _output = before;
        Line = line;
        return text;
    }

    private void SetTarget(Scope scope, Target target, Value value)
    {
        switch (target)
        {
            case NameTarget name:
                scope.Set(name.Name, value);
                break;
            case AttributeTarget attribute:
                if (Find(attribute.Namespace) is not NamespaceValue space)
                {
                    throw new ChatTemplateException("cannot assign attribute on non-namespace object.");
                }

                space.Set(attribute.Attribute, value);
                break;
            case TupleTarget tuple:
                Unpack(scope, tuple, value);
                break;
        }
    }

    private void Unpack(Scope scope, TupleTarget targets, Value value)
    {
        int expected = targets.Items.Length;
        if (value.Items is null)
        {
            throw new ChatTemplateException($"cannot unpack non-iterable {value.TypeName} object.");
        }

        Value[] items = [.. Iterate(value).Take(expected + 1)];
        if (items.Length != expected)
        {
            throw new ChatTemplateException(items.Length > expected
                ? $"too many values to unpack (expected {expected})."
                : $"not enough values to unpack (expected {expected}, got {items.Length}).");
        }

        for (int i = 0; i < expected; i++)
        {
            SetTarget(scope, targets.Items[i], items[i]);
        }
    }
}
