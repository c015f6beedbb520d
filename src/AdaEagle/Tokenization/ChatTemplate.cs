using System.Text.Json.Nodes;
using AdaEagle.Formats;
using AdaEagle.Tokenization.Jinja;

namespace AdaEagle.Tokenization;

/// <summary>
/// A chat template of a Hugging Face model: Jinja source that turns a conversation into the text the model was trained on.
/// Rendered in a sandbox with limits, the way <c>apply_chat_template</c> of transformers 5 does it. Immutable, thread-safe.
/// </summary>
public sealed class ChatTemplate
{
    // Stands at the end of a last message that is to be continued. Its trailing space shows whether the template trims its messages.
    private const string ContinueMark = "CONTINUE_FINAL_MESSAGE_TAG ";

    private readonly TemplateTree _tree;

    private ChatTemplate(string source, TemplateTree tree, IReadOnlyDictionary<string, string> specialTokens)
    {
        Source = source;
        SpecialTokens = specialTokens;
        _tree = tree;
    }

    /// <summary>The template's source.</summary>
    public string Source { get; }

    /// <summary>The variables <c>bos_token</c>, <c>eos_token</c>, … as the template sees them.</summary>
    public IReadOnlyDictionary<string, string> SpecialTokens { get; }

    /// <summary>
    /// Reads the template of a Hugging Face folder: <c>chat_template.jinja</c>, or <c>chat_template</c> of <c>tokenizer_config.json</c> (a text, or a
    /// list of named ones, of which "default" is taken), with the special tokens of <c>tokenizer_config.json</c>. Null where the folder has no template.
    /// </summary>
    /// <exception cref="ModelFormatException">The files cannot be read or do not hold what they should.</exception>
    /// <exception cref="ChatTemplateException">The template cannot be parsed or uses something that is not supported.</exception>
    public static ChatTemplate? Load(string folder) =>
        ChatTemplateFiles.Read(folder) is var (source, specialTokens) ? Parse(source, specialTokens) : null;

    /// <summary>The template in the metadata of a GGUF file (<c>tokenizer.chat_template</c>), with the special tokens that the file names; null where there is none.</summary>
    /// <exception cref="ModelFormatException">The metadata does not hold what it should.</exception>
    /// <exception cref="ChatTemplateException">The template cannot be parsed or uses something that is not supported.</exception>
    public static ChatTemplate? Load(GgufFile file) =>
        ChatTemplateFiles.Read(file) is var (source, specialTokens) ? Parse(source, specialTokens) : null;

    /// <summary>Parses a template.</summary>
    /// <param name="source">Jinja source.</param>
    /// <param name="specialTokens">Variables that hold special tokens: <c>bos_token</c>, …; one that is not listed is undefined.</param>
    /// <exception cref="ChatTemplateException">Says what is wrong or not supported, and in which line.</exception>
    public static ChatTemplate Parse(string source, IReadOnlyDictionary<string, string> specialTokens)
    {
        ArgumentNullException.ThrowIfNull(source);
        ArgumentNullException.ThrowIfNull(specialTokens);
        try
        {
            return new ChatTemplate(source, Parser.Parse(source), new Dictionary<string, string>(specialTokens));
        }
        catch (ChatTemplateException error)
        {
            throw Located(error, error.Line);
        }
    }

    /// <summary>Renders a plain conversation.</summary>
    /// <exception cref="ChatTemplateException">The template refuses the conversation, fails, or goes over a limit.</exception>
    public string Render(IReadOnlyList<ChatMessage> messages, bool addGenerationPrompt = true)
    {
        ArgumentNullException.ThrowIfNull(messages);
        JsonArray turns = [.. messages.Select(message => new JsonObject { ["role"] = message.Role, ["content"] = message.Content })];
        return Render(new ChatRequest(turns) { AddGenerationPrompt = addGenerationPrompt });
    }

    /// <summary>Renders a conversation with everything a template may be given.</summary>
    /// <exception cref="ChatTemplateException">The template refuses the conversation, fails, or goes over a limit.</exception>
    public string Render(ChatRequest request) => RenderSpans(request).Text;

    /// <summary>As <see cref="Render(ChatRequest)"/>, and says where the assistant's turns lie if the template marks them.</summary>
    /// <exception cref="ChatTemplateException">The template refuses the conversation, fails, or goes over a limit.</exception>
    public ChatRendering RenderSpans(ChatRequest request)
    {
        ArgumentNullException.ThrowIfNull(request);
        ArgumentNullException.ThrowIfNull(request.Messages);
        return Run(Sizes(request.Messages, request.Tools, request.Documents, request.Variables), request.Now, run =>
        {
            if (request.ContinueFinalMessage && request.AddGenerationPrompt)
            {
                throw new ChatTemplateException("A final message is to be continued and a new one to be opened; only one of the two is possible.");
            }

            List<DictValue> messages = [.. request.Messages.Select(message => ToMessage(run, message))];
            string? continued = request.ContinueFinalMessage ? MarkLast(run, messages) : null;
            foreach ((string name, string token) in SpecialTokens)
            {
                run.Define(name, new TextValue(token));
            }

            run.Define("messages", new ListValue([.. messages]));
            run.Define("tools", JsonValues.Convert(run, request.Tools));
            run.Define("documents", JsonValues.Convert(run, request.Documents));
            run.Define("add_generation_prompt", BoolValue.Of(request.AddGenerationPrompt));
            foreach ((string name, JsonNode? value) in request.Variables ?? [])
            {
                run.Define(name, JsonValues.Convert(run, value));
            }

            string text = run.Run();
            return continued is null
                ? new ChatRendering(text, run.Generations)
                : Cut(CutAtMark(text, continued), run.Generations);
        });
    }

    /// <summary>Renders with just these variables, nothing added: for tests of single features.</summary>
    internal string RenderVariables(JsonObject variables, DateTime? now = null) => Run(Sizes(variables), now, run =>
    {
        foreach ((string name, JsonNode? value) in variables)
        {
            run.Define(name, JsonValues.Convert(run, value));
        }

        return run.Run();
    });

    private static (long Values, long Characters) Sizes(params ReadOnlySpan<JsonNode?> parts)
    {
        (long values, long characters) = (0, 0);
        foreach (JsonNode? part in parts)
        {
            try
            {
                (long inner, long text) = JsonValues.Measure(part);
                (values, characters) = (values + inner, characters + text);
            }
            catch (Exception error) when (error is InvalidOperationException or ArgumentException)
            {
                // Half a surrogate pair, or a key that stands twice: System.Text.Json notices when it is asked for the value.
                throw new ChatTemplateException($"The request's JSON is not usable: {error.Message}", inner: error);
            }
        }

        return (values, characters);
    }

    private T Run<T>((long Values, long Characters) size, DateTime? now, Func<Interpreter, T> render)
    {
        Interpreter run = new(_tree, new Budget(size.Values, size.Characters), now ?? DateTime.Now);
        try
        {
            return render(run);
        }
        catch (ChatTemplateException error)
        {
            throw Located(error, error.Line ?? (run.Line > 0 ? run.Line : null));
        }
    }

    // A message of the template's own stays as it is; any other says where it happened.
    private static ChatTemplateException Located(ChatTemplateException error, int? line) => new(
        error.RaisedByTemplate || line is null ? error.Message : $"Chat template, line {line}: {error.Message}",
        line, error.RaisedByTemplate, error.Unsupported, error);

    // What transformers does to a message: keys that hold none go, and whatever a reasoning is called, it is there as reasoning_content and thinking.
    private static DictValue ToMessage(Interpreter run, JsonNode? node)
    {
        if (JsonValues.Convert(run, node) is not DictValue given)
        {
            throw new ChatTemplateException("A message of the conversation is not a JSON object.");
        }

        DictValue message = new(run.Comparer);
        foreach ((Value key, Value value) in given.Entries)
        {
            if (value is not NoneValue)
            {
                message.Entries[key] = value;
            }
        }

        if ((message.Find("reasoning_content") ?? message.Find("thinking") ?? message.Find("reasoning")) is Value reasoning)
        {
            message.Set("reasoning_content", reasoning);
            message.Set("thinking", message.Find("thinking") ?? reasoning);
        }

        return message;
    }

    // Puts the mark behind the last message's text (the last text of its parts) and gives that text.
    private static string MarkLast(Interpreter run, List<DictValue> messages)
    {
        DictValue? last = messages.LastOrDefault();
        switch (last?.Find("content"))
        {
            case TextValue text:
                last.Set("content", new TextValue(text.Text + ContinueMark));
                return text.Text;
            case ListValue parts when parts.Elements.OfType<DictValue>().LastOrDefault(part => part.Find("text") is TextValue) is DictValue part:
                DictValue marked = new(run.Comparer);
                foreach ((Value key, Value value) in part.Entries)
                {
                    marked.Entries[key] = value;
                }

                string continued = ((TextValue)part.Find("text")!).Text;
                marked.Set("text", new TextValue(continued + ContinueMark));
                last.Set("content", new ListValue([.. parts.Elements.Select(element => ReferenceEquals(element, part) ? marked : element)]));
                return continued;
            default:
                throw new ChatTemplateException("The final message is to be continued, but it has no text.");
        }
    }

    private static string CutAtMark(string text, string continued)
    {
        string mark = ContinueMark.TrimEnd(' ');
        int at = text.LastIndexOf(mark, StringComparison.Ordinal);
        if (at < 0 || !text.Contains(Trim(continued), StringComparison.Ordinal))
        {
            throw new ChatTemplateException("The final message is to be continued, but the template does not show it as it is.");
        }

        return string.CompareOrdinal(text, at, ContinueMark, 0, ContinueMark.Length) == 0 ? text[..at] : TrimEnd(text[..at]);
    }

    // Spans that reach behind the end of what is left end there.
    private static ChatRendering Cut(string text, IReadOnlyList<(int Start, int End)> generations) =>
        new(text, [.. generations.Where(span => span.Start < text.Length).Select(span => (span.Start, Math.Min(span.End, text.Length)))]);

    private static string Trim(string text)
    {
        int start = 0;
        while (start < text.Length && Unicode.IsSpace(text[start]))
        {
            start++;
        }

        return TrimEnd(text[start..]);
    }

    private static string TrimEnd(string text)
    {
        int end = text.Length;
        while (end > 0 && Unicode.IsSpace(text[end - 1]))
        {
            end--;
        }

        return text[..end];
    }
}
