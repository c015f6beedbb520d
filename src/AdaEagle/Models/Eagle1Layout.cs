using AdaEagle.Formats;
using AdaEagle.Kernels;

namespace AdaEagle.Models;

/// <summary>Reads an EAGLE-1 or EAGLE-2 head in SafeAILab's layout (SafeAILab/EAGLE, <c>cnets1.py</c>).</summary>
internal static class Eagle1Layout
{
    /// <exception cref="ModelFormatException">It is no such head for this target.</exception>
    public static EagleHead Load(ModelConfig config, string configFile, WeightLoader loader, LlamaModel target, WeightFormat? quantize)
    {
        if (config.HiddenSize != target.Config.HiddenSize)
        {
            throw EagleHead.OfAnotherTarget(config, configFile, target);
        }

        if (config.LayerCount != 1)
        {
            throw new ModelFormatException(configFile, "num_hidden_layers", $"{config.LayerCount} layers are not supported", "supported: 1");
        }

        if (loader.Has("fusion_fc.weight"))
        {
            throw new ModelFormatException(
                loader.Source.Path, "fusion_fc.weight", "this is an EAGLE-1 head in the layout of vllm-project/speculators",
                "supported: EAGLE-1 and EAGLE-2 heads in SafeAILab's layout, EAGLE-3 heads in both");
        }

        bool bias = config.FcBias ?? true;
        if (bias != loader.Has("fc.bias"))
        {
            throw new ModelFormatException(
                loader.Source.Path, "fc.bias", bias ? "the tensor is missing" : "the tensor is there, and config.json says \"bias\": false",
                "config.json's \"bias\" (absent means true) and the weights must agree");
        }

        LayerShape shape = LayerShape.Of(config);
        WeightMatrix embedding = loader.Has("embed_tokens.weight") ? loader.Table(config.HiddenSize, "embed_tokens.weight", config.VocabularySize) : target.Embedding;
        WeightMatrix fuse = loader.Matrix(2 * config.HiddenSize, ("fc.weight", config.HiddenSize));
        NativeBuffer? fuseBias = bias ? loader.Vector(("fc.bias", config.HiddenSize)) : null;
        // EAGLE's own code reads qkv_bias and ignores attention_bias and mlp_bias, which configurations copied from a target may carry.
        DecoderLayer layer = DecoderLayer.Load(loader, "layers.0.", shape, new RequiredBiases(config.QkvBias, Output: false, Mlp: false), inputNorm: false);
        loader.RequireAllUsed(EagleHead.MayBeLeft);
        var rope = new RopeTable(config.HeadDimension, config.RopeTheta, config.RopeScaling);
        WeightMatrix lmHead = quantize is { } format ? WeightLoader.Quantized(target.LmHead, format, target.Path) : target.LmHead;
        var stack = new DecoderStack(shape, [layer], rope, target.Path, target.Cache);
        return new EagleHead(config, target, embedding, fuse, stack, lmHead) { FuseBias = fuseBias, Warnings = loader.Notes };
    }
}
