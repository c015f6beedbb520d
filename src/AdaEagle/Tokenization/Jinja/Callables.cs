namespace AdaEagle.Tokenization.Jinja;

/// <summary>A function that is part of this engine.</summary>
internal delegate Value Function(Interpreter run, Arguments arguments);

/// <summary>A method of a value, a filter or a test: a function of the value it works on.</summary>
internal delegate Value Method(Interpreter run, Value self, Arguments arguments);

/// <summary>Anything a template can call.</summary>
internal abstract class CallableValue : Value
{
    public abstract Value Call(Interpreter run, Arguments arguments);
}

/// <summary>A global function or the method of a value.</summary>
internal sealed class FunctionValue(string typeName, Function body) : CallableValue
{
    public override string TypeName => typeName;

    public override Value Call(Interpreter run, Arguments arguments) => body(run, arguments);
}

/// <summary>A macro, or the body of a call block (then <paramref name="name"/> is null).</summary>
internal sealed class MacroValue(string? name, MacroSignature signature, IReadOnlyList<Statement> body, Scope scope) : CallableValue
{
    public string? Name => name;

    public MacroSignature Signature => signature;

    public override string TypeName => "Macro";

    public override Value Call(Interpreter run, Arguments arguments) => run.RunMacro(this, body, scope, arguments);
}

/// <summary><c>joiner(sep)</c>: nothing the first time, the separator from then on.</summary>
internal sealed class JoinerValue(Value separator) : CallableValue
{
    private bool _used;

    public override string TypeName => "Joiner";

    public override Value Call(Interpreter run, Arguments arguments)
    {
        arguments.Positional(0, 0);
        Value given = _used ? separator : TextValue.Empty;
        _used = true;
        return given;
    }
}

/// <summary><c>cycler(a, b, …)</c>: its items in turn.</summary>
internal sealed class CyclerValue(IReadOnlyList<Value> items) : Value
{
    private int _position;

    public override string TypeName => "Cycler";

    public Value Current => items[_position];

    public Value Next()
    {
        Value current = Current;
        _position = (_position + 1) % items.Count;
        return current;
    }

    public void Reset() => _position = 0;
}

/// <summary>
/// The variable <c>loop</c>. It reads its items one ahead only when asked for the next or the last one, and all of them only when asked for the
/// length of something that does not know it: the items may come from a generator that the body influences.
/// </summary>
internal sealed class LoopValue(Interpreter run, IEnumerable<Value> items, int? length, int depth0, Func<Value, int, Value>? recurse) : CallableValue
{
    private IEnumerator<Value> _items = items.GetEnumerator();
    private Value? _after;
    private bool _ended;
    private int? _length = length;
    private Value[]? _changed;

    public override string TypeName => "LoopContext";

    public override int? Length => Count;

    public int Index0 { get; private set; } = -1;

    public int Depth0 => depth0;

    public Value Current { get; private set; } = NoneValue.Instance;

    public Value? Previous { get; private set; }

    public Value? Following => PeekNext();

    public int Count
    {
        get
        {
            if (_length is null)
            {
                List<Value> rest = [];
                while (PeekNext() is Value next)
                {
                    run.Budget.Items(1);
                    rest.Add(next);
                    _after = null;
                }

                _items = rest.GetEnumerator();
                _ended = false;
                _length = rest.Count + Index0 + 1;
            }

            return _length.Value;
        }
    }

    /// <summary>On to the next item; false behind the last one.</summary>
    public bool MoveNext()
    {
        Value? next = PeekNext();
        if (next is null)
        {
            return false;
        }

        _after = null;
        Previous = Index0 >= 0 ? Current : null;
        Current = next;
        Index0++;
        return true;
    }

    /// <summary><c>loop.changed(…)</c>: true unless called with the same values the last time.</summary>
    public bool Changed(Value[] values)
    {
        bool same = _changed is not null && _changed.Length == values.Length && _changed.Zip(values).All(pair => run.Comparer.Equals(pair.First, pair.Second));
        _changed = values;
        return !same;
    }

    /// <summary><c>loop(items)</c> in a recursive loop: the loop again over other items, as text.</summary>
    public override Value Call(Interpreter run, Arguments arguments)
    {
        if (recurse is null)
        {
            throw new ChatTemplateException("The loop must have the 'recursive' marker to be called recursively.");
        }

        return recurse(arguments.Positional(1, 1)[0], depth0 + 1);
    }

    private Value? PeekNext()
    {
        if (_after is null && !_ended)
        {
            if (_items.MoveNext())
            {
                run.Budget.Step(10);
                _after = _items.Current;
            }
            else
            {
                _ended = true;
            }
        }

        return _after;
    }
}

/// <summary>Variables of one part of a template. Names are few, so a short list beats a dictionary.</summary>
internal sealed class Scope(Scope? parent)
{
    private string[] _names = [];
    private Value[] _values = [];
    private int _count;

    public Value? Find(string name)
    {
        for (Scope? scope = this; scope is not null; scope = scope.Parent)
        {
            for (int i = 0; i < scope._count; i++)
            {
                if (scope._names[i] == name)
                {
                    return scope._values[i];
                }
            }
        }

        return null;
    }

    public Scope? Parent => parent;

    public void Set(string name, Value value)
    {
        int at = Array.IndexOf(_names, name, 0, _count);
        if (at < 0)
        {
            at = _count++;
            if (at == _names.Length)
            {
                Array.Resize(ref _names, Math.Max(4, at * 2));
                Array.Resize(ref _values, Math.Max(4, at * 2));
            }

            _names[at] = name;
        }

        _values[at] = value;
    }
}
