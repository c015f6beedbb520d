using AdaEagle.Formats;
using AdaEagle.Models;
using AdaEagle.Training.Eagle;
using AdaEagle.Training.Tests.Answers;
using TorchSharp;

namespace AdaEagle.Training.Tests.Eagle;

/// <summary>A small target and a head with uneven random weights for it, in the trainer and (F32) in the engine.</summary>
internal sealed class SmallHead : IDisposable
{
    /// <summary>Boundaries of the EAGLE-3 head.</summary>
    public const string Boundaries = "2,0,1";

    public SmallHead(bool eagle3 = false)
    {
        ModelConfig of = Small.Target.Model.Config;
        ModelConfig config = of with { LayerCount = 1, IntermediateSize = 96, FcBias = true, BosToken = null, EosTokens = [] };
        (float[] embedding, float[] lmHead) = (Small.Target.Embedding(), Small.Target.LmHead());
        Model = eagle3
            ? new Eagle3Model(
                config with { FcBias = null, Eagle3 = new Eagle3Config { DraftVocabularySize = 96, Boundaries = [2, 0, 1] } }, embedding, lmHead, "none",
                [.. Enumerable.Range(0, 96).Select(rank => (rank * 7 / 2) + 3)], featureScale: 1.3, [0.9, 0.2, 0.5], torch.ScalarType.Float32, positions: 1024, seed: 2)
            : new EagleModel(config, embedding, lmHead, "none", new float[of.HiddenSize], featureScale: 1.3, torch.ScalarType.Float32, positions: 1024, seed: 2);
        using (torch.no_grad())
        using (torch.NewDisposeScope())
        {
            torch.manual_seed(9);
            foreach (torch.Tensor parameter in Model.Parameters.Values)
            {
                parameter.add_(torch.randn(parameter.shape).mul_(0.1));
            }
        }

        string folder = Path.Combine(Small.Folder, "head");
        EagleFiles.Export(folder, Model, TensorType.F32);
        Engine = EagleHead.Load(folder, Small.Target.Model);
    }

    public SmallTarget Small { get; } = new();

    public HeadModel Model { get; }

    public EagleHead Engine { get; }

    public void Dispose()
    {
        Engine.Dispose();
        Model.Dispose();
        Small.Dispose();
    }
}
