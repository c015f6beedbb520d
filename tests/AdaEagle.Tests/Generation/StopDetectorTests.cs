using System.Text;
using AdaEagle.Generation;

namespace AdaEagle.Tests.Generation;

/// <summary>Stop strings across pieces, against the plainest way to find them; nothing is held back longer than it must be.</summary>
public class StopDetectorTests
{
    [Theory]
    [InlineData(1)]
    [InlineData(2)]
    [InlineData(3)]
    public void Random_texts_are_cut_at_the_first_stop_string_and_released_as_early_as_can_be(int seed)
    {
        var random = new Random(seed);
        var detector = new StopDetector();
        for (int i = 0; i < 2000; i++)
        {
            string[] stops = [.. Enumerable.Range(0, random.Next(0, 4)).Select(_ => RandomText(random, random.Next(1, 6)))];
            string[] pieces = [.. Enumerable.Range(0, random.Next(1, 12)).Select(_ => RandomText(random, random.Next(0, 4)))];
            detector.Reset(stops);
            var released = new StringBuilder();
            string text = "";
            foreach (string piece in pieces)
            {
                text += piece;
                released.Append(detector.Append(piece));
                int cut = FirstStop(text, stops);
                Assert.Equal(cut >= 0, detector.Stopped);
                if (cut >= 0)
                {
                    Assert.Equal(text[..cut], released.ToString());
                    Assert.Equal(text[..cut], detector.Text);
                    Assert.Equal("", detector.Flush());
                    break;
                }

                Assert.Equal(text, detector.Text);
                Assert.Equal(text[..^HeldBack(text, stops)], released.ToString());
            }

            if (!detector.Stopped)
            {
                Assert.Equal(text, released + detector.Flush());
                Assert.Equal("", detector.Flush());
            }
        }
    }

    [Fact]
    public void The_earliest_of_several_stop_strings_counts()
    {
        var detector = new StopDetector();
        detector.Reset(["cd", "bcde"]);
        Assert.Equal("a", detector.Append("abc"));
        // "bcde" would begin earlier, but "cd" is there first.
        Assert.Equal("b", detector.Append("d"));
        Assert.True(detector.Stopped);
        Assert.Equal("ab", detector.Text);
        // In one piece both are there, and the one that begins first cuts.
        detector.Reset(["cd", "bcde"]);
        Assert.Equal("a", detector.Append("abcdef"));
        Assert.Equal("a", detector.Text);
    }

    // Two letters only, so that stop strings overlap themselves and each other.
    private static string RandomText(Random random, int length) => string.Concat(Enumerable.Range(0, length).Select(_ => "ab"[random.Next(2)]));

    private static int FirstStop(string text, string[] stops)
    {
        int[] found = [.. stops.Select(stop => text.IndexOf(stop, StringComparison.Ordinal)).Where(at => at >= 0)];
        return found.Length == 0 ? -1 : found.Min();
    }

    private static int HeldBack(string text, string[] stops) =>
        Enumerable.Range(0, text.Length + 1).Last(length => length == 0 || stops.Any(stop => stop.Length > length && stop.StartsWith(text[^length..], StringComparison.Ordinal)));
}
