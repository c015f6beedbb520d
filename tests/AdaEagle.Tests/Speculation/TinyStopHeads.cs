using AdaEagle.Formats;
using AdaEagle.Models;
using AdaEagle.Speculation.Policies;

namespace AdaEagle.Tests.Speculation;

/// <summary>Stop heads with random weights, or one that says what it is told.</summary>
internal static class TinyStopHeads
{
    /// <summary>Writes a stop head with random weights into a folder.</summary>
    public static void Write(string folder, int hidden, int seed, int width = 9, int layers = 3, int maxDraft = 8, float scale = 0.4f)
    {
        var random = new Random(seed);
        Write(folder, hidden, width, layers, maxDraft, (_, count) => [.. Enumerable.Range(0, count).Select(_ => scale * ((2 * random.NextSingle()) - 1))]);
    }

    /// <summary>A stop head with random weights.</summary>
    public static StopWeights Load(LlamaModel target, int seed, int maxDraft = 8, float scale = 0.4f) =>
        Load(target, folder => Write(folder, target.Config.HiddenSize, seed, maxDraft: maxDraft, scale: scale));

    /// <summary>A stop head whose logit is the first number of the output row.</summary>
    public static StopWeights LoadEcho(LlamaModel target, int maxDraft = 8) => Load(target, folder => Write(folder, target.Config.HiddenSize, 1, 1, maxDraft, (name, count) =>
    {
        float[] values = new float[count];
        values[0] = name is "input.weight" or "output.weight" ? 1 : 0;
        return values;
    }));

    private static StopWeights Load(LlamaModel target, Action<string> write)
    {
        string folder = Directory.CreateTempSubdirectory("adaeagle-").FullName;
        try
        {
            write(folder);
            return StopWeights.Load(folder, target);
        }
        finally
        {
            Directory.Delete(folder, recursive: true);
        }
    }

    private static void Write(string folder, int hidden, int width, int layers, int maxDraft, Func<string, int, float[]> values)
    {
        Directory.CreateDirectory(folder);
        File.WriteAllText(Path.Combine(folder, "config.json"), $$"""{"adaeagle_kind": "stop", "hidden_size": {{hidden}}, "width": {{width}}, "layers": {{layers}}, "k_max": {{maxDraft}}}""");
        List<TensorData> tensors = [];
        Add("input.weight", width, hidden);
        Add("input.bias", width);
        for (int i = 0; i < layers; i++)
        {
            Add($"blocks.{i}.weight", width, width);
            Add($"blocks.{i}.bias", width);
        }

        Add("output.weight", 1, width);
        Add("output.bias", 1);
        SafeTensors.Write(Path.Combine(folder, "model.safetensors"), tensors);

        void Add(string name, params long[] shape) => tensors.Add(TensorData.FromF32(name, shape, values(name, (int)shape.Aggregate(1L, (a, b) => a * b)), TensorType.F32));
    }
}
