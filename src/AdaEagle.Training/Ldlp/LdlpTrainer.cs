using TorchSharp;
using static TorchSharp.torch;

namespace AdaEagle.Training.Ldlp;

/// <summary>How the scalar predictor is trained.</summary>
internal sealed record LdlpOptions : FitOptions
{
    /// <summary>Factor of the loss where the prediction is too short; above 1. The minimum is the lambda / (1 + lambda) quantile.</summary>
    public required double Lambda { get; init; }
}

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
        List<LdlpEpoch> epochs = MlpFit.Run(
            model.Network, inputs.shape[0], options,
            (rows, dropout) => Loss(model.Forward(inputs.index_select(0, rows), dropout), labels.index_select(0, rows), options.Lambda),
            () => Loss(model.Forward(asideInputs, 0), asideLabels, options.Lambda),
            onEpoch);
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
