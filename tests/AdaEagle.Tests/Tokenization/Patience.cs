using System.Diagnostics;

namespace AdaEagle.Tests.Tokenization;

/// <summary>For what must not take a square of time, or no end: so patient that no busy machine fails it, and it still would.</summary>
internal static class Patience
{
    private static readonly TimeSpan _most = TimeSpan.FromMinutes(3);

    public static void Run(Action action)
    {
        var watch = Stopwatch.StartNew();
        action();
        Assert.True(watch.Elapsed < _most, $"It took {watch.Elapsed}.");
    }
}
