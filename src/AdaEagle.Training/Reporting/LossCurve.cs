namespace AdaEagle.Training;

/// <summary>One line of a loss curve: losses in nats a token over tokens trained on.</summary>
public sealed record LossSeries(string Name, IReadOnlyList<double> Tokens, IReadOnlyList<double> Losses);

/// <summary>Draws loss curves.</summary>
public static class LossCurve
{
    /// <summary>Writes a PNG of the series (losses in nats a token over tokens), 1200 x 700 pixels.</summary>
    public static void Save(string pngPath, string title, params IReadOnlyList<LossSeries> series) => throw new NotImplementedException($"{pngPath}{title}{series}");
}
