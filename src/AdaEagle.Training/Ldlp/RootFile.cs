using System.Runtime.InteropServices;
using AdaEagle.Formats;

namespace AdaEagle.Training.Ldlp;

/// <summary>
/// A <see cref="RootTable"/> as a file, so that predictors can be fitted again without drafting again. Safetensors: <c>features</c> F32
/// [roots, hidden], <c>tokens</c> and <c>labels</c> I32 [roots], <c>sums</c> F32 [roots, k_max] (absent where drafts were not recorded whole), <c>answers</c> I32 [answers, 3] (job, roots, flags: 1 loops, 2 cut);
/// metadata: <c>key</c>, what it was made from, and <c>categories</c>, one a line.
/// </summary>
internal static class RootFile
{
    public static void Write(string path, RootTable table, string key)
    {
        int count = table.RootCount;
        PredictorRoot[] roots = [.. table.Answers.SelectMany(answer => answer.Roots)];
        float[] sums = [.. roots.SelectMany(root => root.LogProbabilities)];
        int[] answers = [.. table.Answers.SelectMany(answer => (int[])[answer.Job, answer.Roots.Length, (answer.IsLooping ? 1 : 0) | (answer.IsCut ? 2 : 0)])];
        SafeTensors.Write(
            path,
            [
                TensorData.FromF32("features", [count, table.Hidden], [.. table.Answers.SelectMany(answer => answer.Features)], TensorType.F32),
                new TensorData("tokens", TensorType.I32, [count], Bytes([.. roots.Select(root => root.Token)])),
                new TensorData("labels", TensorType.I32, [count], Bytes([.. roots.Select(root => root.Label)])),
                .. sums.Length > 0 ? (TensorData[])[TensorData.FromF32("sums", [count, sums.Length / count], sums, TensorType.F32)] : [],
                new TensorData("answers", TensorType.I32, [table.Answers.Count, 3], Bytes(answers)),
            ],
            new Dictionary<string, string> { ["key"] = key, ["categories"] = string.Join('\n', table.Answers.Select(answer => answer.Category)) });
    }

    /// <summary>The table of a file that was made from the same things; null where there is none.</summary>
    public static RootTable? TryRead(string path, int hidden, string key)
    {
        if (!File.Exists(path))
        {
            return null;
        }

        using ITensorSource source = SafeTensors.Open(path);
        if (!source.Metadata.TryGetValue("key", out string? there) || there != key)
        {
            return null;
        }

        int[] tokens = Ints(source, "tokens"), labels = Ints(source, "labels"), answers = Ints(source, "answers");
        float[] features = source.ReadF32("features", tokens.Length, hidden);
        int maxDraft = source.Tensors.TryGetValue("sums", out TensorInfo? info) && info.Shape is [_, var columns] ? checked((int)columns) : 0;
        float[] sums = maxDraft > 0 ? source.ReadF32("sums", tokens.Length, maxDraft) : [];
        string[] categories = source.Metadata["categories"].Split('\n');
        var read = new List<AnswerRoots>();
        for (int number = 0, at = 0; number < answers.Length / 3; number++)
        {
            int roots = answers[3 * number + 1], start = at;
            read.Add(new AnswerRoots(
                answers[3 * number], categories[number], (answers[3 * number + 2] & 1) != 0, (answers[3 * number + 2] & 2) != 0,
                [.. Enumerable.Range(start, roots).Select(root => new PredictorRoot(tokens[root], labels[root], sums[(root * maxDraft)..((root + 1) * maxDraft)]))],
                features[(start * hidden)..((start + roots) * hidden)]));
            at += roots;
        }

        return new RootTable(hidden, read);
    }

    internal static byte[] Bytes(int[] values) => MemoryMarshal.AsBytes(values.AsSpan()).ToArray();

    internal static int[] Ints(ITensorSource source, string name)
    {
        byte[] bytes = new byte[source.Tensors[name].ByteLength];
        source.Read(name, 0, bytes);
        return MemoryMarshal.Cast<byte, int>(bytes).ToArray();
    }
}
