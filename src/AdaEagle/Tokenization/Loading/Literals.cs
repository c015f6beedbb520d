using AdaEagle.Formats;

namespace AdaEagle.Tokenization.Loading;

/// <summary>Where Metaspace puts its mark in front of a text.</summary>
internal enum PrependScheme
{
    /// <summary>Nowhere.</summary>
    Never,

    /// <summary>Where the whole text begins.</summary>
    First,

    /// <summary>Wherever plain text begins, after a special token too.</summary>
    Always,
}

/// <summary>Values that several parts of a <c>tokenizer.json</c> spell alike.</summary>
internal static class Literals
{
    /// <summary>Longest text that a Replace or Prepend puts in; more would make megabytes of every character.</summary>
    private const int Longest = 64;

    /// <summary>Pattern and content of a <c>Replace</c>.</summary>
    public static (string Pattern, string Content) Replacement(JsonConfig item)
    {
        string pattern = item.Object("pattern")?.Text("String") ?? throw item.Fault(
            "pattern", "a Replace without a text to replace is not supported", "Supported are patterns {\"String\": …}");
        return pattern.Length > 0 ? (pattern, Content(item, "content")) : throw item.Fault("pattern", "the text to replace is empty");
    }

    /// <summary>A text that is put in.</summary>
    public static string Content(JsonConfig item, string key)
    {
        string content = item.Text(key) ?? throw item.Fault(key, "the key is missing");
        return content.Length <= Longest ? content : throw item.Fault(key, $"a text of {content.Length} characters; {Longest} are the most");
    }

    /// <summary>The mark that stands for a space in <c>Metaspace</c>.</summary>
    public static string Mark(JsonConfig metaspace)
    {
        string mark = metaspace.Text("replacement") ?? "\u2581";
        return mark.EnumerateRunes().Count() == 1 ? mark : throw metaspace.Fault("replacement", "the mark is not one character");
    }

    /// <summary>Where <c>Metaspace</c> puts a mark in front; older files say <c>add_prefix_space</c>.</summary>
    public static PrependScheme Prepends(JsonConfig metaspace) => metaspace.Text("prepend_scheme") switch
    {
        "never" => PrependScheme.Never,
        "first" => PrependScheme.First,
        "always" => PrependScheme.Always,
        null => metaspace.Flag("add_prefix_space") == false ? PrependScheme.Never : PrependScheme.Always,
        var other => throw metaspace.Fault("prepend_scheme", $"'{other}' is not known", "Known are never, first and always"),
    };
}
