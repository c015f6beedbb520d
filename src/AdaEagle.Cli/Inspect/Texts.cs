using System.Text;
using System.Text.Json.Nodes;
using AdaEagle.Formats;
using AdaEagle.Tokenization;

namespace AdaEagle.Cli.Inspect;

/// <summary>Describes what turns text into tokens: tokenizers, chat templates, and settings of generation.</summary>
internal static class Texts
{
    private const int MostTokens = 64;

    public static JsonObject Tokenizer(string file) => Tokenizer(HuggingFaceTokenizer.LoadFile(file), file);

    /// <summary>Describes a tokenizer from a file.</summary>
    public static JsonObject Tokenizer(ITokenizer tokenizer, string file)
    {
        int[] special = [.. Enumerable.Range(0, tokenizer.VocabularySize).Where(tokenizer.IsSpecial)];
        JsonObject description = Inspector.Begin("tokenizer", file);
        description["vocabulary"] = tokenizer.VocabularySize;
        description["fingerprint"] = tokenizer.Fingerprint;
        description["special_tokens"] = special.Length;
        description["special"] = new JsonObject(special.Take(MostTokens).Select(id =>
            KeyValuePair.Create(id.ToString(System.Globalization.CultureInfo.InvariantCulture), (JsonNode?)Encoding.UTF8.GetString(tokenizer.TokenBytes(id)))));
        return description;
    }

    /// <summary>Describes the chat template of a folder.</summary>
    public static JsonObject Template(string folder) =>
        TemplateOrNull(folder) ?? throw new ModelFormatException(folder, null, "there is no chat template in the folder", "It would be chat_template.jinja, or chat_template in tokenizer_config.json");

    public static JsonObject? TemplateOrNull(string folder) => ChatTemplate.Load(folder) is { } template ? Template(template, folder) : null;

    /// <summary>Describes a chat template from a folder or file.</summary>
    public static JsonObject Template(ChatTemplate template, string path)
    {
        JsonObject description = Inspector.Begin("chat template", path);
        description["characters"] = template.Source.Length;
        description["special_tokens"] = new JsonObject(template.SpecialTokens.Select(pair => KeyValuePair.Create(pair.Key, (JsonNode?)pair.Value)));
        description["example"] = Example(template);
        return description;
    }

    public static JsonObject GenerationConfig(string file)
    {
        var config = Formats.GenerationConfig.Parse(JsonConfig.ReadText(file, JsonConfig.ConfigLimit), file);
        JsonObject description = Inspector.Begin("generation settings", file);
        description["end_tokens"] = new JsonArray([.. config.EosTokens.Select(token => (JsonNode)token)]);
        description["temperature"] = config.Temperature;
        description["top_k"] = config.TopK;
        description["top_p"] = config.TopP;
        description["min_p"] = config.MinP;
        description["do_sample"] = config.DoSample;
        return description;
    }

    private static string Example(ChatTemplate template)
    {
        try
        {
            return template.Render([new ChatMessage("user", "Hello")]);
        }
        catch (ChatTemplateException failure)
        {
            return $"cannot be rendered: {failure.Message}";
        }
    }
}
