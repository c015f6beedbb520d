namespace AdaEagle.Formats;

// What a pickle is read into, besides null, bool, long, double and string. Plain data: nothing here does anything.

/// <summary>A tuple.</summary>
internal sealed record PickleTuple(object?[] Items);

/// <summary>A list.</summary>
internal sealed record PickleList(List<object?> Items);

/// <summary>A dict; pairs whose key is not a string are dropped when it is filled.</summary>
internal sealed record PickleDict(Dictionary<string, object?> Items);

/// <summary>The name of a class or function. A name only: it is never looked up.</summary>
internal sealed record PickleGlobal(string Module, string Name)
{
    public override string ToString() => $"{Module}.{Name}";
}

/// <summary>What the pickle would make by calling something that is not known here: only said, never made.</summary>
/// <remarks>Holds the name instead of a text with it: a small file can ask for a million of these with one long name.</remarks>
internal sealed record PickleForeign(PickleGlobal? Maker)
{
    public override string ToString() => Maker is null ? "an object" : $"an object made by {Maker}";
}
