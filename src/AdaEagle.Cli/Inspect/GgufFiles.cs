using System.Text.Json.Nodes;
using AdaEagle.Formats;
using AdaEagle.Tokenization;

namespace AdaEagle.Cli.Inspect;

/// <summary>Describes GGUF files: as a model where it is one that can be run, and what the container holds in any case.</summary>
internal static class GgufFiles
{
    public static JsonObject Describe(string path)
    {
        using var file = GgufFile.Open(path);
        JsonObject description = Inspector.Begin("GGUF file", path);
        description["version"] = file.Version;
        AddModel(description, path);
        AddOrSay(description, "tokenizer", () => Texts.Tokenizer(GgufTokenizer.Load(file), path));
        AddOrSay(description, "chat_template", () => ChatTemplate.Load(file) is { } template ? Texts.Template(template, path) : null);
        description["metadata"] = new JsonObject(file.Metadata.Where(pair => pair.Key != "tokenizer.chat_template").Select(pair => KeyValuePair.Create(pair.Key, (JsonNode?)pair.Value)));
        description["tensors"] = Inspector.Tensors(file);
        return description;
    }

    private static void AddModel(JsonObject description, string path)
    {
        try
        {
            using GgufCheckpoint model = GgufCheckpoint.Open(path);
            Models.Add(description, model.Config);
            description["parameters"] = ModelFacts.Parameters(model, model.Config.TieWordEmbeddings);
            description["formats"] = Inspector.Formats(model);
            description["pass_bytes"] = Models.PassBytes(model);
            description["end_tokens"] = new JsonArray([.. model.Config.EosTokens.Select(token => (JsonNode)token)]);
        }
        catch (ModelFormatException refusal)
        {
            description["not_runnable"] = refusal.Message;
        }
    }

    // A file whose tokenizer is of another kind is still worth a description.
    private static void AddOrSay(JsonObject description, string key, Func<JsonObject?> describe)
    {
        try
        {
            description[key] = describe();
        }
        catch (Exception refusal) when (refusal is ModelFormatException or ChatTemplateException)
        {
            description[key] = refusal.Message;
        }
    }
}
