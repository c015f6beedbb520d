using AdaEagle.Speculation.Policies;
using TorchSharp;
using static TorchSharp.torch;

namespace AdaEagle.Training.Ldlp;

/// <summary>How a survival predictor and its step estimator are trained.</summary>
internal sealed record SurvivalOptions : FitOptions
{
    /// <summary>Width of the step estimator.</summary>
    public int StepWidth { get; init; } = 32;

    /// <summary>Costs c and v of the decoding whose roots it is calibrated on.</summary>
    public double DraftCost { get; init; } = 0.05;

    public double VerifyCost { get; init; } = 0.03;
}

/// <summary>
/// Trains the survival predictor with cross-entropy on hazards: at position i, weighted with the probability that the draft was right before it, whether it is
/// right there. Then the step estimator, on plans that were made for answers they had not been trained on (the plan knows its own answers too well).
/// A tenth of the answers is kept aside: it says which epoch was the best, and on the roots of it that decoding visits both are calibrated.
/// </summary>
internal static class SurvivalTrainer
{
    private const int AsideEvery = 10;
    private const int Folds = 3;

    /// <summary>Steps that are reached less often than this teach nothing.</summary>
    private const double LeastWeight = 0.02;

    public static SurvivalModel Train(StepTable table, float[] embedding, SurvivalOptions options, Action<string, LdlpEpoch, int> onEpoch)
    {
        StepTable aside = table.Where(index => index % AsideEvery == 0), rest = table.Where(index => index % AsideEvery != 0);
        if (aside.RootCount == 0 || rest.RootCount < options.BatchSize)
        {
            throw new InvalidDataException($"{table.RootCount} roots are too few to train a predictor on. Give more answers (--answers).");
        }

        ResidualMlpModel plan = TrainPlan(rest, aside, embedding, options, (epoch, rows) => onEpoch("plan", epoch, rows));
        float[][] asidePlans = SurvivalInputs.Plans(plan, aside, embedding);
        (double scale, double shift) = Calibration.OfPlans(aside, asidePlans, options);
        plan.Recalibrate(0, table.MaxDraft - 1, scale, shift);
        asidePlans = SurvivalInputs.Plans(plan, aside, embedding);

        float[][] restPlans = new float[rest.Answers.Count][];
        for (int fold = 0; fold < Folds; fold++)
        {
            StepTable others = rest.Where(index => index % Folds != fold), own = rest.Where(index => index % Folds == fold);
            using ResidualMlpModel other = TrainPlan(others, aside, embedding, options with { Seed = options.Seed + 1 + fold }, (epoch, rows) => onEpoch($"fold {fold + 1}", epoch, rows));
            other.Recalibrate(0, table.MaxDraft - 1, scale, shift);
            float[][] plans = SurvivalInputs.Plans(other, own, embedding);
            for (int index = 0; index < plans.Length; index++)
            {
                restPlans[(index * Folds) + fold] = plans[index];
            }
        }

        ResidualMlpModel step = TrainStep(rest, restPlans, aside, asidePlans, options, (epoch, rows) => onEpoch("step", epoch, rows));
        var model = new SurvivalModel(plan, step, table.Hidden, table.MaxDraft);
        StepEstimate[][] estimates = SurvivalInputs.Estimates(step, aside, asidePlans);
        (Affine right, Affine next) = Calibration.OfEstimates(aside, asidePlans, estimates, options);
        step.Recalibrate(0, 0, right.Scale, right.Shift);
        step.Recalibrate(1, 1, next.Scale, next.Shift);
        model.Resolved = Calibration.Resolved(aside, asidePlans, SurvivalInputs.Estimates(step, aside, asidePlans));
        (model.SiblingWeights, model.SiblingBiases) = Calibration.Siblings(table);
        return model;
    }

    /// <summary>Weighted mean cross-entropy of logits [rows, outputs].</summary>
    public static Tensor Loss(Tensor logits, Tensor truth, Tensor weight) => ((nn.functional.softplus(logits) - truth * logits) * weight).sum() / weight.sum().clamp_min(1e-6);

    private static ResidualMlpModel TrainPlan(StepTable rest, StepTable aside, float[] embedding, SurvivalOptions options, Action<LdlpEpoch, int> onEpoch)
    {
        using var scope = NewDisposeScope();
        Tensor inputs = SurvivalInputs.Roots(rest, embedding), asideInputs = SurvivalInputs.Roots(aside, embedding);
        (Tensor truth, Tensor weight) = PlanLabels(rest);
        (Tensor asideTruth, Tensor asideWeight) = PlanLabels(aside);
        using var none = no_grad();
        Tensor shares = (truth * weight).sum([0]) / weight.sum([0]).clamp_min(1e-6);
        float[] start = [.. shares.clamp(0.02, 0.98).logit().data<float>()];
        using var grad = enable_grad();
        return Fit("plan.", inputs, truth, weight, asideInputs, asideTruth, asideWeight, options.Width, SurvivalWeights.PlanBlocks, start, options, onEpoch);
    }

    private static ResidualMlpModel TrainStep(
        StepTable rest, float[][] restPlans, StepTable aside, float[][] asidePlans, SurvivalOptions options, Action<LdlpEpoch, int> onEpoch)
    {
        using var scope = NewDisposeScope();
        (Tensor inputs, Tensor truth, Tensor weight) = StepLabels(rest, restPlans);
        (Tensor asideInputs, Tensor asideTruth, Tensor asideWeight) = StepLabels(aside, asidePlans);
        return Fit("step.", inputs, truth, weight, asideInputs, asideTruth, asideWeight, options.StepWidth, SurvivalWeights.StepBlocks, [0.5f, 0.5f], options, onEpoch);
    }

    private static ResidualMlpModel Fit(
        string prefix, Tensor inputs, Tensor truth, Tensor weight, Tensor asideInputs, Tensor asideTruth, Tensor asideWeight, int width, int blocks, float[] start, SurvivalOptions options,
        Action<LdlpEpoch, int> onEpoch)
    {
        Tensor mean = inputs.mean([0]), deviation = (inputs - mean).square().mean([0]).sqrt();
        var model = new ResidualMlpModel(prefix, mean, deviation, width, blocks, start, options.Seed);
        MlpFit.Run(
            model, inputs.shape[0], options,
            (rows, dropout) => Loss(model.Forward(inputs.index_select(0, rows), dropout), truth.index_select(0, rows), weight.index_select(0, rows)),
            () => Loss(model.Forward(asideInputs, 0), asideTruth, asideWeight),
            onEpoch);
        return model;
    }

    /// <summary>At [root, i - 1]: whether step i is right, and the probability that all before it are; zero behind what was recorded.</summary>
    private static (Tensor Truth, Tensor Weight) PlanLabels(StepTable table)
    {
        int width = table.MaxDraft, row = 0;
        float[] truth = new float[table.RootCount * width], weight = new float[table.RootCount * width];
        foreach (AnswerSteps answer in table.Answers)
        {
            for (int root = 0; root < answer.Roots.Length; root++, row++)
            {
                float reach = 1;
                ReadOnlySpan<DraftStep> steps = answer.StepsOf(root);
                for (int i = 0; i < steps.Length && reach > 0; i++)
                {
                    truth[(row * width) + i] = steps[i].Truth.First;
                    weight[(row * width) + i] = reach;
                    reach *= steps[i].Truth.First;
                }
            }
        }

        return (tensor(truth).reshape(-1, width), tensor(weight).reshape(-1, width));
    }

    /// <summary>A row for each step that the draft may reach: is it right, and is the next one.</summary>
    private static (Tensor Inputs, Tensor Truth, Tensor Weight) StepLabels(StepTable table, float[][] plans)
    {
        var truth = new List<float>();
        var weight = new List<float>();
        var chosen = new List<(int Answer, int Root, int Step)>();
        for (int number = 0; number < table.Answers.Count; number++)
        {
            for (int root = 0; root < table.Answers[number].Roots.Length; root++)
            {
                float reach = 1;
                ReadOnlySpan<DraftStep> steps = table.Answers[number].StepsOf(root);
                for (int i = 0; i < steps.Length && reach > LeastWeight; i++)
                {
                    float right = steps[i].Truth.First;
                    bool isFollowed = i + 1 < steps.Length;
                    chosen.Add((number, root, i));
                    truth.AddRange([right, isFollowed ? steps[i + 1].Truth.First : 0]);
                    weight.AddRange([reach, isFollowed ? reach * right : 0]);
                    reach *= right;
                }
            }
        }

        return (SurvivalInputs.Steps(table, plans, chosen), tensor(truth.ToArray()).reshape(-1, 2), tensor(weight.ToArray()).reshape(-1, 2));
    }
}
