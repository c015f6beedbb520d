using System.Text.Json.Nodes;
using AdaEagle.Tokenization;

namespace AdaEagle.Tests.Tokenization;

/// <summary>One feature a template, against what Jinja renders (<c>features.json</c>).</summary>
public sealed class JinjaFeatureTests
{
    private static readonly Dictionary<string, string> s_noTokens = [];

    [Fact]
    public void Features_render_as_in_jinja()
    {
        JsonObject fixture = ChatTemplateCases.Read("features.json");
        DateTime now = ChatTemplateCases.Clock(ChatTemplateCases.Read("expected.json"));
        List<string> failures = [];
        List<string> unsupported = [];
        int ran = 0;
        foreach (JsonNode? node in fixture["cases"]!.AsArray())
        {
            JsonObject test = node!.AsObject();
            bool isUnsupported = false;
            string? failure = ChatTemplateCases.Compare(test, () =>
            {
                try
                {
                    return ChatTemplate.Parse(test["template"]!.GetValue<string>(), s_noTokens).RenderVariables(test["context"]!.AsObject(), now);
                }
                catch (ChatTemplateException error) when (error.Unsupported is not null)
                {
                    isUnsupported = true;
                    throw;
                }
            });
            if (isUnsupported && failure is not null)
            {
                unsupported.Add(test["name"]!.GetValue<string>());
                continue;
            }

            ran++;
            if (failure is not null)
            {
                failures.Add($"{test["name"]}: {failure}");
            }
        }

        ChatTemplateCases.Report($"{ran} features ran; skipped as not supported: {(unsupported.Count == 0 ? "none" : string.Join(", ", unsupported))}.");
        Assert.True(failures.Count == 0, $"{failures.Count} of {ran} features differ:\n{string.Join('\n', failures)}");
        Fixtures.RequireCases(ChatTemplateCases.Kind, ran);
    }
}
