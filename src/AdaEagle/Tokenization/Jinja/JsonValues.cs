using System.Globalization;
using System.Numerics;
using System.Text.Json;
using System.Text.Json.Nodes;

namespace AdaEagle.Tokenization.Jinja;

/// <summary>JSON as values of a template, as <c>json.loads</c> of Python reads it: 1 is an int, 1.0 and 1e3 are floats.</summary>
internal static class JsonValues
{
    private const int MaximumDepth = 200;

    /// <summary>How large a request is: JSON values, and characters of its texts.</summary>
    public static (long Values, long Characters) Measure(JsonNode? node, int depth = 0)
    {
        if (depth > MaximumDepth)
        {
            throw new ChatTemplateException($"The request's JSON nests deeper than {MaximumDepth} levels.");
        }

        (long values, long characters) = (1, 0);
        IEnumerable<(string? Key, JsonNode? Node)> children = node switch
        {
            JsonObject map => map.Select(pair => ((string?)pair.Key, pair.Value)),
            JsonArray list => list.Select(item => ((string?)null, item)),
            _ => [],
        };
        foreach ((string? key, JsonNode? child) in children)
        {
            (long inner, long text) = Measure(child, depth + 1);
            values += inner;
            characters += text + (key?.Length ?? 0);
        }

        return (values, node is JsonValue value && value.GetValueKind() == JsonValueKind.String ? value.GetValue<string>().Length : characters);
    }

    /// <summary>Converts a node that <see cref="Measure"/> has seen.</summary>
    public static Value Convert(Interpreter run, JsonNode? node)
    {
        switch (node)
        {
            case null:
                return NoneValue.Instance;
            case JsonArray list:
                return new ListValue([.. list.Select(item => Convert(run, item))]);
            case JsonObject map:
                DictValue dict = new(run.Comparer);
                foreach ((string key, JsonNode? value) in map)
                {
                    dict.Set(key, Convert(run, value));
                }

                return dict;
            default:
                return node.GetValueKind() switch
                {
                    JsonValueKind.String => new TextValue(node.GetValue<string>()),
                    JsonValueKind.Number => Number(node.AsValue()),
                    JsonValueKind.True => BoolValue.True,
                    JsonValueKind.False => BoolValue.False,
                    _ => NoneValue.Instance,
                };
        }
    }

    private static Value Number(JsonValue value)
    {
        // A number that was made in memory has its type; one that was read has its text.
        if (!value.TryGetValue(out JsonElement element))
        {
            if (value.TryGetValue(out double real))
            {
                return new FloatValue(real);
            }

            if (value.TryGetValue(out float single))
            {
                return new FloatValue(single);
            }
        }

        string text = element.ValueKind == JsonValueKind.Number ? element.GetRawText() : value.ToJsonString();
        return text.AsSpan().ContainsAny('.', 'e', 'E') ? new FloatValue(double.Parse(text, CultureInfo.InvariantCulture))
            : text.Length <= 4300 ? IntValue.Of(BigInteger.Parse(text, CultureInfo.InvariantCulture))
            : throw new ChatTemplateException($"The request holds an integer of {text.Length} digits.");
    }
}
