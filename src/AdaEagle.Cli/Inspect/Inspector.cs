using System.Text.Json.Nodes;
using AdaEagle.Formats;

namespace AdaEagle.Cli.Inspect;

/// <summary>Finds out what a path holds, and describes it. Every description begins with <c>kind</c> and <c>path</c>.</summary>
internal static class Inspector
{
    /// <summary>What can be described, for messages.</summary>
    public const string Readable =
        "a model's, draft head's or predictor's folder, .gguf, .safetensors, PyTorch's .bin, tokenizer.json, config.json, generation_config.json, a chat template, or .jsonl (also packed with gzip) of questions or documents";

    // By what a file's name ends with; the first that fits counts.
    private static readonly (string End, Func<string, JsonObject> Describe)[] s_files =
    [
        (".gguf", GgufFiles.Describe),
        (".safetensors", path => Tensors(path, SafeTensors.Open)),
        (".bin", path => Tensors(path, TorchCheckpoint.Open)),
        ("generation_config.json", path => Texts.GenerationConfig(path)),
        ("tokenizer_config.json", path => Texts.Template(Folder(path))),
        (".jinja", path => Texts.Template(Folder(path))),
        ("tokenizer.json", Texts.Tokenizer),
        ("config.json", path => Models.Config(path)),
        (".jsonl", JsonLines.Describe),
        (".jsonl.gz", JsonLines.Describe),
    ];

    /// <summary>Describes a path.</summary>
    /// <exception cref="ModelFormatException">It is nothing that can be read; the message says why.</exception>
    public static JsonObject Describe(string path)
    {
        if (Directory.Exists(path))
        {
            return Models.Folder(path);
        }

        if (!File.Exists(path))
        {
            throw new ModelFormatException(path, null, "there is no such file or folder", "Check the name");
        }

        foreach ((string end, Func<string, JsonObject> describe) in s_files)
        {
            if (path.EndsWith(end, StringComparison.OrdinalIgnoreCase))
            {
                return describe(path);
            }
        }

        throw new ModelFormatException(path, null, "this kind of file is not known", "Readable: " + Readable);
    }

    /// <summary>Begins a description.</summary>
    public static JsonObject Begin(string kind, string path) => new() { ["kind"] = kind, ["path"] = path };

    /// <summary>How many tensors and bytes there are of each type.</summary>
    public static JsonArray Formats(ITensorSource source) => [.. source.Tensors.Values.GroupBy(tensor => tensor.Type).OrderBy(group => group.Key).Select(group => (JsonNode)new JsonObject
    {
        ["type"] = group.Key.ToString(), ["tensors"] = group.Count(), ["bytes"] = group.Sum(tensor => tensor.ByteLength),
    })];

    /// <summary>Every tensor.</summary>
    public static JsonArray Tensors(ITensorSource source) => [.. source.Tensors.Values.Select(tensor => (JsonNode)new JsonObject
    {
        ["name"] = tensor.Name, ["type"] = tensor.Type.ToString(), ["shape"] = new JsonArray([.. tensor.Shape.Select(size => (JsonNode)size)]), ["bytes"] = tensor.ByteLength,
    })];

    private static JsonObject Tensors(string path, Func<string, ITensorSource> open)
    {
        using ITensorSource source = open(path);
        JsonObject description = Begin("tensors", path);
        description["parameters"] = source.Tensors.Values.Sum(tensor => tensor.ElementCount);
        description["formats"] = Formats(source);
        if (source.Metadata.Count > 0)
        {
            description["metadata"] = new JsonObject(source.Metadata.Select(pair => KeyValuePair.Create(pair.Key, (JsonNode?)pair.Value)));
        }

        description["tensors"] = Tensors(source);
        return description;
    }

    private static string Folder(string path) => Path.GetDirectoryName(Path.GetFullPath(path))!;
}
