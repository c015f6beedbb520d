using AdaEagle.Formats;

namespace AdaEagle.Tests.Formats;

/// <summary>Every model folder of the fixtures, chosen by content: configuration, weights, and that they agree.</summary>
public class FixtureFoldersTests
{
    private static readonly string[] WeightFiles =
        ["model.safetensors", "model.safetensors.index.json", "pytorch_model.bin", "pytorch_model.bin.index.json"];

    [Theory]
    [InlineData("hf")]
    [InlineData("eagle")]
    public void Every_folder_of_configuration_and_weights_is_read(string kind)
    {
        int count = 0;
        foreach (string folder in ModelFolders(Fixtures.Folder(kind)))
        {
            ModelConfig config = ModelConfig.Load(folder);
            using ITensorSource weights = Checkpoint.Open(folder);
            Assert.NotEmpty(weights.Tensors);
            CheckShapes(folder, config, weights);
            CheckNumbers(weights);
            count++;
        }

        Fixtures.RequireCases(kind, count);
    }

    private static IEnumerable<string> ModelFolders(string root) => Directory
        .EnumerateFiles(root, "config.json", SearchOption.AllDirectories)
        .Select(f => Path.GetDirectoryName(f)!)
        .Where(d => WeightFiles.Any(w => File.Exists(Path.Combine(d, w))))
        .Order(StringComparer.Ordinal);

    private static void CheckShapes(string folder, ModelConfig config, ITensorSource weights)
    {
        int queries = config.HeadCount * config.HeadDimension;
        int keys = config.KeyValueHeadCount * config.HeadDimension;
        int seen = 0;
        foreach (TensorInfo tensor in weights.Tensors.Values.Where(t => t.Shape.Count == 2))
        {
            // The input width of attention is left open: EAGLE-3's first layer is twice as wide.
            long? rows = LastParts(tensor.Name) switch
            {
                "embed_tokens.weight" => config.VocabularySize,
                "q_proj.weight" => queries,
                "k_proj.weight" or "v_proj.weight" => keys,
                "o_proj.weight" or "down_proj.weight" => config.HiddenSize,
                _ => null,
            };
            if (rows is not null && !tensor.Name.Contains("expert", StringComparison.Ordinal))
            {
                Assert.True(tensor.Shape[0] == rows, $"{folder}: {tensor.Name} has shape {tensor.ShapeText}, {rows} rows expected");
                seen++;
            }
        }

        Assert.True(seen > 0, $"{folder}: no weight matrix of a known name");
        if (config.StoredType is { } type)
        {
            Assert.Contains(weights.Tensors.Values, t => t.Type == type);
        }
    }

    private static void CheckNumbers(ITensorSource weights)
    {
        foreach (TensorInfo tensor in weights.Tensors.Values.Where(t => t.Type is TensorType.F32 or TensorType.F16 or TensorType.BF16))
        {
            float[] values = weights.ReadF32(tensor.Name, [.. tensor.Shape]);
            Assert.Equal(tensor.ElementCount, values.Length);
            Assert.DoesNotContain(values, v => !float.IsFinite(v) || Math.Abs(v) > 1000);
        }
    }

    private static string LastParts(string name) => string.Join('.', name.Split('.')[^Math.Min(2, name.Split('.').Length)..]);
}
