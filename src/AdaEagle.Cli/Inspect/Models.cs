using System.Text.Json;
using System.Text.Json.Nodes;
using AdaEagle.Formats;

namespace AdaEagle.Cli.Inspect;

/// <summary>Describes folders of models, draft heads and predictors by their configuration and the list of their tensors; no weight is read.</summary>
internal static class Models
{
    // By the kind that their configuration names, and by which their folder in a model's goes too.
    private static readonly (string Kind, string Name)[] s_predictors = [("ldlp", "draft length predictor"), ("survival", "survival predictor"), ("stop", "stop head")];

    /// <summary>Describes a folder.</summary>
    public static JsonObject Folder(string path)
    {
        if (!File.Exists(ConfigFile(path)))
        {
            throw new ModelFormatException(path, null, "the folder holds no config.json, so it is no model's, draft head's or predictor's", "Readable: " + Inspector.Readable);
        }

        if (PredictorName(ConfigFile(path)) is { } name)
        {
            return Predictor(path, name);
        }

        using ITensorSource source = Checkpoint.Open(path);
        return IsHead(source) ? Head(path, source, null) : Model(path, source);
    }

    /// <summary>Describes a <c>config.json</c>.</summary>
    public static JsonObject Config(string file)
    {
        JsonObject description = Inspector.Begin("configuration", file);
        if (PredictorName(file) is not null)
        {
            foreach ((string key, JsonNode? value) in JsonNode.Parse(File.ReadAllText(file))!.AsObject())
            {
                description[key] = value?.DeepClone();
            }
        }
        else
        {
            Add(description, ModelConfig.Parse(JsonConfig.ReadText(file, JsonConfig.ConfigLimit), file));
        }

        return description;
    }

    /// <summary>Bytes of weights that a pass over one row streams, as they are stored: layers and LM head.</summary>
    public static long PassBytes(ITensorSource source) => LayerBytes(source) + LmHeadBytes(source);

    /// <summary>Adds what a configuration says.</summary>
    public static void Add(JsonObject description, ModelConfig config)
    {
        description["model_type"] = config.ModelType;
        description["architectures"] = new JsonArray([.. config.Architectures.Select(name => (JsonNode)name)]);
        description["hidden_size"] = config.HiddenSize;
        description["layers"] = config.LayerCount;
        description["heads"] = config.HeadCount;
        description["key_value_heads"] = config.KeyValueHeadCount;
        description["head_dimension"] = config.HeadDimension;
        description["intermediate_size"] = config.IntermediateSize;
        description["vocabulary"] = config.VocabularySize;
        description["context"] = config.MaxPositions;
        description["rope"] = config.RopeScaling is { } scaling ? $"theta {config.RopeTheta:R}, {scaling.Kind} scaling by {scaling.Factor:R}" : $"theta {config.RopeTheta:R}";
        description["tied_embeddings"] = config.TieWordEmbeddings;
        description["trained_with_vocabulary"] = config.VocabularyFingerprint;
    }

    private static JsonObject Model(string path, ITensorSource source)
    {
        ModelConfig config = ModelConfig.Load(path);
        JsonObject description = Inspector.Begin("model", path);
        Add(description, config);
        long lmHead = LmHeadBytes(source);
        long pass = PassBytes(source);
        description["parameters"] = ModelFacts.Parameters(source, config.TieWordEmbeddings);
        description["formats"] = Inspector.Formats(source);
        description["pass_bytes"] = pass;
        description["end_tokens"] = new JsonArray([.. config.EosTokens.Union(GenerationConfig.Load(path)?.EosTokens ?? []).Select(token => (JsonNode)token)]);
        description["tokenizer"] = File.Exists(Path.Combine(path, "tokenizer.json")) ? Texts.Tokenizer(Path.Combine(path, "tokenizer.json")) : null;
        description["chat_template"] = Texts.TemplateOrNull(path);
        description["eagle"] = Part(path, "eagle", folder =>
        {
            using ITensorSource head = Checkpoint.Open(folder);
            return Head(folder, head, (pass, lmHead));
        });
        foreach ((string kind, string name) in s_predictors)
        {
            description[kind] = Part(path, kind, folder => Predictor(folder, name));
        }

        return description;
    }

    /// <summary>Describes a draft head; where its target is known, also what a draft step costs.</summary>
    private static JsonObject Head(string path, ITensorSource source, (long Pass, long LmHead)? target)
    {
        JsonObject description = Inspector.Begin("draft head", path);
        bool isEagle3 = IsEagle3(source);
        description["generation"] = isEagle3 ? "EAGLE-3" : "EAGLE-1";
        var config = ModelConfig.Load(path);
        Add(description, config);
        if (isEagle3)
        {
            AddEagle3(description, config.Eagle3 ?? new Eagle3Config(), config.VocabularySize);
        }

        description["parameters"] = source.Tensors.Values.Where(tensor => !IsEmbedding(tensor)).Sum(tensor => tensor.ElementCount);
        description["own_embedding"] = source.Tensors.Values.Any(IsEmbedding);
        description["formats"] = Inspector.Formats(source);
        // A drafted row of EAGLE-3 does not go through fc, and its LM head is its own.
        long own = LayerBytes(source) + (isEagle3 ? LmHeadBytes(source) - FuseBytes(source) : 0);
        description["own_step_bytes"] = own;
        if (target is { } known)
        {
            long step = own + (isEagle3 ? 0 : known.LmHead);
            description["step_bytes"] = step;
            description["draft_cost"] = (double)step / known.Pass;
        }

        return description;
    }

    private static void AddEagle3(JsonObject description, Eagle3Config eagle, int vocabulary)
    {
        description["draft_vocabulary"] = eagle.DraftVocabularySize ?? vocabulary;
        description["boundaries"] = eagle.Boundaries is { } boundaries ? new JsonArray([.. boundaries.Select(boundary => (JsonNode)boundary)]) : "2, L/2, L-3 of the target's L layers";
        (bool Is, string Name)[] variants =
        [
            (eagle.NormBeforeResidual ?? false, "norm_before_residual"), (eagle.NormBeforeFc, "norm_before_fc"), (eagle.FcNorm, "fc_norm"),
            (eagle.NormOutput ?? false, "norm_output"), (eagle.Speculators, "speculators layout"),
        ];
        description["variants"] = new JsonArray([.. variants.Where(variant => variant.Is).Select(variant => (JsonNode)variant.Name)]);
    }

    private static JsonObject Predictor(string path, string name)
    {
        JsonObject description = Config(ConfigFile(path));
        description["kind"] = name;
        description["path"] = path;
        using ITensorSource source = Checkpoint.Open(path);
        description["parameters"] = source.Tensors.Values.Sum(tensor => tensor.ElementCount);
        description["formats"] = Inspector.Formats(source);
        return description;
    }

    private static JsonObject? Part(string path, string name, Func<string, JsonObject> describe) =>
        Directory.Exists(Path.Combine(path, name)) ? describe(Path.Combine(path, name)) : null;

    private static string ConfigFile(string folder) => Path.Combine(folder, "config.json");

    /// <summary>What the predictor is called that a configuration is one of; null where it is none's.</summary>
    private static string? PredictorName(string configFile)
    {
        try
        {
            using JsonDocument document = JsonDocument.Parse(JsonConfig.ReadText(configFile, JsonConfig.ConfigLimit));
            return document.RootElement.ValueKind == JsonValueKind.Object && document.RootElement.TryGetProperty("adaeagle_kind", out JsonElement kind) && kind.ValueKind == JsonValueKind.String
                ? s_predictors.FirstOrDefault(predictor => predictor.Kind == kind.GetString()).Name
                : null;
        }
        catch (JsonException failure)
        {
            throw new ModelFormatException(configFile, null, "is not JSON: " + failure.Message.TrimEnd('.'), "Fetch it again", failure);
        }
    }

    private static bool IsHead(ITensorSource source) => source.Tensors.ContainsKey("fc.weight") || source.Tensors.ContainsKey("d2t") || IsEagle3(source);

    private static bool IsEagle3(ITensorSource source) => source.Tensors.Keys.Any(name => name.EndsWith("hidden_norm.weight", StringComparison.Ordinal));

    private static bool IsEmbedding(TensorInfo tensor) => tensor.Name.EndsWith("embed_tokens.weight", StringComparison.Ordinal);

    // What a pass streams: matrices; vectors and the rows that are looked up weigh nothing beside them.
    private static long LayerBytes(ITensorSource source) =>
        source.Tensors.Values.Where(tensor => tensor.Shape.Count == 2 && !IsEmbedding(tensor) && !IsLmHead(tensor)).Sum(tensor => tensor.ByteLength);

    private static long LmHeadBytes(ITensorSource source) =>
        (source.Tensors.Values.FirstOrDefault(IsLmHead) ?? source.Tensors.Values.FirstOrDefault(IsEmbedding))?.ByteLength ?? 0;

    private static long FuseBytes(ITensorSource source) => source.Tensors.Values.Where(tensor => tensor.Name is "fc.weight" or "model.fc.weight").Sum(tensor => tensor.ByteLength);

    private static bool IsLmHead(TensorInfo tensor) => tensor.Name is "lm_head.weight" or "model.lm_head.weight";
}
