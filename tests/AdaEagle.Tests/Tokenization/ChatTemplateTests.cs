using System.Text.Json.Nodes;
using AdaEagle.Formats;
using AdaEagle.Tokenization;

namespace AdaEagle.Tests.Tokenization;

/// <summary>Reading a template from a folder, and what is done to a request before and after the template sees it.</summary>
public sealed class ChatTemplateTests : IDisposable
{
    private const string Turns = "{{ bos_token }}{% for m in messages %}<{{ m.role }}>{{ m.content }}{{ eos_token }}{% endfor %}{% if add_generation_prompt %}<assistant>{% endif %}";

    private readonly DirectoryInfo _folder = Directory.CreateTempSubdirectory("adaeagle-chat-");

    public void Dispose() => _folder.Delete(recursive: true);

    [Fact]
    public void A_template_is_read_from_the_tokenizer_config_with_its_special_tokens()
    {
        Write("tokenizer_config.json", new JsonObject
        {
            ["chat_template"] = Turns,
            ["bos_token"] = "<s>",
            ["eos_token"] = new JsonObject { ["content"] = "</s>", ["lstrip"] = false },
            ["pad_token"] = null,
            ["add_bos_token"] = true,
        });
        ChatTemplate template = ChatTemplate.Load(_folder.FullName)!;
        Assert.Equal(["bos_token", "eos_token"], template.SpecialTokens.Keys.Order());
        Assert.Equal("<s><user>hi</s><assistant>", template.Render([new ChatMessage("user", "hi")]));
        Assert.Equal("<s><user>hi</s>", template.Render([new ChatMessage("user", "hi")], addGenerationPrompt: false));
    }

    [Fact]
    public void Of_named_templates_the_default_is_taken()
    {
        Write("tokenizer_config.json", new JsonObject
        {
            ["chat_template"] = new JsonArray(
                new JsonObject { ["name"] = "tool_use", ["template"] = "tools" },
                new JsonObject { ["name"] = "default", ["template"] = "plain" }),
        });
        Assert.Equal("plain", ChatTemplate.Load(_folder.FullName)!.Render([]));
    }

    [Fact]
    public void A_template_file_goes_before_the_tokenizer_config()
    {
        Write("tokenizer_config.json", new JsonObject { ["chat_template"] = "old", ["eos_token"] = "</s>" });
        File.WriteAllText(Path.Combine(_folder.FullName, "chat_template.jinja"), "new{{ eos_token }}\n");
        Assert.Equal("new</s>", ChatTemplate.Load(_folder.FullName)!.Render([]));
    }

    [Fact]
    public void A_folder_without_a_template_gives_none()
    {
        Assert.Null(ChatTemplate.Load(_folder.FullName));
        Write("tokenizer_config.json", new JsonObject { ["eos_token"] = "</s>" });
        Assert.Null(ChatTemplate.Load(_folder.FullName));
    }

    [Theory]
    [InlineData("{")]
    [InlineData("[]")]
    [InlineData("{\"chat_template\": 5}")]
    [InlineData("{\"chat_template\": [{\"name\": \"other\", \"template\": \"x\"}]}")]
    [InlineData("{\"chat_template\": \"\\ud800\"}")]
    public void A_broken_config_is_named(string json)
    {
        string file = Path.Combine(_folder.FullName, "tokenizer_config.json");
        File.WriteAllText(file, json);
        Assert.Equal(file, Assert.Throws<ModelFormatException>(() => ChatTemplate.Load(_folder.FullName)).File);
    }

    [Fact]
    public void A_broken_template_in_a_folder_says_its_line()
    {
        Write("tokenizer_config.json", new JsonObject { ["chat_template"] = "a\n{% if %}" });
        Assert.Equal(2, Assert.Throws<ChatTemplateException>(() => ChatTemplate.Load(_folder.FullName)).Line);
    }

    [Fact]
    public void A_refusal_of_the_template_keeps_its_own_words()
    {
        ChatTemplate template = Parse("\n{{ raise_exception('No ' ~ messages[0].role ~ ' here') }}");
        ChatTemplateException error = Assert.Throws<ChatTemplateException>(() => template.Render([new ChatMessage("critic", "hm")]));
        Assert.Equal("No critic here", error.Message);
        Assert.True(error.RaisedByTemplate);
        Assert.Equal(2, error.Line);
    }

    [Fact]
    public void Messages_lose_empty_keys_and_reasoning_gets_its_names()
    {
        ChatTemplate template = Parse("{% for m in messages %}{{ m | tojson }}\n{% endfor %}");
        JsonArray messages = JsonNode.Parse("""[{"role": "a", "content": null, "x": {"y": null}}, {"reasoning": "r"}, {"thinking": "t", "reasoning": "r"}, {"reasoning_content": "c", "thinking": "t"}]""")!.AsArray();
        Assert.Equal(
            """
            {"role": "a", "x": {"y": null}}
            {"reasoning": "r", "reasoning_content": "r", "thinking": "r"}
            {"thinking": "t", "reasoning": "r", "reasoning_content": "t"}
            {"reasoning_content": "c", "thinking": "t"}

            """.ReplaceLineEndings("\n"),
            template.Render(new ChatRequest(messages)));
    }

    [Fact]
    public void Variables_override_special_tokens_and_tools_are_none_when_absent()
    {
        ChatTemplate template = ChatTemplate.Parse("{{ bos_token }}{{ tools is none }}{{ documents is none }}{{ unk_token is defined }}", new Dictionary<string, string> { ["bos_token"] = "<s>" });
        Assert.Equal("<s>TrueTrueFalse", template.Render([]));
        Assert.Equal("<x>FalseTrueFalse", template.Render(new ChatRequest([]) { Tools = new JsonArray(), Variables = new JsonObject { ["bos_token"] = "<x>" } }));
    }

    [Fact]
    public void A_continued_message_ends_where_its_text_ends()
    {
        JsonArray messages = JsonNode.Parse("""[{"role": "user", "content": "q"}, {"role": "assistant", "content": [{"type": "text", "text": "so far "}, {"type": "image"}]}]""")!.AsArray();
        ChatTemplate template = Parse("{% for m in messages %}<{{ m.role }}>{% for p in m.content %}{{ p.text | trim if p.text }}{% endfor %}</end>{% endfor %}");
        Assert.Equal("<user></end><assistant>so far", template.Render(new ChatRequest(messages) { ContinueFinalMessage = true }));
        Assert.Throws<ChatTemplateException>(() => template.Render(new ChatRequest(messages) { ContinueFinalMessage = true, AddGenerationPrompt = true }));
        Assert.Throws<ChatTemplateException>(() => template.Render(new ChatRequest([]) { ContinueFinalMessage = true }));
        Assert.Throws<ChatTemplateException>(() => Parse("nothing").Render(new ChatRequest(messages) { ContinueFinalMessage = true }));
    }

    [Fact]
    public void Unusable_json_is_a_clear_error()
    {
        ChatTemplate template = Parse(Turns);
        string deep = string.Concat(Enumerable.Repeat("[", 500)) + string.Concat(Enumerable.Repeat("]", 500));
        JsonNode nested = JsonNode.Parse(deep, documentOptions: new() { MaxDepth = 1000 })!;
        Assert.Throws<ChatTemplateException>(() => template.Render(new ChatRequest([]) { Tools = nested }));
        Assert.Throws<ChatTemplateException>(() => template.Render(new ChatRequest(new JsonArray(5))));
        Assert.Throws<ChatTemplateException>(() => template.Render(new ChatRequest(JsonNode.Parse("""[{"role": "a", "role": "b"}]""")!.AsArray())));
        Assert.Throws<ChatTemplateException>(() => template.Render(new ChatRequest(JsonNode.Parse("""[{"role": "\ud800"}]""")!.AsArray())));
    }

    [Fact]
    public void A_long_conversation_has_room()
    {
        ChatTemplate template = ChatTemplate.Parse(
            "{% set ns = namespace(last=0) %}{% for m in messages %}{% for n in messages[loop.index:] %}{% endfor %}{% if m.role == 'user' %}{% set ns.last = loop.index0 %}{% endif %}{% endfor %}" + Turns,
            new Dictionary<string, string> { ["bos_token"] = "", ["eos_token"] = "\n" });
        string text = new('x', 2000);
        ChatMessage[] messages = [.. Enumerable.Range(0, 600).Select(i => new ChatMessage(i % 2 == 0 ? "user" : "assistant", text))];
        Assert.Equal(300 * ("<user>".Length + "<assistant>".Length) + 600 * 2001 + "<assistant>".Length, template.Render(messages).Length);
    }

    [Fact]
    public void One_template_serves_many_threads()
    {
        ChatTemplate template = Parse("{% set ns = namespace(s='') %}{% for m in messages %}{% set ns.s = ns.s ~ loop.index ~ m.content %}{% endfor %}{{ ns.s }}");
        string[] texts = new string[200];
        Parallel.For(0, texts.Length, i => texts[i] = template.Render([new ChatMessage("user", $"<{i}>"), new ChatMessage("user", "!")]));
        Assert.All(texts.Index(), pair => Assert.Equal($"1<{pair.Index}>2!", pair.Item));
    }

    private static ChatTemplate Parse(string source) => ChatTemplate.Parse(source, new Dictionary<string, string>());

    private void Write(string name, JsonObject json) => File.WriteAllText(Path.Combine(_folder.FullName, name), json.ToJsonString());
}
