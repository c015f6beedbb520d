namespace AdaEagle.Tokenization.Jinja;

internal enum TokenKind
{
    Data,
    OpenPrint,
    ClosePrint,
    OpenTag,
    CloseTag,
    Name,
    String,
    Integer,
    Float,
    Operator,
    End,
}

/// <summary>A token; <paramref name="Text"/> is the data, the name, the string's value, the number without underscores or the operator.</summary>
internal readonly record struct Token(TokenKind Kind, string Text, int Line)
{
    public bool IsName(string name) => Kind == TokenKind.Name && Text == name;

    public bool IsOperator(string text) => Kind == TokenKind.Operator && Text == text;

    /// <summary>How an error message names it.</summary>
    public string Description => Kind switch
    {
        TokenKind.Data => "template data / text",
        TokenKind.OpenPrint => "begin of print statement",
        TokenKind.ClosePrint => "end of print statement",
        TokenKind.OpenTag => "begin of statement block",
        TokenKind.CloseTag => "end of statement block",
        TokenKind.String => "string",
        TokenKind.Integer => "integer",
        TokenKind.Float => "float",
        TokenKind.End => "end of template",
        _ => Text.Length <= 40 ? Text : Text[..40] + "…",
    };
}
