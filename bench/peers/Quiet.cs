using System.Globalization;

namespace AdaEagle.Bench.Peers;

/// <summary>Looks whether something else uses the processors (Linux' /proc/stat): figures of a busy machine are worthless.</summary>
internal static class Quiet
{
    private const double MostBusy = 0.05;

    /// <summary>Watches for a moment, doing nothing; a warning where more than a twentieth of the machine is busy or stolen, else null.</summary>
    public static string? Warning()
    {
        (double busy, double all) before = Read();
        Thread.Sleep(500);
        (double busy, double all) after = Read();
        double share = after.all > before.all ? (after.busy - before.busy) / (after.all - before.all) : 0;
        return share > MostBusy
            ? string.Create(CultureInfo.InvariantCulture, $"This machine is not quiet: {share:P0} of its processors is busy with something else. The figures will be worth little.")
            : null;
    }

    private static (double Busy, double All) Read()
    {
        const string File = "/proc/stat";
        if (!System.IO.File.Exists(File))
        {
            return (0, 0);
        }

        // cpu user nice system idle iowait irq softirq steal …
        double[] times = [.. System.IO.File.ReadLines(File).First().Split(' ', StringSplitOptions.RemoveEmptyEntries).Skip(1).Take(8).Select(text => double.Parse(text, CultureInfo.InvariantCulture))];
        double all = times.Sum();
        return (all - times[3] - times[4], all);
    }
}
