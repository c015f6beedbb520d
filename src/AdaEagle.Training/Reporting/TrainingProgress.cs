using System.Globalization;
using Spectre.Console;

namespace AdaEagle.Training;

/// <summary>
/// Shows a training run on stderr: a live bar with step, loss, tokens a second and time left on a terminal, a plain line every few
/// seconds where stderr is redirected or the terminal has no control sequences. <c>NO_COLOR</c> is heeded. Thread-safe.
/// </summary>
public sealed class TrainingProgress : IDisposable
{
    private static readonly TimeSpan LineEvery = TimeSpan.FromSeconds(10);
    private static readonly TimeSpan RateWindow = TimeSpan.FromSeconds(30);

    private readonly Lock _lock = new();
    private readonly IAnsiConsole _console;
    private readonly TimeProvider _clock;
    private readonly string _title;
    private readonly long _steps;
    private readonly TaskCompletionSource _done = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private readonly Queue<(long Time, long Step, long Tokens)> _recent = new();
    private readonly Task? _bar;
    private ProgressTask? _task;
    private long _lastLine;
    private long _tokens;
    private bool _isDisposed;

    /// <param name="title">What is trained, in a word or two.</param>
    /// <param name="steps">How many steps the run has.</param>
    public TrainingProgress(string title, long steps)
        : this(title, steps, AnsiConsole.Create(new AnsiConsoleSettings { Out = new AnsiConsoleOutput(Console.Error) }), !Console.IsErrorRedirected, TimeProvider.System)
    {
    }

    internal TrainingProgress(string title, long steps, IAnsiConsole console, bool isTerminal, TimeProvider clock)
    {
        ArgumentOutOfRangeException.ThrowIfNegativeOrZero(steps);
        (_title, _steps, _console, _clock) = (title, steps, console, clock);
        _lastLine = clock.GetTimestamp();
        _recent.Enqueue((_lastLine, 0, 0));
        if (isTerminal && console.Profile.Capabilities.Ansi)
        {
            var started = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
            _bar = console.Progress()
                .Columns(new ProgressBarColumn(), new PercentageColumn(), new TaskDescriptionColumn { Alignment = Justify.Left })
                .StartAsync(async context =>
                {
                    _task = context.AddTask(Markup.Escape(title), maxValue: steps);
                    started.SetResult();
                    await _done.Task;
                });
            Task.WaitAny(started.Task, _bar); // the second where the bar cannot be shown: then Dispose throws why
        }
    }

    /// <summary>
    /// Says that <paramref name="step"/> steps are done, the last of them with this loss (nats a token; NaN: none to show) over so many tokens. A run that goes on from a
    /// checkpoint begins with a higher step; its rate counts only what it does itself.
    /// </summary>
    public void Report(long step, double loss, long tokens)
    {
        lock (_lock)
        {
            long now = _clock.GetTimestamp();
            if (_tokens == 0)
            {
                // The steps before this run began are nobody's work of now.
                _recent.Clear();
                _recent.Enqueue((_lastLine, step - 1, 0));
            }

            _tokens += tokens;
            _recent.Enqueue((now, step, _tokens));
            while (_recent.Count > 2 && _clock.GetElapsedTime(_recent.Peek().Time, now) > RateWindow)
            {
                _recent.Dequeue();
            }

            string line = Describe(step, loss, now);
            if (_task is not null)
            {
                _task.Value = step;
                _task.Description = Markup.Escape(line);
            }
            else if (step >= _steps || _clock.GetElapsedTime(_lastLine, now) >= LineEvery)
            {
                _lastLine = now;
                WriteLine(line);
            }
        }
    }

    /// <summary>Writes a line that stays (a validation result, a checkpoint's path).</summary>
    public void Log(string line)
    {
        lock (_lock)
        {
            WriteLine(line);
        }
    }

    /// <summary>Ends the bar; what it last showed stays.</summary>
    public void Dispose()
    {
        lock (_lock)
        {
            if (_isDisposed)
            {
                return;
            }

            _isDisposed = true;
        }

        _task?.StopTask();
        _done.SetResult();
        _bar?.Wait();
    }

    private string Describe(long step, double loss, long now)
    {
        (long time, long firstStep, long firstTokens) = _recent.Peek();
        double seconds = _clock.GetElapsedTime(time, now).TotalSeconds;
        string rate = "", left = "";
        if (seconds > 0 && step > firstStep)
        {
            rate = string.Create(CultureInfo.InvariantCulture, $", {(_tokens - firstTokens) / seconds:N0} tokens/s");
            double secondsLeft = Math.Max(0, _steps - step) * seconds / (step - firstStep);
            left = $", {Duration(secondsLeft)} left";
        }

        string showLoss = double.IsNaN(loss) ? "" : string.Create(CultureInfo.InvariantCulture, $", loss {loss:0.000}");
        return string.Create(CultureInfo.InvariantCulture, $"{_title}: step {step}/{_steps}{showLoss}{rate}{left}");
    }

    private static string Duration(double seconds) => seconds switch
    {
        < 60 => $"{seconds:0} s",
        < 5400 => $"{seconds / 60:0} min",
        _ => string.Create(CultureInfo.InvariantCulture, $"{seconds / 3600:0.0} h"),
    };

    /// <summary>Not <c>WriteLine</c> of the console where it is no terminal: that folds lines at an assumed width.</summary>
    private void WriteLine(string line)
    {
        if (_task is not null)
        {
            _console.WriteLine(line);
        }
        else
        {
            _console.Profile.Out.Writer.WriteLine(line);
            _console.Profile.Out.Writer.Flush();
        }
    }
}
