using System.Text.Json;
using AdaEagle.Cli;

namespace AdaEagle.Tests.Cli;

public class GenerateTests(TinyCliModel model) : IClassFixture<TinyCliModel>
{
    private static readonly string[] s_statistics =
    [
        "policy", "drafter", "prompt_tokens", "visible_tokens", "emitted_tokens", "passes", "drafted", "accepted", "acceptance_length", "tokens_per_second", "decode_tokens_per_second",
        "total_seconds", "prefill_seconds", "plan_seconds", "draft_seconds", "verify_seconds", "other_seconds",
    ];

    [Fact]
    public void Json_is_all_that_stdout_gets_and_has_the_agreed_keys()
    {
        CliRun run = model.Run("generate", "hello", "--json", "--max-tokens", "40");
        Assert.Equal(0, run.Code);
        using JsonDocument document = JsonDocument.Parse(run.Out);
        JsonElement root = document.RootElement;
        Assert.Equal(["text", "tokens", "finish_reason", "stats"], root.EnumerateObject().Select(property => property.Name));
        JsonElement stats = root.GetProperty("stats");
        Assert.Equal(s_statistics, stats.EnumerateObject().Select(property => property.Name));
        Assert.Equal(root.GetProperty("tokens").GetArrayLength(), stats.GetProperty("emitted_tokens").GetInt32());
        double[] times = [.. s_statistics.Where(name => name.EndsWith("_seconds", StringComparison.Ordinal) && name != "total_seconds").Select(name => stats.GetProperty(name).GetDouble())];
        Assert.Equal(stats.GetProperty("total_seconds").GetDouble(), times.Sum(), 9);
        Assert.Contains("acceptance length", run.Error, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("ar")]
    [InlineData("fixed:3")]
    [InlineData("threshold:-0.6")]
    [InlineData("ldlp")]
    [InlineData("ldlp+threshold:-1.5")]
    public void Every_policy_gives_plain_decodings_tokens_and_streams_the_text_of_its_json(string policy)
    {
        string[] sampling = ["--temperature", "0.9", "--seed", "11", "--max-tokens", "60"];
        using JsonDocument plain = JsonDocument.Parse(model.Run(["generate", "count", "--json", "--policy", "ar", .. sampling]).Out);
        using JsonDocument other = JsonDocument.Parse(model.Run(["generate", "count", "--json", "--policy", policy, .. sampling]).Out);
        Assert.Equal(plain.RootElement.GetProperty("tokens").ToString(), other.RootElement.GetProperty("tokens").ToString());
        Assert.Equal(policy, other.RootElement.GetProperty("stats").GetProperty("policy").GetString());
        CliRun streamed = model.Run(["generate", "count", "--policy", policy, .. sampling]);
        Assert.Equal(other.RootElement.GetProperty("text").GetString() + Environment.NewLine, streamed.Out);
    }

    [Theory]
    [InlineData("q8_0")]
    [InlineData("q4_k")]
    [InlineData("Q6_K")]
    public void Quantised_at_load_it_still_speculates_what_it_decodes_plainly_and_says_what_did_not_fit(string format)
    {
        string[] arguments = ["generate", "count", "--json", "--max-tokens", "40", "--quantize", format];
        CliRun plain = model.Run([.. arguments, "--policy", "ar"]), drafted = model.Run([.. arguments, "--policy", "fixed:3"]);
        Assert.Equal(0, plain.Code);
        using JsonDocument expected = JsonDocument.Parse(plain.Out), actual = JsonDocument.Parse(drafted.Out);
        Assert.Equal(expected.RootElement.GetProperty("tokens").ToString(), actual.RootElement.GetProperty("tokens").ToString());
        // The tiny model's rows are of 48 and 80, which no block fills.
        Assert.Equal(1, plain.Error.Split('\n').Count(line => line.Contains("rows of 48 are kept as F16", StringComparison.Ordinal) && !line.Contains("draft head", StringComparison.Ordinal)));
    }

    [Fact]
    public void A_format_that_is_not_for_weights_is_refused_with_those_that_are()
    {
        CliRun run = model.Run("generate", "count", "--quantize", "q2_k");
        Assert.NotEqual(0, run.Code);
        Assert.Contains("q8_0, q4_0, q4_k, q5_k, q6_k", run.Error, StringComparison.Ordinal);
    }

    [Fact]
    public void Accepted_draft_tokens_stand_in_brackets_where_there_are_no_colours_and_every_round_is_listed()
    {
        string[] arguments = ["generate", "abc", "--raw", "--policy", "fixed:3", "--max-tokens", "50"];
        CliRun plain = model.Run(arguments);
        CliRun shown = model.Run([.. arguments, "--show-draft"]);
        Assert.Contains('[', shown.Out);
        Assert.Equal(plain.Out.Replace("[", "", StringComparison.Ordinal).Replace("]", "", StringComparison.Ordinal), shown.Out.Replace("[", "", StringComparison.Ordinal).Replace("]", "", StringComparison.Ordinal));
        using JsonDocument json = JsonDocument.Parse(model.Run([.. arguments, "--show-draft", "--json"]).Out);
        JsonElement stats = json.RootElement.GetProperty("stats");
        JsonElement[] rounds = [.. stats.GetProperty("rounds").EnumerateArray()];
        Assert.Equal(stats.GetProperty("passes").GetInt32() - 1, rounds.Length);
        Assert.Equal(rounds.Length, shown.Error.Split('\n').Count(line => line.StartsWith("round ", StringComparison.Ordinal)));
        Assert.Equal(stats.GetProperty("accepted").GetInt32(), rounds.Sum(round => round.GetProperty("accepted").GetInt32()));
        Assert.Equal(3, rounds[0].GetProperty("predicted").GetInt32());
    }

    [Theory]
    [InlineData(true, "\e[32m", "\e[39m")]
    [InlineData(false, "\e[4m", "\e[24m")]
    public void On_a_terminal_the_mark_is_a_colour_or_an_underline_where_no_colours_are_wanted(bool colours, string begin, string end)
    {
        using var output = new StringWriter();
        using var error = new StringWriter();
        var terminal = new Terminal(TextReader.Null, output, error) { OutputIsTerminal = true, Colours = colours };
        Assert.Equal(0, CommandLine.Run(["generate", "abc", "--raw", "--policy", "fixed:3", "--max-tokens", "30", "--show-draft", .. model.Options], terminal));
        Assert.Contains(begin, output.ToString(), StringComparison.Ordinal);
        Assert.Equal(output.ToString().Split(begin).Length, output.ToString().Split(end).Length);
    }

    [Fact]
    public void A_hyphen_reads_the_prompt_from_stdin_without_its_last_newline()
    {
        string[] options = ["--raw", "--json", "--max-tokens", "12", .. model.Options];
        using JsonDocument given = JsonDocument.Parse(CliRun.Of(["generate", "two\nlines", .. options]).Out);
        using JsonDocument piped = JsonDocument.Parse(CliRun.With("two\nlines\n", ["generate", "-", .. options]).Out);
        Assert.Equal(given.RootElement.GetProperty("tokens").ToString(), piped.RootElement.GetProperty("tokens").ToString());
    }

    [Fact]
    public void A_prompt_may_begin_with_a_hyphen_behind_two_and_with_an_at_sign()
    {
        Assert.Equal(0, CliRun.Of(["generate", "--max-tokens", "2", .. model.Options, "--", "--list"]).Code);
        Assert.Equal(0, model.Run("generate", "@file", "--max-tokens", "2").Code);
        Assert.StartsWith("{", model.Run("generate", "--max-tokens", "2", "--json", "true").Out, StringComparison.Ordinal);
    }

    [Fact]
    public void Stop_strings_end_the_output_before_the_first_of_them()
    {
        string[] arguments = ["generate", "abc", "--raw", "--max-tokens", "40", "--json"];
        string text = TextOf(model.Run(arguments));
        string stop = text[5..7];
        string stopped = TextOf(model.Run([.. arguments, "--stop", "never to be seen", "--stop", stop]));
        Assert.Equal(text[..text.IndexOf(stop, StringComparison.Ordinal)], stopped);
    }

    [Fact]
    public void What_cannot_be_done_is_one_line_with_a_remedy()
    {
        model.Run("generate", "x", "--policy", "fixed").FailsWith(1, "There is no policy 'fixed'", "fixed:K", "ldlp+threshold:T");
        model.Run("generate", "x", "--policy", "fixed:99").FailsWith(1, "fixed:99", "0 to 16");
        model.Run("generate", new string('x', 600)).FailsWith(1, "512", "shorten it");
        model.Run("generate", "", "--raw").FailsWith(1, "The prompt is empty");
        model.Run("generate", "x", "--draft", "nowhere").FailsWith(1, "nowhere", "there is no such folder");
    }

    [Fact]
    public void Sampling_options_without_a_temperature_are_said_to_have_no_effect() =>
        Assert.Contains("--top-k, --seed", model.Run("generate", "x", "--top-k", "5", "--seed", "2", "--max-tokens", "2").Error, StringComparison.Ordinal);

    [Fact]
    public void Ctrl_c_cancels_with_its_exit_code_and_what_came_so_far_stays()
    {
        using var error = new StringWriter();
        using var output = new PressingWriter();
        var terminal = new Terminal(TextReader.Null, output, error);
        output.OnWrite = () => terminal.Interrupts.Press();
        Assert.Equal(130, CommandLine.Run(["generate", "abc", "--raw", "--max-tokens", "400", "--policy", "ar", .. model.Options], terminal));
        Assert.InRange(output.ToString().TrimEnd().Length, 0, 40);
        Assert.EndsWith(Environment.NewLine, output.ToString(), StringComparison.Ordinal);
        Assert.Equal("adaeagle: cancelled" + Environment.NewLine, error.ToString());
        Assert.False(terminal.Interrupts.Press());
    }

    private static string TextOf(CliRun run)
    {
        using JsonDocument document = JsonDocument.Parse(run.Out);
        return document.RootElement.GetProperty("text").GetString()!;
    }
}

/// <summary>A writer at whose first text somebody presses a key.</summary>
internal sealed class PressingWriter : StringWriter
{
    public Func<bool>? OnWrite { get; set; }

    public override void Write(string? value)
    {
        base.Write(value);
        OnWrite?.Invoke();
    }
}
