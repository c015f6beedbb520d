namespace AdaEagle.Cli.Trace;

/// <summary>All rounds at a glance, as SVG: a bar for the longest path verified, in it one for what was accepted, and a mark at the predicted length; each leads to its round.</summary>
internal static class LengthsDrawing
{
    private const int BarWidth = 10;
    private const int Step = 14;
    private const int Unit = 9;
    private const int Margin = 20;

    // A tree's plan may be a number of nodes.
    private const int Highest = 32;

    /// <summary>Writes the drawing.</summary>
    public static void Write(TextWriter page, IReadOnlyList<TracedRound> rounds)
    {
        int most = Math.Clamp(rounds.Max(round => Math.Max(round.Planned, round.Depth)), 1, Highest);
        int bottom = (most * Unit) + 6, width = (rounds.Count * Step) + Margin + 4, height = bottom + Margin;
        page.WriteLine($"<svg class=\"lengths\" width=\"{width}\" height=\"{height}\" viewBox=\"0 0 {width} {height}\" role=\"img\">");
        page.WriteLine($"<text class=\"small\" x=\"0\" y=\"10\">{most}</text><text class=\"small\" x=\"0\" y=\"{bottom}\">0</text>");
        for (int i = 0; i < rounds.Count; i++)
        {
            TracedRound round = rounds[i];
            int x = Margin + (i * Step), planned = bottom - (Math.Min(round.Planned, most) * Unit);
            page.WriteLine($"<a href=\"#round-{i + 1}\"><title>round {i + 1}: predicted {round.Planned}, longest path {round.Depth}, accepted {round.Accepted}</title>");
            page.WriteLine(Bar("verified", x, bottom, Math.Min(round.Depth, most)) + Bar("accepted", x, bottom, Math.Min(round.Accepted, most)));
            page.WriteLine($"<path class=\"planned\" d=\"M{x - 1} {planned}h{BarWidth + 2}\" /></a>");
        }

        page.WriteLine($"<text class=\"small\" x=\"{Margin}\" y=\"{height - 4}\">round 1</text></svg>");
    }

    private static string Bar(string kind, int x, int bottom, int length) =>
        $"<rect class=\"{kind}\" x=\"{x}\" y=\"{bottom - (length * Unit)}\" width=\"{BarWidth}\" height=\"{length * Unit}\" />";
}
