using AdaEagle.Formats;
using AdaEagle.Kernels;

namespace AdaEagle.Models;

/// <summary>
/// Reads an EAGLE-3 head: SafeAILab's layout (SafeAILab/EAGLE, <c>cnets.py</c>), where the layer is called <c>midlayer</c>, and that of vllm-project/speculators,
/// where the layers are <c>layers.i</c>. Names may have the prefix <c>model.</c>.
/// </summary>
internal static class Eagle3Layout
{
    private const string StateNorm = "hidden_norm.weight";
    private static readonly string[] s_firstLayers = ["midlayer.", "layers.0.", "model.midlayer.", "model.layers.0."];
    private static readonly string[] s_maps = ["d2t", "draft_id_to_target_id"];

    /// <summary>True if tensors or configuration are those of an EAGLE-3 head.</summary>
    public static bool IsThatOf(ITensorSource source, ModelConfig config) =>
        config.Eagle3 is not null || source.Tensors.Keys.Any(name => name.Contains("midlayer.", StringComparison.Ordinal) || s_maps.Contains(name));

    /// <exception cref="ModelFormatException">It is no such head for this target, or asks for something that is not supported.</exception>
    public static EagleHead Load(ModelConfig config, string configFile, WeightLoader loader, LlamaModel target)
    {
        Eagle3Config eagle = config.Eagle3 ?? new Eagle3Config();
        List<string> warnings = [];
        RequireSupported(eagle, config, configFile, target, warnings);
        DrafterInputs inputs = Inputs(eagle, configFile, target.Config);
        int hidden = config.HiddenSize, state = target.Config.HiddenSize, width = inputs.Width(state);
        string named(string name) => loader.Has("model." + name) && !loader.Has(name) ? "model." + name : name;

        string own = named("embed_tokens.weight");
        if (!loader.Has(own) && hidden != state)
        {
            throw new ModelFormatException(
                loader.Source.Path, own, $"the tensor is missing, and the target's embedding has {state} columns instead of {hidden}", "the checkpoint is incomplete");
        }

        WeightMatrix embedding = loader.Has(own) ? loader.Table(hidden, own, config.VocabularySize) : target.Embedding;
        WeightMatrix fuse = loader.Matrix(width, (named("fc.weight"), hidden));
        NativeBuffer[] fuseNorms = eagle.NormBeforeFc ? [loader.Vector((named("input_norm.weight"), width))]
            : eagle.FcNorm ? [.. inputs.Boundaries.Select((_, i) => loader.Vector((named($"fc_norm.{i}.weight"), state)))]
            : [];
        DecoderLayer[] layers = [.. Enumerable.Range(0, config.LayerCount).Select(i => Layer(config, eagle, loader, i, named($"layers.{i}.")))];
        NativeBuffer finalNorm = loader.Vector((named("norm.weight"), hidden));
        int proposed = eagle.DraftVocabularySize ?? config.VocabularySize;
        WeightMatrix lmHead = loader.Matrix(hidden, (named("lm_head.weight"), proposed));
        int[]? map = Map(loader, proposed, config.VocabularySize);
        // t2d is for training; verifier_… are copies of the target's own.
        loader.RequireAllUsed(name => EagleHead.MayBeLeft(name) || name is "t2d" or "model.t2d" || name.StartsWith("verifier_", StringComparison.Ordinal));
        var rope = new RopeTable(config.HeadDimension, config.RopeTheta, config.RopeScaling);
        var stack = new DecoderStack(LayerShape.Of(config), layers, rope, target.Path, target.Cache);
        return new EagleHead(config, target, embedding, fuse, stack, lmHead)
        {
            Inputs = inputs, FuseNorms = fuseNorms, NormBeforeResidual = eagle.NormBeforeResidual ?? false, FinalNorm = finalNorm,
            NormOutput = eagle.Speculators && (eagle.NormOutput ?? false), TargetTokens = map, Warnings = [.. loader.Notes, .. warnings],
        };
    }

    private static void RequireSupported(Eagle3Config eagle, ModelConfig config, string configFile, LlamaModel target, List<string> warnings)
    {
        if ((eagle.TargetHiddenSize ?? config.HiddenSize) != target.Config.HiddenSize)
        {
            throw EagleHead.OfAnotherTarget(config, configFile, target);
        }

        if (eagle.DraftVocabularySize > config.VocabularySize)
        {
            throw new ModelFormatException(
                configFile, "draft_vocab_size", $"{eagle.DraftVocabularySize} tokens are more than the target's {config.VocabularySize}", "the head is for another target, or its config.json is damaged");
        }

        if (!eagle.UseBoundaries)
        {
            throw new ModelFormatException(configFile, "use_aux_hidden_state", "a head that reads the feature in place of boundaries is not supported", "supported: true");
        }

        if (eagle is { NormBeforeFc: true, FcNorm: true })
        {
            throw new ModelFormatException(configFile, "fc_norm", "the boundaries are to be normed one by one and all together (norm_before_fc)", "one of the two is supported");
        }

        // SpecForge means by the same key whether there is a norm before the LM head at all.
        if (!eagle.Speculators && eagle.NormOutput == false)
        {
            throw new ModelFormatException(
                configFile, "norm_output", "false is not supported outside the speculators layout, where it has another meaning", "supported: true, or leave it out");
        }

        if (eagle is { Speculators: true, NormBeforeResidual: null })
        {
            warnings.Add("config.json has no norm_before_residual, which engines read differently: taken for false");
        }

        if (eagle.FromLayerOutputs)
        {
            warnings.Add(
                $"eagle_aux_hidden_state_layer_ids are taken for layer outputs: boundaries {string.Join(", ", eagle.Boundaries!)}; if hardly a draft is accepted, give the boundaries in config.json as adaeagle_boundaries");
        }
    }

    private static DrafterInputs Inputs(Eagle3Config eagle, string configFile, ModelConfig target)
    {
        int[] boundaries = eagle.Boundaries ?? Eagle3Config.DefaultBoundaries(target.LayerCount);
        foreach (int boundary in boundaries)
        {
            if (boundary < 0 || boundary > target.LayerCount)
            {
                throw new ModelFormatException(
                    configFile, "eagle_aux_hidden_state_layer_ids", $"boundary {boundary} is outside 0 … {target.LayerCount} of the target", "use the head that was trained for this target");
            }
        }

        return DrafterInputs.Residuals(boundaries);
    }

    private static DecoderLayer Layer(ModelConfig config, Eagle3Config eagle, WeightLoader loader, int index, string prefix)
    {
        string layer = index == 0 ? Array.Find(s_firstLayers, name => loader.Has(name + StateNorm)) ?? s_firstLayers[0] : prefix;
        // attention_bias counts in speculators' layout; elsewhere it may be a copy of the target's.
        bool bias = eagle.Speculators && config.AttentionBias;
        return DecoderLayer.Load(
            loader, layer, LayerShape.Of(config), new RequiredBiases(config.QkvBias || bias, Output: bias, Mlp: false), inputNorm: true,
            queryKeyNorm: config.ModelType == "qwen3" || loader.Has(layer + "self_attn.q_norm.weight"), stateNorm: index == 0);
    }

    /// <summary>The target's tokens of the draft vocabulary: draft id + <c>d2t</c>, checked; null where the vocabulary is the target's.</summary>
    private static int[]? Map(WeightLoader loader, int proposed, int vocabulary)
    {
        ITensorSource source = loader.Source;
        if (s_maps.SelectMany(map => (string[])[map, "model." + map]).FirstOrDefault(loader.Has) is not { } name)
        {
            return proposed == vocabulary ? null : throw new ModelFormatException(
                source.Path, "d2t", $"the tensor is missing, and the head has {proposed} of {vocabulary} tokens", "the checkpoint is incomplete");
        }

        long[] offsets = loader.Integers(name, proposed);
        int[] tokens = new int[proposed];
        var seen = new HashSet<int>();
        for (int i = 0; i < proposed; i++)
        {
            if (offsets[i] < -i || offsets[i] >= vocabulary - i)
            {
                throw new ModelFormatException(source.Path, name, $"draft token {i} with offset {offsets[i]} is no token of the {vocabulary}", "the checkpoint is damaged, or its offsets are absolute ids");
            }

            tokens[i] = (int)(i + offsets[i]);
            if (!seen.Add(tokens[i]))
            {
                throw new ModelFormatException(source.Path, name, $"token {tokens[i]} is there twice", "the checkpoint is damaged, or its offsets are absolute ids");
            }
        }

        return tokens;
    }
}
