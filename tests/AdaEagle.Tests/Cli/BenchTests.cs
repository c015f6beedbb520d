using System.Text.Json;
using AdaEagle.Tests.Formats;

namespace AdaEagle.Tests.Cli;

public sealed class BenchTests : IClassFixture<TinyCliModel>, IDisposable
{
    private const string Questions = """
        {"question_id": 1, "category": "one", "turns": ["hello"]}
        {"question_id": 2, "category": "one", "turns": ["first", "second"]}
        {"question_id": 3, "category": "two", "turns": ["Once upon"], "raw": true}
        {"question_id": 4, "category": "two", "turns": ["a", "b"], "raw": true}
        """;

    private const string Policies = "ar,fixed:1,fixed:4,threshold:-0.6,ldlp,ldlp+threshold:-0.6,oracle,oracle:tree,tree:eagle1";

    private static readonly string[] s_policyKeys =
    [
        "name", "tokens_per_second", "decode_tokens_per_second", "speedup", "speedup_low", "speedup_high", "decode_speedup", "decode_speedup_low", "decode_speedup_high", "acceptance_length",
        "prefill_seconds", "plan_seconds", "draft_seconds", "verify_seconds", "other_seconds", "identical", "prompts", "repeated_share",
        "oracle_share", "oracle_share_low", "oracle_share_high", "tree_oracle_share", "gains", "behind_in", "without_loops", "suites",
    ];

    private static readonly string[] s_suiteKeys =
    [
        "name", "tokens_per_second", "decode_speedup", "decode_speedup_low", "decode_speedup_high", "acceptance_length", "oracle_share", "oracle_share_low", "oracle_share_high", "tree_oracle_share", "over_best_fixed",
    ];

    private readonly TinyCliModel _model;
    private readonly TemporaryFolder _folder = new();
    private readonly string _prompts;

    public BenchTests(TinyCliModel model)
    {
        _model = model;
        _prompts = _folder.Write("bench.jsonl", Questions);
    }

    [Fact]
    public void Every_policy_is_identical_and_the_file_has_exactly_the_agreed_keys()
    {
        JsonElement root = Bench("--policies", Policies, "--max-tokens", "24");
        Assert.Equal(["environment", "policies"], Keys(root));
        JsonElement[] policies = [.. root.GetProperty("policies").EnumerateArray()];
        Assert.Equal(Policies.Split(','), policies.Select(policy => policy.GetProperty("name").GetString()));
        foreach (JsonElement policy in policies)
        {
            Assert.Equal(s_policyKeys, Keys(policy));
            Assert.Equal((4, 4), (policy.GetProperty("identical").GetInt32(), policy.GetProperty("prompts").GetInt32()));
            JsonElement[] suites = [.. policy.GetProperty("suites").EnumerateArray()];
            Assert.Equal(["one", "two"], suites.Select(suite => suite.GetProperty("name").GetString()));
            Assert.All(suites, suite => Assert.Equal(s_suiteKeys, Keys(suite)));
            Assert.Equal(["best_fixed", "best_fixed_of_suites", "best_tree", "best_rule"], Keys(policy.GetProperty("gains")));
            Assert.InRange(policy.GetProperty("decode_speedup").GetDouble(), policy.GetProperty("decode_speedup_low").GetDouble(), policy.GetProperty("decode_speedup_high").GetDouble());
        }

        Assert.Equal(1.0, policies[0].GetProperty("acceptance_length").GetDouble());
        Assert.Equal(1.0, policies[0].GetProperty("speedup").GetDouble());
        Assert.True(policies[2].GetProperty("acceptance_length").GetDouble() > 1);
        Assert.Equal(0, policies[0].GetProperty("draft_seconds").GetDouble(), 3);
        JsonElement environment = root.GetProperty("environment");
        Assert.Equal(_model.Folder, environment.GetProperty("model").GetString());
        Assert.Equal("f32", environment.GetProperty("weights").GetString());
        Assert.Equal(17, environment.GetProperty("costs").GetProperty("verify_seconds").GetArrayLength());
        Assert.Contains("--policies", environment.GetProperty("command_line").GetString(), StringComparison.Ordinal);
        Assert.Contains("oracle", environment.GetProperty("command_line").GetString(), StringComparison.Ordinal);
    }

    [Fact]
    public void The_five_times_add_up_to_the_wall_time_that_the_rates_are_made_of()
    {
        JsonElement policy = Bench("--policies", "fixed:2", "--max-tokens", "20", "--repeat", "3", "--limit", "2").GetProperty("policies")[1];
        string[] parts = ["prefill_seconds", "plan_seconds", "draft_seconds", "verify_seconds", "other_seconds"];
        double wall = parts.Sum(part => policy.GetProperty(part).GetDouble());
        double visible = policy.GetProperty("tokens_per_second").GetDouble() * wall;
        Assert.Equal(Math.Round(visible), visible, 6);
        double afterFirst = policy.GetProperty("decode_tokens_per_second").GetDouble() * (wall - policy.GetProperty("prefill_seconds").GetDouble());
        Assert.Equal(visible - 2, afterFirst, 6);
    }

    [Fact]
    public void Sampling_is_identical_too_and_ar_runs_where_it_was_not_named()
    {
        JsonElement root = Bench("--policies", "ldlp,oracle", "--temperature", "0.9", "--seed", "7", "--max-tokens", "20", "--repeat", "2");
        Assert.Equal(["ar", "ldlp", "oracle"], root.GetProperty("policies").EnumerateArray().Select(policy => policy.GetProperty("name").GetString()));
        Assert.All(root.GetProperty("policies").EnumerateArray(), policy => Assert.Equal(4, policy.GetProperty("identical").GetInt32()));
        Assert.Equal(7, root.GetProperty("environment").GetProperty("sampling").GetProperty("seed").GetInt32());
    }

    [Fact]
    public void One_token_has_no_decoding_rate_and_that_is_null()
    {
        JsonElement policy = Bench("--policies", "fixed:2", "--max-tokens", "1").GetProperty("policies")[1];
        Assert.Equal(JsonValueKind.Null, policy.GetProperty("decode_speedup").ValueKind);
        Assert.Equal(1, policy.GetProperty("acceptance_length").GetDouble());
    }

    [Fact]
    public void The_table_is_on_stdout_and_progress_on_stderr()
    {
        CliRun run = _model.Run("bench", "--prompts", _prompts, "--policies", "fixed:1,threshold:-0.6", "--max-tokens", "12");
        Assert.Equal(0, run.Code);
        Assert.Contains("| fixed:1 ", run.Out, StringComparison.Ordinal);
        Assert.Contains("a draft step", run.Out, StringComparison.Ordinal);
        Assert.Contains("the best fixed length is ", run.Out, StringComparison.Ordinal);
        Assert.Contains("acceptance by position, fixed:1:", run.Out, StringComparison.Ordinal);
        Assert.Contains("3 policies: 4 of 4", run.Error, StringComparison.Ordinal);
    }

    [Fact]
    public void Without_a_list_plain_decoding_a_fixed_length_and_auto_run()
    {
        JsonElement root = Bench("--max-tokens", "8", "--limit", "1");
        Assert.Equal(["ar", "fixed:3", "auto"], root.GetProperty("policies").EnumerateArray().Select(policy => policy.GetProperty("name").GetString()));
        Assert.Equal(["ar", "ldlp"], Bench("--policy", "ldlp", "--max-tokens", "8", "--limit", "1").GetProperty("policies").EnumerateArray().Select(policy => policy.GetProperty("name").GetString()));
    }

    [Fact]
    public void What_cannot_be_measured_is_said_before_anything_runs()
    {
        _model.Run("bench", "--prompts", "absent.jsonl").FailsWith(1, "absent.jsonl", "there is no such file");
        _model.Run("bench", "--prompts", _prompts, "--policies", "ar,,ldlp").FailsWith(1, "empty name");
        _model.Run("bench", "--prompts", _prompts, "--policies", "ar,quick").FailsWith(1, "no policy 'quick'");
        // Before the model is looked for.
        CliRun.Of("bench", "--prompts", _prompts, "--policies", "ar,quick", "--model", "nowhere").FailsWith(1, "no policy 'quick'");
        CliRun.Of("bench", "--prompts", _prompts, "--policies", "ldlp,ldlp+threshold:x", "--model", "nowhere").FailsWith(1, "T must be a number");
        CliRun.Of("bench", "--prompts", _prompts, "--policies", "ldlp,ldlp+threshold:-1,specdec++,auto,oracle:tree", "--model", "nowhere").FailsWith(1, "nowhere");
        _model.Run("bench", "--prompts", _prompts, "--json", _folder.File("no/such/folder/out.json")).FailsWith(1, "there is no folder");
        _model.Run("bench", "--prompts", _prompts, "--repeat", "0").FailsWith(1, "--repeat");
        CliRun.Of("bench").FailsWith(1, "--prompts");
    }

    [Fact]
    public void Without_a_draft_head_there_is_plain_decoding_and_others_say_what_is_missing()
    {
        foreach (string file in Directory.EnumerateFiles(_model.Folder))
        {
            File.Copy(file, _folder.File(Path.GetFileName(file)));
        }

        string[] arguments = ["bench", "--prompts", _prompts, "--max-tokens", "8", "--threads", "1", "--model", _folder.Path];
        CliRun run = CliRun.Of(arguments);
        Assert.True(run.Code == 0, run.Error);
        Assert.Contains("| ar ", run.Out, StringComparison.Ordinal);
        CliRun.Of([.. arguments, "--policies", "fixed:1"]).FailsWith(1, "no draft head", "--draft");
    }

    public void Dispose() => _folder.Dispose();

    private JsonElement Bench(params string[] arguments)
    {
        string output = _folder.File("out.json");
        CliRun run = _model.Run(["bench", "--prompts", _prompts, "--json", output, .. arguments]);
        Assert.True(run.Code == 0, run.Error);
        using JsonDocument document = JsonDocument.Parse(File.ReadAllText(output));
        return document.RootElement.Clone();
    }

    private static IEnumerable<string> Keys(JsonElement element) => element.EnumerateObject().Select(property => property.Name);
}
