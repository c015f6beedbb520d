using System.Text.Json;
using System.Text.Json.Nodes;
using AdaEagle.Formats;

namespace AdaEagle.Cli.Inspect;

/// <summary>Describes files of JSON lines: questions of a bench, or documents of a corpus.</summary>
internal static class JsonLines
{
    // What a line holds, by the key that tells.
    private static readonly (string Key, string Kind)[] s_kinds = [("turns", "question"), ("messages", "dialogue"), ("text", "text")];

    public static JsonObject Describe(string path)
    {
        var kinds = new SortedDictionary<string, int>(StringComparer.Ordinal);
        var categories = new Dictionary<string, (int Count, long Characters)>(StringComparer.Ordinal);
        foreach ((int number, string line) in LimitedLines.Read(path))
        {
            if (string.IsNullOrWhiteSpace(line))
            {
                continue;
            }

            (string kind, string category, long characters) = Parse(path, number, line);
            kinds[kind] = kinds.GetValueOrDefault(kind) + 1;
            (int count, long sum) = categories.GetValueOrDefault(category);
            categories[category] = (count + 1, sum + characters);
        }

        JsonObject description = Inspector.Begin("JSON lines", path);
        description["entries"] = kinds.Values.Sum();
        description["kinds"] = new JsonObject(kinds.Select(kind => KeyValuePair.Create(kind.Key, (JsonNode?)kind.Value)));
        description["characters"] = categories.Values.Sum(category => category.Characters);
        description["categories"] = new JsonArray([.. categories.Select(category => new JsonObject
        {
            ["category"] = category.Key, ["entries"] = category.Value.Count, ["characters"] = category.Value.Characters,
        })]);
        return description;
    }

    private static (string Kind, string Category, long Characters) Parse(string path, int number, string line)
    {
        try
        {
            using JsonDocument document = JsonDocument.Parse(line);
            JsonElement root = document.RootElement;
            if (root.ValueKind == JsonValueKind.Object)
            {
                foreach ((string key, string kind) in s_kinds)
                {
                    if (root.TryGetProperty(key, out JsonElement content))
                    {
                        string category = root.TryGetProperty("category", out JsonElement name) && name.ValueKind == JsonValueKind.String ? name.GetString()! : "";
                        return (kind, category, Characters(content));
                    }
                }
            }

            throw Wrong("it is neither a question (turns) nor a document (messages or text)");
        }
        catch (JsonException failure)
        {
            throw Wrong("it is not JSON: " + failure.Message.TrimEnd('.'));
        }
        catch (InvalidOperationException)
        {
            throw Wrong("a text holds half a surrogate pair");
        }

        ModelFormatException Wrong(string problem) => new(path, $"line {number}", problem, "Readable: " + Inspector.Readable);
    }

    // Of a text, a list of texts, or a list of messages.
    private static long Characters(JsonElement content) => content.ValueKind switch
    {
        JsonValueKind.String => content.GetString()!.Length,
        JsonValueKind.Array => content.EnumerateArray().Sum(Characters),
        JsonValueKind.Object when content.TryGetProperty("content", out JsonElement text) && text.ValueKind == JsonValueKind.String => text.GetString()!.Length,
        _ => 0,
    };
}
