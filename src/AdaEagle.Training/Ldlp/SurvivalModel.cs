using System.Text.Json.Nodes;
using AdaEagle.Formats;
using AdaEagle.Speculation.Policies;

namespace AdaEagle.Training.Ldlp;

/// <summary>Survival predictor, step estimator and the siblings' logistics, as <see cref="SurvivalWeights"/> reads them.</summary>
internal sealed class SurvivalModel(ResidualMlpModel plan, ResidualMlpModel step, int hidden, int maxDraft) : IDisposable
{
    public ResidualMlpModel Plan => plan;

    public ResidualMlpModel Step => step;

    /// <summary>[ranks, inputs], and a constant for each rank.</summary>
    public float[] SiblingWeights { get; set; } = new float[SurvivalWeights.Siblings * SurvivalWeights.SiblingInputs];

    public float[] SiblingBiases { get; set; } = new float[SurvivalWeights.Siblings];

    /// <summary>See <see cref="SurvivalWeights.Resolved"/>.</summary>
    public double Resolved { get; set; }

    /// <summary>Writes <c>config.json</c> and <c>model.safetensors</c>; matrices as BF16 unless told otherwise.</summary>
    /// <param name="folder">The predictor's folder.</param>
    /// <param name="config">Entries of config.json beside kind and sizes.</param>
    /// <param name="type">Format of the weights.</param>
    public void Export(string folder, IReadOnlyDictionary<string, JsonNode?> config, TensorType type = TensorType.BF16) => PredictorFiles.Write(
        folder,
        [
            .. plan.Export(type), .. step.Export(type),
            TensorData.FromF32("siblings.weight", [SurvivalWeights.Siblings, SurvivalWeights.SiblingInputs], SiblingWeights, TensorType.F32),
            TensorData.FromF32("siblings.bias", [SurvivalWeights.Siblings], SiblingBiases, TensorType.F32),
        ],
        new JsonObject
        {
            ["adaeagle_kind"] = "survival", ["hidden_size"] = hidden, ["width"] = plan.Width, ["step_width"] = step.Width, ["k_max"] = maxDraft, ["resolved"] = Math.Round(Resolved, 6),
        },
        config);

    public void Dispose()
    {
        plan.Dispose();
        step.Dispose();
    }
}
