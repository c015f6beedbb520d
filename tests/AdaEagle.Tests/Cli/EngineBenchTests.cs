using System.Text.Json;
using AdaEagle.Tests.Formats;

namespace AdaEagle.Tests.Cli;

public sealed class EngineBenchTests(TinyCliModel model) : IClassFixture<TinyCliModel>, IDisposable
{
    private readonly TemporaryFolder _folder = new();

    [Fact]
    public void Rates_shares_and_costs_follow_from_the_times_beside_them()
    {
        string output = _folder.File("engine.json");
        CliRun run = model.Run("bench", "engine", "--context", "70", "--repeat", "3", "--json", output);
        Assert.True(run.Code == 0, run.Error);
        Assert.Contains("| products |", run.Out, StringComparison.Ordinal);
        using JsonDocument document = JsonDocument.Parse(File.ReadAllText(output));
        JsonElement root = document.RootElement;
        double stream = root.GetProperty("stream_bytes_per_second").GetDouble(), bytes = root.GetProperty("pass_bytes").GetInt64();
        Assert.True(stream > 0 && bytes > 0);
        Assert.Equal(bytes * root.GetProperty("decode_tokens_per_second").GetDouble() / stream, root.GetProperty("decode_share").GetDouble(), 1e-9);
        JsonElement[] passes = [.. root.GetProperty("passes").EnumerateArray()];
        Assert.Equal([1, 2, 3, 4, 5, 6, 8, 12, 16], passes.Select(pass => pass.GetProperty("rows").GetInt32()));
        double one = passes[0].GetProperty("seconds").GetDouble();
        Assert.All(passes, pass =>
        {
            double seconds = pass.GetProperty("seconds").GetDouble();
            Assert.InRange(seconds, pass.GetProperty("low").GetDouble(), pass.GetProperty("high").GetDouble());
            Assert.Equal(seconds / one, pass.GetProperty("cost").GetDouble(), 1e-9);
            Assert.Equal(bytes / seconds / stream, pass.GetProperty("share").GetDouble(), 1e-9);
        });
        Assert.All(root.GetProperty("parts").EnumerateArray(), parts =>
        {
            double sum = new[] { "products", "attention", "norms", "synchronisation", "choice" }.Sum(part => parts.GetProperty(part).GetDouble());
            Assert.True(parts.GetProperty("products").GetDouble() > 0 && parts.GetProperty("attention").GetDouble() > 0);
            Assert.Equal(parts.GetProperty("total").GetDouble(), sum, 1e-12);
        });
        Assert.Equal(root.GetProperty("draft_step").GetProperty("seconds").GetDouble() / one, root.GetProperty("draft_step").GetProperty("cost").GetDouble(), 1e-9);
        Assert.Equal(1, root.GetProperty("environment").GetProperty("threads").GetInt32());
    }

    [Fact]
    public void What_cannot_be_measured_is_said()
    {
        model.Run("bench", "engine", "--context", "100000").FailsWith(1, "512 positions");
        model.Run("bench", "engine", "--repeat", "0").FailsWith(1, "--repeat");
        model.Run("bench", "engine", "--json", _folder.File("no/such/folder/out.json")).FailsWith(1, "there is no folder");
    }

    public void Dispose() => _folder.Dispose();
}
