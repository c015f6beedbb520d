using System.CommandLine;
using System.Text.Json;
using AdaEagle.Training.Commands;

namespace AdaEagle.Training.Tests.Commands;

public sealed class TokenizerCommandTests : IDisposable
{
    private readonly string _folder = Directory.CreateTempSubdirectory("adaeagle-").FullName;

    public void Dispose() => Directory.Delete(_folder, recursive: true);

    [Fact]
    public void It_writes_the_three_files_of_a_tokenizer_and_says_so()
    {
        (int code, string output, string error) = Run("tokenizer", "--corpus", Corpus(300), "--vocabulary", "280", "--out", Path.Combine(_folder, "out"), "--json");

        Assert.Equal((0, ""), (code, error));
        JsonElement result = JsonDocument.Parse(output).RootElement;
        Assert.Equal(280, result.GetProperty("vocabulary").GetInt32());
        Assert.Equal(300, result.GetProperty("documents").GetInt32() + result.GetProperty("heldOut").GetInt32());
        Assert.InRange(result.GetProperty("heldOut").GetInt32(), 10, 70);
        Assert.Equal(
            ["generation_config.json", "tokenizer.json", "tokenizer_config.json"],
            Directory.GetFiles(Path.Combine(_folder, "out")).Select(Path.GetFileName).Order(StringComparer.Ordinal));
    }

    [Fact]
    public void Two_runs_write_the_same_bytes()
    {
        string corpus = Corpus(300);
        Run("tokenizer", "--corpus", corpus, "--vocabulary", "285", "--out", Path.Combine(_folder, "a"));
        Run("tokenizer", "--corpus", corpus, "--vocabulary", "285", "--out", Path.Combine(_folder, "b"));

        Assert.Equal(File.ReadAllBytes(Path.Combine(_folder, "a", "tokenizer.json")), File.ReadAllBytes(Path.Combine(_folder, "b", "tokenizer.json")));
    }

    [Fact]
    public void Held_out_documents_are_used_when_asked_for()
    {
        (_, string output, _) = Run("tokenizer", "--corpus", Corpus(300), "--vocabulary", "280", "--out", _folder, "--json", "--all-documents");

        Assert.Equal(300, JsonDocument.Parse(output).RootElement.GetProperty("documents").GetInt32());
    }

    [Theory]
    [InlineData(2, "--corpus", "tokenizer")]
    [InlineData(2, "'tokeniser' is no command", "tokeniser")]
    [InlineData(2, "from 261 to", "tokenizer", "--corpus", "x", "--out", "y", "--vocabulary", "12")]
    [InlineData(2, "from 261 to", "tokenizer", "--corpus", "x", "--out", "y", "--vocabulary", "many")]
    [InlineData(1, "cannot be opened", "tokenizer", "--corpus", "no-such-file.jsonl", "--out", "y")]
    public void What_goes_wrong_is_one_line_on_stderr_and_an_exit_code(int code, string says, params string[] arguments)
    {
        (int actual, string output, string error) = Run(arguments);

        Assert.Equal((code, ""), (actual, output));
        Assert.StartsWith("adaeagle-train: ", error, StringComparison.Ordinal);
        Assert.Contains(says, error, StringComparison.Ordinal);
        Assert.Single(error.Split('\n', StringSplitOptions.RemoveEmptyEntries));
    }

    [Fact]
    public void A_corpus_with_too_little_text_is_an_error_with_a_remedy()
    {
        (int code, _, string error) = Run("tokenizer", "--corpus", Corpus(3), "--out", _folder, "--all-documents");

        Assert.Equal(1, code);
        Assert.Contains("Ask for a smaller vocabulary", error, StringComparison.Ordinal);
    }

    [Fact]
    public void Help_ends_with_examples()
    {
        (int code, string output, _) = Run("tokenizer", "--help");

        Assert.Equal(0, code);
        Assert.Contains("adaeagle-train tokenizer [options]", output, StringComparison.Ordinal);
        Assert.Contains("--vocabulary <N>", output, StringComparison.Ordinal);
        Assert.Contains("Examples:\n  adaeagle-train tokenizer --corpus", output.ReplaceLineEndings("\n"), StringComparison.Ordinal);
    }

    private static (int Code, string Output, string Error) Run(params string[] arguments)
    {
        using StringWriter output = new(), error = new();
        int code = CommandRunner.Run(new RootCommand("Trains.") { TokenizerCommand.Create() }, arguments, output, error);
        return (code, output.ToString(), error.ToString());
    }

    private string Corpus(int documents)
    {
        string path = Path.Combine(_folder, "corpus.jsonl");
        File.WriteAllLines(path, Enumerable.Range(0, documents).Select(i => JsonSerializer.Serialize(new
        {
            category = "shell",
            messages = new[]
            {
                new { role = "user", content = $"Command to print line {i} of a file (tool{i})" },
                new { role = "assistant", content = $"`tool{i} --line {i} <path/to/file>`" },
            },
        })));
        return path;
    }
}
