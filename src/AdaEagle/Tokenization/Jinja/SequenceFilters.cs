namespace AdaEagle.Tokenization.Jinja;

/// <summary>The filters that work on lists and other values with items.</summary>
internal static class SequenceFilters
{
    public static IEnumerable<KeyValuePair<string, Method>> All =>
    [
        new("batch", (run, self, args) => Lazy(run, Batch(run, self, args.Bind("linecount", "fill_with?")))),
        new("count", Length),
        new("dictsort", DictSort),
        new("first", (run, self, args) => args.Bind() is var _ ? run.Iterate(self).FirstOrDefault() ?? Nothing("No first item, sequence was empty") : self),
        new("groupby", GroupBy),
        new("items", (run, self, args) => Lazy(run, Pairs(run, self, args))),
        new("join", Join),
        new("last", Last),
        new("length", Length),
        new("list", (run, self, args) => args.Bind() is var _ ? new ListValue(run.ToArray(self)) : self),
        new("map", (run, self, args) => Lazy(run, Map(run, self, args))),
        new("max", (run, self, args) => Extreme(run, self, args, wantsLess: false)),
        new("min", (run, self, args) => Extreme(run, self, args, wantsLess: true)),
        new("random", PickRandom),
        new("reject", (run, self, args) => Lazy(run, Select(run, self, args, wanted: false, byAttribute: false))),
        new("rejectattr", (run, self, args) => Lazy(run, Select(run, self, args, wanted: false, byAttribute: true))),
        new("reverse", Reverse),
        new("select", (run, self, args) => Lazy(run, Select(run, self, args, wanted: true, byAttribute: false))),
        new("selectattr", (run, self, args) => Lazy(run, Select(run, self, args, wanted: true, byAttribute: true))),
        new("slice", (run, self, args) => Lazy(run, Slice(run, self, args.Bind("slices", "fill_with?")))),
        new("sort", Sort),
        new("sum", Sum),
        new("unique", (run, self, args) => Lazy(run, Unique(run, self, args.Bind("case_sensitive?", "attribute?")))),
    ];

    private static IteratorValue Lazy(Interpreter run, IEnumerable<Value> items) => new(run.Budget, items);

    private static UndefinedValue Nothing(string hint) => new(hint);

    private static IntValue Length(Interpreter run, Value self, Arguments args)
    {
        args.Bind();
        return IntValue.Of(self.Length ?? throw new ChatTemplateException($"object of type '{self.TypeName}' has no len()."));
    }

    private static Value Last(Interpreter run, Value self, Arguments args)
    {
        args.Bind();
        int count = self.Length ?? throw new ChatTemplateException($"'{self.TypeName}' object is not reversible.");
        return count == 0 ? Nothing("No last item, sequence was empty")
            : self switch
            {
                TextValue text => text.With(text.Slice(count - 1, count)),
                RangeValue range => range.At(count - 1),
                _ => run.ToArray(self)[^1],
            };
    }

    private static Value PickRandom(Interpreter run, Value self, Arguments args)
    {
        args.Bind();
        int count = self.Length ?? throw new ChatTemplateException($"object of type '{self.TypeName}' has no len().");
        return count == 0 ? Nothing("No random item, sequence was empty") : Attributes.GetItem(self, IntValue.Of(Random.Shared.Next(count)));
    }

    private static TextValue Join(Interpreter run, Value self, Arguments args)
    {
        Bound bound = args.Bind("d?", "attribute?");
        Func<Value, Value> get = Filters.Getter(run, bound.FindSome(1));
        Value separator = bound.Find(0) ?? TextValue.Empty;
        IEnumerable<Value> items = run.Iterate(self).Select(get);
        bool isMarkup = false;
        if (run.EscapesOutput)
        {
            items = items.ToList();
            isMarkup = items.Prepend(separator).Any(item => item is TextValue { IsMarkup: true });
        }

        string between = isMarkup ? run.Escape(separator).Text : run.Str(separator);
        TextBuilder joined = new(run.Budget);
        bool first = true;
        foreach (Value item in items)
        {
            joined.Append(first ? "" : between).Append(isMarkup ? run.Escape(item).Text : run.Str(item));
            first = false;
        }

        return new TextValue(joined.ToString(), isMarkup);
    }

    private static IEnumerable<Value> Map(Interpreter run, Value self, Arguments args)
    {
        if (!self.IsTrue)
        {
            yield break;
        }

        Func<Value, Value> change;
        if (args.Ordered.Length == 0 && args.Named.Any(pair => pair.Key == "attribute"))
        {
            Bound bound = args.Bind("attribute", "default?");
            change = Filters.Getter(run, bound[0], bound.Find(1));
        }
        else
        {
            string name = NameOf(args, 0, "map requires a filter argument");
            Arguments rest = args.Rest(name, 1);
            change = item => run.ApplyFilter(name, item, rest);
        }

        foreach (Value item in run.Iterate(self))
        {
            yield return change(item);
        }
    }

    private static IEnumerable<Value> Select(Interpreter run, Value self, Arguments args, bool wanted, bool byAttribute)
    {
        if (!self.IsTrue)
        {
            yield break;
        }

        int skip = byAttribute ? 1 : 0;
        Func<Value, Value> get = byAttribute
            ? Filters.Getter(run, args.Ordered.Length > 0 ? args.Ordered[0] : throw new ChatTemplateException("Missing parameter for attribute name."))
            : item => item;
        string? test = args.Ordered.Length > skip ? NameOf(args, skip, "") : null;
        Arguments? rest = test is null ? null : args.Rest(test, skip + 1);
        foreach (Value item in run.Iterate(self))
        {
            Value tested = get(item);
            if ((test is null ? tested.IsTrue : run.ApplyTest(test, tested, rest!)) == wanted)
            {
                yield return item;
            }
        }
    }

    private static string NameOf(Arguments args, int index, string problem) =>
        args.Ordered.Length <= index ? throw new ChatTemplateException(problem + ".") : Bound.ToText(args, args.Ordered[index]).Text;

    private static IEnumerable<Value> Batch(Interpreter run, Value self, Bound bound)
    {
        long size = bound.Int(0);
        List<Value> batch = [];
        foreach (Value item in run.Iterate(self))
        {
            if (batch.Count == size)
            {
                yield return run.List(batch);
                batch = [];
            }

            batch.Add(item);
        }

        if (batch.Count > 0)
        {
            if (bound.FindSome(1) is Value fill && batch.Count < size)
            {
                run.Budget.Items(size - batch.Count);
                batch.AddRange(Enumerable.Repeat(fill, (int)size - batch.Count));
            }

            yield return run.List(batch);
        }
    }

    private static IEnumerable<Value> Slice(Interpreter run, Value self, Bound bound)
    {
        Value[] items = run.ToArray(self);
        long slices = bound.Int(0);
        if (slices == 0)
        {
            throw new ChatTemplateException("integer division or modulo by zero.");
        }

        int at = 0;
        for (long i = 0; i < slices; i++)
        {
            run.Budget.Step(4);
            bool hasMore = i < items.Length % slices;
            int size = (int)(items.Length / slices) + (hasMore ? 1 : 0);
            List<Value> slice = [.. items.AsSpan(at, size)];
            at += size;
            if (!hasMore && bound.FindSome(1) is Value fill)
            {
                slice.Add(fill);
            }

            yield return run.List(slice);
        }
    }

    private static ListValue DictSort(Interpreter run, Value self, Arguments args)
    {
        Bound bound = args.Bind("case_sensitive?", "by?", "reverse?");
        DictValue dict = self as DictValue ?? (self is UndefinedValue undefined ? throw undefined.Error() : throw new ChatTemplateException($"'{self.TypeName} object' has no attribute 'items'."));
        string by = bound.Text(1, "key");
        if (by is not ("key" or "value"))
        {
            throw new ChatTemplateException("You can only sort by either \"key\" or \"value\".");
        }

        Value[] pairs = [.. dict.Entries.Select(entry => new TupleValue(entry.Key, entry.Value))];
        return new ListValue(Sorting.Sort(run, pairs, pair => Key(((TupleValue)pair).Elements[by == "key" ? 0 : 1]), bound.IsTrue(2)));

        Value Key(Value value) => bound.IsTrue(0) ? value : Filters.IgnoreCase(run, value);
    }

    private static ListValue Sort(Interpreter run, Value self, Arguments args)
    {
        Bound bound = args.Bind("reverse?", "case_sensitive?", "attribute?");
        Value[] paths = bound.FindSome(2) is TextValue names ? [.. names.Text.Split(',').Select(name => new TextValue(name))] : [bound.Find(2) ?? NoneValue.Instance];
        run.Budget.Items(paths.Length);
        Func<Value, Value>[] getters = [.. paths.Select(path => Filters.Getter(run, path))];
        return new ListValue(Sorting.Sort(run, run.ToArray(self), item => run.List([.. getters.Select(get => Key(get(item)))]), bound.IsTrue(0)));

        Value Key(Value value) => bound.IsTrue(1) ? value : Filters.IgnoreCase(run, value);
    }

    private static Value Reverse(Interpreter run, Value self, Arguments args)
    {
        args.Bind();
        return self switch
        {
            TextValue text => Attributes.GetSlice(run, text, null, null, IntValue.Of(-1)),
            { Items: null } => throw new ChatTemplateException("argument must be iterable."),
            { Length: null } => new ListValue([.. run.ToArray(self).Reverse()]),
            _ => Lazy(run, run.ToArray(self).Reverse()),
        };
    }

    private static IEnumerable<Value> Pairs(Interpreter run, Value self, Arguments args)
    {
        args.Bind();
        if (self is UndefinedValue)
        {
            yield break;
        }

        foreach ((Value key, Value value) in (self as DictValue ?? throw new ChatTemplateException("Can only get item pairs from a mapping.")).Entries)
        {
            run.Budget.Items(2);
            yield return new TupleValue(key, value);
        }
    }

    private static Value Extreme(Interpreter run, Value self, Arguments args, bool wantsLess)
    {
        Bound bound = args.Bind("case_sensitive?", "attribute?");
        Func<Value, Value> get = Filters.Getter(run, bound.FindSome(1));
        Value? best = null;
        Value? bestKey = null;
        foreach (Value item in run.Iterate(self))
        {
            Value key = bound.IsTrue(0) ? get(item) : Filters.IgnoreCase(run, get(item));
            if (bestKey is null || (wantsLess ? run.Comparer.IsLess(key, bestKey) : run.Comparer.Holds(">", key, bestKey)))
            {
                (best, bestKey) = (item, key);
            }
        }

        return best ?? Nothing("No aggregated item, sequence was empty");
    }

    private static Value Sum(Interpreter run, Value self, Arguments args)
    {
        Bound bound = args.Bind("attribute?", "start?");
        Func<Value, Value> get = Filters.Getter(run, bound.FindSome(0));
        Value start = bound.Find(1) ?? IntValue.Of(0);
        if (start is TextValue)
        {
            throw new ChatTemplateException("sum() can't sum strings [use ''.join(seq) instead].");
        }

        return run.Iterate(self).Aggregate(start, (sum, item) => Operators.Apply(run, "+", sum, get(item)));
    }

    private static IEnumerable<Value> Unique(Interpreter run, Value self, Bound bound)
    {
        Func<Value, Value> get = Filters.Getter(run, bound.FindSome(1));
        HashSet<Value> seen = new(run.Comparer);
        foreach (Value item in run.Iterate(self))
        {
            run.Budget.Items(1);
            if (seen.Add(bound.IsTrue(0) ? get(item) : Filters.IgnoreCase(run, get(item))))
            {
                yield return item;
            }
        }
    }

    private static ListValue GroupBy(Interpreter run, Value self, Arguments args)
    {
        Bound bound = args.Bind("attribute", "default?", "case_sensitive?");
        Func<Value, Value> get = Filters.Getter(run, bound[0], bound.Find(1));
        (Value Key, Value Item)[] keyed = [.. run.ToArray(self).Select(item => (Key(get(item)), item))];
        List<Value> groups = [];
        List<Value> members = [];
        Value? current = null;
        foreach ((Value key, Value item) in Sorting.Sort(run, keyed, pair => pair.Key))
        {
            if (current is null || !run.Comparer.Equals(current, key))
            {
                AddGroup();
                members = [];
                current = key;
            }

            members.Add(item);
        }

        AddGroup();
        return run.List(groups);

        Value Key(Value value) => bound.IsTrue(2) ? value : Filters.IgnoreCase(run, value);

        void AddGroup()
        {
            if (members.Count > 0)
            {
                groups.Add(new TupleValue(get(members[0]), run.List(members)) { Names = ["grouper", "list"] });
            }
        }
    }
}
