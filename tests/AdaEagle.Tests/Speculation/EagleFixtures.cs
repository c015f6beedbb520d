using System.Text.Json;
using AdaEagle.Formats;
using AdaEagle.Models;

namespace AdaEagle.Tests.Speculation;

/// <summary>One head of the fixtures with the target that it belongs to, and what EAGLE's own code gives for them.</summary>
internal sealed class EagleFixture : IDisposable
{
    private readonly List<JsonDocument> _documents = [];

    private EagleFixture(string folder, LlamaModel target, EagleHead head)
    {
        Folder = folder;
        Target = target;
        Head = head;
    }

    public string Folder { get; }

    public string Name => Path.GetFileName(Folder);

    public LlamaModel Target { get; }

    public EagleHead Head { get; }

    public JsonElement Expected(string file)
    {
        var document = JsonDocument.Parse(File.ReadAllBytes(Path.Combine(Folder, file)));
        _documents.Add(document);
        return document.RootElement;
    }

    public bool Has(string file) => File.Exists(Path.Combine(Folder, file));

    public void Dispose()
    {
        _documents.ForEach(document => document.Dispose());
        Head.Dispose();
        Target.Dispose();
    }

    /// <summary>Every EAGLE head in the folder; others are named as skipped. What a folder holds is told by its tensors.</summary>
    public static IEnumerable<EagleFixture> All(ITestOutputHelper output)
    {
        string[] folders = [.. Directory.GetDirectories(Fixtures.Folder("eagle")).Where(folder => File.Exists(Path.Combine(folder, "config.json"))).Order(StringComparer.Ordinal)];
        Dictionary<string, string[]> tensors = folders.ToDictionary(folder => folder, TensorNames);
        string[] targets = [.. folders.Where(folder => tensors[folder].Contains("model.embed_tokens.weight"))];
        foreach (string folder in folders.Except(targets))
        {
            if (!tensors[folder].Contains("fc.weight"))
            {
                output.WriteLine($"skipped: {Path.GetFileName(folder)} is no EAGLE head");
                continue;
            }

            ModelConfig config = ModelConfig.Load(folder);
            string target = targets.First(candidate => ModelConfig.Load(candidate) is { } model && (model.HiddenSize, model.VocabularySize) == (config.HiddenSize, config.VocabularySize));
            LlamaModel model = LlamaModel.Load(target);
            yield return new EagleFixture(folder, model, EagleHead.Load(folder, model));
        }
    }

    private static string[] TensorNames(string folder)
    {
        using ITensorSource source = Checkpoint.Open(folder);
        return [.. source.Tensors.Keys];
    }
}

/// <summary>Reading arrays and comparing numbers at the fixtures' tolerance.</summary>
internal static class FixtureNumbers
{
    /// <summary>Of values: 1e-4 x (1 + |value|), as the fixtures' page says.</summary>
    public const float Tolerance = 1e-4f;

    public static int[] Ints(this JsonElement element, string name) => [.. element.GetProperty(name).EnumerateArray().Select(value => value.GetInt32())];

    public static float[] Floats(this JsonElement element, string name) => [.. element.GetProperty(name).EnumerateArray().Select(value => value.GetSingle())];

    public static bool IsClose(float expected, float actual) => MathF.Abs(actual - expected) <= Tolerance * (1 + MathF.Abs(expected));

    public static void Close(ReadOnlySpan<float> expected, ReadOnlySpan<float> actual, string what)
    {
        Assert.Equal(expected.Length, actual.Length);
        for (int i = 0; i < expected.Length; i++)
        {
            Assert.True(IsClose(expected[i], actual[i]), $"{what}[{i}] is {actual[i]} instead of {expected[i]}");
        }
    }
}
