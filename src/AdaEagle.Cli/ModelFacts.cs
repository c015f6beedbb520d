using AdaEagle.Formats;
using AdaEagle.Generation;

namespace AdaEagle.Cli;

/// <summary>What a folder's weights add up to.</summary>
internal static class ModelFacts
{
    /// <summary>Parameters of a checkpoint: tables of rotary frequencies, and an LM head that config.json ties to the embedding, are none.</summary>
    public static long Parameters(ITensorSource source, bool tied) => source.Tensors.Values
        .Where(tensor => !tensor.Name.EndsWith("rotary_emb.inv_freq", StringComparison.Ordinal) && !(tied && tensor.Name == "lm_head.weight"))
        .Sum(tensor => tensor.ElementCount);

    /// <summary>Parameters of the target in a folder.</summary>
    public static long Parameters(LanguageModel model)
    {
        using ITensorSource source = Checkpoint.Open(model.Folder);
        return Parameters(source, model.Target.Config.TieWordEmbeddings);
    }

    /// <summary>Weight bytes that a draft step streams over those of a target pass; null without a draft head.</summary>
    public static double? DraftCost(LanguageModel model) => model.Head is { } head ? (double)head.StepBytes / model.Target.PassBytes : null;
}
