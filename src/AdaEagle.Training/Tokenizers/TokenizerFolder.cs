using System.Text;
using System.Text.Encodings.Web;
using System.Text.Json;
using System.Text.Json.Nodes;
using AdaEagle.Formats;
using AdaEagle.Tokenization;

namespace AdaEagle.Training.Tokenizers;

/// <summary>
/// Writes a trained vocabulary as the tokenizer files of a Hugging Face model: <c>tokenizer.json</c>, <c>tokenizer_config.json</c>
/// with the chat template, <c>generation_config.json</c>.
/// </summary>
public static class TokenizerFolder
{
    /// <summary>Begins every document, and pads.</summary>
    public const string EndOfText = "<|endoftext|>";

    /// <summary>Ends a turn of a dialogue.</summary>
    public const string EndOfTurn = "<|end|>";

    /// <summary>The special tokens, ids 0 to 4.</summary>
    public static IReadOnlyList<string> SpecialTokens { get; } = [EndOfText, EndOfTurn, "<|system|>", "<|user|>", "<|assistant|>"];

    /// <summary>The begin token once, then <c>&lt;|role|&gt;</c>, line break, text, end of turn, line break for every message.</summary>
    public const string ChatTemplateSource =
        "{{ bos_token }}{% for message in messages %}{{ '<|' + message['role'] + '|>\\n' + message['content'] + '<|end|>\\n' }}{% endfor %}" +
        "{% if add_generation_prompt %}{{ '<|assistant|>\\n' }}{% endif %}";

    /// <summary>The longest context that the default model is made for.</summary>
    private const int ModelMaximumLength = 2048;

    private static readonly JsonSerializerOptions Json = new() { WriteIndented = true, Encoder = JavaScriptEncoder.UnsafeRelaxedJsonEscaping };

    /// <summary>Writes the three files; the folder is made where it is missing, each file replaced in one step.</summary>
    public static void Write(string folder, BpeVocabulary vocabulary)
    {
        Directory.CreateDirectory(folder);
        TokenizerJson.Write(
            Path.Combine(folder, "tokenizer.json"),
            vocabulary.Tokens,
            [.. vocabulary.Merges.Select(merge => (vocabulary.Tokens[merge.Left], vocabulary.Tokens[merge.Right]))],
            PieceCounter.Pattern,
            vocabulary.SpecialTokens);
        WriteFile(folder, "tokenizer_config.json", Configuration());
        WriteFile(folder, "generation_config.json", new JsonObject
        {
            ["bos_token_id"] = 0,
            ["eos_token_id"] = new JsonArray(1, 0),
            ["pad_token_id"] = 0,
        });
    }

    private static JsonObject Configuration() => new()
    {
        ["add_bos_token"] = false,
        ["added_tokens_decoder"] = new JsonObject(SpecialTokens.Select((token, id) => KeyValuePair.Create(id.ToString(), (JsonNode?)SpecialToken(token)))),
        ["bos_token"] = EndOfText,
        ["eos_token"] = EndOfTurn,
        ["pad_token"] = EndOfText,
        ["unk_token"] = null,
        ["clean_up_tokenization_spaces"] = false,
        ["model_max_length"] = ModelMaximumLength,
        ["tokenizer_class"] = "PreTrainedTokenizerFast",
        ["chat_template"] = ChatTemplateSource,
    };

    private static JsonObject SpecialToken(string token) => new()
    {
        ["content"] = token,
        ["single_word"] = false,
        ["lstrip"] = false,
        ["rstrip"] = false,
        ["normalized"] = false,
        ["special"] = true,
    };

    private static void WriteFile(string folder, string name, JsonObject content) =>
        AtomicFile.Write(Path.Combine(folder, name), stream => stream.Write(Encoding.UTF8.GetBytes(content.ToJsonString(Json) + "\n")));
}
