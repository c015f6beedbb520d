using System.Text.Json;
using AdaEagle.Formats;

namespace AdaEagle.Tokenization;

/// <summary>Finds a chat template and its special tokens in a Hugging Face folder.</summary>
internal static class ChatTemplateFiles
{
    private const string ConfigName = "tokenizer_config.json";
    private const string TemplateName = "chat_template.jinja";
    private const string TokensName = "special_tokens_map.json";

    // Far above any real file of these names; a tokenizer_config.json lists its added tokens, so it may be some megabytes.
    private const long MaximumBytes = 64 << 20;

    /// <summary>The source and the special tokens, or null where the folder has no template.</summary>
    public static (string Source, Dictionary<string, string> SpecialTokens)? Read(string folder)
    {
        string config = Path.Combine(folder, ConfigName);
        string template = Path.Combine(folder, TemplateName);
        using JsonDocument? json = File.Exists(config) ? ReadJson(config) : null;
        string? source = File.Exists(template) ? ReadText(template) : json is null ? null : FindTemplate(json.RootElement, config);
        if (source is null)
        {
            return null;
        }

        Dictionary<string, string> tokens = [];
        string map = Path.Combine(folder, TokensName);
        if (File.Exists(map))
        {
            using JsonDocument older = ReadJson(map);
            AddTokens(tokens, older.RootElement);
        }

        if (json is not null)
        {
            AddTokens(tokens, json.RootElement);
        }

        return (source, tokens);
    }

    /// <summary>The source and the special tokens of a GGUF file, or null where it has no template.</summary>
    public static (string Source, Dictionary<string, string> SpecialTokens)? Read(GgufFile file)
    {
        ArgumentNullException.ThrowIfNull(file);
        if (file.Values.Text("tokenizer.chat_template") is not { } source)
        {
            return null;
        }

        GgufVocabulary vocabulary = GgufVocabulary.Read(file.Values);
        Dictionary<string, string> tokens = [];
        foreach ((string name, int? id) in new[]
        {
            ("bos_token", vocabulary.BeginToken), ("eos_token", vocabulary.EndToken), ("unk_token", vocabulary.UnknownToken), ("pad_token", vocabulary.PaddingToken),
        })
        {
            if (id is { } token)
            {
                tokens[name] = vocabulary.Tokens[token];
            }
        }

        return (source, tokens);
    }

    private static string? FindTemplate(JsonElement config, string file)
    {
        if (!config.TryGetProperty("chat_template", out JsonElement found) || found.ValueKind == JsonValueKind.Null)
        {
            return null;
        }

        if (found.ValueKind == JsonValueKind.String)
        {
            return Text(found, file);
        }

        if (found.ValueKind != JsonValueKind.Array)
        {
            throw new ModelFormatException(file, "chat_template", "it is neither a text nor a list of named templates");
        }

        foreach (JsonElement entry in found.EnumerateArray())
        {
            if (entry.ValueKind == JsonValueKind.Object && entry.TryGetProperty("name", out JsonElement name) && name.ValueKind == JsonValueKind.String && name.ValueEquals("default")
                && entry.TryGetProperty("template", out JsonElement template) && template.ValueKind == JsonValueKind.String)
            {
                return Text(template, file);
            }
        }

        throw new ModelFormatException(file, "chat_template", "its list of templates has none that is named 'default'");
    }

    // Every "…_token" that is a text or an added token with its content.
    private static void AddTokens(Dictionary<string, string> tokens, JsonElement config)
    {
        foreach (JsonProperty property in config.EnumerateObject())
        {
            if (!property.Name.EndsWith("_token", StringComparison.Ordinal))
            {
                continue;
            }

            JsonElement value = property.Value;
            if (value.ValueKind == JsonValueKind.Object && value.TryGetProperty("content", out JsonElement content))
            {
                value = content;
            }

            if (value.ValueKind == JsonValueKind.String)
            {
                tokens[property.Name] = Text(value, property.Name);
            }
        }
    }

    private static string Text(JsonElement element, string file)
    {
        try
        {
            return element.GetString()!;
        }
        catch (InvalidOperationException error)
        {
            throw new ModelFormatException(file, null, "a text in it holds half of a surrogate pair", inner: error);
        }
    }

    private static JsonDocument ReadJson(string file)
    {
        try
        {
            JsonDocument json = JsonDocument.Parse(ReadText(file));
            if (json.RootElement.ValueKind != JsonValueKind.Object)
            {
                json.Dispose();
                throw new ModelFormatException(file, null, "it is not a JSON object");
            }

            return json;
        }
        catch (JsonException error)
        {
            throw new ModelFormatException(file, null, $"it is not valid JSON ({error.Message})", inner: error);
        }
    }

    private static string ReadText(string file)
    {
        try
        {
            long length = new FileInfo(file).Length;
            return length <= MaximumBytes ? File.ReadAllText(file) : throw new ModelFormatException(file, null, $"it has {length} bytes; no more than {MaximumBytes} are read");
        }
        catch (Exception error) when (error is IOException or UnauthorizedAccessException)
        {
            throw new ModelFormatException(file, null, $"it cannot be read ({error.Message})", inner: error);
        }
    }
}
