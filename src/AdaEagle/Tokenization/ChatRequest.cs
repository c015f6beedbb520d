using System.Text.Json.Nodes;

namespace AdaEagle.Tokenization;

/// <summary>Everything a chat template may be given: the arguments of <c>apply_chat_template</c> of transformers, as JSON.</summary>
/// <param name="Messages">The turns: objects with <c>role</c> and mostly <c>content</c> (text, null, a list of parts), maybe <c>tool_calls</c>, <c>reasoning_content</c>, …</param>
public sealed record ChatRequest(JsonArray Messages)
{
    /// <summary>The variable <c>tools</c>: a list of function descriptions; null is passed as none.</summary>
    public JsonNode? Tools { get; init; }

    /// <summary>The variable <c>documents</c>; null is passed as none.</summary>
    public JsonNode? Documents { get; init; }

    /// <summary>Asks for the opening of the assistant's next turn at the end.</summary>
    public bool AddGenerationPrompt { get; init; }

    /// <summary>Further variables (<c>enable_thinking</c>, …). They override the special tokens.</summary>
    public JsonObject? Variables { get; init; }

    /// <summary>Ends the text inside the last message, so that the model goes on with it.</summary>
    public bool ContinueFinalMessage { get; init; }

    /// <summary>The local time that <c>strftime_now</c> shows; null for this machine's clock.</summary>
    public DateTime? Now { get; init; }
}

/// <summary>A rendered conversation.</summary>
/// <param name="Text">The text to be tokenised, special tokens recognised.</param>
/// <param name="GenerationSpans">Where the template's <c>generation</c> blocks (what the assistant says) lie in <paramref name="Text"/>, [start, end) in UTF-16 units.</param>
public sealed record ChatRendering(string Text, IReadOnlyList<(int Start, int End)> GenerationSpans);
