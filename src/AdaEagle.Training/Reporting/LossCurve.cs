using AdaEagle.Formats;
using ScottPlot;

namespace AdaEagle.Training;

/// <summary>One line of a loss curve: losses in nats a token over the tokens trained on until then.</summary>
public sealed record LossSeries(string Name, IReadOnlyList<double> Tokens, IReadOnlyList<double> Losses);

/// <summary>Draws loss curves.</summary>
public static class LossCurve
{
    private const int Width = 1200;
    private const int Height = 700;

    /// <summary>
    /// Writes a PNG of the series, 1200 x 700 pixels, replaced in one step; the axis shows millions of tokens. Points that are not finite are left out, a
    /// long series is drawn by the means of stretches.
    /// </summary>
    public static void Save(string pngPath, string title, params IReadOnlyList<LossSeries> series)
    {
        using var plot = new Plot();
        plot.Title(title);
        plot.XLabel("million tokens");
        plot.YLabel("loss (nats per token)");
        foreach (LossSeries one in series)
        {
            (double[] tokens, double[] losses) = Thin(one);
            if (tokens.Length > 0)
            {
                var line = plot.Add.Scatter(tokens, losses);
                line.LegendText = one.Name;
                line.LineWidth = 2;
                line.MarkerSize = tokens.Length > 60 ? 0 : 6;
            }
        }

        plot.Axes.AutoScale();
        plot.Axes.SetLimitsX(0, plot.Axes.GetLimits().Right);
        plot.ShowLegend(Alignment.UpperRight);
        plot.Grid.MajorLineColor = Colors.Black.WithOpacity(0.1);
        byte[] png = plot.GetImageBytes(Width, Height, ImageFormat.Png);
        AtomicFile.Write(pngPath, stream => stream.Write(png));
    }

    /// <summary>At most a point every two pixels, each the mean of the points it stands for.</summary>
    private static (double[] Tokens, double[] Losses) Thin(LossSeries series)
    {
        (double Tokens, double Loss)[] points = [.. series.Tokens.Zip(series.Losses).Where(point => double.IsFinite(point.First) && double.IsFinite(point.Second))];
        int group = Math.Max(1, points.Length / (Width / 2));
        var means = points.Chunk(group).Select(chunk => (Tokens: chunk.Average(point => point.Tokens) / 1e6, Loss: chunk.Average(point => point.Loss))).ToArray();
        return ([.. means.Select(point => point.Tokens)], [.. means.Select(point => point.Loss)]);
    }
}
