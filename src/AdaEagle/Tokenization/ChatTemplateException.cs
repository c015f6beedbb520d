namespace AdaEagle.Tokenization;

/// <summary>
/// A chat template that cannot be read, is not supported, refuses a conversation (<see cref="RaisedByTemplate"/>) or goes over a limit.
/// Nothing else comes out of a template, whatever is in it.
/// </summary>
public sealed class ChatTemplateException : Exception
{
    /// <summary>Creates the error; <paramref name="line"/> counts from one in the template's source.</summary>
    public ChatTemplateException(string message, int? line = null, bool raisedByTemplate = false, string? unsupported = null, Exception? inner = null)
        : base(message, inner)
    {
        Line = line;
        RaisedByTemplate = raisedByTemplate;
        Unsupported = unsupported;
    }

    /// <summary>The line of the template's source, from one; null where it is unknown.</summary>
    public int? Line { get; }

    /// <summary>True where the template itself called <c>raise_exception</c>; the message is then the template's own.</summary>
    public bool RaisedByTemplate { get; }

    /// <summary>The name of the construct that this engine does not know (a filter, a test, a tag); null for any other error.</summary>
    public string? Unsupported { get; }

    // Names come from the template, which may be hostile: no megabytes in a message.
    internal static string Shorten(string text) => text.Length <= 200 ? text : text[..200] + "…";
}
