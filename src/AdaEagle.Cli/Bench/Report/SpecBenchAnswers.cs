using System.Globalization;
using System.Text.Json;
using System.Text.Json.Nodes;

namespace AdaEagle.Cli.Bench.Report;

/// <summary>
/// Answers as Spec-Bench keeps them, for its own scripts (github.com/hemingkx/Spec-Bench, evaluation/eval.py writes them, evaluation/speed.py reads them): a JSON object a
/// line, a file for each policy. <c>decoding_steps</c> are target passes, <c>wall_time</c> seconds from prompt to last token, both by turn; <c>accept_lengths</c> the tokens that
/// each pass emitted, the prefill's first, over all turns, so that plain decoding has ones and their sum is that of <c>new_tokens</c>.
/// </summary>
internal static class SpecBenchAnswers
{
    /// <summary>Writes the answers of all policies into a folder, and returns the files' names.</summary>
    public static IReadOnlyList<string> Write(string folder, string model, IReadOnlyList<PolicyResult> results, DateTimeOffset time)
    {
        Directory.CreateDirectory(folder);
        foreach (PolicyResult result in results)
        {
            File.WriteAllLines(Path.Combine(folder, FileName(result.Name)), result.Prompts.Select(prompt => Line($"{model}-{result.Name}", prompt, time)));
        }

        return [.. results.Select(result => FileName(result.Name))];
    }

    /// <summary>A file's name; not every system allows a colon in one.</summary>
    public static string FileName(string policy) => policy.Replace(':', '_') + ".jsonl";

    private static string Line(string model, PromptResult prompt, DateTimeOffset time) => JsonSerializer.Serialize(
        new JsonObject
        {
            ["question_id"] = prompt.Question.HasNumber ? JsonNode.Parse(prompt.Question.Id) : prompt.Question.Id,
            ["category"] = prompt.Question.Category,
            ["answer_id"] = Guid.NewGuid().ToString("N", CultureInfo.InvariantCulture),
            ["model_id"] = model,
            ["choices"] = new JsonArray(new JsonObject
            {
                ["index"] = 0,
                ["turns"] = ByTurn(prompt, turn => turn.Text),
                ["decoding_steps"] = ByTurn(prompt, turn => turn.Emitted.Count),
                ["new_tokens"] = ByTurn(prompt, turn => turn.Tokens),
                ["wall_time"] = ByTurn(prompt, turn => turn.Seconds),
                ["accept_lengths"] = new JsonArray([.. prompt.Turns.SelectMany(turn => turn.Emitted).Select(count => JsonValue.Create(count))]),
            }),
            ["tstamp"] = time.ToUnixTimeMilliseconds() / 1000.0,
        },
        Json.Line.JsonObject);

    private static JsonArray ByTurn(PromptResult prompt, Func<TurnResult, JsonNode> figure) => new([.. prompt.Turns.Select(figure)]);
}
