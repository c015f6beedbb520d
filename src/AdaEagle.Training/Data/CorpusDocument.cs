namespace AdaEagle.Training.Data;

/// <summary>One turn of a dialogue.</summary>
public sealed record CorpusMessage(string Role, string Content);

/// <summary>
/// One document of a corpus: either a dialogue (<see cref="Messages"/>, at least one) or raw text (<see cref="Text"/>), never both.
/// </summary>
public sealed record CorpusDocument(string Category, IReadOnlyList<CorpusMessage>? Messages, string? Text)
{
    /// <summary>Everything that is written in the document, one piece a turn.</summary>
    public IEnumerable<string> Texts => Messages is null ? [Text ?? ""] : Messages.Select(message => message.Content);
}

/// <summary>Where a document lies in <see cref="TokenDataset.Tokens"/>.</summary>
public readonly record struct DocumentSpan(string Category, int Start, int Length);
