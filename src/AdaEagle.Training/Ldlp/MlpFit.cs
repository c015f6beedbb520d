using AdaEagle.Sampling;
using AdaEagle.Training.Torch;
using TorchSharp;
using static TorchSharp.torch;

namespace AdaEagle.Training.Ldlp;

/// <summary>How a predictor's network is fitted.</summary>
internal record FitOptions
{
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

/// <summary>One epoch: mean losses on the rows trained on (with dropout) and on those kept aside.</summary>
internal readonly record struct LdlpEpoch(int Epoch, double TrainingLoss, double AsideLoss);

/// <summary>Fits a predictor's network: AdamW, warm-up and cosine, early stopping on the loss of answers kept aside, whose best epoch is taken.</summary>
internal static class MlpFit
{
    private const int WarmUp = 50;

    /// <param name="model">The network.</param>
    /// <param name="count">Rows to train on.</param>
    /// <param name="options">How.</param>
    /// <param name="loss">Mean loss of some rows (I64 [batch]), with dropout.</param>
    /// <param name="asideLoss">Mean loss of what is kept aside.</param>
    /// <param name="onEpoch">Told of every epoch, with the rows it went through.</param>
    public static List<LdlpEpoch> Run(ResidualMlpModel model, long count, FitOptions options, Func<Tensor, double, Tensor> loss, Func<Tensor> asideLoss, Action<LdlpEpoch, int> onEpoch)
    {
        using var optimizer = new AdamW(model.Parameters, 0.9, 0.999, options.WeightDecay);
        var epochs = new List<LdlpEpoch>();
        Dictionary<string, float[]> best = model.Snapshot();
        double bestLoss = double.PositiveInfinity;
        long perEpoch = count / options.BatchSize, steps = perEpoch * options.Epochs, step = 0;
        var watch = System.Diagnostics.Stopwatch.StartNew();
        for (int epoch = 1, worse = 0; epoch <= options.Epochs && worse < options.Patience && (options.Limit is null || watch.Elapsed < options.Limit); epoch++)
        {
            long[] order = [.. Enumerable.Range(0, (int)count).OrderBy(row => CounterRandom.Uniform((ulong)options.Seed, epoch, row)).Select(row => (long)row)];
            double total = 0;
            for (int batch = 0; batch < perEpoch; batch++, step++)
            {
                using var scope = NewDisposeScope();
                Tensor value = loss(tensor(order.AsSpan(batch * options.BatchSize, options.BatchSize).ToArray()), options.Dropout);
                total += value.item<float>();
                value.backward();
                optimizer.Step(options.Rate * Math.Min(1, (step + 1.0) / WarmUp) * 0.5 * (1 + Math.Cos(Math.PI * step / steps)));
                Gradients.Clear(model.Parameters.Values);
            }

            double aside;
            using (no_grad())
            using (NewDisposeScope())
            {
                aside = asideLoss().item<float>();
            }

            var entry = new LdlpEpoch(epoch, total / perEpoch, aside);
            epochs.Add(entry);
            onEpoch(entry, (int)perEpoch * options.BatchSize);
            worse++;
            if (aside < bestLoss)
            {
                (bestLoss, best, worse) = (aside, model.Snapshot(), 0);
            }
        }

        model.Restore(best);
        return epochs;
    }
}
