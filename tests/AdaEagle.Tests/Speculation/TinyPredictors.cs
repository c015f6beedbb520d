using AdaEagle.Formats;
using AdaEagle.Models;
using AdaEagle.Speculation.Policies;

namespace AdaEagle.Tests.Speculation;

/// <summary>Draft length predictors with random weights, or with an output that is known.</summary>
internal static class TinyPredictors
{
    /// <summary>Writes a predictor with random weights into a folder.</summary>
    public static void Write(string folder, int hidden, int seed, int width = 10, int maxDraft = 8, float outputBias = 3, float scale = 0.4f, string? vocabulary = null, int? longest = null)
    {
        Directory.CreateDirectory(folder);
        string fingerprint = vocabulary is null ? "" : $", \"target_vocabulary\": \"{vocabulary}\"";
        string longestPrediction = longest is { } length ? $", \"longest_prediction\": {length}" : "";
        File.WriteAllText(Path.Combine(folder, "config.json"), $$"""{"adaeagle_kind": "ldlp", "hidden_size": {{hidden}}, "width": {{width}}, "k_max": {{maxDraft}}{{longestPrediction}}{{fingerprint}}}""");
        var random = new Random(seed);
        TensorData tensor(string name, params long[] shape) => TensorData.FromF32(
            name, shape, [.. Enumerable.Range(0, (int)shape.Aggregate(1L, (a, b) => a * b)).Select(_ => scale * ((2 * random.NextSingle()) - 1))], TensorType.F32);
        List<TensorData> tensors = [tensor("input.weight", width, 2 * hidden), tensor("input.bias", width)];
        for (int i = 0; i < LdlpWeights.Layers; i++)
        {
            tensors.Add(tensor($"blocks.{i}.weight", width, width));
            tensors.Add(tensor($"blocks.{i}.bias", width));
        }

        tensors.Add(tensor("output.weight", 1, width));
        tensors.Add(TensorData.FromF32("output.bias", [1], [outputBias], TensorType.F32));
        SafeTensors.Write(Path.Combine(folder, "model.safetensors"), tensors);
    }

    /// <summary>A predictor with random weights around <paramref name="outputBias"/>; a scale of 0 makes it the constant.</summary>
    public static LdlpWeights Load(LlamaModel target, int seed, int width = 10, int maxDraft = 8, float outputBias = 3, float scale = 0.4f, int? longest = null)
    {
        string folder = Directory.CreateTempSubdirectory("adaeagle-").FullName;
        try
        {
            Write(folder, target.Config.HiddenSize, seed, width, maxDraft, outputBias, scale, longest: longest);
            return LdlpWeights.Load(folder, target);
        }
        finally
        {
            Directory.Delete(folder, recursive: true);
        }
    }
}
