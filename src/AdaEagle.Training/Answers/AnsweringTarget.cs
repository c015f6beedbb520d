using System.Security.Cryptography;
using AdaEagle.Formats;
using AdaEagle.Models;
using AdaEagle.Tokenization;

namespace AdaEagle.Training.Answers;

/// <summary>A finished target in its folder, with what its answers and heads need.</summary>
internal sealed class AnsweringTarget : IDisposable
{
    private AnsweringTarget(string folder, LlamaModel model, ITokenizer tokenizer, ChatTemplate? template, int[] endTokens, string fingerprint) =>
        (Folder, Model, Tokenizer, Template, EndTokens, Fingerprint) = (folder, model, tokenizer, template, endTokens, fingerprint);

    public string Folder { get; }

    public LlamaModel Model { get; }

    public ITokenizer Tokenizer { get; }

    public ChatTemplate? Template { get; }

    /// <summary>Tokens that end an answer.</summary>
    public IReadOnlyList<int> EndTokens { get; }

    /// <summary>SHA-256 over the weight files, in hexadecimal.</summary>
    public string Fingerprint { get; }

    /// <exception cref="ModelFormatException">The folder holds no target that can be run.</exception>
    public static AnsweringTarget Load(string folder)
    {
        if (!Directory.Exists(folder))
        {
            throw new ModelFormatException(folder, null, "there is no such folder", "Give a folder in Hugging Face's layout: config.json, model.safetensors, tokenizer.json");
        }

        string fingerprint = WeightFingerprint(folder);
        ITokenizer tokenizer = AdaEagle.Tokenization.Tokenizers.Load(folder);
        LlamaModel model = LlamaModel.Load(folder);
        int[] endTokens = [.. model.Config.EosTokens.Union(GenerationConfig.Load(folder)?.EosTokens ?? [])];
        return new AnsweringTarget(folder, model, tokenizer, ChatTemplate.Load(folder), endTokens, fingerprint);
    }

    /// <summary>SHA-256 over a folder's weight files, in the order of their names.</summary>
    public static string WeightFingerprint(string folder)
    {
        using var hash = IncrementalHash.CreateHash(HashAlgorithmName.SHA256);
        foreach (string file in Directory.GetFiles(folder).Where(file => Path.GetExtension(file) is ".safetensors" or ".bin").Order(StringComparer.Ordinal))
        {
            using FileStream stream = File.OpenRead(file);
            byte[] buffer = new byte[1 << 20];
            for (int count; (count = stream.Read(buffer)) > 0;)
            {
                hash.AppendData(buffer, 0, count);
            }
        }

        return Convert.ToHexStringLower(hash.GetHashAndReset());
    }

    /// <summary>The target's embedding [vocabulary, hidden].</summary>
    public float[] Embedding() => Widen(Model.Embedding);

    /// <summary>The target's LM head [vocabulary, hidden].</summary>
    public float[] LmHead() => Widen(Model.LmHead);

    public void Dispose() => Model.Dispose();

    private static unsafe float[] Widen(Kernels.WeightMatrix matrix)
    {
        float[] values = new float[matrix.Rows * matrix.Columns];
        fixed (float* start = values)
        {
            for (int row = 0; row < matrix.Rows; row++)
            {
                matrix.UnpackRow(row, start + (long)row * matrix.Columns);
            }
        }

        return values;
    }
}
