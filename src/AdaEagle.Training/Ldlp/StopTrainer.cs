using AdaEagle.Speculation.Policies;
using TorchSharp;
using static TorchSharp.torch;

namespace AdaEagle.Training.Ldlp;

/// <summary>How a stop head is trained.</summary>
internal sealed record StopOptions : FitOptions
{
    /// <summary>What a rejected token weighs in the loss; an accepted one weighs 1.</summary>
    public double RejectWeight { get; init; } = 6;
}

/// <summary>
/// Trains a stop head as SpecDec++ does (arXiv 2405.19715): cross-entropy of acceptance, in which rejections weigh more, with the target's own probability of a token as its truth where answers were sampled. Every step
/// counts with the probability that the draft is right until there. A tenth of the answers is kept aside, and says which epoch was the best.
/// </summary>
internal static class StopTrainer
{
    private const int AsideEvery = 10;

    /// <summary>Steps that are reached less often than this teach nothing.</summary>
    private const double LeastWeight = 0.02;

    public static (StopModel Model, List<LdlpEpoch> Epochs) Train(StepTable table, StopOptions options, Action<LdlpEpoch, int> onEpoch)
    {
        StepTable aside = table.Where(index => index % AsideEvery == 0), rest = table.Where(index => index % AsideEvery != 0);
        using var scope = NewDisposeScope();
        (Tensor inputs, Tensor truth, Tensor weight) = Steps(rest);
        (Tensor asideInputs, Tensor asideTruth, Tensor asideWeight) = Steps(aside);
        if (asideInputs.shape[0] == 0 || inputs.shape[0] < options.BatchSize)
        {
            throw new InvalidDataException($"{inputs.shape[0]} draft steps are too few to train a stop head on. Give more answers (--answers).");
        }

        Tensor mean = inputs.mean([0]), deviation = (inputs - mean).square().mean([0]).sqrt();
        // It begins with the constant that is best.
        double share = Math.Clamp((truth * weight).sum().item<float>() / weight.sum().item<float>(), 0.02, 0.98);
        var network = new ResidualMlpModel("", mean, deviation, options.Width, StopWeights.UsualBlocks, [(float)Math.Log(share / (options.RejectWeight * (1 - share)))], options.Seed);
        List<LdlpEpoch> epochs = MlpFit.Run(
            network, inputs.shape[0], options,
            (rows, dropout) => Loss(network.Forward(inputs.index_select(0, rows), dropout), truth.index_select(0, rows), weight.index_select(0, rows), options.RejectWeight),
            () => Loss(network.Forward(asideInputs, 0), asideTruth, asideWeight, options.RejectWeight),
            onEpoch);
        return (new StopModel(network, table.MaxDraft), epochs);
    }

    /// <summary>Weighted mean of -(y ln p + r (1 - y) ln (1 - p)), p = sigmoid(logit), r the weight of rejections. All [rows, 1].</summary>
    public static Tensor Loss(Tensor logits, Tensor truth, Tensor weight, double rejectWeight) =>
        (((truth * nn.functional.softplus(-logits)) + ((1 - truth) * nn.functional.softplus(logits) * rejectWeight)) * weight).sum() / weight.sum().clamp_min(1e-6);

    /// <summary>The head's output rows [steps, hidden] of the steps that a draft may reach, in order; whether their tokens are right, and how often the draft gets there, [steps, 1].</summary>
    public static (Tensor Inputs, Tensor Truth, Tensor Weight) Steps(StepTable table)
    {
        var truth = new List<float>();
        var weight = new List<float>();
        var chosen = new List<(AnswerSteps Answer, int Step)>();
        foreach (AnswerSteps answer in table.Answers)
        {
            for (int root = 0; root < answer.Roots.Length; root++)
            {
                float reach = 1;
                ReadOnlySpan<DraftStep> steps = answer.StepsOf(root);
                for (int i = 0; i < steps.Length && reach > LeastWeight; i++)
                {
                    chosen.Add((answer, answer.Roots[root].FirstStep + i));
                    truth.Add(steps[i].Truth.First);
                    weight.Add(reach);
                    reach *= steps[i].Truth.First;
                }
            }
        }

        float[] inputs = new float[(long)chosen.Count * table.Hidden];
        for (int row = 0; row < chosen.Count; row++)
        {
            chosen[row].Answer.ReadHidden(chosen[row].Step, inputs.AsSpan(row * table.Hidden, table.Hidden));
        }

        return (tensor(inputs).reshape(-1, table.Hidden), tensor(truth.ToArray()).reshape(-1, 1), tensor(weight.ToArray()).reshape(-1, 1));
    }
}
