using System.Diagnostics;
using System.Globalization;

namespace AdaEagle.Bench.Models;

/// <summary>Says on standard error how much is written: in place on a terminal, as single lines elsewhere.</summary>
internal sealed class WriteProgress(long total) : IDisposable
{
    private readonly Stopwatch _watch = Stopwatch.StartNew();
    private readonly bool _terminal = !Console.IsErrorRedirected;
    private TimeSpan _shown;
    private long _written;

    /// <summary>Counts bytes.</summary>
    public void Add(long bytes)
    {
        _written += bytes;
        TimeSpan now = _watch.Elapsed;
        if (now - _shown > (_terminal ? TimeSpan.FromMilliseconds(200) : TimeSpan.FromSeconds(10)))
        {
            _shown = now;
            Show(_terminal ? "\r" : "", _terminal ? "" : Environment.NewLine);
        }
    }

    /// <summary>Says that all is written, or how far it got.</summary>
    public void Dispose() => Show(_terminal ? "\r" : "", Environment.NewLine);

    private void Show(string before, string after)
    {
        double seconds = Math.Max(_watch.Elapsed.TotalSeconds, 1e-3);
        Console.Error.Write(string.Create(
            CultureInfo.InvariantCulture,
            $"{before}written {_written / 1e6:N0} of {total / 1e6:N0} MB ({100.0 * _written / Math.Max(total, 1):F0}%), {_written / 1e6 / seconds:F0} MB/s{after}"));
    }
}
