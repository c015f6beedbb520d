using Spectre.Console;

namespace AdaEagle.Training.Tests.Reporting;

public sealed class TrainingProgressTests : IDisposable
{
    private readonly StringWriter _written = new();
    private readonly ManualClock _clock = new();

    public void Dispose() => _written.Dispose();

    [Fact]
    public void Redirected_it_writes_a_plain_line_every_ten_seconds_and_the_last_step()
    {
        using (var progress = new TrainingProgress("target", 100, Console(AnsiSupport.No), isTerminal: false, _clock))
        {
            for (int step = 1; step <= 100; step++)
            {
                _clock.Advance(TimeSpan.FromSeconds(0.5));
                progress.Report(step, 3.25, tokens: 4096);
            }
        }

        string[] lines = Lines();
        Assert.Equal(5, lines.Length);
        Assert.Equal("target: step 20/100, loss 3.250, 8,192 tokens/s, 40 s left", lines[0]);
        Assert.Equal("target: step 100/100, loss 3.250, 8,192 tokens/s, 0 s left", lines[^1]);
        Assert.DoesNotContain('\e', _written.ToString());
    }

    [Fact]
    public void The_rate_is_that_of_the_last_half_minute()
    {
        using var progress = new TrainingProgress("target", 1_000_000, Console(AnsiSupport.No), isTerminal: false, _clock);
        foreach (double seconds in Enumerable.Repeat(20.0, 5).Concat(Enumerable.Repeat(1.0, 60)))
        {
            _clock.Advance(TimeSpan.FromSeconds(seconds));
            progress.Report(1, 1, tokens: 1000);
        }

        _clock.Advance(TimeSpan.FromSeconds(1));
        progress.Report(2, 1, tokens: 1000);
        _clock.Advance(TimeSpan.FromSeconds(10));
        progress.Report(3, 1, tokens: 10_000);

        Assert.Contains(" 1,000 tokens/s", Lines()[^1], StringComparison.Ordinal);
    }

    [Fact]
    public void A_run_that_goes_on_counts_only_its_own_steps()
    {
        using var progress = new TrainingProgress("target", 1000, Console(AnsiSupport.No), isTerminal: false, _clock);
        _clock.Advance(TimeSpan.FromSeconds(10));
        progress.Report(901, 2, tokens: 100);

        Assert.Equal("target: step 901/1000, loss 2.000, 10 tokens/s, 17 min left", Assert.Single(Lines()));
    }

    [Fact]
    public void A_logged_line_is_written_whole_however_long()
    {
        string line = "validation: " + string.Join(", ", Enumerable.Range(0, 60).Select(i => $"category {i} 2.345"));
        using var progress = new TrainingProgress("target", 10, Console(AnsiSupport.No), isTerminal: false, _clock);

        progress.Log(line);

        Assert.Equal([line], Lines());
    }

    [Fact]
    public void On_a_terminal_it_shows_a_bar_and_keeps_logged_lines()
    {
        using (var progress = new TrainingProgress("target [base]", 10, Console(AnsiSupport.Yes), isTerminal: true, _clock))
        {
            progress.Report(4, 3.5, tokens: 100);
            progress.Log("validation [api] 2.5");
            progress.Report(10, 2.5, tokens: 100);
        }

        string written = _written.ToString();
        Assert.Contains("validation [api] 2.5", written, StringComparison.Ordinal);
        Assert.Contains("step 10/10", written, StringComparison.Ordinal);
        Assert.Contains("100%", written, StringComparison.Ordinal);
        Assert.Contains('\e', written);
    }

    [Fact]
    public void A_terminal_without_control_sequences_gets_plain_lines()
    {
        using (var progress = new TrainingProgress("head", 1, Console(AnsiSupport.No), isTerminal: true, _clock))
        {
            progress.Report(1, 1, tokens: 1);
        }

        Assert.Equal(["head: step 1/1, loss 1.000"], Lines());
    }

    private string[] Lines() => _written.ToString().Split(Environment.NewLine, StringSplitOptions.RemoveEmptyEntries);

    private IAnsiConsole Console(AnsiSupport ansi) => AnsiConsole.Create(new AnsiConsoleSettings
    {
        Ansi = ansi,
        Interactive = ansi == AnsiSupport.Yes ? InteractionSupport.Yes : InteractionSupport.No,
        Out = new AnsiConsoleOutput(_written),
    });

    private sealed class ManualClock : TimeProvider
    {
        private long _ticks;

        public override long TimestampFrequency => TimeSpan.TicksPerSecond;

        public override long GetTimestamp() => _ticks;

        public void Advance(TimeSpan time) => _ticks += time.Ticks;
    }
}
