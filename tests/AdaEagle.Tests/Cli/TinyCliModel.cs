using AdaEagle.Cli;
using AdaEagle.Formats;
using AdaEagle.Generation;
using AdaEagle.Tests.Models;
using AdaEagle.Tokenization;

namespace AdaEagle.Tests.Cli;

/// <summary>
/// A tiny model folder with all its parts: byte tokenizer, chat template, draft head and predictor. The target mostly says which token follows
/// which, and the head knows that, so that some drafts are accepted and some are not.
/// </summary>
public sealed class TinyCliModel : IDisposable
{
    private const int Bytes = 256;
    private const int Width = 32;

    private static readonly string[] s_special = ["<|end|>", "<|user|>", "<|assistant|>"];

    private static readonly ModelConfig s_config = TinyModels.Config with
    {
        VocabularySize = Bytes + s_special.Length, TieWordEmbeddings = false, EosTokens = [Bytes], MaxPositions = 512,
    };

    public TinyCliModel()
    {
        Folder = TinyModels.Write(s_config, seed: 3, head: s_config with { LayerCount = 1, FcBias = false, TieWordEmbeddings = true }, scale: 0.15f);
        TensorData[] target = Read(Folder);
        float[] embedding = Values(target, "model.embed_tokens.weight");
        Replace(Folder, target, "lm_head.weight", Successors(embedding));
        string eagle = Path.Combine(Folder, "eagle");
        Replace(eagle, Read(eagle), "fc.weight", TakeEmbedding());
        WritePredictor(Path.Combine(Folder, "ldlp"));
        TokenizerJson.Write(
            Path.Combine(Folder, "tokenizer.json"), [.. Enumerable.Range(0, Bytes).Select(value => ByteAlphabet.ToText([(byte)value]))], [], "[\\s\\S]+", s_special);
        File.WriteAllText(Path.Combine(Folder, "tokenizer_config.json"), """
            {"chat_template": "{% for m in messages %}<|{{ m.role }}|>{{ m.content }}<|end|>{% endfor %}{% if add_generation_prompt %}<|assistant|>{% endif %}"}
            """);
    }

    public string Folder { get; }

    /// <summary>The options that name it. One thread: its passes are too short to share.</summary>
    public string[] Options => ["--model", Folder, "--threads", "1"];

    /// <summary>Loads it.</summary>
    public LanguageModel Load() => LanguageModel.Load(Folder, new LoadOptions { Threads = 1 });

    /// <summary>Runs a command line on it.</summary>
    internal CliRun Run(params string[] arguments) => CliRun.Of([.. arguments, .. Options]);

    public void Dispose() => Directory.Delete(Folder, recursive: true);

    // Token i is followed by (7 i + 3) mod V where the layers don't say otherwise.
    private static float[] Successors(float[] embedding)
    {
        int hidden = s_config.HiddenSize, size = s_config.VocabularySize;
        float[] head = new float[embedding.Length];
        for (int token = 0; token < size; token++)
        {
            embedding.AsSpan(token * hidden, hidden).CopyTo(head.AsSpan(((7 * token) + 3) % size * hidden));
        }

        return head;
    }

    // fc's first columns read the embedding: it is handed on, the feature is left out.
    private static float[] TakeEmbedding()
    {
        int hidden = s_config.HiddenSize;
        float[] fuse = new float[hidden * 2 * hidden];
        for (int i = 0; i < hidden; i++)
        {
            fuse[(i * 2 * hidden) + i] = 1;
        }

        return fuse;
    }

    private static void WritePredictor(string folder)
    {
        int hidden = s_config.HiddenSize;
        var random = new Random(5);
        Directory.CreateDirectory(folder);
        File.WriteAllText(Path.Combine(folder, "config.json"), $$"""{"adaeagle_kind": "ldlp", "hidden_size": {{hidden}}, "width": {{Width}}, "k_max": 8}""");
        (string, long[])[] shapes =
        [
            ("input.weight", [Width, 2 * hidden]), ("input.bias", [Width]), ("blocks.0.weight", [Width, Width]), ("blocks.0.bias", [Width]), ("blocks.1.weight", [Width, Width]),
            ("blocks.1.bias", [Width]), ("blocks.2.weight", [Width, Width]), ("blocks.2.bias", [Width]), ("output.weight", [1, Width]), ("output.bias", [1]),
        ];
        SafeTensors.Write(Path.Combine(folder, "model.safetensors"), shapes.Select(entry => TensorData.FromF32(
            entry.Item1, entry.Item2, [.. Enumerable.Range(0, (int)entry.Item2.Aggregate((a, b) => a * b)).Select(_ => (random.NextSingle() - 0.4f) * 0.5f)], TensorType.F32)));
    }

    private static TensorData[] Read(string folder)
    {
        using ITensorSource source = Checkpoint.Open(folder);
        return [.. source.Tensors.Values.Select(tensor => TensorData.FromF32(tensor.Name, tensor.Shape, source.ReadF32(tensor.Name, [.. tensor.Shape]), TensorType.F32))];
    }

    private static float[] Values(TensorData[] tensors, string name) =>
        System.Runtime.InteropServices.MemoryMarshal.Cast<byte, float>(tensors.Single(tensor => tensor.Name == name).Bytes.Span).ToArray();

    private static void Replace(string folder, TensorData[] tensors, string name, float[] values)
    {
        int index = Array.FindIndex(tensors, tensor => tensor.Name == name);
        tensors[index] = TensorData.FromF32(name, tensors[index].Shape, values, TensorType.F32);
        SafeTensors.Write(Path.Combine(folder, "model.safetensors"), tensors);
    }
}

/// <summary>A command line that ran in this process: exit code and what it wrote.</summary>
internal sealed record CliRun(int Code, string Out, string Error)
{
    public static CliRun Of(params string[] arguments) => With("", arguments);

    public static CliRun With(string input, params string[] arguments)
    {
        using var output = new StringWriter();
        using var error = new StringWriter();
        int code = CommandLine.Run(arguments, new Terminal(new StringReader(input), output, error));
        return new CliRun(code, output.ToString(), error.ToString());
    }

    /// <summary>Asserts a failure that is told in one line on stderr, with nothing on stdout.</summary>
    public CliRun FailsWith(int code, params string[] parts)
    {
        Assert.Equal(code, Code);
        Assert.Empty(Out);
        string line = Assert.Single(Error.TrimEnd('\n').Split('\n'));
        Assert.StartsWith("adaeagle: ", line, StringComparison.Ordinal);
        Assert.DoesNotContain("unexpected", line, StringComparison.Ordinal);
        Assert.All(parts, part => Assert.Contains(part, line, StringComparison.Ordinal));
        return this;
    }
}
