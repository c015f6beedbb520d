using System.Text.Json;
using AdaEagle.Formats;

namespace AdaEagle.Cli.Bench;

/// <summary>A question of a Spec-Bench file.</summary>
/// <param name="Id"><c>question_id</c>, a number or a text.</param>
/// <param name="Category">The suite it belongs to.</param>
/// <param name="Turns">What the user says, turn by turn; the model's own answers come between.</param>
/// <param name="Raw">True if the turns are text to be continued, without the chat template.</param>
/// <param name="Index">Its place in the file, from 0: the sequence number of its random numbers.</param>
internal sealed record Question(string Id, string Category, IReadOnlyList<string> Turns, bool Raw, int Index)
{
    /// <summary>True if the file wrote the id as a number.</summary>
    public bool HasNumber { get; init; }
}

/// <summary>Reads question files: a JSON object a line, <c>{"question_id", "category", "turns": […], "raw"?}</c>; other keys are left alone.</summary>
internal static class QuestionFile
{
    private const string Remedy = "A line is a question of Spec-Bench's format: {\"question_id\": 1, \"category\": \"qa\", \"turns\": [\"…\"]}, and \"raw\": true where it is a text to be continued";

    /// <summary>Reads all questions.</summary>
    /// <exception cref="ModelFormatException">The file is absent, or a line is no question; the message names file and line.</exception>
    public static IReadOnlyList<Question> Read(string path)
    {
        var questions = new List<Question>();
        foreach ((int number, string line) in LimitedLines.Read(path))
        {
            if (!string.IsNullOrWhiteSpace(line))
            {
                questions.Add(Parse(line, path, number, questions.Count));
            }
        }

        return questions.Count > 0 ? questions : throw new ModelFormatException(path, null, "there is no question in it", Remedy);
    }

    /// <summary>At most <paramref name="limit"/> questions in all, evenly over the suites, the first of each; file order stays. 0 takes all.</summary>
    public static IReadOnlyList<Question> Limit(IReadOnlyList<Question> questions, int limit)
    {
        if (limit <= 0 || limit >= questions.Count)
        {
            return questions;
        }

        // In rounds: the first of every suite, then the second of every suite, ….
        IEnumerable<Question> taken = questions.GroupBy(question => question.Category)
            .SelectMany((suite, place) => suite.Select((question, rank) => (question, rank, place)))
            .OrderBy(entry => entry.rank).ThenBy(entry => entry.place)
            .Take(limit).Select(entry => entry.question);
        return [.. taken.OrderBy(question => question.Index)];
    }

    private static Question Parse(string line, string path, int number, int index)
    {
        try
        {
            using JsonDocument document = JsonDocument.Parse(line);
            JsonElement root = document.RootElement;
            if (root.ValueKind != JsonValueKind.Object)
            {
                throw Wrong("it is no JSON object");
            }

            JsonElement? asked = Property(root, "question_id");
            string id = asked switch
            {
                { ValueKind: JsonValueKind.String } text => text.GetString()!,
                { ValueKind: JsonValueKind.Number } value => value.GetRawText(),
                _ => throw Wrong("\"question_id\" must be a number or a text"),
            };
            string category = Property(root, "category") is { ValueKind: JsonValueKind.String } name && name.GetString() is { Length: > 0 } suite
                ? suite : throw Wrong("\"category\" must be a text");
            bool raw = Property(root, "raw") switch
            {
                null or { ValueKind: JsonValueKind.False or JsonValueKind.Null } => false,
                { ValueKind: JsonValueKind.True } => true,
                _ => throw Wrong("\"raw\" must be true or false"),
            };
            if (Property(root, "turns") is not { ValueKind: JsonValueKind.Array } array || array.GetArrayLength() == 0
                || array.EnumerateArray().Any(turn => turn.ValueKind != JsonValueKind.String || turn.GetString()!.Length == 0))
            {
                throw Wrong("\"turns\" must be a list of texts, at least one, none of them empty");
            }

            return new Question(id, category, [.. array.EnumerateArray().Select(turn => turn.GetString()!)], raw, index) { HasNumber = asked is { ValueKind: JsonValueKind.Number } };
        }
        catch (JsonException failure)
        {
            throw Wrong("it is not JSON: " + failure.Message.TrimEnd('.'));
        }
        catch (InvalidOperationException)
        {
            throw Wrong("a text holds half a surrogate pair");
        }

        ModelFormatException Wrong(string problem) => new(path, $"line {number}", problem, Remedy);
    }

    private static JsonElement? Property(JsonElement root, string name) => root.TryGetProperty(name, out JsonElement value) ? value : null;
}
