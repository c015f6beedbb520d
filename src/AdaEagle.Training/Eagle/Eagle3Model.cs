using System.Runtime.InteropServices;
using AdaEagle.Formats;
using AdaEagle.Training.Torch;
using TorchSharp;
using static TorchSharp.torch;

namespace AdaEagle.Training.Eagle;

/// <summary>
/// An EAGLE-3 draft head with gradients: u = fc [boundaries] in step 0, the output of the step before later; one decoder layer with residual u, whose attention reads
/// [norm(E(t_(i+1))) ; norm(u)]; a final norm and an LM head of its own, over a part of the vocabulary. Source: SafeAILab/EAGLE, <c>cnets.py</c>.
/// </summary>
internal sealed class Eagle3Model : HeadModel
{
    private const string FinalNorm = "norm.weight", LmHead = "lm_head.weight", Map = "d2t", Mask = "t2d";

    private readonly int[] _tokens;
    private readonly HashSet<long> _known;
    private readonly Tensor _embedding;

    /// <param name="config">The head's configuration, with <see cref="ModelConfig.Eagle3"/>.</param>
    /// <param name="embedding">The target's embedding [vocabulary, hidden]; frozen.</param>
    /// <param name="lmHead">The target's LM head [vocabulary, hidden]; frozen, and what the head's own begins with.</param>
    /// <param name="target">SHA-256 of the target's weights, noted in the head's files.</param>
    /// <param name="draftTokens">The target's tokens that the head can propose, ascending.</param>
    /// <param name="featureScale">Root mean square of the target's features: what the head's outputs are scored at.</param>
    /// <param name="stateScales">Root mean square of each boundary.</param>
    /// <param name="productType">Float32 or BFloat16.</param>
    /// <param name="positions">The most rows of a step: positions are those of the packed rows.</param>
    /// <param name="seed">Seed of the weights.</param>
    public Eagle3Model(
        ModelConfig config, float[] embedding, float[] lmHead, string target, int[] draftTokens, double featureScale, double[] stateScales, ScalarType productType, int positions, int seed)
        : base(config, "midlayer.", lmHead, target, stateScales, productType, positions)
    {
        using var scope = NewDisposeScope();
        using var none = no_grad();
        int hidden = config.HiddenSize;
        _tokens = draftTokens;
        _known = [.. draftTokens.Select(token => (long)token)];
        Tensor rows = tensor(draftTokens, ScalarType.Int64);
        TeacherLmHead = Constant(TargetLmHead.index_select(0, rows));
        // The embedding is frozen, so its rows are normed once; the norm's weight multiplies the columns that read it.
        Tensor whole = tensor(embedding).reshape(config.VocabularySize, hidden);
        _embedding = Constant((whole * (whole.square().mean([1], keepdim: true) + config.NormEpsilon).rsqrt()).to(productType));
        using var generator = new Generator((ulong)seed);
        AddFuse(StateScale, 1 / Math.Sqrt(StateScale.shape[0]), generator);
        Add(Named("input_layernorm"), ones(hidden, ScalarType.Float32));
        Add(Named("hidden_norm"), ones(hidden, ScalarType.Float32));
        AddLayer(2 * hidden, generator);
        Add(FinalNorm, full(hidden, (float)featureScale));
        Add(LmHead, tensor(lmHead).reshape(config.VocabularySize, hidden).index_select(0, rows));
    }

    public override bool PredictsFeatures => false;

    public override Tensor TeacherLmHead { get; }

    /// <summary><c>d2t</c>, draft id to offset of the target's token, and <c>t2d</c>, which of the target's tokens there are.</summary>
    public override IEnumerable<TensorData> Tables =>
    [
        new TensorData(Map, TensorType.I64, [_tokens.Length], MemoryMarshal.AsBytes<long>(_tokens.Select((token, rank) => (long)(token - rank)).ToArray()).ToArray()),
        new TensorData(Mask, TensorType.Bool, [Config.VocabularySize], Enumerable.Range(0, Config.VocabularySize).Select(token => (byte)(_known.Contains(token) ? 1 : 0)).ToArray()),
    ];

    /// <summary>The tokens of <see cref="Tables"/> in a file.</summary>
    public static int[] DraftTokens(ITensorSource source)
    {
        byte[] bytes = new byte[source.Require(Map).ByteLength];
        source.Read(Map, 0, bytes);
        return [.. MemoryMarshal.Cast<byte, long>(bytes).ToArray().Select((offset, rank) => checked((int)(offset + rank)))];
    }

    public override (Tensor Output, (Tensor Keys, Tensor Values) Step) Forward(
        Tensor states, Tensor tokens, int[] angles, PackedSpan[] spans, IReadOnlyList<(Tensor Keys, Tensor Values)> earlier)
    {
        Tensor state = earlier.Count > 0 ? states : states.to(ProductType).mm(FuseColumns.t()).to(ScalarType.Float32);
        (Tensor residual, Tensor normed) = NormOperation.Apply(state, null, ProductType, Config.NormEpsilon);
        Tensor inputs = cat([_embedding.index_select(0, tokens), normed], 1);
        Tensor projection = (Projection * cat([Of("input_layernorm"), Of("hidden_norm")])).to(ProductType);
        return Layer(residual, inputs.mm(projection.t()), angles, spans, earlier);
    }

    public override (Tensor Rows, Tensor LmHead) Scoring(Tensor outputs) =>
        (NormOperation.Apply(outputs, null, ProductType, Config.NormEpsilon).Normed, (this[LmHead] * this[FinalNorm]).to(ProductType));

    public override bool[] CanPropose(Tensor features)
    {
        const int Piece = 512;
        using var scope = NewDisposeScope();
        using var none = no_grad();
        Tensor headT = TargetLmHead.t();
        var can = new List<bool>();
        for (long row = 0; row < features.shape[0]; row += Piece)
        {
            Tensor best = features.narrow(0, row, Math.Min(Piece, features.shape[0] - row)).to(ProductType).mm(headT).argmax(1);
            can.AddRange(best.data<long>().ToArray().Select(_known.Contains));
        }

        return [.. can];
    }
}
