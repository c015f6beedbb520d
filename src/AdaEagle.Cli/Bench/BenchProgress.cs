using Spectre.Console;

namespace AdaEagle.Cli.Bench;

/// <summary>Shows how far the work is, on stderr: a bar on a terminal, a line now and then elsewhere. Redrawn between runs only, so that it costs no run time.</summary>
internal static class BenchProgress
{
    // Lines that a redirected run gets for each stage.
    private const int Lines = 10;

    /// <summary>Runs work that begins stages; a stage is told of every step.</summary>
    public static T Run<T>(Terminal terminal, Func<Func<string, int, Action>, T> work)
    {
        if (!terminal.ErrorIsTerminal)
        {
            return work((title, steps) => PlainStage(terminal, title, steps));
        }

        return terminal.ErrorConsole().Progress().AutoRefresh(false)
            .Columns(new TaskDescriptionColumn { Alignment = Justify.Left }, new ProgressBarColumn(), new PercentageColumn(), new RemainingTimeColumn())
            .Start(context => work((title, steps) =>
            {
                ProgressTask task = context.AddTask(Markup.Escape(title), maxValue: steps);
                context.Refresh();
                return () =>
                {
                    task.Increment(1);
                    context.Refresh();
                };
            }));
    }

    private static Action PlainStage(Terminal terminal, string title, int steps)
    {
        int done = 0;
        terminal.Note($"{title} …");
        return () =>
        {
            done++;
            if (steps > 1 && done * Lines / steps > (done - 1) * Lines / steps)
            {
                terminal.Note($"{title}: {done} of {steps}");
            }
        };
    }
}
