using System.Text.Json;

namespace AdaEagle.Training.Data;

/// <summary>
/// Reads training documents, and says which of them are kept from training.
/// A corpus file is JSON lines (<c>.jsonl</c>, <c>.jsonl.gz</c>), a document a line:
/// <c>{"category": …, "messages": [{"role": …, "content": …}, …]}</c> or <c>{"category": …, "text": …}</c>; any other file is one
/// document of plain text (<c>.gz</c> is unpacked), its category the file's name.
/// </summary>
public static class Corpus
{
    /// <summary>Longest line or text file in characters; longer is an error, not an allocation.</summary>
    public const int MaximumDocumentCharacters = 32 << 20;

    private const string Remedy = "A line is {\"category\": \"…\", \"messages\": [{\"role\": \"…\", \"content\": \"…\"}, …]} or {\"category\": \"…\", \"text\": \"…\"}.";

    /// <summary>
    /// The documents of a file in order, read as they are asked for. Throws <see cref="CorpusException"/> naming file and line for
    /// a missing file, broken gzip, bytes that are not UTF-8, broken JSON, a missing or doubled field and a document without text.
    /// </summary>
    public static IEnumerable<CorpusDocument> Read(string path)
    {
        string name = path.EndsWith(".gz", StringComparison.OrdinalIgnoreCase) ? path[..^3] : path;
        bool isLines = name.EndsWith(".jsonl", StringComparison.OrdinalIgnoreCase);
        return isLines ? ReadJsonLines(path) : ReadText(path, Path.GetFileNameWithoutExtension(name));
    }

    /// <summary>The documents of several files, one after the other.</summary>
    public static IEnumerable<CorpusDocument> Read(IEnumerable<string> paths) => paths.SelectMany(Read);

    /// <summary>What a document is about; see <see cref="Subjects"/>.</summary>
    public static string Subject(CorpusDocument document) => Subjects.Of(document);

    /// <summary>
    /// True for the part of a training corpus that neither target nor draft head sees, because predictors of the draft's length must be
    /// trained and calibrated on answers to prompts that are new to both. Decided by subject (<see cref="Subjects.IsHeldOut"/>).
    /// </summary>
    public static bool IsHeldOut(CorpusDocument document) => Subjects.IsHeldOut(Subjects.Of(document));

    private static IEnumerable<CorpusDocument> ReadJsonLines(string path)
    {
        using var reader = new BoundedReader(path, MaximumDocumentCharacters);
        while (reader.ReadLine() is { } line)
        {
            if (!string.IsNullOrWhiteSpace(line))
            {
                yield return Parse(line, path, reader.Line);
            }
        }
    }

    private static IEnumerable<CorpusDocument> ReadText(string path, string category)
    {
        using var reader = new BoundedReader(path, MaximumDocumentCharacters);
        string text = reader.ReadToEnd();
        yield return string.IsNullOrWhiteSpace(text)
            ? throw new CorpusException(path, 0, "The file holds no text.", "Give a file with text in it.")
            : new CorpusDocument(category, null, text);
    }

    private static CorpusDocument Parse(string text, string path, long line)
    {
        try
        {
            using var json = JsonDocument.Parse(text);
            JsonElement root = json.RootElement;
            if (root.ValueKind != JsonValueKind.Object)
            {
                throw Malformed(path, line, $"A document is a JSON object, not {Describe(root)}.");
            }

            string category = String(root, "category", path, line);
            bool hasMessages = root.TryGetProperty("messages", out JsonElement messages);
            bool hasText = root.TryGetProperty("text", out _);
            if (hasMessages == hasText)
            {
                throw Malformed(path, line, hasText ? "The document has both \"messages\" and \"text\"." : "The document has neither \"messages\" nor \"text\".");
            }

            return hasText
                ? new CorpusDocument(category, null, String(root, "text", path, line))
                : new CorpusDocument(category, ParseMessages(messages, path, line), null);
        }
        catch (JsonException exception)
        {
            throw new CorpusException(path, line, $"The line is no JSON ({exception.Message.TrimEnd('.')}).", Remedy, exception);
        }
        catch (InvalidOperationException exception)
        {
            // A lone surrogate written as an escape is found only when the string is read.
            throw new CorpusException(path, line, $"A string of the line is no text ({exception.Message.TrimEnd('.')}).", Remedy, exception);
        }
    }

    private static CorpusMessage[] ParseMessages(JsonElement messages, string path, long line)
    {
        if (messages.ValueKind != JsonValueKind.Array || messages.GetArrayLength() == 0)
        {
            throw Malformed(path, line, $"\"messages\" is an array of at least one message, not {Describe(messages)}.");
        }

        return [.. messages.EnumerateArray().Select(message => message.ValueKind == JsonValueKind.Object
            ? new CorpusMessage(String(message, "role", path, line), String(message, "content", path, line))
            : throw Malformed(path, line, $"A message is a JSON object, not {Describe(message)}."))];
    }

    private static string String(JsonElement item, string key, string path, long line)
    {
        if (!item.TryGetProperty(key, out JsonElement value))
        {
            throw Malformed(path, line, $"\"{key}\" is missing.");
        }

        if (value.ValueKind != JsonValueKind.String)
        {
            throw Malformed(path, line, $"\"{key}\" is a string, not {Describe(value)}.");
        }

        string text = value.GetString()!;
        return text.Length > 0 ? text : throw Malformed(path, line, $"\"{key}\" is empty.");
    }

    private static CorpusException Malformed(string path, long line, string problem) => new(path, line, problem, Remedy);

    private static string Describe(JsonElement value) => value.ValueKind switch
    {
        JsonValueKind.Object => "an object",
        JsonValueKind.Array => value.GetArrayLength() == 0 ? "an empty array" : "an array",
        JsonValueKind.String => "a string",
        JsonValueKind.Number => "a number",
        JsonValueKind.Null => "null",
        _ => "a truth value",
    };
}
