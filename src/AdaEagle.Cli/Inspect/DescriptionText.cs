using System.Globalization;
using System.Text;
using System.Text.Json.Nodes;

namespace AdaEagle.Cli.Inspect;

/// <summary>Writes a description for people: a line for each value, indented under what it belongs to, lists of objects as columns.</summary>
internal static class DescriptionText
{
    private const string Indent = "  ";

    public static string Of(JsonObject description)
    {
        var text = new StringBuilder();
        Object(text, description, "");
        return text.ToString().TrimEnd('\n');
    }

    private static void Object(StringBuilder text, JsonObject value, string indent)
    {
        int width = value.Where(pair => IsShort(pair.Value)).Select(pair => pair.Key.Length).DefaultIfEmpty().Max();
        foreach ((string key, JsonNode? node) in value)
        {
            string name = key.Replace('_', ' ');
            if (IsShort(node))
            {
                text.Append(CultureInfo.InvariantCulture, $"{indent}{name.PadRight(width)}  {Short(node)}\n");
                continue;
            }

            text.Append(CultureInfo.InvariantCulture, $"{indent}{name}\n");
            if (node is JsonObject inner)
            {
                Object(text, inner, indent + Indent);
            }
            else
            {
                Table(text, node!.AsArray(), indent + Indent);
            }
        }
    }

    private static void Table(StringBuilder text, JsonArray rows, string indent)
    {
        string[][] cells = [.. rows.Select(row => row!.AsObject().Select(pair => Short(pair.Value)).ToArray())];
        int[] widths = [.. cells[0].Select((_, column) => cells.Max(row => row[column].Length))];
        foreach (string[] row in cells)
        {
            text.Append(indent).AppendJoin(Indent, row.Select((cell, column) => cell.PadRight(widths[column]))).TrimLine().Append('\n');
        }
    }

    private static StringBuilder TrimLine(this StringBuilder text)
    {
        while (text.Length > 0 && text[^1] == ' ')
        {
            text.Length--;
        }

        return text;
    }

    private static bool IsShort(JsonNode? node) => node is not JsonObject { Count: > 0 } && !(node is JsonArray { Count: > 0 } list && list[0] is JsonObject);

    private static string Short(JsonNode? node) => node switch
    {
        null or JsonObject => "none",
        JsonArray list => list.Count == 0 ? "none" : string.Join(", ", list.Select(Short)),
        JsonValue value when value.TryGetValue(out bool flag) => flag ? "yes" : "no",
        JsonValue value when value.TryGetValue(out double number) && number != Math.Floor(number) => number.ToString("0.####", CultureInfo.InvariantCulture),
        _ => Visible(node.ToString()),
    };

    private static string Visible(string value) => string.Concat(value.Select(c => c switch { '\n' => "\\n", '\t' => "\\t", _ => char.IsControl(c) ? "?" : c.ToString() }));
}
