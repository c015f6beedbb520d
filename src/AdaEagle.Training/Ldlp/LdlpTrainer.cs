using AdaEagle.Sampling;
using AdaEagle.Training.Torch;
using TorchSharp;
using static TorchSharp.torch;

namespace AdaEagle.Training.Ldlp;

/// <summary>How a predictor is trained.</summary>
internal sealed record LdlpOptions
{
    /// <summary>Factor of the loss where the prediction is too short; above 1. The minimum is the lambda / (1 + lambda) quantile.</summary>
    public required double Lambda { get; init; }

    public int Width { get; init; } = 64;

    /// <summary>The most epochs.</summary>
    public int Epochs { get; init; } = 30;

    /// <summary>The most time.</summary>
    public TimeSpan? Limit { get; init; }

    /// <summary>Epochs without a better loss on the answers kept aside after which it ends.</summary>
    public int Patience { get; init; } = 6;

    public int BatchSize { get; init; } = 512;

    public double Rate { get; init; } = 1e-3;

    public double WeightDecay { get; init; } = 0.1;

    public double Dropout { get; init; } = 0.3;

    public int Seed { get; init; } = 1;
}

/// <summary>One epoch: mean losses on the roots trained on (with dropout) and on those kept aside.</summary>
internal readonly record struct LdlpEpoch(int Epoch, double TrainingLoss, double AsideLoss);

/// <summary>
/// Trains a predictor with AdaEAGLE's asymmetric L1: lambda |y - k| where y is below the run length k, otherwise |y - k|. A tenth of the answers is kept aside and
/// says which epoch was the best.
/// </summary>
internal static class LdlpTrainer
{
    private const int AsideEvery = 10;

    public static (LdlpModel Model, List<LdlpEpoch> Epochs) Train(RootTable table, float[] embedding, LdlpOptions options, Action<LdlpEpoch, int> onEpoch)
    {
        RootTable aside = table.Where(index => index % AsideEvery == 0), rest = table.Where(index => index % AsideEvery != 0);
        if (aside.RootCount == 0 || rest.RootCount < options.BatchSize)
        {
            throw new InvalidDataException($"{table.RootCount} roots are too few to train a predictor on. Give more answers (--answers).");
        }

        using var outer = NewDisposeScope();
        (Tensor inputs, Tensor labels) = Tensors(rest, embedding);
        (Tensor asideInputs, Tensor asideLabels) = Tensors(aside, embedding);
        Tensor mean = inputs.mean([0]), deviation = (inputs - mean).square().mean([0]).sqrt();
        double start = BestConstant([.. rest.Answers.SelectMany(answer => answer.Roots).Select(root => root.Label)], options.Lambda);
        var model = new LdlpModel(mean, deviation, options.Width, start, options.Seed);
        using var optimizer = new AdamW(model.Parameters, 0.9, 0.999, options.WeightDecay);
        var epochs = new List<LdlpEpoch>();
        Dictionary<string, float[]> best = model.Snapshot();
        double bestLoss = double.PositiveInfinity;
        long perEpoch = inputs.shape[0] / options.BatchSize, steps = perEpoch * options.Epochs, step = 0;
        var watch = System.Diagnostics.Stopwatch.StartNew();
        for (int epoch = 1, worse = 0; epoch <= options.Epochs && worse < options.Patience && (options.Limit is null || watch.Elapsed < options.Limit); epoch++)
        {
            long[] order = [.. Enumerable.Range(0, (int)inputs.shape[0]).OrderBy(row => CounterRandom.Uniform((ulong)options.Seed, epoch, row)).Select(row => (long)row)];
            double total = 0;
            for (int batch = 0; batch < perEpoch; batch++, step++)
            {
                using var scope = NewDisposeScope();
                Tensor rows = tensor(order.AsSpan(batch * options.BatchSize, options.BatchSize).ToArray());
                Tensor loss = Loss(model.Forward(inputs.index_select(0, rows), options.Dropout), labels.index_select(0, rows), options.Lambda);
                total += loss.item<float>();
                loss.backward();
                optimizer.Step(options.Rate * Math.Min(1, (step + 1) / 50.0) * 0.5 * (1 + Math.Cos(Math.PI * step / steps)));
                Gradients.Clear(model.Parameters.Values);
            }

            double asideLoss;
            using (no_grad())
            using (NewDisposeScope())
            {
                asideLoss = Loss(model.Forward(asideInputs, 0), asideLabels, options.Lambda).item<float>();
            }

            var entry = new LdlpEpoch(epoch, total / perEpoch, asideLoss);
            epochs.Add(entry);
            onEpoch(entry, (int)perEpoch * options.BatchSize);
            worse++;
            if (asideLoss < bestLoss)
            {
                (bestLoss, best, worse) = (asideLoss, model.Snapshot(), 0);
            }
        }

        model.Restore(best);
        return (model, epochs);
    }

    /// <summary>Mean asymmetric L1.</summary>
    public static Tensor Loss(Tensor predicted, Tensor labels, double lambda)
    {
        Tensor missing = labels - predicted;
        return (missing.clamp_min(0) * lambda + (-missing).clamp_min(0)).mean();
    }

    /// <summary>The loss of one prediction.</summary>
    public static double Loss(double predicted, int label, double lambda) => predicted < label ? lambda * (label - predicted) : predicted - label;

    /// <summary>The constant with the least loss: the lambda / (1 + lambda) quantile of the labels.</summary>
    public static int BestConstant(IReadOnlyCollection<int> labels, double lambda) =>
        labels.Count == 0 ? 0 : Enumerable.Range(0, labels.Max() + 1).MinBy(constant => labels.Sum(label => Loss(constant, label, lambda)));

    private static (Tensor Inputs, Tensor Labels) Tensors(RootTable table, float[] embedding)
    {
        int hidden = table.Hidden, count = table.RootCount, row = 0;
        float[] inputs = new float[(long)count * 2 * hidden], labels = new float[count];
        foreach (AnswerRoots answer in table.Answers)
        {
            for (int root = 0; root < answer.Roots.Length; root++, row++)
            {
                embedding.AsSpan(answer.Roots[root].Token * hidden, hidden).CopyTo(inputs.AsSpan(row * 2 * hidden));
                answer.Features.AsSpan(root * hidden, hidden).CopyTo(inputs.AsSpan((2 * row + 1) * hidden));
                labels[row] = answer.Roots[root].Label;
            }
        }

        return (tensor(inputs).reshape(count, 2 * hidden), tensor(labels));
    }
}
