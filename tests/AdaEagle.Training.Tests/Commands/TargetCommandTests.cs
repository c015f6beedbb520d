using System.CommandLine;
using AdaEagle.Training.Commands;
using AdaEagle.Training.Tests.Torch;

namespace AdaEagle.Training.Tests.Commands;

public class TargetCommandTests
{
    [Fact]
    public void What_cannot_be_trained_is_refused_in_one_line()
    {
        using var run = new SmallRun();
        string corpus = Path.Combine(run.Folder, "corpus.txt");
        File.WriteAllText(corpus, "A word or two.");

        Assert.Contains("Give either --steps or --minutes", Refusal(run, corpus), StringComparison.Ordinal);
        Assert.Contains("Give either --steps or --minutes", Refusal(run, corpus, "--steps", "5", "--minutes", "1"), StringComparison.Ordinal);
        Assert.Contains("--decay", Refusal(run, corpus, "--steps", "5", "--decay", "1.5"), StringComparison.Ordinal);
        Assert.Contains("does not exist", Refusal(run, corpus, "--steps", "5", "--resume"), StringComparison.Ordinal);
        Assert.Contains("Give one of them", Refusal(run, corpus, "--steps", "5", "--resume", "--from", corpus), StringComparison.Ordinal);
        Assert.Contains("--layers", Refusal(run, corpus, "--steps", "5", "--layers", "0"), StringComparison.Ordinal);
        Assert.Contains("multiple of 16", Refusal(run, corpus, "--steps", "5", "--length", "40"), StringComparison.Ordinal);
        Assert.Contains("--grow-layers", Refusal(run, corpus, "--steps", "5", "--grow-layers", "3"), StringComparison.Ordinal);
    }

    private static string Refusal(SmallRun run, string corpus, params string[] more)
    {
        using StringWriter output = new(), error = new();
        string[] arguments = ["target", "--corpus", corpus, "--tokenizer", run.Tokenizer, "--out", Path.Combine(run.Folder, "run"), .. more];
        Assert.NotEqual(0, CommandRunner.Run(new RootCommand("Trains.") { TargetCommand.Create() }, arguments, output, error));
        Assert.Equal("", output.ToString());
        Assert.Single(error.ToString().Split('\n', StringSplitOptions.RemoveEmptyEntries));
        return error.ToString();
    }
}
