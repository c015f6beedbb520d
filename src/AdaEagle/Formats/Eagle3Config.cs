using System.Text.Json;

namespace AdaEagle.Formats;

/// <summary>
/// What the <c>config.json</c> of an EAGLE-3 head says beyond a decoder's. Sources: SafeAILab/EAGLE <c>cnets.py</c>, and <c>Eagle3SpeculatorConfig</c> of
/// vllm-project/speculators, whose layout keeps the decoder's keys in <c>transformer_layer_config</c>.
/// </summary>
public sealed record Eagle3Config
{
    private const string OwnBoundaries = "adaeagle_boundaries";
    private const string LayerIds = "eagle_aux_hidden_state_layer_ids";

    /// <summary><c>draft_vocab_size</c> (or <c>truncated_vocab_size</c>): tokens that the head can propose; null if absent: all of the target's.</summary>
    public int? DraftVocabularySize { get; init; }

    /// <summary><c>target_hidden_size</c>: width of the target's residual stream; null for the head's own.</summary>
    public int? TargetHiddenSize { get; init; }

    /// <summary>
    /// Boundaries whose residual streams the head reads, in the order of the columns of <c>fc</c>; null if absent: 2, L/2, L-3 of a target of L layers.
    /// They stand under <c>eagle_aux_hidden_state_layer_ids</c>, which are boundaries in speculators' layout and elsewhere layer outputs counted from 0
    /// (as SGLang reads them: id 1 is boundary 2); under our own key <c>adaeagle_boundaries</c> they are boundaries.
    /// </summary>
    public int[]? Boundaries { get; init; }

    /// <summary>True if <see cref="Boundaries"/> come from ids that were taken for layer outputs: other engines read the same key otherwise.</summary>
    public bool FromLayerOutputs { get; init; }

    /// <summary><c>norm_before_residual</c>: the normed state is the residual, not the raw one; null if absent, which means false.</summary>
    public bool? NormBeforeResidual { get; init; }

    /// <summary><c>norm_before_fc</c>: one norm over the boundaries side by side.</summary>
    public bool NormBeforeFc { get; init; }

    /// <summary><c>fc_norm</c>: a norm for each boundary.</summary>
    public bool FcNorm { get; init; }

    /// <summary><c>norm_output</c>; in speculators' layout: what is fed back is the normed state. Null if absent.</summary>
    public bool? NormOutput { get; init; }

    /// <summary><c>use_aux_hidden_state</c>; false: the head reads the feature, not boundaries.</summary>
    public bool UseBoundaries { get; init; } = true;

    /// <summary>True if the layout is speculators'.</summary>
    public bool Speculators { get; init; }

    /// <summary>The boundaries that the reference reads of a target of <paramref name="layers"/> layers: 2, L/2, L-3; those below 0 are none.</summary>
    public static int[] DefaultBoundaries(int layers) => [2, layers / 2, layers - 3];

    /// <summary>Null where a configuration has none of the keys.</summary>
    internal static Eagle3Config? Read(JsonConfig json)
    {
        bool speculators = json.Text("speculators_model_type") == "eagle3";
        JsonConfig? eagle = json.Object("eagle_config");
        if (!speculators && eagle is null && !Array.Exists(["draft_vocab_size", "truncated_vocab_size", LayerIds, OwnBoundaries, "norm_before_residual"], json.Has))
        {
            return null;
        }

        int[] own = Ids(json, OwnBoundaries);
        int[] ids = own.Length > 0 ? own : Ids(json, LayerIds) is { Length: > 0 } top ? top : eagle is null ? [] : Ids(eagle, LayerIds);
        bool outputs = ids.Length > 0 && own.Length == 0 && !speculators;
        return new Eagle3Config
        {
            DraftVocabularySize = json.Int("draft_vocab_size", 1, ModelConfigJson.MaxVocabulary) ?? json.Int("truncated_vocab_size", 1, ModelConfigJson.MaxVocabulary),
            TargetHiddenSize = json.Int("target_hidden_size", 1, ModelConfigJson.MaxWidth),
            Boundaries = ids.Length == 0 ? null : outputs ? [.. ids.Select(id => id + 1)] : ids,
            FromLayerOutputs = outputs,
            NormBeforeResidual = json.Flag("norm_before_residual"),
            NormBeforeFc = json.Flag("norm_before_fc") ?? false,
            FcNorm = json.Flag("fc_norm") ?? false,
            NormOutput = json.Flag("norm_output"),
            UseBoundaries = (json.Flag("use_aux_hidden_state") ?? true) && (eagle?.Flag("use_aux_hidden_state") ?? true),
            Speculators = speculators,
        };
    }

    /// <summary>Writes the keys beside the decoder's; <see cref="Read"/> gives them back.</summary>
    internal void Write(Utf8JsonWriter json)
    {
        if (Speculators)
        {
            json.WriteString("speculators_model_type", "eagle3");
        }

        if (DraftVocabularySize is { } vocabulary)
        {
            json.WriteNumber("draft_vocab_size", vocabulary);
        }

        if (TargetHiddenSize is { } hidden)
        {
            json.WriteNumber("target_hidden_size", hidden);
        }

        if (Boundaries is { } boundaries)
        {
            json.WriteStartArray(OwnBoundaries);
            foreach (int boundary in boundaries)
            {
                json.WriteNumberValue(boundary);
            }

            json.WriteEndArray();
        }

        json.WriteBoolean("norm_before_residual", NormBeforeResidual ?? false);
        json.WriteBoolean("norm_before_fc", NormBeforeFc);
        json.WriteBoolean("fc_norm", FcNorm);
        if (NormOutput is { } normOutput)
        {
            json.WriteBoolean("norm_output", normOutput);
        }

        json.WriteBoolean("use_aux_hidden_state", UseBoundaries);
    }

    private static int[] Ids(JsonConfig json, string key) => json.OneOrMoreInts(key, 0, ModelConfigJson.MaxLayers);
}
