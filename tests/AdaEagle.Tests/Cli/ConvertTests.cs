using System.Text.Json;
using AdaEagle.Tests.Formats;

namespace AdaEagle.Tests.Cli;

public class ConvertTests
{
    [Fact]
    public void The_default_model_is_converted_described_and_generates_the_same()
    {
        using TemporaryFolder folder = new();
        string model = Path.Combine(Fixtures.RepositoryRoot, "models", "default");
        Assert.SkipUnless(File.Exists(Path.Combine(model, "model.safetensors")), "The default model is not here.");
        string file = folder.File("default.gguf");
        CliRun converted = CliRun.Of("convert", model, "--type", "bf16", "--out", file, "--json");
        Assert.Equal(0, converted.Code);
        JsonElement result = JsonDocument.Parse(converted.Out).RootElement;
        Assert.Equal("BF16", result.GetProperty("type").GetString());
        Assert.Equal(new FileInfo(file).Length, result.GetProperty("bytes").GetInt64());

        JsonElement described = JsonDocument.Parse(CliRun.Of("inspect", "--json", file).Out).RootElement;
        Assert.Equal("llama", described.GetProperty("model_type").GetString());
        Assert.Equal("qwen2", described.GetProperty("metadata").GetProperty("tokenizer.ggml.pre").GetString());
        JsonElement original = JsonDocument.Parse(CliRun.Of("inspect", "--json", model).Out).RootElement;
        foreach (string same in (string[])["parameters", "pass_bytes", "vocabulary", "context", "trained_with_vocabulary"])
        {
            Assert.Equal(original.GetProperty(same).ToString(), described.GetProperty(same).ToString());
        }

        Assert.Equal(original.GetProperty("tokenizer").GetProperty("fingerprint").GetString(), described.GetProperty("tokenizer").GetProperty("fingerprint").GetString());
        Assert.Equal(original.GetProperty("chat_template").GetProperty("example").GetString(), described.GetProperty("chat_template").GetProperty("example").GetString());

        // With the draft head of the folder, too: the vocabulary is the same.
        string[] answer = ["generate", "--json", "--max-tokens", "24", "What does String.Join do?"];
        CliRun plain = CliRun.Of([.. answer, "--model", model, "--policy", "ar"]);
        CliRun drafted = CliRun.Of([.. answer, "--model", file, "--draft", Path.Combine(model, "eagle")]);
        Assert.Equal(Tokens(plain), Tokens(drafted));
        Assert.DoesNotContain("warning", drafted.Error, StringComparison.Ordinal);
    }

    [Fact]
    public void Names_that_cannot_be_meant_are_refused()
    {
        using TemporaryFolder folder = new();
        string existing = folder.Write("there.gguf", "");
        Refused("no such folder", "convert", folder.File("absent"), "--out", folder.File("x.gguf"));
        Refused("a GGUF file already", "convert", existing, "--out", folder.File("x.gguf"));
        Refused(".gguf", "convert", folder.Path, "--out", folder.File("x.bin"));
        Refused("--force", "convert", folder.Path, "--out", existing);
        Refused("no folder", "convert", folder.Path, "--out", folder.File("absent/x.gguf"));
        Refused("one of", "convert", folder.Path, "--out", folder.File("x.gguf"), "--type", "q3_k");
        Refused("--out", "convert", folder.Path);
        Refused("config.json", "convert", folder.Path, "--out", existing, "--force");
        Assert.Equal(["there.gguf"], Directory.GetFiles(folder.Path).Select(Path.GetFileName));
    }

    [Fact]
    public void A_file_of_another_architecture_is_described_with_why_it_does_not_run()
    {
        foreach (string path in GgufModelTests.Files().Where(path => path.Contains("gemma", StringComparison.Ordinal)))
        {
            JsonElement described = JsonDocument.Parse(CliRun.Of("inspect", "--json", path).Out).RootElement;
            Assert.Contains("gemma2", described.GetProperty("not_runnable").GetString(), StringComparison.Ordinal);
            Assert.True(described.GetProperty("tensors").GetArrayLength() > 0);
        }
    }

    private static void Refused(string what, params string[] arguments)
    {
        CliRun run = CliRun.Of(arguments);
        Assert.Equal(1, run.Code);
        Assert.Contains(what, run.Error, StringComparison.Ordinal);
    }

    private static int[] Tokens(CliRun run) => [.. JsonDocument.Parse(run.Out).RootElement.GetProperty("tokens").EnumerateArray().Select(token => token.GetInt32())];
}
