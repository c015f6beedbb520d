using System.Text.Json.Nodes;
using AdaEagle.Tokenization;

namespace AdaEagle.Tests.Tokenization;

/// <summary>The tiny tokenizer's file with something changed.</summary>
internal static class TinyJson
{
    /// <summary>Tokens of the model; added tokens begin here.</summary>
    public const int ModelTokens = 292;

    public static string With(Action<JsonNode> change)
    {
        JsonNode json = TokenizerFixture.Tiny.Json;
        change(json);
        return json.ToJsonString();
    }

    public static HuggingFaceTokenizer Load(Action<JsonNode> change) => HuggingFaceTokenizer.Parse(With(change), "changed.json");

    public static JsonNode Node(string json) => JsonNode.Parse(json)!;

    public static JsonArray AddedTokens(params (string Content, string Flags)[] tokens) => [.. tokens.Select((token, i) =>
    {
        JsonObject item = new() { ["id"] = ModelTokens + i, ["content"] = token.Content };
        foreach (string flag in new[] { "single_word", "lstrip", "rstrip", "normalized", "special" })
        {
            item[flag] = token.Flags.Split(' ').Contains(flag);
        }

        return (JsonNode)item;
    })];
}
