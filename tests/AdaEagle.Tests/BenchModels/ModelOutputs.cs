using AdaEagle.Kernels;
using AdaEagle.Models;
using AdaEagle.Speculation.Policies;

namespace AdaEagle.Tests.BenchModels;

/// <summary>
/// What a model folder computes for a text: everything that inflation must not change. <see cref="Ways"/> lists who computes it;
/// a further way (the engine) is one more entry there.
/// </summary>
/// <param name="Features">Of every position, in the original's width.</param>
/// <param name="Logits">Of every position.</param>
/// <param name="Drafts">Outputs of the head over the text and over a chain of its own drafts, in the original's width; empty without a head.</param>
/// <param name="DraftLogits">Logits of these.</param>
/// <param name="Predictions">Of the LDLP, at every position; empty without one.</param>
internal sealed record ModelOutputs(float[][] Features, float[][] Logits, float[][] Drafts, float[][] DraftLogits, float[] Predictions)
{
    /// <summary>The name of the scalar reference's way.</summary>
    public const string Reference = "scalar reference";

    private const int ChainLength = 3;

    /// <summary>Computes the outputs of a model folder for a text; padded dimensions are asserted to be zero and cut off.</summary>
    public delegate ModelOutputs Way(string folder, int[] tokens, int originalWidth);

    /// <summary>The ways to compute them, by name: the reference, and the engine on every instruction set that this processor has.</summary>
    public static IReadOnlyDictionary<string, Way> Ways { get; } = KernelPaths.Available
        .Select(path => KeyValuePair.Create<string, Way>(Engine(path), (folder, tokens, width) => OfEngine(folder, tokens, width, path)))
        .Prepend(KeyValuePair.Create<string, Way>(Reference, OfReference))
        .ToDictionary();

    /// <summary>The name of the engine's way on one instruction set.</summary>
    public static string Engine(KernelPath path) => $"engine, {path}";

    /// <summary>By the scalar reference.</summary>
    public static ModelOutputs OfReference(string folder, int[] tokens, int originalWidth)
    {
        using var model = new ReferenceModel(folder);
        float[][] features = model.Features(tokens);
        float[][] logits = [.. features.Select(model.Logits)];
        (float[][] drafts, float[][] draftLogits) = !model.HasHead ? ([], []) : Chain(features, [.. tokens.Skip(1), ArgMax(logits[^1])], (inputs, next) =>
        {
            float[][] outputs = model.Draft(inputs, next);
            return (outputs, [.. outputs.Select(model.Logits)]);
        });
        float[] predictions = model.HasPredictor ? [.. features.Select((feature, i) => model.Predict(tokens[i], feature))] : [];
        return new(Cut(features, originalWidth), logits, Cut(drafts, originalWidth), draftLogits, predictions);
    }

    // By the engine: target, head and predictor.
    private static ModelOutputs OfEngine(string folder, int[] tokens, int originalWidth, KernelPath path)
    {
        using var model = LlamaModel.Load(folder, path: path);
        using var target = new LlamaTarget(model);
        using KvCache cache = target.CreateCache(tokens.Length);
        target.Forward(Rows(cache, tokens), PassRequest.AllLogits);
        float[][] features = [.. tokens.Select((_, row) => target.Feature(row).ToArray())];
        float[][] logits = [.. tokens.Select((_, row) => target.Logits(row).ToArray())];

        string headFolder = Path.Combine(folder, "eagle");
        using EagleHead? head = Directory.Exists(headFolder) ? EagleHead.Load(headFolder, model) : null;
        (float[][] drafts, float[][] draftLogits) = head is null ? ([], []) : Chain(features, [.. tokens.Skip(1), ArgMax(logits[^1])], (inputs, next) =>
        {
            using var runner = new EagleHeadRunner(head, WorkerPool.Shared, inputs.Length);
            using KvCache headCache = runner.CreateCache(inputs.Length);
            for (int row = 0; row < inputs.Length; row++)
            {
                inputs[row].CopyTo(runner.FeatureInput(row));
            }

            runner.Forward(Rows(headCache, next), inputs.Length);
            return ([.. inputs.Select((_, row) => runner.Output(row).ToArray())], [.. inputs.Select((_, row) => runner.Logits(row).ToArray())]);
        });
        return new(Cut(features, originalWidth), logits, Cut(drafts, originalWidth), draftLogits, Predict(Path.Combine(folder, "ldlp"), model, tokens, features));
    }

    private static float[] Predict(string folder, LlamaModel model, int[] tokens, float[][] features)
    {
        if (!Directory.Exists(folder))
        {
            return [];
        }

        using var weights = LdlpWeights.Load(folder, model);
        using var predictor = new DraftLengthPredictor(weights);
        return [.. features.Select((feature, i) => predictor.Predict(tokens[i], feature))];
    }

    // The head over the text, then over its own outputs: each step runs everything again, which keeps caches out of the comparison.
    private static (float[][] Outputs, float[][] Logits) Chain(float[][] features, int[] nextTokens, Func<float[][], int[], (float[][] Outputs, float[][] Logits)> head)
    {
        (float[][] Outputs, float[][] Logits) result = head(features, nextTokens);
        for (int step = 0; step < ChainLength; step++)
        {
            features = [.. features, result.Outputs[^1]];
            nextTokens = [.. nextTokens, ArgMax(result.Logits[^1])];
            result = head(features, nextTokens);
        }

        return result;
    }

    private static PassRows Rows(KvCache cache, int[] tokens)
    {
        var rows = new PassRows(tokens.Length);
        for (int i = 0; i < tokens.Length; i++)
        {
            rows.Add(cache, tokens[i], i - 1);
        }

        return rows;
    }

    /// <summary>Asserts that two are the same bits.</summary>
    public static void AssertSameBits(ModelOutputs expected, ModelOutputs actual)
    {
        AssertSameBits("features", expected.Features, actual.Features);
        AssertSameBits("logits", expected.Logits, actual.Logits);
        AssertSameBits("drafts", expected.Drafts, actual.Drafts);
        AssertSameBits("draft logits", expected.DraftLogits, actual.DraftLogits);
        AssertSameBits("predictions", [expected.Predictions], [actual.Predictions]);
    }

    private static void AssertSameBits(string what, float[][] expected, float[][] actual)
    {
        Assert.Equal(expected.Length, actual.Length);
        for (int row = 0; row < expected.Length; row++)
        {
            Assert.Equal(expected[row].Length, actual[row].Length);
            for (int k = 0; k < expected[row].Length; k++)
            {
                Assert.True(float.IsFinite(expected[row][k]), $"{what}, row {row}, {k}: the original gives {expected[row][k]}.");
                Assert.True(
                    BitConverter.SingleToInt32Bits(expected[row][k]) == BitConverter.SingleToInt32Bits(actual[row][k]),
                    $"{what}, row {row}, {k}: {expected[row][k]:R} became {actual[row][k]:R}.");
            }
        }
    }

    private static float[][] Cut(float[][] rows, int width)
    {
        foreach (float[] row in rows)
        {
            Assert.All(row.Skip(width), value => Assert.Equal(0, value));
        }

        return [.. rows.Select(row => row[..width])];
    }

    private static int ArgMax(float[] values) => Array.IndexOf(values, values.Max());
}
