using ScottPlot;
using ScottPlot.Plottables;

namespace AdaEagle.Cli.Bench.Report;

/// <summary>What all pictures have in common: a white page with a legend at its right, saved as PNG.</summary>
internal static class Picture
{
    private const int UsualWidth = 1200;
    private const int Height = 700;
    private const float LineWidth = 2;

    private static readonly Color[] s_colours =
    [
        .. new[]
        {
            "#4e79a7", "#f28e2b", "#59a14f", "#e15759", "#76b7b2", "#b07aa1", "#edc948", "#9c755f", "#ff9da7", "#79706e",
            "#2f4b7c", "#a05195", "#665191", "#d45087", "#003f5c", "#ffa600", "#7aa874", "#8c564b", "#1b9e77", "#bab0ac",
        }.Select(Color.FromHex),
    ];

    /// <summary>The colour of the i-th series; after twenty they come again.</summary>
    public static Color Colour(int i) => s_colours[i % s_colours.Length];

    /// <summary>An empty picture.</summary>
    public static Plot Begin(string title, string x, string y)
    {
        var plot = new Plot();
        plot.Title(title);
        plot.XLabel(x);
        plot.YLabel(y);
        plot.Grid.MajorLineColor = Colors.Black.WithOpacity(0.1);
        plot.Legend.OutlineColor = Colors.Transparent;
        plot.Legend.ShadowColor = Colors.Transparent;
        return plot;
    }

    /// <summary>A line with points.</summary>
    public static void Line(Plot plot, string name, int colour, double[] xs, double[] ys)
    {
        var line = plot.Add.Scatter(xs, ys, Colour(colour));
        line.LegendText = name;
        line.LineWidth = LineWidth;
        line.MarkerSize = 7;
    }

    /// <summary>A range at each point, from low to high.</summary>
    public static void Ranges(Plot plot, Color colour, double[] xs, double[] ys, double[] lows, double[] highs)
    {
        plot.Add.Plottable(new ErrorBar(xs, ys, null, null, null, null)
        {
            YErrorNegative = [.. ys.Zip(lows, (y, low) => Math.Max(y - low, 0))], YErrorPositive = [.. ys.Zip(highs, (y, high) => Math.Max(high - y, 0))],
            Color = colour, LineWidth = 1.5f,
        });
    }

    /// <summary>A thin line to compare with.</summary>
    public static void Reference(Plot plot, double fromX, double fromY, double toX, double toY)
    {
        var line = plot.Add.Line(fromX, fromY, toX, toY);
        line.Color = Colors.Black.WithOpacity(0.4);
        line.LinePattern = LinePattern.Dashed;
    }

    /// <summary>Whole numbers along the lower edge.</summary>
    public static void WholeNumbers(Plot plot) => plot.Axes.Bottom.TickGenerator = new ScottPlot.TickGenerators.NumericAutomatic { IntegerTicksOnly = true };

    /// <summary>Names instead of numbers along the lower edge, slanted where there are many.</summary>
    public static void Names(Plot plot, double[] positions, string[] names)
    {
        plot.Axes.Bottom.SetTicks(positions, names);
        plot.Axes.Bottom.MajorTickStyle.Length = 0;
        if (names.Length > 8)
        {
            plot.Axes.Bottom.TickLabelStyle.Rotation = 30;
            plot.Axes.Bottom.TickLabelStyle.Alignment = Alignment.MiddleLeft;
            plot.Axes.Bottom.TickLabelStyle.OffsetY = 8;
            plot.Axes.Bottom.MinimumSize = 110;
            plot.Axes.Right.MinimumSize = 60;
        }
    }

    /// <summary>Writes the picture; wide ones grow beyond the usual size.</summary>
    public static void Save(Plot plot, string path, bool legend = true, int width = UsualWidth)
    {
        if (legend)
        {
            plot.ShowLegend(Edge.Right);
        }

        File.WriteAllBytes(path, plot.GetImageBytes(Math.Max(width, UsualWidth), Height, ImageFormat.Png));
    }
}
