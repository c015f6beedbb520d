using System.Text.Json;
using System.Text.Json.Nodes;
using AdaEagle.Formats;

namespace AdaEagle.Bench.Models;

/// <summary>A <c>config.json</c> as a tree, so that keys nobody here knows survive.</summary>
internal static class ConfigFile
{
    /// <summary>The file's name.</summary>
    public const string Name = "config.json";

    private static readonly JsonSerializerOptions Indented = new() { WriteIndented = true };

    /// <summary>Reads a folder's.</summary>
    /// <exception cref="ModelFormatException">It is absent, or not a JSON object.</exception>
    public static JsonObject Read(string folder)
    {
        string path = Path.Combine(folder, Name);
        try
        {
            return JsonNode.Parse(File.ReadAllText(path)) as JsonObject ?? throw new ModelFormatException(path, null, "it is not a JSON object");
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException or JsonException)
        {
            throw new ModelFormatException(path, null, e.Message.TrimEnd('.'), inner: e);
        }
    }

    /// <summary>Reads a positive integer.</summary>
    /// <exception cref="ModelFormatException">The key is absent or is something else.</exception>
    public static int Integer(JsonObject config, string key, string file) =>
        config[key] is JsonValue value && value.TryGetValue(out int number) && number > 0
            ? number
            : throw new ModelFormatException(file, key, "a positive integer is missing here");

    /// <summary>Writes a folder's.</summary>
    public static void Write(string folder, JsonObject config) =>
        File.WriteAllText(Path.Combine(folder, Name), config.ToJsonString(Indented) + "\n");

    /// <summary>
    /// A float as the JSON number that is exactly it: as a double, so that a reader gets the same bits whether it parses to double or to float.
    /// </summary>
    public static JsonNode Exactly(float value) => JsonValue.Create((double)value);
}
