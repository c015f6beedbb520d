using AdaEagle.Cli;
using AdaEagle.Tests.Formats;

namespace AdaEagle.Tests.Cli;

public class CommandLineTests
{
    [Theory]
    [InlineData("--temperature", "hot", "0 (greedy) or more")]
    [InlineData("--temperature", "-1", "0 (greedy) or more")]
    [InlineData("--temperature", "NaN", "0 (greedy) or more")]
    [InlineData("--top-k", "2.5", "a whole number, 0 or more")]
    [InlineData("--top-p", "0", "above 0, at most 1")]
    [InlineData("--top-p", "1.01", "above 0, at most 1")]
    [InlineData("--min-p", "2", "from 0 to 1")]
    [InlineData("--seed", "-1", "a whole number from 0")]
    [InlineData("--max-tokens", "0", "a whole number, 1 or more")]
    [InlineData("--max-tokens", "99999999999", "a whole number, 1 or more")]
    [InlineData("--threads", "-2", "from 0 to 1024")]
    [InlineData("--weights", "int8", "one of: auto, f32, bf16")]
    public void A_value_out_of_range_is_named_with_what_is_allowed(string option, string value, string allowed) =>
        CliRun.Of("generate", "hello", option, value).FailsWith(1, option, value, allowed, "adaeagle generate --help");

    [Fact]
    public void No_command_an_unknown_command_and_an_unknown_option_are_errors_of_one_line()
    {
        CliRun.Of().FailsWith(1, "adaeagle --help");
        CliRun.Of("decode").FailsWith(1, "'decode' is no command or option");
        CliRun.Of("generate", "hello", "--tempratur", "1").FailsWith(1, "--tempratur");
        CliRun.Of("generate", "--tempratur").FailsWith(1, "'--tempratur' is no option", "'--'");
        CliRun.Of("generate").FailsWith(1, "adaeagle generate --help");
        CliRun.Of("generate", "hello", "--stop", "").FailsWith(1, "--stop is empty");
    }

    [Theory]
    [InlineData("generate", "--policy")]
    [InlineData("chat", "--show-draft")]
    [InlineData("inspect", "--json")]
    [InlineData("bench", "--policies")]
    public void Help_goes_to_stdout_and_ends_with_examples(string command, string option)
    {
        CliRun run = CliRun.Of(command, "--help");
        Assert.Equal(0, run.Code);
        Assert.Empty(run.Error);
        Assert.Contains(option, run.Out, StringComparison.Ordinal);
        Assert.Contains($"adaeagle {command}", run.Out[run.Out.IndexOf("Examples:", StringComparison.Ordinal)..], StringComparison.Ordinal);
    }

    [Fact]
    public void Help_of_bench_has_every_option_of_generate()
    {
        string help = CliRun.Of("bench", "--help").Out;
        string[] options = ["--model", "--draft", "--predictor", "--policy", "--temperature", "--top-k", "--top-p", "--min-p", "--seed", "--max-tokens", "--stop", "--threads", "--weights", "--raw", "--json", "--show-draft"];
        Assert.All(options, option => Assert.Contains($" {option} ", help, StringComparison.Ordinal));
        string generate = CliRun.Of("generate", "--help").Out;
        Assert.All(options, option => Assert.Contains($" {option} ", generate, StringComparison.Ordinal));
    }

    [Fact]
    public void A_model_that_is_not_there_is_one_line() =>
        CliRun.Of("generate", "hello", "--model", "no-such-folder").FailsWith(1, "no-such-folder", "there is no such folder");

    [Fact]
    public void A_broken_model_is_one_line_that_names_the_file()
    {
        using var folder = new TemporaryFolder();
        folder.Write("tokenizer.json", "{\"model\": 7");
        CliRun.Of("generate", "hello", "--model", folder.Path).FailsWith(1, "tokenizer.json");
    }

    [Fact]
    public void Failures_are_told_without_the_parameter_that_the_runtime_adds()
    {
        Assert.Equal("Too short.", CommandLine.Describe(new ArgumentException("Too short.", "prompt")));
        Assert.Equal("TopK must be more.", CommandLine.Describe(new ArgumentOutOfRangeException("TopK", -1, "TopK must be more.")));
        Assert.Equal("no kernels", CommandLine.Describe(new TypeInitializationException("x", new NotSupportedException("no kernels"))));
        Assert.Contains("defect", CommandLine.Describe(new KeyNotFoundException("i")), StringComparison.Ordinal);
    }

    [Fact]
    public void The_default_model_is_found_upward_from_either_place_and_the_error_says_where_it_was_looked_for()
    {
        using var folder = new TemporaryFolder();
        string inner = Directory.CreateDirectory(folder.File("a/b/c")).FullName;
        string message = Assert.Throws<AdaEagle.Formats.ModelFormatException>(() => DefaultModel.Find([inner])).Message;
        Assert.Contains(inner, message, StringComparison.Ordinal);
        Assert.Contains("--model", message, StringComparison.Ordinal);

        string model = Directory.CreateDirectory(folder.File("a/models/default")).FullName;
        File.WriteAllText(Path.Combine(model, "config.json"), "{}");
        Assert.Equal(model, DefaultModel.Find([Path.GetTempPath(), inner]));
    }
}
