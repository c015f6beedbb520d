using System.Text.Json;
using AdaEagle.Bench.Peers;
using AdaEagle.Formats;

namespace AdaEagle.Tests.Bench;

/// <summary>What bench/peers/run makes of measured times.</summary>
public sealed class PeerResultsTests
{
    private static readonly Results _results = new(
        [
            ResultRow.Of("model", "Q8_0", "decode", 128, [2, 1, 3], [4, 4, 3], 1, 2),
            ResultRow.Of("model", "Q8_0", "prefill", 512, [1], [2], null, null),
        ],
        [new GreedyResult("model", 4, 32, 3, 0.25)], "processor", 2, "F16", Quiet: true, "2026-01-01");

    [Fact]
    public void Ratios_are_the_other_ones_time_over_ours_and_shares_are_of_the_limit()
    {
        ResultRow row = _results.Rows[0];
        Assert.Equal((2, 4, 2), (row.AdaEagle, row.LlamaCpp, row.Ratio));
        Assert.Equal((0.5, 0.5), (row.AdaEagleShare, row.LlamaCppShare));

        // The rounds' ratios are 2, 4 and 1.
        Assert.Equal((4 - 1) / 2.0, row.Spread);
    }

    [Fact]
    public void The_JSON_has_the_published_fields()
    {
        using JsonDocument json = JsonDocument.Parse(_results.ToJson());
        JsonElement[] rows = [.. json.RootElement.GetProperty("rows").EnumerateArray()];
        Assert.Equal(
            ["model", "format", "measure", "context", "adaeagle", "llama_cpp", "ratio", "spread", "adaeagle_share", "llama_cpp_share"],
            rows[0].EnumerateObject().Select(property => property.Name));
        Assert.Equal(JsonValueKind.Null, rows[1].GetProperty("adaeagle_share").ValueKind);
    }

    [Fact]
    public void The_table_has_a_line_for_every_row()
    {
        using var output = new StringWriter();
        _results.Write(output);
        string[] lines = output.ToString().Split('\n', StringSplitOptions.RemoveEmptyEntries);
        Assert.Equal(2 + _results.Rows.Count, lines.Length);
        Assert.All(lines, line => Assert.Equal(lines[0].Count(c => c == '|'), line.Count(c => c == '|')));
    }

    [Fact]
    public void Both_engines_choose_the_same_tokens_where_the_harness_is_there()
    {
        string harness = Path.Combine(Fixtures.RepositoryRoot, "bench", "peers", ".cache", "peer");
        Assert.SkipUnless(File.Exists(harness), "No harness: bench/peers/prepare makes it.");
        string? model = Directory.GetFiles(Path.Combine(Fixtures.Folder("gguf"), "models"), "*.gguf", SearchOption.AllDirectories).Order(StringComparer.Ordinal).FirstOrDefault(IsLlamaInF16);
        Assert.SkipWhen(model is null, "No fixture is a Llama of 16-bit floats.");
        using IEngine theirs = new PeerProcess(harness, model, 1, 128, float32: true);
        using IEngine ours = new AdaEagleEngine(model, 1, 128, AdaEagle.Kernels.CacheFormat.F32);
        int[] prompt = [1, 5, 9, 13];
        Assert.Equal(theirs.Greedy(prompt, 16), ours.Greedy(prompt, 16));
        foreach (IEngine engine in new[] { ours, theirs })
        {
            engine.Context(32);
            Assert.True(engine.Pass(8) > 0 && engine.Decode(4) > 0 && engine.Pass(8) > 0 && engine.Prompt(64) > 0);
        }
    }

    private static bool IsLlamaInF16(string path)
    {
        using GgufFile file = GgufFile.Open(path);
        return file.Values.Text("general.architecture") == "llama" && file.Tensors.Values.All(tensor => tensor.Type is TensorType.F16 or TensorType.F32);
    }
}
