using AdaEagle.Formats;
using TorchSharp;
using static TorchSharp.torch;

namespace AdaEagle.Training.Eagle;

/// <summary>
/// An EAGLE-1 draft head with gradients: x = fc [E(t_(i+1)) ; f_i] + b, one decoder layer without input norm, no final norm; the target's LM head scores
/// it. Source: SafeAILab/EAGLE, <c>cnets1.py</c>.
/// </summary>
internal sealed class EagleModel : HeadModel
{
    private const string FuseBias = "fc.bias";

    private readonly Tensor _embedding;

    /// <param name="config">The head's configuration.</param>
    /// <param name="embedding">The target's embedding [vocabulary, hidden]; frozen.</param>
    /// <param name="lmHead">The target's LM head [vocabulary, hidden]; frozen.</param>
    /// <param name="target">SHA-256 of the target's weights, noted in the head's files.</param>
    /// <param name="featureMean">Mean of the target's features [hidden]: what the head predicts before it has learnt anything.</param>
    /// <param name="featureScale">Root mean square of the target's features.</param>
    /// <param name="productType">Float32 or BFloat16.</param>
    /// <param name="positions">The most rows of a step: positions are those of the packed rows.</param>
    /// <param name="seed">Seed of the weights.</param>
    public EagleModel(ModelConfig config, float[] embedding, float[] lmHead, string target, float[] featureMean, double featureScale, ScalarType productType, int positions, int seed)
        : base(config, "layers.0.", lmHead, target, [featureScale], productType, positions)
    {
        using var scope = NewDisposeScope();
        using var none = no_grad();
        int hidden = config.HiddenSize;
        _embedding = Constant(tensor(embedding).reshape(config.VocabularySize, hidden));
        float embeddingScale = _embedding.square().mean().sqrt().item<float>();
        using var generator = new Generator((ulong)seed);
        AddFuse(cat([full(hidden, embeddingScale), StateScale]), 0.3 * featureScale / Math.Sqrt(2 * hidden), generator);
        Add(FuseBias, tensor(featureMean));
        AddLayer(hidden, generator);
    }

    public override bool PredictsFeatures => true;

    public override (Tensor Output, (Tensor Keys, Tensor Values) Step) Forward(
        Tensor states, Tensor tokens, int[] angles, PackedSpan[] spans, IReadOnlyList<(Tensor Keys, Tensor Values)> earlier)
    {
        Tensor inputs = cat([_embedding.index_select(0, tokens), states], 1).to(ProductType);
        Tensor fused = inputs.mm(FuseColumns.t()).to(ScalarType.Float32) + this[FuseBias];
        return Layer(fused, fused.to(ProductType).mm(Projection.to(ProductType).t()), angles, spans, earlier);
    }

    public override (Tensor Rows, Tensor LmHead) Scoring(Tensor outputs) => (outputs.to(ProductType), TargetLmHead);
}
