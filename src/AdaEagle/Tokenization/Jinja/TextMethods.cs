using System.Collections.Frozen;
using System.Globalization;
using System.Text;

namespace AdaEagle.Tokenization.Jinja;

/// <summary>The methods of Python's <c>str</c>. Places and lengths are code points.</summary>
internal static class TextMethods
{
    public static readonly FrozenDictionary<string, Method> Table = new Dictionary<string, Method>
    {
        ["capitalize"] = (run, self, args) => Changed(run, self, args, Capitalize),
        ["casefold"] = (run, self, args) => Changed(run, self, args, text => Unicode.Lower(text).Replace("ß", "ss", StringComparison.Ordinal).Replace('ς', 'σ')),
        ["center"] = (run, self, args) => Pad(run, self, args, (padding, width) => padding / 2 + (padding & width & 1)),
        ["count"] = (run, self, args) => Within(run, self, args, (text, part) => part.Length == 0 ? new TextValue(text).CodePoints + 1 : TextSearch.All(run.Budget, text, part).Count(), absent: 0, offset: false),
        ["endswith"] = (run, self, args) => Matches(run, self, args, (text, part) => text.EndsWith(part, StringComparison.Ordinal)),
        ["expandtabs"] = ExpandTabs,
        ["find"] = (run, self, args) => Find(run, self, args, TextSearch.First, mustExist: false),
        ["format"] = (run, self, args) => BraceFormat.Apply(run, Text(self), args.Ordered, args.Named.ToDictionary(pair => pair.Key, pair => pair.Value)),
        ["format_map"] = (run, self, args) => BraceFormat.Apply(run, Text(self), [], NamesOf(args.Positional(1, 1)[0])),
        ["index"] = (run, self, args) => Find(run, self, args, TextSearch.First, mustExist: true),
        ["isalnum"] = (run, self, args) => All(run, self, args, Unicode.IsAlphanumeric),
        ["isalpha"] = (run, self, args) => All(run, self, args, Rune.IsLetter),
        ["isascii"] = (run, self, args) => BoolValue.Of(args.Positional(0, 0) is var _ && Ascii.IsValid(Text(self).Text)),
        ["isdecimal"] = (run, self, args) => All(run, self, args, Rune.IsDigit),
        ["isdigit"] = (run, self, args) => All(run, self, args, rune => CharUnicodeInfo.GetDigitValue(rune.ToString(), 0) >= 0),
        ["isidentifier"] = (run, self, args) => BoolValue.Of(All(run, self, args, Unicode.IsWord).IsTrue && Unicode.IsNameStart(Rune.GetRuneAt(Text(self).Text, 0))),
        ["islower"] = (run, self, args) => HasOnly(run, self, args, Rune.IsLower),
        ["isnumeric"] = (run, self, args) => All(run, self, args, Unicode.IsNumeric),
        ["isprintable"] = (run, self, args) => BoolValue.Of(Text(self).Text.Length == 0 || All(run, self, args, Unicode.IsPrintable).IsTrue),
        ["isspace"] = (run, self, args) => All(run, self, args, rune => rune.IsBmp && Unicode.IsSpace((char)rune.Value)),
        ["istitle"] = (run, self, args) => BoolValue.Of(args.Positional(0, 0) is var _ && IsTitle(run, Text(self).Text)),
        ["isupper"] = (run, self, args) => HasOnly(run, self, args, Rune.IsUpper),
        ["join"] = (run, self, args) => Join(run, Text(self), args.Positional(1, 1)[0]),
        ["ljust"] = (run, self, args) => Pad(run, self, args, (_, _) => 0),
        ["lower"] = (run, self, args) => Changed(run, self, args, Unicode.Lower),
        ["lstrip"] = (run, self, args) => Strip(run, Text(self), args.Bind("chars?").FindSome(0), left: true, right: false),
        ["partition"] = (run, self, args) => TextSplitting.Partition(run, Text(self), args, fromRight: false),
        ["removeprefix"] = (run, self, args) => Without(run, self, args, (text, part) => text.StartsWith(part, StringComparison.Ordinal) ? text[part.Length..] : text),
        ["removesuffix"] = (run, self, args) => Without(run, self, args, (text, part) => text.EndsWith(part, StringComparison.Ordinal) ? text[..^part.Length] : text),
        ["replace"] = ReplaceMethod,
        ["rfind"] = (run, self, args) => Find(run, self, args, TextSearch.Last, mustExist: false),
        ["rindex"] = (run, self, args) => Find(run, self, args, TextSearch.Last, mustExist: true),
        ["rjust"] = (run, self, args) => Pad(run, self, args, (padding, _) => padding),
        ["rpartition"] = (run, self, args) => TextSplitting.Partition(run, Text(self), args, fromRight: true),
        ["rsplit"] = (run, self, args) => TextSplitting.Split(run, Text(self), args, fromRight: true),
        ["rstrip"] = (run, self, args) => Strip(run, Text(self), args.Bind("chars?").FindSome(0), left: false, right: true),
        ["split"] = (run, self, args) => TextSplitting.Split(run, Text(self), args, fromRight: false),
        ["splitlines"] = (run, self, args) => TextSplitting.ToList(run, Text(self), TextSplitting.Lines(Text(self).Text, args.Bind("keepends?").IsTrue(0))),
        ["startswith"] = (run, self, args) => Matches(run, self, args, (text, part) => text.StartsWith(part, StringComparison.Ordinal)),
        ["strip"] = (run, self, args) => Strip(run, Text(self), args.Bind("chars?").FindSome(0), left: true, right: true),
        ["swapcase"] = (run, self, args) => Changed(run, self, args, text => PerRune(text, rune => Rune.IsUpper(rune) ? Unicode.Lower(rune.ToString()) : Unicode.Upper(rune.ToString()))),
        ["title"] = (run, self, args) => Changed(run, self, args, Title),
        ["upper"] = (run, self, args) => Changed(run, self, args, Unicode.Upper),
        ["zfill"] = ZeroFill,
        ["encode"] = Unsupported("encode"),
        ["maketrans"] = Unsupported("maketrans"),
        ["translate"] = Unsupported("translate"),
    }.ToFrozenDictionary();

    /// <summary>A method that Python has and this engine does not.</summary>
    public static Method Unsupported(string name) => (_, _, _) => throw new ChatTemplateException($"The method '{name}' is not supported.", unsupported: name);

    /// <summary>First letter in title case, the others lower.</summary>
    public static string Capitalize(string text)
    {
        if (text.Length == 0)
        {
            return text;
        }

        int first = text.Length > 1 && char.IsSurrogatePair(text[0], text[1]) ? 2 : 1;
        return Unicode.Title(text[..first]) + Unicode.Lower(text)[Unicode.Lower(text[..first]).Length..];
    }

    /// <summary>Cuts characters off the ends: white space, or those of a text.</summary>
    public static TextValue Strip(Interpreter run, TextValue self, Value? characters, bool left, bool right)
    {
        HashSet<int>? set = null;
        if (characters is not null)
        {
            string wanted = characters is TextValue given ? given.Text : throw new ChatTemplateException($"strip arg must be None or str, not {characters.TypeName}.");
            run.Budget.Text(wanted.Length);
            set = [.. wanted.EnumerateRunes().Select(rune => rune.Value)];
        }

        string text = self.Text;
        int start = 0;
        int end = text.Length;
        while (left && start < end && Goes(start, out int length))
        {
            start += length;
        }

        while (right && end > start && Goes(end - 1 - (end - start > 1 && char.IsSurrogatePair(text[end - 2], text[end - 1]) ? 1 : 0), out int length))
        {
            end -= length;
        }

        run.Budget.Text(end - start);
        return start == 0 && end == text.Length ? self : self.With(text[start..end]);

        bool Goes(int at, out int length)
        {
            length = at + 1 < text.Length && char.IsSurrogatePair(text[at], text[at + 1]) ? 2 : 1;
            return set is null ? Unicode.IsSpace(text[at]) : set.Contains(length == 2 ? char.ConvertToUtf32(text[at], text[at + 1]) : text[at]);
        }
    }

    /// <summary><c>text.replace(old, other, count)</c>; a negative count replaces all.</summary>
    public static string Replace(Interpreter run, string text, string old, string other, long count = -1)
    {
        TextBuilder result = new(run.Budget);
        int plain = 0;
        foreach (int at in TextSearch.All(run.Budget, text, old))
        {
            if (count-- == 0)
            {
                break;
            }

            run.Budget.Step();
            result.Append(text.AsSpan(plain, at - plain)).Append(other);
            plain = at + old.Length;
        }

        return result.Append(text.AsSpan(plain)).ToString();
    }

    /// <summary>Joins texts with this one between them.</summary>
    public static TextValue Join(Interpreter run, TextValue separator, Value items)
    {
        TextBuilder joined = new(run.Budget);
        int count = 0;
        foreach (Value item in run.Iterate(items))
        {
            TextValue text = separator.IsMarkup ? run.Escape(item)
                : item as TextValue ?? throw new ChatTemplateException($"sequence item {count}: expected str instance, {item.TypeName} found.");
            joined.Append(count++ > 0 ? separator.Text : "").Append(text.Text);
        }

        return separator.With(joined.ToString());
    }

    private static TextValue Text(Value self) => (TextValue)self;

    private static TextValue Changed(Interpreter run, Value self, Arguments args, Func<string, string> change)
    {
        args.Positional(0, 0);
        run.Budget.Text(3L * Text(self).Text.Length);
        return Text(self).With(change(Text(self).Text));
    }

    private static BoolValue All(Interpreter run, Value self, Arguments args, Func<Rune, bool> test)
    {
        args.Positional(0, 0);
        string text = Text(self).Text;
        run.Budget.Step(1 + text.Length / 16);
        return BoolValue.Of(text.Length > 0 && text.EnumerateRunes().All(test));
    }

    private static BoolValue HasOnly(Interpreter run, Value self, Arguments args, Func<Rune, bool> isRightCase)
    {
        args.Positional(0, 0);
        string text = Text(self).Text;
        run.Budget.Step(1 + text.Length / 16);
        return BoolValue.Of(text.EnumerateRunes().Any(isRightCase) && text.EnumerateRunes().All(rune => isRightCase(rune) || !Unicode.IsCased(rune)));
    }

    private static bool IsTitle(Interpreter run, string text)
    {
        run.Budget.Step(1 + text.Length / 16);
        bool afterCased = false;
        bool any = false;
        foreach (Rune rune in text.EnumerateRunes())
        {
            bool isCased = Unicode.IsCased(rune);
            if (isCased && afterCased != Rune.IsLower(rune))
            {
                return false;
            }

            any |= isCased;
            afterCased = isCased;
        }

        return any;
    }

    private static string Title(string text)
    {
        bool afterCased = false;
        return PerRune(text, rune =>
        {
            string changed = afterCased ? rune.ToString().ToLowerInvariant() : Unicode.Title(rune.ToString());
            afterCased = Unicode.IsCased(rune);
            return changed;
        });
    }

    private static string PerRune(string text, Func<Rune, string> change)
    {
        StringBuilder changed = new(text.Length);
        foreach (Rune rune in text.EnumerateRunes())
        {
            changed.Append(change(rune));
        }

        return changed.ToString();
    }

    private static TextValue Pad(Interpreter run, Value self, Arguments args, Func<long, long, long> left)
    {
        Bound bound = args.Bind("width", "fillchar?");
        long width = bound.Int(0);
        string fill = bound.Text(1, " ");
        if (Unicode.CountCodePoints(fill) != 1)
        {
            throw new ChatTemplateException("The fill character must be exactly one character long.");
        }

        TextValue text = Text(self);
        long padding = Math.Max(0, width - text.CodePoints);
        long before = left(padding, width);
        return text.With(new TextBuilder(run.Budget).Append(fill, before).Append(text.Text).Append(fill, padding - before).ToString());
    }

    private static TextValue ZeroFill(Interpreter run, Value self, Arguments args)
    {
        TextValue text = Text(self);
        long padding = args.Bind("width").Int(0) - text.CodePoints;
        int sign = text.Text.StartsWith('-') || text.Text.StartsWith('+') ? 1 : 0;
        return text.With(new TextBuilder(run.Budget).Append(text.Text.AsSpan(0, sign)).Append("0", padding).Append(text.Text.AsSpan(sign)).ToString());
    }

    private static TextValue ExpandTabs(Interpreter run, Value self, Arguments args)
    {
        long size = args.Bind("tabsize?").Int(0, 8);
        TextBuilder expanded = new(run.Budget);
        long column = 0;
        foreach (Rune rune in Text(self).Text.EnumerateRunes())
        {
            long spaces = rune.Value != '\t' || size <= 0 ? 0 : size - column % size;
            column = rune.Value is '\n' or '\r' ? 0 : column + (rune.Value == '\t' ? spaces : 1);
            _ = rune.Value == '\t' ? expanded.Append(" ", spaces) : expanded.Append(rune.ToString());
        }

        return Text(self).With(expanded.ToString());
    }

    // The part of a text that start and end arguments name; null where it begins behind the text's end.
    private static string? Part(TextValue text, Bound bound, out int start)
    {
        int length = text.CodePoints;
        start = Place(bound.FindSome(1) is null ? 0 : bound.Int(1));
        int end = Place(bound.FindSome(2) is null ? length : bound.Int(2));
        bool exists = bound.FindSome(1) is null || bound.Int(1) <= length;
        return !exists || end < start ? null : text.Slice(start, end);

        int Place(long index) => (int)Math.Clamp(index < 0 ? index + length : index, 0, length);
    }

    private static IntValue Within(Interpreter run, Value self, Arguments args, Func<string, string, int> measure, int absent, bool offset)
    {
        Bound bound = args.Bind("sub", "start?", "end?");
        string? part = Part(Text(self), bound, out int start);
        run.Budget.Text(part?.Length ?? 0);
        int measured = part is null ? absent : measure(part, bound.Text(0).Text);
        if (offset && measured >= 0)
        {
            measured = new TextValue(part!).CodePointAt(measured) + start;
        }

        return IntValue.Of(measured);
    }

    private static IntValue Find(Interpreter run, Value self, Arguments args, Func<Budget, string, string, int> find, bool mustExist)
    {
        IntValue found = Within(run, self, args, (text, part) => find(run.Budget, text, part), absent: -1, offset: true);
        return mustExist && found.Number.Sign < 0 ? throw new ChatTemplateException("substring not found.") : found;
    }

    private static BoolValue Matches(Interpreter run, Value self, Arguments args, Func<string, string, bool> matches)
    {
        Bound bound = args.Bind("prefix", "start?", "end?");
        string? part = Part(Text(self), bound, out _);
        run.Budget.Text(part?.Length ?? 0);
        return bound[0] is TupleValue choices
            ? BoolValue.Of(part is not null && choices.Elements.Any(choice => matches(part, Bound.ToText(args, choice).Text)))
            : BoolValue.Of(part is not null & matches(part ?? "", bound.Text(0).Text));
    }

    private static TextValue Without(Interpreter run, Value self, Arguments args, Func<string, string, string> cut)
    {
        string part = args.Bind("part").Text(0).Text;
        run.Budget.Text(Text(self).Text.Length);
        return Text(self).With(cut(Text(self).Text, part));
    }

    private static TextValue ReplaceMethod(Interpreter run, Value self, Arguments args)
    {
        Bound bound = args.Bind("old", "new", "count?");
        TextValue other = Text(self).IsMarkup ? run.Escape(bound.Text(1)) : bound.Text(1);
        return Text(self).With(Replace(run, Text(self).Text, bound.Text(0).Text, other.Text, bound.Int(2, -1)));
    }

    private static Dictionary<string, Value> NamesOf(Value mapping) => (mapping as DictValue ?? throw new ChatTemplateException($"format_map() wants a mapping, not {mapping.TypeName}."))
        .Entries.Where(entry => entry.Key is TextValue).ToDictionary(entry => ((TextValue)entry.Key).Text, entry => entry.Value);
}
