namespace AdaEagle.Tokenization;

/// <summary>
/// A chat template of a Hugging Face model: Jinja source that turns a conversation into the text the model was trained on.
/// Rendered in a sandbox with limits, the way transformers 5 does it. Immutable, thread-safe.
/// </summary>
public sealed class ChatTemplate
{
    private ChatTemplate(string source, IReadOnlyDictionary<string, string> specialTokens)
    {
        Source = source;
        SpecialTokens = specialTokens;
    }

    /// <summary>The template's source.</summary>
    public string Source { get; }

    /// <summary>The variables <c>bos_token</c>, <c>eos_token</c>, … as the template sees them.</summary>
    public IReadOnlyDictionary<string, string> SpecialTokens { get; }

    /// <summary>
    /// Reads the template of a Hugging Face folder: <c>chat_template.jinja</c>, or <c>chat_template</c> of <c>tokenizer_config.json</c>.
    /// Null where the folder has none. Throws <see cref="ChatTemplateException"/> for a template that cannot be parsed.
    /// </summary>
    public static ChatTemplate? Load(string folder) => throw new NotImplementedException(folder);

    /// <summary>Parses a template. Throws <see cref="ChatTemplateException"/> that says what is wrong and in which line.</summary>
    public static ChatTemplate Parse(string source, IReadOnlyDictionary<string, string> specialTokens) => new(source, specialTokens);

    /// <summary>Renders a plain conversation.</summary>
    public string Render(IReadOnlyList<ChatMessage> messages, bool addGenerationPrompt = true) => throw new NotImplementedException($"{Source}{messages}{addGenerationPrompt}");

    /// <summary>Renders a conversation with everything a template may be given.</summary>
    public string Render(ChatRequest request) => RenderSpans(request).Text;

    /// <summary>As <see cref="Render(ChatRequest)"/>, and says where the assistant's turns lie if the template marks them.</summary>
    public ChatRendering RenderSpans(ChatRequest request) => throw new NotImplementedException($"{Source}{request}");
}
