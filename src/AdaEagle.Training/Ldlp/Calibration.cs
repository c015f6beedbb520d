using AdaEagle.Speculation.Policies;

namespace AdaEagle.Training.Ldlp;

/// <summary>z becomes Scale z + Shift.</summary>
internal readonly record struct Affine(double Scale, double Shift);

/// <summary>Calibrates predictors on answers that they were not trained on, at the roots that decoding visits.</summary>
internal static class Calibration
{
    /// <summary>Fewer visited steps than this say nothing that the training did not.</summary>
    private const double LeastWeight = 200;

    /// <summary>Of the plan's logits.</summary>
    public static Affine OfPlans(StepTable table, float[][] plans, SurvivalOptions options)
    {
        var points = new List<LogisticFit.Point>();
        var replay = new SurvivalReplay(table, new SurvivalPredictions(plans, [], null, 0), SurvivalUse.Planned);
        replay.Run(options.DraftCost, options.VerifyCost, visit: (number, root) =>
        {
            ForEachStep(table.Answers[number].StepsOf(root), (i, truth, reach) => points.Add(Point(plans[number][(root * table.MaxDraft) + i], truth, reach)));
        });
        return Fit(points);
    }

    /// <summary>Of the step estimator's two.</summary>
    public static (Affine Right, Affine Next) OfEstimates(StepTable table, float[][] plans, StepEstimate[][] estimates, SurvivalOptions options)
    {
        var right = new List<LogisticFit.Point>();
        var next = new List<LogisticFit.Point>();
        var replay = new SurvivalReplay(table, new SurvivalPredictions(plans, estimates, null, 0.3), SurvivalUse.Revised);
        replay.Run(options.DraftCost, options.VerifyCost, visit: (number, root) =>
        {
            int first = table.Answers[number].Roots[root].FirstStep;
            ForEachStep(table.Answers[number].StepsOf(root), (i, truth, reach) =>
            {
                right.Add(Point(estimates[number][first + i].Right, truth, reach));
                if (i > 0)
                {
                    next.Add(Point(estimates[number][first + i - 1].Next, truth, reach));
                }
            });
        });
        return (Fit(right), Fit(next));
    }

    /// <summary>The share of the variance of "this token is right", known as it was before the step, that the estimate after it explains.</summary>
    public static double Resolved(StepTable table, float[][] plans, StepEstimate[][] estimates)
    {
        double explained = 0, all = 0;
        for (int number = 0; number < table.Answers.Count; number++)
        {
            for (int root = 0; root < table.Answers[number].Roots.Length; root++)
            {
                int first = table.Answers[number].Roots[root].FirstStep, plan = root * table.MaxDraft, of = number;
                ForEachStep(table.Answers[number].StepsOf(root), (i, _, reach) =>
                {
                    double before = Probability(i == 0 ? plans[of][plan] : estimates[of][first + i - 1].Next), after = Probability(estimates[of][first + i].Right);
                    explained += reach * (after - before) * (after - before);
                    all += reach * before * (1 - before);
                });
            }
        }

        return all > 0 ? Math.Clamp(explained / all, 0, 0.95) : 0;
    }

    /// <summary>For each rank a logistic of two inputs and a constant, fitted on the steps whose best child was wrong.</summary>
    public static (float[] Weights, float[] Biases) Siblings(StepTable table)
    {
        float[] weights = new float[SurvivalWeights.Siblings * SurvivalWeights.SiblingInputs], biases = new float[SurvivalWeights.Siblings];
        for (int rank = 1; rank <= SurvivalWeights.Siblings; rank++)
        {
            var points = new List<LogisticFit.Point>();
            foreach (AnswerSteps answer in table.Answers)
            {
                for (int root = 0; root < answer.Roots.Length; root++)
                {
                    float reach = 1;
                    foreach (DraftStep step in answer.StepsOf(root))
                    {
                        float missed = reach * (1 - step.Truth.First);
                        if (missed > 0.01f)
                        {
                            (float share, float best) = SurvivalPredictor.SiblingInputs(step.LogProbabilities[rank], step.Signals.Top);
                            points.Add(new LogisticFit.Point([share, best, 1], Math.Min(step.Truth[rank] / (1 - step.Truth.First), 1), missed));
                        }

                        reach *= step.Truth.First;
                    }
                }
            }

            double[] fitted = LogisticFit.Run(points, [0.5, 0, Math.Log(SurvivalWeights.UsualSiblings[rank - 1] / (1 - SurvivalWeights.UsualSiblings[rank - 1]))]);
            (weights[(rank - 1) * 2], weights[((rank - 1) * 2) + 1], biases[rank - 1]) = ((float)fitted[0], (float)fitted[1], (float)fitted[2]);
        }

        return (weights, biases);
    }

    /// <summary>Goes through a draft's steps (from 0) with the truth and the probability of getting there, as far as there is one.</summary>
    public static void ForEachStep(ReadOnlySpan<DraftStep> steps, Action<int, double, double> visit)
    {
        double reach = 1;
        for (int i = 0; i < steps.Length && reach > 0.01; i++)
        {
            visit(i, steps[i].Truth.First, reach);
            reach *= steps[i].Truth.First;
        }
    }

    private static Affine Fit(List<LogisticFit.Point> points)
    {
        if (points.Sum(point => point.Weight) < LeastWeight)
        {
            return new Affine(1, 0);
        }

        double[] fitted = LogisticFit.Run(points, [1, 0], pull: 10);
        return new Affine(Math.Clamp(fitted[0], 0.2, 3), fitted[1]);
    }

    private static LogisticFit.Point Point(float logit, double truth, double weight) => new([logit, 1], truth, weight);

    private static double Probability(float logit) => 1 / (1 + Math.Exp(-logit));
}
