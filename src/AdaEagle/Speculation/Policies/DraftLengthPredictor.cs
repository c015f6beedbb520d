using System.Globalization;
using System.Text.Json;
using AdaEagle.Formats;
using AdaEagle.Kernels;
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

    private LdlpWeights(LlamaModel target, int width, int maxDraft, int longestPrediction, string? vocabulary, WeightMatrix input, NativeBuffer inputBias, WeightMatrix[] blocks, NativeBuffer[] blockBiases, WeightMatrix output, NativeBuffer outputBias)
    {
        Target = target;
        Width = width;
        MaxDraft = maxDraft;
        LongestPrediction = longestPrediction;
        VocabularyFingerprint = vocabulary;
        Input = input;
        InputBias = inputBias;
        Blocks = blocks;
        BlockBiases = blockBiases;
        Output = output;
        OutputBias = outputBias;
    }

    /// <summary>The target it predicts for.</summary>
    public LlamaModel Target { get; }

    /// <summary>Width of the layers.</summary>
    public int Width { get; }

    /// <summary>k_max: the longest draft, at which a threshold ends one too.</summary>
    public int MaxDraft { get; }

    /// <summary>The longest length it predicts, k_max or less: run lengths were cut to it in training.</summary>
    public int LongestPrediction { get; }

    /// <summary>Fingerprint of the vocabulary it was trained with; null where the file has none.</summary>
    public string? VocabularyFingerprint { get; }

    /// <summary>Bytes of weights that a prediction streams.</summary>
    public long ByteLength => Input.ByteLength + Blocks.Sum(block => block.ByteLength) + Output.ByteLength;

    internal WeightMatrix Input { get; }

    internal NativeBuffer InputBias { get; }

    internal WeightMatrix[] Blocks { get; }

    internal NativeBuffer[] BlockBiases { get; }

    internal WeightMatrix Output { get; }

    internal NativeBuffer OutputBias { get; }

    /// <summary>Loads a predictor's folder (<c>config.json</c>, <c>model.safetensors</c>) for a target.</summary>
    /// <exception cref="ModelFormatException">The folder holds no predictor for this target; the message says why.</exception>
    public static LdlpWeights Load(string folder, LlamaModel target)
    {
        ArgumentNullException.ThrowIfNull(target);
        string configFile = Path.Combine(folder, "config.json");
        (int hidden, int width, int maxDraft, int longest, string? vocabulary) = ReadConfig(configFile);
        if (hidden != target.Config.HiddenSize)
        {
            throw new ModelFormatException(
                configFile, "hidden_size", $"the predictor is for hidden size {hidden}, the target has {target.Config.HiddenSize}", "use the predictor that was trained for this target");
        }

        using ITensorSource source = Checkpoint.Open(folder);
        var loader = new WeightLoader(source, WeightChoice.Auto, target.Path);
        var weights = new LdlpWeights(
            target, width, maxDraft, longest, vocabulary,
            loader.Matrix(2 * hidden, ("input.weight", width)),
            loader.Vector(("input.bias", width)),
            [.. Enumerable.Range(0, Layers).Select(i => loader.Matrix(width, ($"blocks.{i}.weight", width)))],
            [.. Enumerable.Range(0, Layers).Select(i => loader.Vector(($"blocks.{i}.bias", width)))],
            loader.Matrix(width, ("output.weight", 1)),
            loader.Vector(("output.bias", 1)));
        loader.RequireAllUsed(_ => false);
        return weights;
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        foreach (IDisposable part in (IEnumerable<IDisposable>)[Input, InputBias, .. Blocks, .. BlockBiases, Output, OutputBias])
        {
            part.Dispose();
        }
    }

    private static (int Hidden, int Width, int MaxDraft, int LongestPrediction, string? Vocabulary) ReadConfig(string file)
    {
        if (!File.Exists(file))
        {
            throw new ModelFormatException(file, null, "the file is missing", "a predictor's folder holds config.json and model.safetensors, as adaeagle-train ldlp writes them");
        }

        try
        {
            using JsonDocument document = JsonDocument.Parse(File.ReadAllBytes(file));
            JsonElement root = document.RootElement;
            if (root.ValueKind != JsonValueKind.Object || !root.TryGetProperty("adaeagle_kind", out JsonElement kind) || kind.ValueKind != JsonValueKind.String || kind.GetString() != "ldlp")
            {
                throw new ModelFormatException(file, "adaeagle_kind", "this is not the configuration of a draft length predictor", "supported: \"ldlp\"");
            }

            string? vocabulary = root.TryGetProperty("target_vocabulary", out JsonElement value) && value.ValueKind == JsonValueKind.String ? value.GetString() : null;
            int maxDraft = Number("k_max", 64);
            int longest = root.TryGetProperty("longest_prediction", out _) ? Number("longest_prediction", maxDraft) : maxDraft;
            return (Number("hidden_size", 1 << 20), Number("width", 1 << 16), maxDraft, longest, vocabulary);

            int Number(string name, int most) =>
                root.TryGetProperty(name, out JsonElement number) && number.ValueKind == JsonValueKind.Number && number.TryGetInt32(out int result) && result >= 1 && result <= most
                    ? result
                    : throw new ModelFormatException(file, name, string.Create(CultureInfo.InvariantCulture, $"must be a whole number from 1 to {most}"), "the file is damaged, or not a predictor's");
        }
        catch (JsonException failure)
        {
            throw new ModelFormatException(file, null, "is not JSON: " + failure.Message, "the file is damaged", failure);
        }
    }
}

/// <summary>Runs <see cref="LdlpWeights"/> for one session, on the calling thread: some tens of kilobytes of weights. Not thread-safe.</summary>
public sealed unsafe class DraftLengthPredictor : IDisposable
{
    private readonly LdlpWeights _weights;
    private readonly VectorKernels _vector;
    private readonly NativeBuffer _input;
    private readonly NativeBuffer _state;
    private readonly NativeBuffer _sum;

    /// <summary>Makes the workspace.</summary>
    public DraftLengthPredictor(LdlpWeights weights)
    {
        ArgumentNullException.ThrowIfNull(weights);
        _weights = weights;
        _vector = VectorKernels.For(weights.Target.Path);
        _input = NativeBuffer.OfFloats((2 * weights.Target.Config.HiddenSize) + 16);
        _state = NativeBuffer.OfFloats(weights.Width + 16);
        _sum = NativeBuffer.OfFloats(weights.Width + 16);
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
        int hidden = _weights.Target.Config.HiddenSize;
        _weights.Target.Embedding.UnpackRow(token, _input.Floats);
        feature.CopyTo(new Span<float>(_input.Floats + hidden, hidden));
        Affine(_weights.Input, _weights.InputBias, _input, _state);
        for (int i = 0; i < LdlpWeights.Layers; i++)
        {
            Affine(_weights.Blocks[i], _weights.BlockBiases[i], _state, _sum);
            _vector.SiluAdd(_sum.Floats, _state.Floats, _state.Floats, (_weights.Width + 15) & ~15);
        }

        Affine(_weights.Output, _weights.OutputBias, _state, _sum);
        return _sum.Floats[0];
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        _input.Dispose();
        _state.Dispose();
        _sum.Dispose();
    }

    private void Affine(WeightMatrix matrix, NativeBuffer bias, NativeBuffer input, NativeBuffer output)
    {
        matrix.Multiply(0, matrix.GroupCount, new ProductInput(input.Floats, 0, 1), output.Floats, 0);
        _vector.AddTo(output.Floats, bias.Floats, (matrix.Rows + 15) & ~15);
    }
}
