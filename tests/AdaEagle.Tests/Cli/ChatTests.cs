using AdaEagle.Cli;
using AdaEagle.Generation;
using AdaEagle.Tokenization;

namespace AdaEagle.Tests.Cli;

public class ChatTests(TinyCliModel model) : IClassFixture<TinyCliModel>
{
    private const string Limit = "12";

    [Fact]
    public void The_second_answer_knows_the_first_turn_until_the_dialogue_is_cleared()
    {
        string first = Answer(("user", "hello"));
        string second = Answer(("user", "hello"), ("assistant", first), ("user", "more"));
        CliRun run = Chat("hello\nmore\n/clear\nhello\n/exit\nnever read\n");
        Assert.Equal(0, run.Code);
        Assert.Equal($"{first}{Environment.NewLine}{second}{Environment.NewLine}{first}{Environment.NewLine}", run.Out);
        Assert.Equal(3, run.Error.Split('\n').Count(line => line.Contains("acceptance length", StringComparison.Ordinal)));
    }

    [Fact]
    public void The_end_of_input_leaves_and_empty_lines_and_unknown_commands_are_not_sent()
    {
        CliRun run = Chat("\n/frobnicate\n/help\n");
        Assert.Equal(0, run.Code);
        Assert.Empty(run.Out);
        Assert.Contains("There is no command /frobnicate", run.Error, StringComparison.Ordinal);
    }

    [Fact]
    public void A_turn_that_does_not_fit_is_told_and_forgotten()
    {
        CliRun run = Chat($"{new string('x', 600)}\nhello\n");
        Assert.Equal(0, run.Code);
        Assert.Equal(Answer(("user", "hello")) + Environment.NewLine, run.Out);
        Assert.Contains("shorten it", run.Error, StringComparison.Ordinal);
    }

    [Fact]
    public void Ctrl_c_cancels_the_answer_and_the_dialogue_goes_on()
    {
        using var error = new StringWriter();
        using var output = new PressingWriter();
        var terminal = new Terminal(new StringReader("hello\n/exit\n"), output, error);
        output.OnWrite = () => terminal.Interrupts.Press();
        Assert.Equal(0, CommandLine.Run(["chat", "--max-tokens", "300", "--policy", "ar", .. model.Options], terminal));
        Assert.Contains("cancelled", error.ToString(), StringComparison.Ordinal);
        Assert.InRange(output.ToString().Length, 1, 40);
    }

    private CliRun Chat(string input) => CliRun.With(input, ["chat", "--max-tokens", Limit, .. model.Options]);

    private string Answer(params (string Role, string Content)[] messages)
    {
        using LanguageModel loaded = model.Load();
        IReadOnlyList<int> prompt = loaded.EncodeChat([.. messages.Select(message => new ChatMessage(message.Role, message.Content))]);
        return loaded.Generate(prompt, new GenerationOptions { MaxTokens = int.Parse(Limit, System.Globalization.CultureInfo.InvariantCulture) }).Text;
    }
}
