using System.Text.Json.Nodes;
using AdaEagle.Formats;
using AdaEagle.Speculation.Policies;

namespace AdaEagle.Training.Ldlp;

/// <summary>A stop head with gradients: a <see cref="ResidualMlpModel"/> on the draft head's output row, one logit out (<see cref="StopWeights"/> runs it).</summary>
internal sealed class StopModel(ResidualMlpModel network, int maxDraft) : IDisposable
{
    public ResidualMlpModel Network => network;

    /// <summary>Writes <c>config.json</c> and <c>model.safetensors</c>; matrices as BF16 unless told otherwise.</summary>
    /// <param name="folder">The stop head's folder.</param>
    /// <param name="config">Entries of config.json beside kind and sizes.</param>
    /// <param name="type">Format of the weights.</param>
    public void Export(string folder, IReadOnlyDictionary<string, JsonNode?> config, TensorType type = TensorType.BF16) => PredictorFiles.Write(
        folder, network.Export(type),
        new JsonObject { ["adaeagle_kind"] = "stop", ["hidden_size"] = network.Inputs, ["width"] = network.Width, ["layers"] = StopWeights.UsualBlocks, ["k_max"] = maxDraft }, config);

    public void Dispose() => network.Dispose();
}
