namespace AdaEagle.Tokenization.Jinja;

/// <summary>Takes texts apart: lines, words, parts between separators.</summary>
internal static class TextSplitting
{
    /// <summary>The lines of a text, with their ends or without.</summary>
    public static IEnumerable<string> Lines(string text, bool keepsEnds = false)
    {
        int start = 0;
        for (int i = 0; i < text.Length; i++)
        {
            if (Unicode.IsLineEnd(text[i]))
            {
                int end = text[i] == '\r' && i + 1 < text.Length && text[i + 1] == '\n' ? i + 2 : i + 1;
                yield return text[start..(keepsEnds ? end : i)];
                start = end;
                i = end - 1;
            }
        }

        if (start < text.Length)
        {
            yield return text[start..];
        }
    }

    /// <summary>Before, at and behind the first separator (or the last one).</summary>
    public static TupleValue Partition(Interpreter run, TextValue text, Arguments args, bool fromRight)
    {
        TextValue separator = args.Bind("sep").Text(0);
        int at = separator.Text.Length == 0 ? throw new ChatTemplateException("empty separator.")
            : fromRight ? TextSearch.Last(run.Budget, text.Text, separator.Text) : TextSearch.First(run.Budget, text.Text, separator.Text);
        run.Budget.Text(text.Text.Length);
        if (at < 0)
        {
            TextValue nothing = text.With("");
            return fromRight ? new TupleValue(nothing, nothing, text) : new TupleValue(text, nothing, nothing);
        }

        return new TupleValue(text.With(text.Text[..at]), separator, text.With(text.Text[(at + separator.Text.Length)..]));
    }

    /// <summary>The parts between separators, or words between white space; no more cuts than <c>maxsplit</c>.</summary>
    public static ListValue Split(Interpreter run, TextValue self, Arguments args, bool fromRight)
    {
        Bound bound = args.Bind("sep?", "maxsplit?");
        long most = bound.Int(1, -1) is var given and >= 0 ? given : int.MaxValue;
        string text = self.Text;
        run.Budget.Text(text.Length);
        return ToList(run, self, bound.FindSome(0) is Value separator
            ? SplitAt(run, text, Bound.ToText(args, separator).Text, most, fromRight)
            : fromRight ? SplitAtSpaceFromRight(text, most) : SplitAtSpace(text, most));
    }

    private static List<string> SplitAt(Interpreter run, string text, string separator, long most, bool fromRight)
    {
        if (separator.Length == 0)
        {
            throw new ChatTemplateException("empty separator.");
        }

        List<int> places = [];
        foreach (int at in TextSearch.All(run.Budget, text, separator))
        {
            run.Budget.Items(1);
            places.Add(at);
        }

        if (fromRight && places.Count > most)
        {
            places.RemoveRange(0, places.Count - (int)most);
        }

        List<string> parts = [];
        int start = 0;
        foreach (int at in places.Take((int)Math.Min(most, int.MaxValue)))
        {
            parts.Add(text[start..at]);
            start = at + separator.Length;
        }

        parts.Add(text[start..]);
        return parts;
    }

    private static IEnumerable<string> SplitAtSpace(string text, long most)
    {
        int at = 0;
        while (true)
        {
            while (at < text.Length && Unicode.IsSpace(text[at]))
            {
                at++;
            }

            if (at == text.Length)
            {
                yield break;
            }

            int start = at;
            while (at < text.Length && (most == 0 || !Unicode.IsSpace(text[at])))
            {
                at++;
            }

            most--;
            yield return text[start..at];
        }
    }

    private static List<string> SplitAtSpaceFromRight(string text, long most)
    {
        List<string> parts = [];
        int end = text.Length;
        while (true)
        {
            while (end > 0 && Unicode.IsSpace(text[end - 1]))
            {
                end--;
            }

            if (end == 0)
            {
                parts.Reverse();
                return parts;
            }

            int start = end;
            while (start > 0 && (most == 0 || !Unicode.IsSpace(text[start - 1])))
            {
                start--;
            }

            most--;
            parts.Add(text[start..end]);
            end = start;
        }
    }

    /// <summary>Texts as a list of values of the same kind as <paramref name="kind"/>.</summary>
    public static ListValue ToList(Interpreter run, TextValue kind, IEnumerable<string> parts)
    {
        List<Value> items = [];
        foreach (string part in parts)
        {
            run.Budget.Items(1);
            run.Budget.Text(part.Length);
            items.Add(kind.With(part));
        }

        return new ListValue(items);
    }
}
