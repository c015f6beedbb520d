using System.Text.Json;
using AdaEagle.Formats;
using AdaEagle.Tokenization;

namespace AdaEagle.Cli.Bench.Text;

/// <summary>A text to score: a dialogue, or plain.</summary>
internal sealed record ScoredText(string Category, IReadOnlyList<ChatMessage>? Messages, string? Text);

/// <summary>Reads texts: JSON lines, <c>{"category", "messages": [{"role", "content"}]}</c> or <c>{"category", "text"}</c>, packed with gzip or not; any other file is one plain text.</summary>
internal static class TextFile
{
    private const string Remedy = "A line is {\"category\": \"…\", \"messages\": [{\"role\": \"…\", \"content\": \"…\"}, …]} or {\"category\": \"…\", \"text\": \"…\"}";

    /// <summary>The texts in order.</summary>
    /// <exception cref="ModelFormatException">The file can't be read; the message names the line.</exception>
    public static IEnumerable<ScoredText> Read(string path)
    {
        string name = path.EndsWith(".gz", StringComparison.OrdinalIgnoreCase) ? path[..^3] : path;
        IEnumerable<(int Number, string Text)> lines = LimitedLines.Read(path);
        return name.EndsWith(".jsonl", StringComparison.OrdinalIgnoreCase)
            ? lines.Where(line => !string.IsNullOrWhiteSpace(line.Text)).Select(line => Parse(line.Text, path, line.Number))
            : [new ScoredText(Path.GetFileNameWithoutExtension(name), null, string.Join('\n', lines.Select(line => line.Text)))];
    }

    private static ScoredText Parse(string line, string path, int number)
    {
        try
        {
            using JsonDocument document = JsonDocument.Parse(line);
            JsonElement root = document.RootElement;
            string category = Text(root, "category") ?? "text";
            if (Text(root, "text") is { } text)
            {
                return new ScoredText(category, null, text);
            }

            if (root.ValueKind == JsonValueKind.Object && root.TryGetProperty("messages", out JsonElement messages) && messages.ValueKind == JsonValueKind.Array && messages.GetArrayLength() > 0)
            {
                return new ScoredText(category, [.. messages.EnumerateArray().Select(message => new ChatMessage(Required(message, "role"), Required(message, "content")))], null);
            }

            throw Wrong("it has neither \"text\" nor \"messages\"");
        }
        catch (JsonException failure)
        {
            throw Wrong("it is not JSON: " + failure.Message.TrimEnd('.'));
        }
        catch (InvalidOperationException)
        {
            throw Wrong("a text holds half a surrogate pair");
        }

        string Required(JsonElement element, string name) => Text(element, name) ?? throw Wrong($"a message has no \"{name}\"");

        ModelFormatException Wrong(string problem) => new(path, $"line {number}", problem, Remedy);
    }

    private static string? Text(JsonElement element, string name) =>
        element.ValueKind == JsonValueKind.Object && element.TryGetProperty(name, out JsonElement value) && value.ValueKind == JsonValueKind.String ? value.GetString() : null;
}
