namespace AdaEagle.Training.Tests.Reporting;

public class LossCurveTests : IDisposable
{
    private readonly string _folder = Directory.CreateTempSubdirectory("adaeagle-").FullName;

    [Fact]
    public void A_curve_is_a_png_of_the_promised_size_that_shows_every_series()
    {
        string path = Path.Combine(_folder, "loss.png");
        double[] tokens = [.. Enumerable.Range(1, 5000).Select(i => i * 4096.0)];
        LossSeries training = new("training", tokens, [.. tokens.Select((t, i) => 2 + 5 * Math.Exp(-t / 3e6) + 0.2 * Math.Sin(i * 7.0))]);
        LossSeries validation = new("api", [1e6, 5e6, 1e7, 2e7], [5.1, double.NaN, 2.4, 2.1]);

        LossCurve.Save(path, "Target model", training, validation);
        using var both = SkiaSharp.SKBitmap.Decode(path);
        LossCurve.Save(path, "Target model", training);
        using var one = SkiaSharp.SKBitmap.Decode(path);

        Assert.Equal((1200, 700), (both.Width, both.Height));
        Assert.True(Colours(both) > 10, "a drawn curve has anti-aliased colours");
        Assert.False(both.Bytes.AsSpan().SequenceEqual(one.Bytes));
        Assert.Equal([path], Directory.GetFiles(_folder));
    }

    [Fact]
    public void A_curve_without_points_is_still_a_png()
    {
        string path = Path.Combine(_folder, "empty.png");

        LossCurve.Save(path, "Nothing yet", new LossSeries("training", [], []));

        using var bitmap = SkiaSharp.SKBitmap.Decode(path);
        Assert.Equal(1200, bitmap.Width);
    }

    public void Dispose()
    {
        Directory.Delete(_folder, recursive: true);
        GC.SuppressFinalize(this);
    }

    private static int Colours(SkiaSharp.SKBitmap bitmap) => bitmap.Pixels.Distinct().Count();
}
