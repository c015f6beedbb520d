using AdaEagle.Cli;
using AdaEagle.Cli.Generate;
using AdaEagle.Generation;

namespace AdaEagle.Tests.Cli;

/// <summary>The reading of a long prompt is told on stderr, that of a short one is not.</summary>
public class PromptNoteTests
{
    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public void A_prompt_that_is_read_within_a_second_says_nothing(bool terminal) =>
        Assert.Equal("", Reported(terminal, [(0, 128), (0.5, 256), (0.9, 384), (1.5, 400)], 400));

    [Fact]
    public void A_terminal_sees_one_line_that_goes_when_the_prompt_is_read() =>
        Assert.Equal(
            "\rreading the prompt: 256 of 512 tokens\rreading the prompt: 384 of 512 tokens\r\e[K", Reported(true, [(0, 128), (1.1, 256), (2, 384), (3, 512)], 512));

    [Fact]
    public void Elsewhere_there_is_a_line_now_and_then()
    {
        string[] lines = Reported(false, [(0, 128), (1.1, 256), (2, 384), (9, 500), (11.2, 600), (12, 700)], 700).Split('\n', StringSplitOptions.RemoveEmptyEntries);
        Assert.Equal(["reading the prompt: 256 of 700 tokens", "reading the prompt: 600 of 700 tokens"], lines.Select(line => line.TrimEnd('\r')));
    }

    private static string Reported(bool isTerminal, (double Seconds, int Done)[] reports, int total)
    {
        var error = new StringWriter();
        var clock = new Clock();
        var note = new PromptNote(new Terminal(TextReader.Null, TextWriter.Null, error) { ErrorIsTerminal = isTerminal }, clock);
        // Twice: the next prompt of a dialogue begins anew.
        foreach ((double seconds, int done) in reports)
        {
            clock.Seconds = seconds;
            note.Report(new PromptProgress(done, total));
        }

        string first = error.ToString();
        foreach ((double seconds, int done) in reports)
        {
            clock.Seconds = 100 + seconds;
            note.Report(new PromptProgress(done, total));
        }

        Assert.Equal(first + first, error.ToString());
        return first;
    }

    private sealed class Clock : TimeProvider
    {
        public double Seconds { get; set; }

        public override long TimestampFrequency => 1_000_000;

        public override long GetTimestamp() => (long)(Seconds * 1e6);
    }
}
