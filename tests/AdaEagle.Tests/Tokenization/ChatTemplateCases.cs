using System.Globalization;
using System.Text.Json.Nodes;
using AdaEagle.Tokenization;

namespace AdaEagle.Tests.Tokenization;

/// <summary>Reads the fixtures of chat templates and compares a rendering with the one they expect.</summary>
internal static class ChatTemplateCases
{
    public const string Kind = "chat-templates";

    public static string Folder => Fixtures.Folder(Kind);

    public static JsonObject Read(string name) => JsonNode.Parse(File.ReadAllText(Path.Combine(Folder, name)))!.AsObject();

    private static readonly Dictionary<string, ChatTemplate> s_parsed = [];

    /// <summary>The template of a case, or null and the construct it uses that is not supported.</summary>
    public static ChatTemplate? TryParse(string name, JsonNode specialTokens, out string? unsupported)
    {
        Dictionary<string, string> tokens = specialTokens.AsObject().ToDictionary(pair => pair.Key, pair => pair.Value!.GetValue<string>());
        string key = name + specialTokens.ToJsonString();
        unsupported = null;
        try
        {
            lock (s_parsed)
            {
                return s_parsed.TryGetValue(key, out ChatTemplate? parsed) ? parsed
                    : s_parsed[key] = ChatTemplate.Parse(File.ReadAllText(Path.Combine(Folder, "templates", name + ".jinja")), tokens);
            }
        }
        catch (ChatTemplateException error) when (error.Unsupported is not null)
        {
            unsupported = error.Unsupported;
            return null;
        }
    }

    public static ChatRequest Request(JsonObject fixture, JsonObject test, bool continues)
    {
        JsonNode conversation = fixture["conversations"]![test["conversation"]!.GetValue<string>()]!;
        return new ChatRequest(conversation.DeepClone().AsArray())
        {
            Tools = test["tools"] is JsonNode tools ? fixture["tools"]![tools.GetValue<string>()] : null,
            Documents = test["documents"] is JsonNode documents ? fixture["documents"]![documents.GetValue<string>()] : null,
            AddGenerationPrompt = test["add_generation_prompt"]!.GetValue<bool>(),
            Variables = test["kwargs"]!.AsObject(),
            ContinueFinalMessage = continues,
            Now = Clock(fixture),
        };
    }

    public static DateTime Clock(JsonObject fixture) => DateTime.Parse(fixture["clock"]!.GetValue<string>(), CultureInfo.InvariantCulture);

    /// <summary>What is wrong with a rendering; null where it is the expected text, or an error where one is expected.</summary>
    public static string? Compare(JsonObject test, Func<string> render)
    {
        string? expected = test["rendered"]?.GetValue<string>();
        JsonNode? expectedError = test["error"];
        try
        {
            string text = render();
            return expected is null ? $"expected the error {expectedError!["message"]}, got {Show(text)}" : text == expected ? null : $"expected\n  {Show(expected)}, got\n  {Show(text)}";
        }
        catch (ChatTemplateException error)
        {
            bool byTemplate = expectedError?["raised_by_template"]?.GetValue<bool>() ?? false;
            return expected is not null ? $"expected {Show(expected)}, got the error {error.Message}"
                : byTemplate != error.RaisedByTemplate || (byTemplate && expectedError!["message"]!.GetValue<string>() != error.Message) ? $"expected the error {expectedError!["message"]}, got {error.Message}"
                : null;
        }
    }

    public static void Report(string text) => TestContext.Current.TestOutputHelper?.WriteLine(text);

    private static string Show(string text) => JsonValue.Create(text).ToJsonString();
}
