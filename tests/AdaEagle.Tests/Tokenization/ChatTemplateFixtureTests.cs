using System.Text.Json.Nodes;
using AdaEagle.Tokenization;

namespace AdaEagle.Tests.Tokenization;

/// <summary>Conversations through whole templates, against what transformers renders (<c>expected.json</c>).</summary>
public sealed class ChatTemplateFixtureTests
{
    [Fact]
    public void Conversations_render_as_in_transformers() => RenderAll("cases", continues: false);

    [Fact]
    public void Final_messages_are_continued_as_in_transformers() => RenderAll("continue_cases", continues: true);

    [Fact]
    public void Generation_spans_lie_where_transformers_puts_them()
    {
        JsonObject fixture = ChatTemplateCases.Read("expected.json");
        int compared = 0;
        foreach (JsonNode? node in fixture["cases"]!.AsArray())
        {
            if (node!["generation_spans"] is not JsonArray expected || ChatTemplateCases.TryParse(node["template"]!.GetValue<string>(), node["special_tokens"]!, out _) is not ChatTemplate template)
            {
                continue;
            }

            ChatRendering rendering = template.RenderSpans(ChatTemplateCases.Request(fixture, node.AsObject(), continues: false));
            string spans = string.Join(' ', rendering.GenerationSpans.Select(span => $"{CodePoints(rendering.Text, span.Start)}-{CodePoints(rendering.Text, span.End)}"));
            Assert.Equal(string.Join(' ', expected.Select(span => $"{span![0]}-{span[1]}")), spans);
            compared++;
        }

        Fixtures.RequireCases(ChatTemplateCases.Kind, compared);
    }

    private static void RenderAll(string key, bool continues)
    {
        JsonObject fixture = ChatTemplateCases.Read("expected.json");
        List<string> failures = [];
        SortedSet<string> unsupported = [];
        int ran = 0;
        foreach (JsonNode? node in fixture[key]!.AsArray())
        {
            JsonObject test = node!.AsObject();
            string name = test["template"]!.GetValue<string>();
            if (ChatTemplateCases.TryParse(name, test["special_tokens"]!, out string? missing) is not ChatTemplate template)
            {
                unsupported.Add($"{name} (needs '{missing}')");
                continue;
            }

            ran++;
            string? failure = ChatTemplateCases.Compare(test, () => template.Render(ChatTemplateCases.Request(fixture, test, continues)));
            if (failure is not null)
            {
                failures.Add($"{name} / {test["conversation"]}, tools {test["tools"]}, documents {test["documents"]}, kwargs {test["kwargs"]}: {failure}");
            }
        }

        ChatTemplateCases.Report($"{ran} cases ran; skipped as not supported: {(unsupported.Count == 0 ? "none" : string.Join(", ", unsupported))}.");
        Assert.True(failures.Count == 0, $"{failures.Count} of {ran} cases differ:\n{string.Join('\n', failures.Take(20))}");
        Fixtures.RequireCases(ChatTemplateCases.Kind, ran);
    }

    private static int CodePoints(string text, int units) => text[..units].EnumerateRunes().Count();
}
