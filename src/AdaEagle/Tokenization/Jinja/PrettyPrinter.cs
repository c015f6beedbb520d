namespace AdaEagle.Tokenization.Jinja;

/// <summary>Python's <c>pprint.pformat</c>: keys sorted, one item a line where a collection is wider than 80 columns. Long texts stay in one piece.</summary>
internal sealed class PrettyPrinter
{
    private const int Width = 80;

    private readonly Interpreter _run;
    private readonly TextBuilder _text;

    private PrettyPrinter(Interpreter run)
    {
        _run = run;
        _text = new TextBuilder(run.Budget);
    }

    public static TextValue Format(Interpreter run, Value value)
    {
        PrettyPrinter printer = new(run);
        printer.Write(printer.Sorted(value), 0, 0);
        return new TextValue(printer._text.ToString());
    }

    // Dictionaries with their keys in order, all the way down.
    private Value Sorted(Value value)
    {
        _run.Budget.Enter();
        _run.Budget.Items(8);
        Value sorted = value;
        if (value is DictValue dict)
        {
            DictValue ordered = new(_run.Comparer);
            KeyValuePair<Value, Value>[] entries = [.. dict.Entries];
            bool comparable = entries.All(entry => entry.Key is TextValue) || entries.All(entry => Numbers.IsNumber(entry.Key));
            foreach ((Value key, Value inner) in comparable ? Sorting.Sort(_run, entries, entry => entry.Key) : entries)
            {
                ordered.Entries[key] = Sorted(inner);
            }

            sorted = ordered;
        }
        else if (value is SequenceValue sequence)
        {
            _run.Budget.Items(sequence.Elements.Count);
            sorted = sequence.With([.. sequence.Elements.Select(Sorted)]);
        }

        _run.Budget.Leave();
        return sorted;
    }

    // allowance: columns that closing brackets behind this value still need.
    private void Write(Value value, int indent, int allowance)
    {
        _run.Budget.Enter();
        string line = PythonText.Repr(_run.Budget, value);
        bool fits = Unicode.CountCodePoints(line) <= Width - indent - allowance;
        switch (value)
        {
            case DictValue { IsTrue: true } dict when !fits:
                WriteItems("{", [.. dict.Entries], "}", indent, allowance, (entry, rest) =>
                {
                    string key = PythonText.Repr(_run.Budget, entry.Key);
                    _text.Append(key).Append(": ");
                    Write(entry.Value, indent + 1 + Unicode.CountCodePoints(key) + 2, rest);
                });
                break;
            case SequenceValue { IsTrue: true } sequence when !fits:
                string close = sequence is not TupleValue ? "]" : sequence.Elements.Count == 1 ? ",)" : ")";
                WriteItems(sequence is TupleValue ? "(" : "[", [.. sequence.Elements], close, indent, allowance, (item, rest) => Write(item, indent + 1, rest));
                break;
            default:
                _text.Append(line);
                break;
        }

        _run.Budget.Leave();
    }

    private void WriteItems<T>(string open, T[] items, string close, int indent, int allowance, Action<T, int> write)
    {
        _text.Append(open);
        for (int i = 0; i < items.Length; i++)
        {
            if (i > 0)
            {
                _text.Append(",\n").Append(" ", indent + 1);
            }

            write(items[i], i == items.Length - 1 ? allowance + close.Length : 1);
        }

        _text.Append(close);
    }
}
