using AdaEagle.Speculation.Policies;
using TorchSharp;
using static TorchSharp.torch;

namespace AdaEagle.Training.Ldlp;

/// <summary>Inputs of survival predictor and step estimator as tensors, and what networks in training say to them.</summary>
internal static class SurvivalInputs
{
    private const int BatchRows = 4096;

    /// <summary>[roots, 2 hidden + 3], in order: [E(t_(j+1)) ; f_j ; entropy, margin, temperature].</summary>
    public static Tensor Roots(StepTable table, float[] embedding)
    {
        int hidden = table.Hidden, width = (2 * hidden) + SurvivalWeights.RootInputs, row = 0;
        float[] inputs = new float[(long)table.RootCount * width];
        foreach (AnswerSteps answer in table.Answers)
        {
            for (int root = 0; root < answer.Roots.Length; root++, row++)
            {
                Span<float> values = inputs.AsSpan(row * width, width);
                embedding.AsSpan(answer.Roots[root].Token * hidden, hidden).CopyTo(values);
                answer.Features.AsSpan(root * hidden, hidden).CopyTo(values[hidden..]);
                SurvivalPredictor.WriteRoot(answer.Roots[root].Signals, answer.Roots[root].Temperature, values[(2 * hidden)..]);
            }
        }

        return tensor(inputs).reshape(-1, width);
    }

    /// <summary>[steps, hidden + 8] of the chosen steps.</summary>
    /// <param name="table">Roots and steps.</param>
    /// <param name="plans">For each answer the plan's logits, [roots, k_max].</param>
    /// <param name="chosen">Answer, root and step, counted from 0.</param>
    public static Tensor Steps(StepTable table, float[][] plans, IReadOnlyList<(int Answer, int Root, int Step)> chosen)
    {
        int hidden = table.Hidden, width = hidden + StepSignals.Count;
        float[] inputs = new float[(long)chosen.Count * width];
        for (int row = 0; row < chosen.Count; row++)
        {
            (int number, int root, int step) = chosen[row];
            AnswerSteps answer = table.Answers[number];
            Span<float> values = inputs.AsSpan(row * width, width);
            answer.ReadHidden(answer.Roots[root].FirstStep + step, values[..hidden]);
            Signals(table, answer, plans[number], root, step).Write(values[hidden..]);
        }

        return tensor(inputs).reshape(-1, width);
    }

    /// <summary>What the estimator reads beside the output row of step <paramref name="step"/>, counted from 0.</summary>
    public static StepSignals Signals(StepTable table, AnswerSteps answer, float[] plans, int root, int step)
    {
        DraftStep drafted = answer.StepsOf(root)[step];
        ReadOnlySpan<float> plan = plans.AsSpan(root * table.MaxDraft, table.MaxDraft);
        return new StepSignals(drafted.Signals, drafted.Sum, step + 1, plan[step], plan[Math.Min(step + 1, table.MaxDraft - 1)], answer.Roots[root].Temperature);
    }

    /// <summary>For each answer the logits of hazards, [roots, k_max].</summary>
    public static float[][] Plans(ResidualMlpModel plan, StepTable table, float[] embedding) =>
        [.. table.Answers.Select(answer => Outputs(plan, () => Roots(new StepTable(table.Hidden, table.MaxDraft, [answer]), embedding)))];

    /// <summary>For each answer the estimates after each of its steps.</summary>
    public static StepEstimate[][] Estimates(ResidualMlpModel step, StepTable table, float[][] plans)
    {
        var estimates = new StepEstimate[table.Answers.Count][];
        for (int number = 0; number < estimates.Length; number++)
        {
            AnswerSteps answer = table.Answers[number];
            int of = number;
            List<(int, int, int)> chosen = [.. Enumerable.Range(0, answer.Roots.Length).SelectMany(root => Enumerable.Range(0, answer.Roots[root].Steps).Select(i => (of, root, i)))];
            float[] outputs = Outputs(step, () => Steps(table, plans, chosen));
            estimates[number] = [.. Enumerable.Range(0, chosen.Count).Select(i => new StepEstimate(outputs[2 * i], outputs[(2 * i) + 1]))];
        }

        return estimates;
    }

    private static float[] Outputs(ResidualMlpModel model, Func<Tensor> inputs)
    {
        using var scope = NewDisposeScope();
        using var none = no_grad();
        Tensor rows = inputs();
        if (rows.shape[0] == 0)
        {
            return [];
        }

        return [.. rows.split(BatchRows).SelectMany(part => model.Forward(part, 0).contiguous().data<float>().ToArray())];
    }
}
