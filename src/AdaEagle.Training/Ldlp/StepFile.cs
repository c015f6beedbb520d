using System.Globalization;
using System.Runtime.InteropServices;
using AdaEagle.Formats;
using AdaEagle.Speculation;

namespace AdaEagle.Training.Ldlp;

/// <summary>
/// A <see cref="StepTable"/> as a file, so that predictors can be fitted again without drafting again. Safetensors: <c>features</c> F32 [roots, hidden],
/// <c>roots</c> I32 [roots, 4] (token before, token, run, steps), <c>root_values</c> F32 [roots, 4] (top, second, entropy, temperature), <c>step_values</c> F32 [steps, 12]
/// (top, second, entropy, sum, ln p of four, truth of four), <c>hidden</c> BF16 [steps, hidden], <c>answers</c> I32 [answers, 3] (job, roots, flags:
/// 1 loops, 2 cut, 4 sampled); metadata: <c>key</c>, what it was made from, and <c>categories</c>, one a line.
/// </summary>
internal static class StepFile
{
    private const int RootNumbers = 4, RootValues = 4, StepValues = 12;

    public static void Write(string path, StepTable table, string key)
    {
        StepRoot[] roots = [.. table.Answers.SelectMany(answer => answer.Roots)];
        DraftStep[] steps = [.. table.Answers.SelectMany(answer => answer.Steps)];
        ushort[] hidden = [.. table.Answers.SelectMany(answer => answer.Hidden)];
        SafeTensors.Write(
            path,
            [
                TensorData.FromF32("features", [roots.Length, table.Hidden], [.. table.Answers.SelectMany(answer => answer.Features)], TensorType.F32),
                new TensorData("roots", TensorType.I32, [roots.Length, RootNumbers], RootFile.Bytes([.. roots.SelectMany(root => (int[])[root.Before, root.Token, root.Run, root.Steps])])),
                TensorData.FromF32("root_values", [roots.Length, RootValues], [.. roots.SelectMany(root => (float[])[root.Signals.Top, root.Signals.Second, root.Signals.Entropy, root.Temperature])], TensorType.F32),
                TensorData.FromF32("step_values", [steps.Length, StepValues], [.. steps.SelectMany(Values)], TensorType.F32),
                new TensorData("hidden", TensorType.BF16, [steps.Length, table.Hidden], MemoryMarshal.AsBytes(hidden.AsSpan()).ToArray()),
                new TensorData("answers", TensorType.I32, [table.Answers.Count, 3], RootFile.Bytes([.. table.Answers.SelectMany(answer =>
                    (int[])[answer.Job, answer.Roots.Length, (answer.IsLooping ? 1 : 0) | (answer.IsCut ? 2 : 0) | (answer.IsSampled ? 4 : 0)])])),
            ],
            new Dictionary<string, string>
            {
                ["key"] = key, ["k_max"] = table.MaxDraft.ToString(CultureInfo.InvariantCulture), ["categories"] = string.Join('\n', table.Answers.Select(answer => answer.Category)),
            });
    }

    /// <summary>The table of a file that was made from the same things; null where there is none.</summary>
    public static StepTable? TryRead(string path, int hidden, string key)
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

        int[] roots = RootFile.Ints(source, "roots"), answers = RootFile.Ints(source, "answers");
        float[] features = source.ReadF32("features", roots.Length / RootNumbers, hidden), rootValues = source.ReadF32("root_values", roots.Length / RootNumbers, RootValues), steps = source.ReadF32("step_values");
        byte[] bytes = new byte[source.Tensors["hidden"].ByteLength];
        source.Read("hidden", 0, bytes);
        ReadOnlySpan<ushort> rows = MemoryMarshal.Cast<byte, ushort>(bytes);
        string[] categories = source.Metadata["categories"].Split('\n');
        var read = new List<AnswerSteps>();
        for (int number = 0, root = 0, step = 0; number < answers.Length / 3; number++)
        {
            int count = answers[(3 * number) + 1], flags = answers[(3 * number) + 2], firstRoot = root, firstStep = step;
            var own = new StepRoot[count];
            for (; root < firstRoot + count; root++)
            {
                ReadOnlySpan<int> numbers = roots.AsSpan(root * RootNumbers, RootNumbers);
                ReadOnlySpan<float> values = rootValues.AsSpan(root * RootValues, RootValues);
                own[root - firstRoot] = new StepRoot(
                    numbers[0], numbers[1], numbers[2], new DraftSignals(values[0], values[1], values[2]), values[3], step - firstStep, numbers[3]);
                step += numbers[3];
            }

            read.Add(new AnswerSteps(
                answers[3 * number], categories[number], (flags & 1) != 0, (flags & 2) != 0, (flags & 4) != 0, own,
                [.. Enumerable.Range(firstStep, step - firstStep).Select(index => Step(steps.AsSpan(index * StepValues, StepValues)))],
                features[(firstRoot * hidden)..(root * hidden)], rows[(firstStep * hidden)..(step * hidden)].ToArray()));
        }

        return new StepTable(hidden, int.Parse(source.Metadata["k_max"], CultureInfo.InvariantCulture), read);
    }

    private static float[] Values(DraftStep step) =>
    [
        step.Signals.Top, step.Signals.Second, step.Signals.Entropy, step.Sum,
        step.LogProbabilities.First, step.LogProbabilities.Second, step.LogProbabilities.Third, step.LogProbabilities.Fourth,
        step.Truth.First, step.Truth.Second, step.Truth.Third, step.Truth.Fourth,
    ];

    private static DraftStep Step(ReadOnlySpan<float> values) => new(
        new DraftSignals(values[0], values[1], values[2]), values[3], new Four(values[4], values[5], values[6], values[7]), new Four(values[8], values[9], values[10], values[11]));
}
