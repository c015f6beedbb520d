using System.Text;

namespace AdaEagle.Tokenization.Jinja;

/// <summary>The filters that work on texts.</summary>
internal static class TextFilters
{
    public static IEnumerable<KeyValuePair<string, Method>> All =>
    [
        new("capitalize", (run, self, args) => Changed(run, self, args, TextMethods.Capitalize)),
        new("center", (run, self, args) => TextMethods.Table["center"](run, run.SoftStr(self), new Arguments("center", [args.Bind("width?").Find(0) ?? IntValue.Of(80)]))),
        new("e", Escape),
        new("escape", Escape),
        new("forceescape", (run, self, args) => args.Bind() is var _ ? new TextValue(PythonText.EscapeHtml(run.Budget, run.Str(self)), true) : self),
        new("format", Format),
        new("indent", Indent),
        new("lower", (run, self, args) => Changed(run, self, args, Unicode.Lower)),
        new("pprint", (run, self, args) => args.Bind() is var _ ? PrettyPrinter.Format(run, self) : self),
        new("replace", Replace),
        new("safe", (run, self, args) => args.Bind() is var _ ? new TextValue(run.Str(self), true) : self),
        new("string", (run, self, args) => args.Bind() is var _ ? run.SoftStr(self) : self),
        new("striptags", (run, self, args) => args.Bind() is var _ ? run.Text(StripTags(run, run.Str(self))) : self),
        new("title", (run, self, args) => Changed(run, self, args, Title)),
        new("trim", (run, self, args) => TextMethods.Strip(run, run.SoftStr(self), args.Bind("chars?").FindSome(0), left: true, right: true)),
        new("truncate", Truncate),
        new("upper", (run, self, args) => Changed(run, self, args, Unicode.Upper)),
        new("urlencode", UrlEncode),
        new("wordcount", (run, self, args) => args.Bind() is var _ ? IntValue.Of(CountWords(run, run.Str(self))) : self),
        new("wordwrap", WordWrap),
        new("xmlattr", XmlAttributes),
    ];

    private static TextValue Changed(Interpreter run, Value self, Arguments args, Func<string, string> change)
    {
        args.Bind();
        TextValue text = run.SoftStr(self);
        run.Budget.Text(3L * text.Text.Length);
        return text.With(change(text.Text));
    }

    // A word begins behind white space, hyphens and opening brackets; the rest of it becomes lower case.
    private static string Title(string text)
    {
        StringBuilder title = new(text.Length);
        bool begins = true;
        int start = 0;
        for (int i = 0; i <= text.Length; i++)
        {
            bool isBoundary = i < text.Length && (Unicode.IsSpace(text[i]) || "-({[<".Contains(text[i], StringComparison.Ordinal));
            if (i == text.Length || isBoundary == begins)
            {
                string piece = text[start..i];
                if (piece.Length > 0)
                {
                    int first = piece.Length > 1 && char.IsSurrogatePair(piece[0], piece[1]) ? 2 : 1;
                    title.Append(Unicode.Upper(piece[..first])).Append(Unicode.Lower(piece[first..]));
                }

                start = i;
                begins = !isBoundary;
            }
        }

        return title.ToString();
    }

    private static TextValue Escape(Interpreter run, Value self, Arguments args)
    {
        args.Bind();
        return run.Escape(self);
    }

    private static TextValue Format(Interpreter run, Value self, Arguments args)
    {
        if (args.Ordered.Length > 0 && args.Named.Length > 0)
        {
            throw new ChatTemplateException("can't handle positional and keyword arguments at the same time.");
        }

        DictValue named = new(run.Comparer);
        foreach ((string name, Value value) in args.Named)
        {
            named.Set(name, value);
        }

        return PercentFormat.Apply(run, run.SoftStr(self), named.IsTrue ? named : new TupleValue(args.Ordered));
    }

    private static TextValue Replace(Interpreter run, Value self, Arguments args)
    {
        Bound bound = args.Bind("old", "new", "count?");
        long count = bound.FindSome(2) is null ? -1 : bound.Int(2);
        (TextValue old, TextValue other) = (run.SoftStr(bound[0]), run.SoftStr(bound[1]));
        if (!run.EscapesOutput)
        {
            return new TextValue(TextMethods.Replace(run, run.Str(self), old.Text, other.Text, count));
        }

        TextValue text = old.IsMarkup || other.IsMarkup ? run.Escape(self) : run.SoftStr(self);
        other = text.IsMarkup ? run.Escape(other) : other;
        return text.With(TextMethods.Replace(run, text.Text, old.Text, other.Text, count));
    }

    private static TextValue Indent(Interpreter run, Value self, Arguments args)
    {
        Bound bound = args.Bind("width?", "first?", "blank?");
        TextValue text = Bound.ToText(args, self);
        string indent = bound.Find(0) is TextValue given ? given.Text : new TextBuilder(run.Budget).Append(" ", bound.Int(0, 4)).ToString();
        bool blank = bound.IsTrue(2);
        TextBuilder result = new(run.Budget);
        result.Append(bound.IsTrue(1) ? indent : "");
        int count = 0;
        foreach (string line in TextSplitting.Lines(text.Text + "\n"))
        {
            run.Budget.Step();
            if (count++ > 0)
            {
                result.Append('\n').Append(line.Length > 0 || blank ? indent : "");
            }

            result.Append(line);
        }

        return text.With(result.ToString());
    }

    private static Value Truncate(Interpreter run, Value self, Arguments args)
    {
        Bound bound = args.Bind("length?", "killwords?", "end?", "leeway?");
        TextValue end = bound.Find(2) is null ? new TextValue("...") : bound.Text(2);
        long length = bound.Int(0, 255);
        long leeway = bound.FindSome(3) is null ? 5 : bound.Int(3);
        if (length < end.CodePoints || leeway < 0)
        {
            throw new ChatTemplateException(leeway < 0 ? $"expected leeway >= 0, got {leeway}." : $"expected length >= {end.CodePoints}, got {length}.");
        }

        if (self.Length - leeway <= length)
        {
            return self;
        }

        TextValue text = Bound.ToText(args, self);
        string kept = text.Slice(0, (int)length - end.CodePoints);
        if (!bound.IsTrue(1) && kept.LastIndexOf(' ') is var space and >= 0)
        {
            kept = kept[..space];
        }

        run.Budget.Text(kept.Length + end.Text.Length);
        return text.With(kept + end.Text);
    }

    private static int CountWords(Interpreter run, string text)
    {
        run.Budget.Step(1 + text.Length / 16);
        int count = 0;
        bool inside = false;
        foreach (Rune rune in text.EnumerateRunes())
        {
            bool isWord = Unicode.IsWord(rune);
            count += isWord && !inside ? 1 : 0;
            inside = isWord;
        }

        return count;
    }

    private static TextValue WordWrap(Interpreter run, Value self, Arguments args)
    {
        Bound bound = args.Bind("width?", "break_long_words?", "wrapstring?", "break_on_hyphens?");
        long width = bound.Int(0, 79);
        if (width <= 0)
        {
            throw new ChatTemplateException($"invalid width {width} (must be > 0).");
        }

        TextValue text = Bound.ToText(args, self);
        string end = bound.FindSome(2) is null ? "\n" : bound.Text(2).Text;
        TextWrapper wrapper = new(run.Budget, (int)Math.Min(width, int.MaxValue), bound.IsTrue(1, true), bound.IsTrue(3, true));
        TextBuilder result = new(run.Budget);
        bool first = true;
        foreach (string line in TextSplitting.Lines(text.Text))
        {
            // A line without text wraps to nothing, and still takes its place.
            List<string> wrapped = wrapper.Wrap(line);
            result.Append(first ? "" : end);
            for (int i = 0; i < wrapped.Count; i++)
            {
                result.Append(i > 0 ? end : "").Append(wrapped[i]);
            }

            first = false;
        }

        return new TextValue(result.ToString());
    }

    private static TextValue UrlEncode(Interpreter run, Value self, Arguments args)
    {
        args.Bind();
        TextBuilder result = new(run.Budget);
        if (self is TextValue || self.Items is null)
        {
            Quote(result, run.Str(self), "/");
            return new TextValue(result.ToString());
        }

        IEnumerable<Value> pairs = self is DictValue dict ? dict.Entries.Select(entry => new TupleValue(entry.Key, entry.Value)) : run.Iterate(self);
        bool first = true;
        foreach (Value pair in pairs)
        {
            Value[] parts = run.ToArray(pair) is { Length: 2 } both ? both : throw new ChatTemplateException("urlencode wants pairs.");
            result.Append(first ? "" : "&");
            Quote(result, run.Str(parts[0]), "", plus: true);
            result.Append('=');
            Quote(result, run.Str(parts[1]), "", plus: true);
            first = false;
        }

        return new TextValue(result.ToString());
    }

    private static void Quote(TextBuilder result, string text, string safe, bool plus = false)
    {
        foreach (byte part in Encoding.UTF8.GetBytes(text))
        {
            char c = (char)part;
            bool plain = char.IsAsciiLetterOrDigit(c) || "_.-~".Contains(c, StringComparison.Ordinal) || safe.Contains(c, StringComparison.Ordinal);
            _ = plain ? result.Append(c) : plus && c == ' ' ? result.Append('+') : result.Append($"%{part:X2}");
        }
    }

    private static TextValue XmlAttributes(Interpreter run, Value self, Arguments args)
    {
        bool autospace = args.Bind("autospace?").IsTrue(0, true);
        DictValue dict = self as DictValue ?? throw new ChatTemplateException($"xmlattr wants a mapping, not {self.TypeName}.");
        TextBuilder result = new(run.Budget);
        foreach ((Value key, Value value) in dict.Entries)
        {
            if (value is NoneValue or UndefinedValue)
            {
                continue;
            }

            string name = run.Str(key);
            if (name.Any(c => Unicode.IsSpace(c) || c is '/' or '>' or '='))
            {
                throw new ChatTemplateException($"Invalid character in attribute name: '{ChatTemplateException.Shorten(name)}'.");
            }

            result.Append(result.Length > 0 || autospace ? " " : "").Append(run.Escape(key).Text).Append("=\"").Append(run.Escape(value).Text).Append('"');
        }

        return new TextValue(result.ToString(), run.EscapesOutput);
    }

    // Comments and tags go, white space becomes single spaces, entities become characters.
    private static string StripTags(Interpreter run, string text)
    {
        text = Without(run, Without(run, text, "<!--", "-->"), "<", ">");
        run.Budget.Text(2L * text.Length);
        StringBuilder words = new(text.Length);
        foreach (char c in text)
        {
            _ = !Unicode.IsSpace(c) ? words.Append(c) : words.Length > 0 && words[^1] != ' ' ? words.Append(' ') : words;
        }

        return System.Net.WebUtility.HtmlDecode(words.ToString().TrimEnd(' '));
    }

    private static string Without(Interpreter run, string text, string open, string close)
    {
        TextBuilder rest = new(run.Budget);
        int at = 0;
        while (text.IndexOf(open, at, StringComparison.Ordinal) is var start and >= 0 && text.IndexOf(close, start, StringComparison.Ordinal) is var end and >= 0)
        {
            rest.Append(text.AsSpan(at, start - at));
            at = end + close.Length;
        }

        return rest.Append(text.AsSpan(at)).ToString();
    }
}
