using System.Text;
using System.Text.Json;
using AdaEagle.Formats;
using AdaEagle.Tokenization;

namespace AdaEagle.Tests.Tokenization;

/// <summary>Tokenizers and chat templates of GGUF files against what llama.cpp gives (<c>tokens.json</c>, <c>expected.json</c>).</summary>
public sealed class GgufFixtureTests
{
    [Fact]
    public void Files_give_llama_cpps_ids_and_texts()
    {
        int count = 0;
        foreach ((string folder, string file) in Files("tokens.json"))
        {
            GgufTokenizer tokenizer = Load(file);
            using JsonDocument expected = JsonDocument.Parse(File.ReadAllText(Path.Combine(folder, "tokens.json")));
            foreach (JsonElement item in expected.RootElement.GetProperty("cases").EnumerateArray())
            {
                string text = item.GetProperty("text").GetString()!;
                int[] withSpecial = Ids(item, "ids_with_special");
                Same(Ids(item, "ids"), tokenizer.EncodeOrdinary(text), file, text);
                Same(withSpecial, tokenizer.Encode(text, addSpecialTokens: true), file, text);
                CheckTexts(item, withSpecial, tokenizer);
                count++;
            }

            foreach (JsonElement item in expected.RootElement.GetProperty("decode_cases").EnumerateArray())
            {
                CheckTexts(item, Ids(item, "ids"), tokenizer);
                count++;
            }
        }

        Fixtures.RequireCases("gguf", count);
    }

    [Fact]
    public void End_tokens_are_llama_cpps()
    {
        int count = 0;
        foreach ((string folder, string file) in Files("expected.json"))
        {
            using JsonDocument expected = JsonDocument.Parse(File.ReadAllText(Path.Combine(folder, "expected.json")));
            Assert.Equal(Ids(expected.RootElement.GetProperty("vocab"), "eog").Order(), Load(file).EndTokens);
            count++;
        }

        Fixtures.RequireCases("gguf", count);
    }

    [Fact]
    public void A_tokenizer_has_the_fingerprint_of_the_folder_it_was_converted_from()
    {
        int count = 0;
        foreach ((string folder, string file) in Files("tokens.json"))
        {
            string json = Path.Combine(folder, "hf", "tokenizer.json");
            if (File.Exists(json))
            {
                HuggingFaceTokenizer source = HuggingFaceTokenizer.LoadFile(json);
                Assert.Equal(source.Fingerprint, Load(file).Fingerprint);
                Assert.Equal(source.VocabularySize, Load(file).VocabularySize);
                count++;
            }
        }

        Assert.SkipWhen(count == 0, "No GGUF fixture has the tokenizer.json it came from.");
    }

    [Fact]
    public void Templates_in_files_render_as_those_of_the_folders_they_came_from()
    {
        int count = 0;
        ChatMessage[] messages = [new("user", " Why? "), new("assistant", "Because."), new("user", "Good.")];
        foreach ((string folder, string path) in Files("tokens.json"))
        {
            using GgufFile file = GgufFile.Open(path);
            ChatTemplate? template = ChatTemplate.Load(file);
            Assert.Equal(file.Values.Text("tokenizer.chat_template"), template?.Source);
            if (template is not null && ChatTemplate.Load(Path.Combine(folder, "hf")) is { } source)
            {
                Assert.Equal(source.Render(messages), template.Render(messages));
                count++;
            }
        }

        Assert.SkipWhen(count == 0, "No GGUF fixture has the template it came from.");
    }

    /// <summary>One file of each folder and kind of tokenizer: the tokenizer does not depend on the number format.</summary>
    private static IEnumerable<(string Folder, string File)> Files(string beside)
    {
        string models = Path.Combine(Fixtures.Folder("gguf"), "models");
        foreach (string folder in Directory.GetDirectories(models).Order(StringComparer.Ordinal).Where(folder => File.Exists(Path.Combine(folder, beside))))
        {
            if (Directory.GetFiles(folder, "*.gguf").Order(StringComparer.Ordinal).FirstOrDefault() is { } file && IsSupported(file))
            {
                yield return (folder, file);
            }
        }
    }

    private static bool IsSupported(string path)
    {
        using GgufFile file = GgufFile.Open(path);
        string? model = file.Values.Text("tokenizer.ggml.model");
        if (model is "gpt2" or "llama")
        {
            return true;
        }

        ModelFormatException refusal = Assert.Throws<ModelFormatException>(() => GgufTokenizer.Load(file));
        Assert.Contains($"'{model}' is not supported", refusal.Message, StringComparison.Ordinal);
        return false;
    }

    private static GgufTokenizer Load(string path)
    {
        using GgufFile file = GgufFile.Open(path);
        return GgufTokenizer.Load(file);
    }

    private static void CheckTexts(JsonElement item, int[] ids, GgufTokenizer tokenizer)
    {
        Assert.Equal(Text(item.GetProperty("detokenized")), tokenizer.Detokenize(ids));
        Assert.Equal(Text(item.GetProperty("detokenized_skip_special")), tokenizer.Detokenize(ids, skipSpecialTokens: true));
        var stream = new TextStream(tokenizer);
        Assert.Equal(tokenizer.Decode(ids, skipSpecialTokens: true), string.Concat(ids.Select(stream.Append)) + stream.Flush());
    }

    private static string Text(JsonElement expected) => expected.TryGetProperty("text", out JsonElement text)
        ? text.GetString()!
        : Encoding.UTF8.GetString(expected.GetProperty("base64").GetBytesFromBase64());

    private static void Same(int[] expected, int[] given, string file, string text) => Assert.True(
        expected.SequenceEqual(given), $"{Path.GetFileName(file)}, '{text}': {string.Join(' ', expected)} / {string.Join(' ', given)}");

    private static int[] Ids(JsonElement item, string name) => [.. item.GetProperty(name).EnumerateArray().Select(id => id.GetInt32())];
}
