using System.Globalization;
using System.Text;

namespace AdaEagle.Tokenization.Jinja;

/// <summary>
/// Python's <c>json.dumps</c>, which transformers puts behind the filter <c>tojson</c>. <paramref name="indent"/>: what one level of indentation adds,
/// null for all on one line.
/// </summary>
internal sealed class JsonText(Interpreter run, bool escapesNonAscii, string? indent, string itemSeparator, string keySeparator, bool sortsKeys)
{
    private readonly TextBuilder _text = new(run.Budget);

    public string Write(Value value)
    {
        Write(value, 0);
        return _text.ToString();
    }

    private void Write(Value value, int level)
    {
        run.Budget.Enter();
        switch (value)
        {
            case NoneValue:
                _text.Append("null");
                break;
            case BoolValue truth:
                _text.Append(truth.IsTrue ? "true" : "false");
                break;
            case FloatValue real:
                _text.Append(Float(real.Number));
                break;
            case IntValue:
                _text.Append(run.Str(value));
                break;
            case TextValue text:
                WriteText(text.Text);
                break;
            case SequenceValue list:
                WriteList(list.Elements, level);
                break;
            case DictValue dict:
                WriteDict(dict, level);
                break;
            default:
                throw new ChatTemplateException($"Object of type {value.TypeName} is not JSON serializable.");
        }

        run.Budget.Leave();
    }

    private void WriteList(IReadOnlyList<Value> items, int level)
    {
        _text.Append('[');
        for (int i = 0; i < items.Count; i++)
        {
            _text.Append(i > 0 ? itemSeparator : "");
            NewLine(level + 1);
            Write(items[i], level + 1);
        }

        Close(']', items.Count, level);
    }

    private void WriteDict(DictValue dict, int level)
    {
        _text.Append('{');
        bool first = true;
        KeyValuePair<Value, Value>[] entries = [.. dict.Entries];
        entries = sortsKeys ? Sorting.Sort(run, entries, entry => entry.Key) : entries;
        foreach ((Value key, Value value) in entries)
        {
            _text.Append(first ? "" : itemSeparator);
            first = false;
            NewLine(level + 1);
            WriteText(key switch
            {
                TextValue text => text.Text,
                NoneValue => "null",
                BoolValue truth => truth.IsTrue ? "true" : "false",
                IntValue => run.Str(key),
                FloatValue real => Float(real.Number),
                _ => throw new ChatTemplateException($"keys must be str, int, float, bool or None, not {key.TypeName}."),
            });
            _text.Append(keySeparator);
            Write(value, level + 1);
        }

        Close('}', dict.Entries.Count, level);
    }

    private void Close(char bracket, int count, int level)
    {
        if (count > 0)
        {
            NewLine(level);
        }

        _text.Append(bracket);
    }

    private void NewLine(int level)
    {
        if (indent is not null)
        {
            _text.Append('\n').Append(indent, level);
        }
    }

    private void WriteText(string text)
    {
        _text.Append('"');
        int plain = 0;
        for (int i = 0; i < text.Length; i++)
        {
            if (Escape(text[i]) is string escape)
            {
                _text.Append(text.AsSpan(plain, i - plain)).Append(escape);
                plain = i + 1;
            }
        }

        _text.Append(text.AsSpan(plain)).Append('"');
    }

    private string? Escape(char c) => c switch
    {
        '"' => "\\\"",
        '\\' => "\\\\",
        '\n' => "\\n",
        '\r' => "\\r",
        '\t' => "\\t",
        '\f' => "\\f",
        '\b' => "\\b",
        < ' ' => $"\\u{(int)c:x4}",
        > '~' when escapesNonAscii => $"\\u{(int)c:x4}",
        _ => null,
    };

    private static string Float(double number) =>
        double.IsNaN(number) ? "NaN" : double.IsInfinity(number) ? (number > 0 ? "Infinity" : "-Infinity") : PythonText.Float(number);
}
