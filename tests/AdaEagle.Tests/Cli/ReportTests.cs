using System.Buffers.Binary;
using System.Text.Json;
using System.Text.RegularExpressions;
using AdaEagle.Tests.Formats;

namespace AdaEagle.Tests.Cli;

/// <summary><c>bench --report</c> and <c>bench --matrix</c>.</summary>
public sealed partial class ReportTests : IClassFixture<TinyCliModel>, IDisposable
{
    private const string Questions = """
        {"question_id": 7, "category": "one", "turns": ["hello"]}
        {"question_id": "x8", "category": "two", "turns": ["first", "second"], "raw": true}
        """;

    private static readonly string[] s_pictures = ["calibration.png", "lengths.png", "oracle-gap.png", "positions.png", "speed.png", "time.png"];

    private readonly TinyCliModel _model;
    private readonly TemporaryFolder _folder = new();
    private readonly string _prompts;

    public ReportTests(TinyCliModel model)
    {
        _model = model;
        _prompts = _folder.Write("bench.jsonl", Questions);
    }

    [Fact]
    public void A_report_is_a_page_pictures_and_answers_and_all_its_links_lead_somewhere()
    {
        string report = _folder.File("report");
        string costs = _folder.Write("costs.json", """{"draft_step_seconds": 0.01, "verify_seconds": [1, 1.001], "overhead_seconds": 0}""");
        CliRun run = _model.Run("bench", "--prompts", _prompts, "--policies", "ar,fixed:2,comb:3,1,ldlp,auto,oracle", "--max-tokens", "30", "--report", report, "--costs", costs);
        Assert.True(run.Code == 0, run.Error);
        string page = File.ReadAllText(Path.Combine(report, "report.md"));
        // What the terminal showed, the page has too.
        Assert.Contains(run.Out.TrimEnd(), page, StringComparison.Ordinal);
        Assert.Contains("adaeagle bench --prompts", page, StringComparison.Ordinal);
        Assert.Contains("All outputs are plain decoding's", page, StringComparison.Ordinal);
        Assert.Contains("Calibration of `auto`, planned before the draft", page, StringComparison.Ordinal);
        string[] links = Links(page);
        Assert.All(links, link => Assert.True(File.Exists(Path.Combine(report, link)), link));
        Assert.Equal(s_pictures, links.Where(link => link.EndsWith(".png", StringComparison.Ordinal)).Order());
        Assert.Equal(6, links.Count(link => link.EndsWith(".jsonl", StringComparison.Ordinal)));
        Assert.All(s_pictures, picture => AssertPicture(Path.Combine(report, picture)));
    }

    [Fact]
    public void Answers_have_spec_benchs_keys_and_add_up()
    {
        string report = _folder.File("report");
        CliRun run = _model.Run("bench", "--prompts", _prompts, "--policies", "ar,fixed:2", "--max-tokens", "30", "--repeat", "2", "--report", report);
        Assert.True(run.Code == 0, run.Error);
        JsonElement[] plain = Answers(report, "ar"), drafted = Answers(report, "fixed_2");
        Assert.Equal((2, 2), (plain.Length, drafted.Length));
        foreach ((JsonElement one, JsonElement other) in plain.Zip(drafted))
        {
            Assert.Equal(["question_id", "category", "answer_id", "model_id", "choices", "tstamp"], other.EnumerateObject().Select(property => property.Name));
            (JsonElement choice, JsonElement same) = (Assert.Single(other.GetProperty("choices").EnumerateArray()), Assert.Single(one.GetProperty("choices").EnumerateArray()));
            Assert.Equal(["index", "turns", "decoding_steps", "new_tokens", "wall_time", "accept_lengths"], choice.EnumerateObject().Select(property => property.Name));
            Assert.Equal(same.GetProperty("turns").ToString(), choice.GetProperty("turns").ToString());
            Assert.Equal(Sum(choice, "new_tokens"), Sum(choice, "accept_lengths"));
            Assert.Equal(Sum(choice, "decoding_steps"), choice.GetProperty("accept_lengths").GetArrayLength());
            Assert.Equal(Sum(same, "new_tokens"), Sum(choice, "new_tokens"));
            Assert.True(Sum(choice, "decoding_steps") < Sum(choice, "new_tokens"));
            Assert.All(same.GetProperty("accept_lengths").EnumerateArray(), length => Assert.Equal(1, length.GetInt32()));
            Assert.All(choice.GetProperty("wall_time").EnumerateArray(), seconds => Assert.True(seconds.GetDouble() > 0));
        }

        Assert.Equal(7, plain[0].GetProperty("question_id").GetInt32());
        Assert.Equal("x8", plain[1].GetProperty("question_id").GetString());
        Assert.Equal((1, 2), (plain[0].GetProperty("choices")[0].GetProperty("turns").GetArrayLength(), plain[1].GetProperty("choices")[0].GetProperty("turns").GetArrayLength()));
        Assert.EndsWith("-fixed:2", drafted[0].GetProperty("model_id").GetString(), StringComparison.Ordinal);
    }

    [Fact]
    public void A_matrix_runs_every_drafter_at_every_temperature_into_one_file_and_one_report()
    {
        string matrix = _folder.Write("matrix.json", """{"drafters": ["eagle", "ngram:4,2"], "policies": ["fixed:2", "auto"], "temperatures": [0, 0.75]}""");
        (string output, string report) = (_folder.File("out.json"), _folder.File("report"));
        CliRun run = _model.Run("bench", "--prompts", _prompts, "--matrix", matrix, "--max-tokens", "20", "--json", output, "--report", report);
        Assert.True(run.Code == 0, run.Error);
        using JsonDocument document = JsonDocument.Parse(File.ReadAllText(output));
        JsonElement[] runs = [.. document.RootElement.GetProperty("runs").EnumerateArray()];
        Assert.Equal(
            [("eagle", 0f), ("eagle", 0.75f), ("ngram:4,2", 0f), ("ngram:4,2", 0.75f)], runs.Select(one => (one.GetProperty("drafter").GetString()!, one.GetProperty("temperature").GetSingle())));
        Assert.All(runs, one =>
        {
            Assert.Equal(["drafter", "temperature", "environment", "policies"], one.EnumerateObject().Select(property => property.Name));
            JsonElement[] policies = [.. one.GetProperty("policies").EnumerateArray()];
            Assert.Equal(["ar", "fixed:2", "auto"], policies.Select(policy => policy.GetProperty("name").GetString()));
            Assert.All(policies, policy => Assert.Equal(2, policy.GetProperty("identical").GetInt32()));
            Assert.Equal(one.GetProperty("temperature").GetSingle(), one.GetProperty("environment").GetProperty("sampling").GetProperty("temperature").GetSingle());
            Assert.Equal(one.GetProperty("drafter").GetString(), one.GetProperty("environment").GetProperty("drafter").GetString());
        });
        string page = File.ReadAllText(Path.Combine(report, "report.md"));
        Assert.Matches(@"\| policy +\| +eagle, temperature 0 \| eagle, temperature 0\.75 \| ngram:4,2, temperature 0 \| ngram:4,2, temperature 0\.75 \|", page);
        string[] titles = ["## eagle, temperature 0\n", "## eagle, temperature 0.75\n", "## ngram:4,2, temperature 0\n", "## ngram:4,2, temperature 0.75\n"];
        Assert.All(titles, title => Assert.Contains(title, page, StringComparison.Ordinal));
        Assert.All(titles, title => Assert.Contains(title, run.Out, StringComparison.Ordinal));
        string[] links = Links(page);
        Assert.All(links, link => Assert.True(File.Exists(Path.Combine(report, link)), link));
        Assert.Contains("ngram_4,2-t0.75/speed.png", links);
        Assert.Equal(12, links.Count(link => link.EndsWith(".jsonl", StringComparison.Ordinal)));
    }

    [Fact]
    public void A_matrix_may_leave_lists_to_the_command_line()
    {
        string matrix = _folder.Write("matrix.json", """{"temperatures": [0.5]}""");
        string output = _folder.File("out.json");
        CliRun run = _model.Run("bench", "--prompts", _prompts, "--matrix", matrix, "--drafter", "ngram", "--policies", "fixed:3", "--max-tokens", "8", "--json", output);
        Assert.True(run.Code == 0, run.Error);
        using JsonDocument document = JsonDocument.Parse(File.ReadAllText(output));
        JsonElement one = Assert.Single(document.RootElement.GetProperty("runs").EnumerateArray());
        Assert.Equal(("ngram", 0.5f), (one.GetProperty("drafter").GetString(), one.GetProperty("temperature").GetSingle()));
    }

    [Theory]
    [InlineData("{", "it is not JSON")]
    [InlineData("[]", "it is no JSON object")]
    [InlineData("""{"policy": ["ar"]}""", "'policy'", "there is no such list")]
    [InlineData("""{"policies": []}""", "'policies'", "something in it")]
    [InlineData("""{"policies": "ar"}""", "'policies'", "must be a list")]
    [InlineData("""{"policies": ["ar", 3]}""", "'policies[1]'", "must be a text")]
    [InlineData("""{"policies": ["ar", "quick"]}""", "'policies'", "no policy 'quick'")]
    [InlineData("""{"policies": ["ar", "fixed:1", "ar"]}""", "'policies'", "there twice")]
    [InlineData("""{"drafters": ["eagle", "ngram:0,1"]}""", "'drafters[1]'", "two whole numbers")]
    [InlineData("""{"drafters": ["beagle"]}""", "'drafters[0]'", "no drafter 'beagle'")]
    [InlineData("""{"drafters": [{"draft": "x"}]}""", "'drafters[0]'", "no name")]
    [InlineData("""{"drafters": [{"name": "model", "draft": "no/such/folder"}]}""", "'drafters[0].draft'", "no/such/folder")]
    [InlineData("""{"drafters": [{"name": "model", "path": "x"}]}""", "'drafters[0].path'", "no such key")]
    [InlineData("""{"temperatures": [0, -1]}""", "'temperatures[1]'", "0 (greedy) or more")]
    [InlineData("""{"temperatures": [0, 0.0]}""", "'temperatures'", "there twice")]
    public void A_wrong_matrix_is_refused_with_its_place_before_a_model_is_looked_for(string text, params string[] parts)
    {
        string matrix = _folder.Write("matrix.json", text);
        CliRun.Of("bench", "--prompts", _prompts, "--matrix", matrix, "--model", "nowhere").FailsWith(1, [matrix, .. parts, "A matrix is {"]);
    }

    [Fact]
    public void What_would_be_said_twice_or_written_nowhere_is_refused()
    {
        string matrix = _folder.Write("matrix.json", """{"drafters": ["eagle"], "policies": ["ar"], "temperatures": [0]}""");
        string[] arguments = ["bench", "--prompts", _prompts, "--matrix", matrix, "--model", "nowhere"];
        CliRun.Of([.. arguments, "--policies", "ar"]).FailsWith(1, "policies", "--policies is given too");
        CliRun.Of([.. arguments, "--policy", "ar"]).FailsWith(1, "--policy is given too");
        CliRun.Of([.. arguments, "--drafter", "ngram"]).FailsWith(1, "--drafter is given too");
        CliRun.Of([.. arguments, "--temperature", "1"]).FailsWith(1, "--temperature is given too");
        CliRun.Of([.. arguments, "--costs", _folder.File("costs.json")]).FailsWith(1, "--costs", "there is no such file");
        CliRun.Of("bench", "--prompts", _prompts, "--matrix", "absent.json").FailsWith(1, "absent.json", "there is no such file");
        CliRun.Of("bench", "--prompts", _prompts, "--report", _prompts).FailsWith(1, "--report", "that is a file");
    }

    public void Dispose() => _folder.Dispose();

    private static JsonElement[] Answers(string report, string policy) =>
        [.. File.ReadLines(Path.Combine(report, "answers", policy + ".jsonl")).Select(line => JsonDocument.Parse(line).RootElement)];

    private static int Sum(JsonElement choice, string key) => choice.GetProperty(key).EnumerateArray().Sum(value => value.GetInt32());

    private static string[] Links(string page) => [.. Link().Matches(page).Select(match => Uri.UnescapeDataString(match.Groups[1].Value))];

    // Signature and size of a PNG.
    private static void AssertPicture(string path)
    {
        byte[] png = File.ReadAllBytes(path);
        Assert.Equal([0x89, (byte)'P', (byte)'N', (byte)'G', 13, 10, 26, 10], png[..8]);
        Assert.InRange(BinaryPrimitives.ReadInt32BigEndian(png.AsSpan(16)), 1200, 4000);
        Assert.Equal(700, BinaryPrimitives.ReadInt32BigEndian(png.AsSpan(20)));
    }

    [GeneratedRegex(@"\]\(([^)]+)\)")]
    private static partial Regex Link();
}
