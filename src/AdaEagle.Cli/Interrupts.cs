namespace AdaEagle.Cli;

/// <summary>Ctrl+C: the first one cancels the work that runs, the next one, or one while nothing runs, ends the process as usual.</summary>
internal sealed class Interrupts
{
    private readonly Lock _lock = new();
    private CancellationTokenSource? _work;

    /// <summary>Listens to the console's Ctrl+C.</summary>
    public static Interrupts OfConsole()
    {
        var interrupts = new Interrupts();
        Console.CancelKeyPress += (_, press) => press.Cancel = interrupts.Press();
        return interrupts;
    }

    /// <summary>Runs work that can be cancelled.</summary>
    public T Run<T>(Func<CancellationToken, T> work)
    {
        using var source = new CancellationTokenSource();
        Set(source);
        try
        {
            return work(source.Token);
        }
        finally
        {
            Set(null);
        }
    }

    /// <summary>Ctrl+C was pressed. Returns true if it was spent on cancelling.</summary>
    public bool Press()
    {
        lock (_lock)
        {
            if (_work is null or { IsCancellationRequested: true })
            {
                return false;
            }

            _work.Cancel();
            return true;
        }
    }

    private void Set(CancellationTokenSource? work)
    {
        lock (_lock)
        {
            _work = work;
        }
    }
}
