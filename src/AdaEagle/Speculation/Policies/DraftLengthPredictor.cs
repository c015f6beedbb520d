using AdaEagle.Formats;
using AdaEagle.Models;

namespace AdaEagle.Speculation.Policies;

/// <summary>
/// The weights of the Lightweight Draft Length Predictor (LDLP, AdaEAGLE section 0.2 of the paper's facts): a three-layer MLP with residual
/// connections on [E(t_j) ; f_j], one scalar out. The input is projected down first, y = W x + b; then y = y + silu(W_i y + b_i) three times;
/// then the scalar, whose rounded value, held within 0 … the longest prediction, is the draft length. Immutable and shared; <see cref="DraftLengthPredictor"/> runs it.
/// </summary>
public sealed class LdlpWeights : IDisposable
{
    /// <summary>Residual layers.</summary>
    public const int Layers = 3;

    private LdlpWeights(LlamaModel target, int maxDraft, int longestPrediction, string? vocabulary, ResidualMlpWeights network)
    {
        Target = target;
        MaxDraft = maxDraft;
        LongestPrediction = longestPrediction;
        VocabularyFingerprint = vocabulary;
        Network = network;
    }

    /// <summary>The target it predicts for.</summary>
    public LlamaModel Target { get; }

    /// <summary>Width of the layers.</summary>
    public int Width => Network.Width;

    /// <summary>k_max: the longest draft, at which a threshold ends one too.</summary>
    public int MaxDraft { get; }

    /// <summary>The longest length it predicts, k_max or less: run lengths were cut to it in training.</summary>
    public int LongestPrediction { get; }

    /// <summary>Fingerprint of the vocabulary it was trained with; null where the file has none.</summary>
    public string? VocabularyFingerprint { get; }

    /// <summary>Bytes of weights that a prediction streams.</summary>
    public long ByteLength => Network.ByteLength;

    internal ResidualMlpWeights Network { get; }

    /// <summary>Loads a predictor's folder (<c>config.json</c>, <c>model.safetensors</c>) for a target.</summary>
    /// <exception cref="ModelFormatException">The folder holds no predictor for this target; the message says why.</exception>
    public static LdlpWeights Load(string folder, LlamaModel target)
    {
        ArgumentNullException.ThrowIfNull(target);
        using PredictorConfig config = PredictorConfig.Open(folder, "ldlp");
        int hidden = config.HiddenSizeOf(target), width = config.Number("width", 1 << 16), maxDraft = config.Number("k_max", 64);
        int longest = config.Number("longest_prediction", maxDraft, maxDraft);
        using ITensorSource source = Checkpoint.Open(folder);
        var loader = new WeightLoader(source, WeightChoice.Auto, target.Path);
        var network = ResidualMlpWeights.Load(loader, "", 2 * hidden, width, Layers, 1);
        loader.RequireAllUsed(_ => false);
        return new LdlpWeights(target, maxDraft, longest, config.Text("target_vocabulary"), network);
    }

    /// <inheritdoc/>
    public void Dispose() => Network.Dispose();
}

/// <summary>Runs <see cref="LdlpWeights"/> for one session, on the calling thread: some tens of kilobytes of weights. Not thread-safe.</summary>
public sealed unsafe class DraftLengthPredictor : IDisposable
{
    private readonly LdlpWeights _weights;
    private readonly ResidualMlp _network;

    /// <summary>Makes the workspace.</summary>
    public DraftLengthPredictor(LdlpWeights weights)
    {
        ArgumentNullException.ThrowIfNull(weights);
        _weights = weights;
        _network = new ResidualMlp(weights.Network, weights.Target.Path);
    }

    /// <summary>k_max.</summary>
    public int MaxDraft => _weights.MaxDraft;

    /// <summary>clamp(round(y), 0, <see cref="LdlpWeights.LongestPrediction"/>); a prediction that is no number gives 0.</summary>
    public int PredictLength(int token, ReadOnlySpan<float> feature)
    {
        float y = Predict(token, feature);
        return float.IsNaN(y) ? 0 : (int)Math.Clamp(MathF.Round(y), 0, _weights.LongestPrediction);
    }

    /// <summary>The scalar y for [E(<paramref name="token"/>) ; <paramref name="feature"/>].</summary>
    public float Predict(int token, ReadOnlySpan<float> feature)
    {
        _weights.Target.Embedding.UnpackRow(token, _network.Input);
        feature.CopyTo(_network.InputValues[_weights.Target.Config.HiddenSize..]);
        return _network.Run()[0];
    }

    /// <inheritdoc/>
    public void Dispose() => _network.Dispose();
}
