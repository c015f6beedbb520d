using AdaEagle.Formats;
using AdaEagle.Kernels;

namespace AdaEagle.Models;

/// <summary>
/// The weights of an EAGLE draft head. Row i reads the target's state at position i and the token t_(i+1), and proposes t_(i+2); the row of a drafted
/// token reads its parent's output in place of the target's state. Immutable and shared.
/// </summary>
/// <remarks>
/// Two layouts. EAGLE-1, whose weights are EAGLE-2's too: the state is the feature f_i; <c>fc</c> over [embedding ; state] makes the input of one decoder layer
/// without input norm, whose output is a predicted feature, scored by the target's LM head (SafeAILab/EAGLE, <c>cnets1.py</c>). EAGLE-3: the state is the residual
/// stream at some boundaries, brought to one width by <c>fc</c>; the first layer attends over [normed embedding ; normed state]; the head has an LM head of its
/// own, over a part of the vocabulary, and feeds its output back before the norm (<c>cnets.py</c>). Where each is read: <see cref="Eagle1Layout"/>, <see cref="Eagle3Layout"/>.
/// </remarks>
public sealed class EagleHead : IDisposable
{
    internal EagleHead(ModelConfig config, LlamaModel target, WeightMatrix embedding, WeightMatrix fuse, DecoderStack stack, WeightMatrix lmHead)
    {
        Config = config;
        Target = target;
        Embedding = embedding;
        Fuse = fuse;
        Stack = stack;
        LmHead = lmHead;
        Blocks = new KvBlockPool(stack.CacheLayout);
    }

    /// <summary>The head's configuration.</summary>
    public ModelConfig Config { get; }

    /// <summary>The target whose states it reads.</summary>
    public LlamaModel Target { get; }

    /// <summary>True for the EAGLE-3 layout, false for EAGLE-1's.</summary>
    public bool IsEagle3 => Stack.Layers[0].StateNorm is not null;

    /// <summary>What it reads of the target.</summary>
    public DrafterInputs Inputs { get; internal init; } = DrafterInputs.Feature;

    /// <summary>Numbers that it reads of the target per position.</summary>
    public int InputWidth => Inputs.Width(Target.Config.HiddenSize);

    /// <summary>Tokens that it can propose.</summary>
    public int VocabularySize => LmHead.Rows;

    /// <summary>Bytes of weights that a draft step streams: layers and LM head, and EAGLE-1's fc.</summary>
    public long StepBytes => (IsEagle3 ? 0 : Fuse.ByteLength) + Stack.ByteLength + LmHead.ByteLength;

    /// <summary>Which weights are kept otherwise than the file has them, or than was asked for, and what its configuration leaves open.</summary>
    public IReadOnlyList<string> Warnings { get; internal init; } = [];

    /// <summary>The target's embedding, or the head's own.</summary>
    internal WeightMatrix Embedding { get; }

    /// <summary><c>fc</c>. EAGLE-1: columns 0 … H-1 read the embedding, H … 2H-1 the state. EAGLE-3: columns read the boundaries in order.</summary>
    internal WeightMatrix Fuse { get; }

    internal NativeBuffer? FuseBias { get; init; }

    /// <summary>EAGLE-3: norms before fc, one over all boundaries (<c>norm_before_fc</c>) or one for each (<c>fc_norm</c>); mostly none.</summary>
    internal NativeBuffer[] FuseNorms { get; init; } = [];

    /// <summary>EAGLE-3: true if the normed state is the residual of the first layer, not the state itself.</summary>
    internal bool NormBeforeResidual { get; init; }

    internal DecoderStack Stack { get; }

    /// <summary>EAGLE-3: the norm before the LM head; null in EAGLE-1.</summary>
    internal NativeBuffer? FinalNorm { get; init; }

    /// <summary>EAGLE-3: true if the output is fed back after that norm.</summary>
    internal bool NormOutput { get; init; }

    /// <summary>EAGLE-3: the head's own. EAGLE-1: the target's, or a quantised copy of it: a draft may be less exact than what it is checked with.</summary>
    internal WeightMatrix LmHead { get; }

    /// <summary>The target's token of each that the head can propose; null where they are the same.</summary>
    internal int[]? TargetTokens { get; init; }

    internal KvBlockPool Blocks { get; }

    /// <summary>
    /// Loads a head's folder for <paramref name="target"/>. <paramref name="quantize"/> brings its matrices and its LM head to a format of blocks; the target
    /// stays as it is, and so does what it says.
    /// </summary>
    /// <exception cref="ModelFormatException">The folder holds no EAGLE head for this target; the message says why.</exception>
    public static EagleHead Load(string folder, LlamaModel target, WeightChoice weights = WeightChoice.Auto, WeightFormat? quantize = null)
    {
        ArgumentNullException.ThrowIfNull(target);
        var config = ModelConfig.Load(folder);
        string configFile = Path.Combine(folder, "config.json");
        using ITensorSource source = Checkpoint.Open(folder);
        if (config.VocabularySize != target.Config.VocabularySize)
        {
            throw OfAnotherTarget(config, configFile, target);
        }

        DecoderLayer.RequireSupported(config, configFile);
        var loader = new WeightLoader(source, weights, target.Path, quantize);
        return Eagle3Layout.IsThatOf(source, config)
            ? Eagle3Layout.Load(config, configFile, loader, target)
            : Eagle1Layout.Load(config, configFile, loader, target, quantize);
    }

    /// <summary>The target's token for one that the head proposes.</summary>
    public int TargetToken(int proposed) => TargetTokens is { } tokens ? tokens[proposed] : proposed;

    /// <inheritdoc/>
    public void Dispose()
    {
        foreach (WeightMatrix matrix in (WeightMatrix[])[Embedding, LmHead])
        {
            if (matrix != Target.Embedding && matrix != Target.LmHead)
            {
                matrix.Dispose();
            }
        }

        Fuse.Dispose();
        FuseBias?.Dispose();
        Array.ForEach(FuseNorms, norm => norm.Dispose());
        FinalNorm?.Dispose();
        Stack.Dispose();
        Blocks.Dispose();
    }

    internal static ModelFormatException OfAnotherTarget(ModelConfig config, string configFile, LlamaModel target) => new(
        configFile, "hidden_size",
        $"the head is for hidden size {config.Eagle3?.TargetHiddenSize ?? config.HiddenSize} and vocabulary {config.VocabularySize}, the target has {target.Config.HiddenSize} and {target.Config.VocabularySize}",
        "use the head that was trained for this target");

    // Old files carry the rotary frequencies.
    internal static bool MayBeLeft(string tensor) => tensor.EndsWith("rotary_emb.inv_freq", StringComparison.Ordinal);
}
