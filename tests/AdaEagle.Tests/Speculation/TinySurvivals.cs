using AdaEagle.Formats;
using AdaEagle.Models;
using AdaEagle.Speculation.Policies;

namespace AdaEagle.Tests.Speculation;

/// <summary>Survival predictors with random weights.</summary>
internal static class TinySurvivals
{
    /// <summary>Writes a predictor with random weights into a folder.</summary>
    public static void Write(string folder, int hidden, int seed, int width = 12, int stepWidth = 9, int maxDraft = 8, float scale = 0.4f, double resolved = 0.3, string? vocabulary = null)
    {
        Directory.CreateDirectory(folder);
        string fingerprint = vocabulary is null ? "" : $", \"target_vocabulary\": \"{vocabulary}\"";
        File.WriteAllText(
            Path.Combine(folder, "config.json"),
            FormattableString.Invariant($$"""{"adaeagle_kind": "survival", "hidden_size": {{hidden}}, "width": {{width}}, "step_width": {{stepWidth}}, "k_max": {{maxDraft}}, "resolved": {{resolved}}{{fingerprint}}}"""));
        var random = new Random(seed);
        List<TensorData> tensors = [];
        Network("plan.", (2 * hidden) + SurvivalWeights.RootInputs, width, SurvivalWeights.PlanBlocks, maxDraft);
        Network("step.", hidden + StepSignals.Count, stepWidth, SurvivalWeights.StepBlocks, 2);
        Add("siblings.weight", SurvivalWeights.Siblings, SurvivalWeights.SiblingInputs);
        Add("siblings.bias", SurvivalWeights.Siblings);
        SafeTensors.Write(Path.Combine(folder, "model.safetensors"), tensors);

        void Network(string prefix, int inputs, int units, int blocks, int outputs)
        {
            Add(prefix + "input.weight", units, inputs);
            Add(prefix + "input.bias", units);
            for (int i = 0; i < blocks; i++)
            {
                Add($"{prefix}blocks.{i}.weight", units, units);
                Add($"{prefix}blocks.{i}.bias", units);
            }

            Add(prefix + "output.weight", outputs, units);
            Add(prefix + "output.bias", outputs);
        }

        void Add(string name, params long[] shape) => tensors.Add(TensorData.FromF32(
            name, shape, [.. Enumerable.Range(0, (int)shape.Aggregate(1L, (a, b) => a * b)).Select(_ => scale * ((2 * random.NextSingle()) - 1))], TensorType.F32));
    }

    /// <summary>A predictor with random weights.</summary>
    public static SurvivalWeights Load(LlamaModel target, int seed, int maxDraft = 8, float scale = 0.4f, double resolved = 0.3)
    {
        string folder = Directory.CreateTempSubdirectory("adaeagle-").FullName;
        try
        {
            Write(folder, target.Config.HiddenSize, seed, maxDraft: maxDraft, scale: scale, resolved: resolved);
            return SurvivalWeights.Load(folder, target);
        }
        finally
        {
            Directory.Delete(folder, recursive: true);
        }
    }
}
