using System.Text.Json;
using AdaEagle.Tests.Formats;

namespace AdaEagle.Tests.Cli;

/// <summary><c>bench --right</c>: one run for each share of tokens that are right.</summary>
public sealed class LevelsTests : IClassFixture<TinyCliModel>, IDisposable
{
    // Frozen, so that auto's decisions are the same again.
    private const string Costs = """{"draft_step_seconds": 5e-5, "verify_seconds": [1e-3, 1.02e-3, 1.04e-3, 1.06e-3, 1.08e-3, 1.1e-3, 1.2e-3], "overhead_seconds": 1e-6}""";

    private const string Questions = """
        {"question_id": 1, "category": "one", "turns": ["hello"]}
        {"question_id": 2, "category": "one", "turns": ["first", "second"]}
        {"question_id": 3, "category": "two", "turns": ["Once upon"], "raw": true}
        """;

    private readonly TinyCliModel _model;
    private readonly TemporaryFolder _folder = new();
    private readonly string _prompts;

    public LevelsTests(TinyCliModel model)
    {
        _model = model;
        _prompts = _folder.Write("bench.jsonl", Questions);
    }

    [Theory]
    [InlineData("0")]
    [InlineData("0.8")]
    public void Each_level_is_a_run_and_all_of_them_are_in_one_table(string temperature)
    {
        const string Policies = "ar,fixed:2,comb:3,1,oracle,auto,auto:chain";
        (string output, string report) = (_folder.File("levels.json"), _folder.File("report"));
        CliRun run = _model.Run(
            "bench", "--prompts", _prompts, "--policies", Policies, "--right", "0,50,100", "--max-tokens", "40", "--temperature", temperature, "--costs", _folder.Write("costs.json", Costs), "--json", output, "--report", report);
        Assert.True(run.Code == 0, run.Error);
        using JsonDocument document = JsonDocument.Parse(File.ReadAllText(output));
        JsonElement[] runs = [.. document.RootElement.GetProperty("runs").EnumerateArray()];
        Assert.Equal([0, 50, 100], runs.Select(one => one.GetProperty("right_percent").GetInt32()));
        double[][] lengths = [.. runs.Select(Lengths)];
        Assert.All(lengths[0], length => Assert.Equal(1, length));
        // Two drafted tokens and the target's own, but for the prompt's pass and the end of the answer.
        Assert.InRange(lengths[2][1], 2.5, 3);
        Assert.InRange(lengths[1][1], 1.4, 2.1);
        Assert.True(lengths[2].Skip(1).All(length => length > 2), $"{string.Join(", ", lengths[2])}");
        Assert.All(runs.SelectMany(one => one.GetProperty("policies").EnumerateArray()), policy => Assert.Equal(3, policy.GetProperty("identical").GetInt32()));

        string page = File.ReadAllText(Path.Combine(report, "report.md"));
        foreach (string text in (string[])[run.Out, page])
        {
            Assert.Matches(@"\| right +\| +ar \| fixed:2 \| comb:3,1 \| oracle \| +auto \| auto:chain \| best fixed \| +auto over best fixed \(95%\) \| +over plain \(95%\) \|", text);
            Assert.All((string[])["| 0% ", "| 50% ", "| 100% ", "- auto at worst: ", "- auto:chain at worst: ", $"## eagle, temperature {temperature}, right 50%"], part => Assert.Contains(part, text, StringComparison.Ordinal));
        }

        Assert.Contains("6 policies, 50% right: 3 of 3", run.Error, StringComparison.Ordinal);
        Assert.True(File.Exists(Path.Combine(report, $"eagle-t{temperature}-right50", "speed.png")));
    }

    [Theory]
    [InlineData("101")]
    [InlineData("0.5")]
    [InlineData("0,95%")]
    [InlineData("50,50")]
    [InlineData("0,,50")]
    [InlineData("half")]
    public void Levels_that_are_none_are_refused_before_a_model_is_looked_for(string levels) =>
        CliRun.Of("bench", "--prompts", _prompts, "--model", "nowhere", "--right", levels).FailsWith(1, $"--right is '{levels}'", "whole numbers of percent from 0 to 100");

    public void Dispose() => _folder.Dispose();

    private static double[] Lengths(JsonElement run) => [.. run.GetProperty("policies").EnumerateArray().Select(policy => policy.GetProperty("acceptance_length").GetDouble())];
}
