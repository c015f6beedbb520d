using AdaEagle.Speculation.Policies;

namespace AdaEagle.Training.Ldlp;

/// <summary>How a replayed policy uses what is predicted.</summary>
internal enum SurvivalUse
{
    /// <summary>The length is chosen before the draft.</summary>
    Planned,

    /// <summary>It is revised after every step.</summary>
    Revised,

    /// <summary>Revised, and siblings of the chain's tokens are verified where that pays.</summary>
    WithSiblings,
}

/// <summary>What a predictor says of a table's roots and steps.</summary>
/// <param name="Plans">For each answer the logits of hazards, [roots, k_max].</param>
/// <param name="Estimates">For each answer the estimates after its steps.</param>
/// <param name="Siblings">The logit that the child of rank 1 … 3 (0 is the best) is right where the best is wrong.</param>
/// <param name="Resolved">See <see cref="SurvivalWeights.Resolved"/>.</param>
internal sealed record SurvivalPredictions(float[][] Plans, StepEstimate[][] Estimates, Func<int, float, float, float>? Siblings, double Resolved);

/// <summary>What a replay of <c>auto</c> came to.</summary>
internal readonly record struct SurvivalResult(long Emitted, long Rounds, long Drafted, long Verified)
{
    /// <summary>Tokens per plain pass, where a draft step costs c passes and each further row of a verification v.</summary>
    public double TokensPerPass(double draftCost, double verifyCost) => Emitted / (Rounds + (Drafted * draftCost) + (Verified * verifyCost));
}

/// <summary>
/// Replays the cost-aware policy over recorded drafts, with the engine's own <see cref="DraftObjective"/>: a round costs 1 + c x drafted + v x verified plain
/// passes, and rho is what the policy itself then reaches.
/// </summary>
internal sealed class SurvivalReplay
{
    private const int Iterations = 8;

    private readonly StepTable _table;
    private readonly SurvivalPredictions _predictions;
    private readonly SurvivalUse _use;
    private readonly DraftObjective _objective;
    private readonly double[] _hazards;
    private readonly double[] _right;
    private readonly DraftLeaf[] _leaves;

    public SurvivalReplay(StepTable table, SurvivalPredictions predictions, SurvivalUse use)
    {
        (_table, _predictions, _use) = (table, predictions, use);
        int leaves = use == SurvivalUse.WithSiblings ? SurvivalWeights.Siblings * table.MaxDraft : 0;
        _objective = new DraftObjective(table.MaxDraft, table.MaxDraft + leaves + 1);
        _hazards = new double[table.MaxDraft];
        _right = new double[table.MaxDraft];
        _leaves = new DraftLeaf[leaves];
    }

    /// <summary>The result for the rho that it reaches; <paramref name="visit"/> gets every root that a round of the last replay starts at, by answer.</summary>
    public SurvivalResult Run(double draftCost, double verifyCost, Func<AnswerSteps, bool>? chosen = null, Action<int, int>? visit = null)
    {
        double rate = 1;
        SurvivalResult result = default;
        double[] verify = [.. Enumerable.Range(0, _objective.MaxRows).Select(rows => 1 + (verifyCost * rows))];
        for (int iteration = 0; iteration < Iterations; iteration++)
        {
            _objective.SetCosts(rate, draftCost, verify);
            result = Once(chosen, iteration == Iterations - 1 ? visit : null);
            rate = result.Rounds > 0 ? result.TokensPerPass(draftCost, verifyCost) : rate;
        }

        return result;
    }

    private SurvivalResult Once(Func<AnswerSteps, bool>? chosen, Action<int, int>? visit)
    {
        long emitted = 0, rounds = 0, drafted = 0, verified = 0;
        for (int number = 0; number < _table.Answers.Count; number++)
        {
            AnswerSteps answer = _table.Answers[number];
            for (int root = 0; root < answer.Roots.Length && (chosen is null || chosen(answer));)
            {
                visit?.Invoke(number, root);
                (int made, int rows, int accepted) = Round(number, answer, root);

                // Nothing follows an end token, so an accepted one leaves no token of the target's own.
                int left = answer.IsCut ? int.MaxValue : answer.Roots.Length - root;
                (emitted, rounds, drafted, verified) = (emitted + Math.Min(accepted + 1, left), rounds + 1, drafted + made, verified + rows);
                root += accepted + 1;
            }
        }

        return new SurvivalResult(emitted, rounds, drafted, verified);
    }

    private (int Drafted, int Verified, int Accepted) Round(int number, AnswerSteps answer, int root)
    {
        for (int i = 0; i < _hazards.Length; i++)
        {
            _hazards[i] = Probability(_predictions.Plans[number][(root * _table.MaxDraft) + i]);
        }

        ReadOnlySpan<DraftStep> steps = answer.StepsOf(root);
        int run = answer.Roots[root].Run;
        if (_use == SurvivalUse.Planned)
        {
            int length = _objective.Best(_hazards);
            return (length, length, Math.Min(length, run));
        }

        int drafted = 0;
        _objective.Plan(_hazards, _predictions.Resolved, _leaves.Length > 0 ? SurvivalWeights.UsualSiblings : []);
        for (double next = _hazards[0]; drafted < steps.Length && _objective.GoesOn(_right.AsSpan(0, drafted), drafted, next);)
        {
            StepEstimate estimate = _predictions.Estimates[number][answer.Roots[root].FirstStep + drafted];
            _right[drafted++] = Probability(estimate.Right);
            next = Probability(estimate.Next);
        }

        int leaves = 0;
        for (int i = 0; i < drafted && _leaves.Length > 0; i++)
        {
            for (int rank = 1; rank <= SurvivalWeights.Siblings; rank++)
            {
                double share = Probability(_predictions.Siblings!(rank, steps[i].LogProbabilities[rank], steps[i].Signals.Top));
                _leaves[leaves++] = new DraftLeaf(i + 1, rank, share);
            }
        }

        int kept = _objective.Select(_right.AsSpan(0, drafted), _leaves.AsSpan(0, leaves), out int added);
        int accepted = Math.Min(kept, run);
        if (accepted == run && run < drafted)
        {
            foreach (DraftLeaf leaf in _leaves.AsSpan(0, added))
            {
                if (leaf.Depth == run + 1 && steps[run].Truth[leaf.Rank] > 0.5f)
                {
                    accepted++;
                    break;
                }
            }
        }

        return (drafted, kept + added, accepted);
    }

    private static double Probability(float logit) => 1 / (1 + Math.Exp(-logit));
}
