namespace AdaEagle.Training.Ldlp;

/// <summary>A rule for the length of a draft, replayed over recorded drafts: the draft's length at a root.</summary>
/// <param name="Name">As the engine's policies are called.</param>
/// <param name="Length">Draft length for a root, given what the predictor says there (NaN without one).</param>
internal sealed record ReplayPolicy(string Name, Func<PredictorRoot, double, int> Length)
{
    public static ReplayPolicy Fixed(int length) => new($"fixed:{length}", (_, _) => length);

    public static ReplayPolicy Threshold(double threshold, int maxDraft) =>
        new(FormattableString.Invariant($"threshold:{threshold}"), (root, _) => Continue(root, 0, threshold, maxDraft));

    public static ReplayPolicy Ldlp(int longest) => new("ldlp", (_, predicted) => Clamp(predicted, longest));

    public static ReplayPolicy LdlpThreshold(double threshold, int longest, int maxDraft) =>
        new(FormattableString.Invariant($"ldlp+threshold:{threshold}"), (root, predicted) => Continue(root, Clamp(predicted, longest), threshold, maxDraft));

    /// <summary>clamp(round(y), 0, the longest prediction).</summary>
    public static int Clamp(double predicted, int longest) => (int)Math.Clamp(MathF.Round((float)predicted), 0, longest);

    /// <summary>After i drafted tokens stop if i >= L and S_i &lt; T, or i = k_max; the token that crossed T stays.</summary>
    private static int Continue(PredictorRoot root, int planned, double threshold, int maxDraft)
    {
        int drafted = 0;
        while (drafted < maxDraft && (drafted < planned || (drafted == 0 ? 0 : root.LogProbabilities[drafted - 1]) >= threshold))
        {
            drafted++;
        }

        return drafted;
    }
}

/// <summary>Simulated decoding: what a policy emits, drafts and passes.</summary>
/// <param name="Emitted">Tokens after the first of each answer.</param>
/// <param name="Rounds">Rounds.</param>
/// <param name="Drafted">Tokens drafted and verified.</param>
internal readonly record struct ReplayResult(long Emitted, long Rounds, long Drafted)
{
    /// <summary>Tokens per plain pass, where a draft step costs c passes and each further row of a verification v.</summary>
    public double TokensPerPass(double draftCost, double verifyCost) => Emitted / (Rounds + Drafted * (draftCost + verifyCost));

    /// <summary>Emitted tokens per target pass.</summary>
    public double AcceptanceLength => (double)Emitted / Rounds;

    public static ReplayResult operator +(ReplayResult left, ReplayResult right) => Add(left, right);

    public static ReplayResult Add(ReplayResult left, ReplayResult right) => new(left.Emitted + right.Emitted, left.Rounds + right.Rounds, left.Drafted + right.Drafted);
}

/// <summary>Replays policies over the recorded roots of answers (design.md: a fixed length K accepts min(K, run length), the next root is that many and one further).</summary>
internal static class Replay
{
    /// <summary>Goes through an answer's roots; <paramref name="visit"/> gets every root that the policy starts a round at.</summary>
    public static ReplayResult Run(AnswerRoots answer, IReadOnlyList<double> predictions, ReplayPolicy policy, Action<int>? visit = null)
    {
        long emitted = 0, rounds = 0, drafted = 0;
        for (int root = 0; root < answer.Roots.Length;)
        {
            visit?.Invoke(root);
            int length = policy.Length(answer.Roots[root], predictions.Count > 0 ? predictions[root] : double.NaN);
            int accepted = Math.Min(length, answer.Roots[root].Label);

            // Nothing follows an end token, so an accepted one leaves no token of the target's own.
            int left = answer.IsCut ? int.MaxValue : answer.Roots.Length - root;
            (emitted, rounds, drafted) = (emitted + Math.Min(accepted + 1, left), rounds + 1, drafted + length);
            root += accepted + 1;
        }

        return new ReplayResult(emitted, rounds, drafted);
    }

    /// <summary>Over several answers.</summary>
    public static ReplayResult Run(IReadOnlyList<AnswerRoots> answers, IReadOnlyList<double[]> predictions, ReplayPolicy policy)
    {
        var sum = new ReplayResult();
        for (int index = 0; index < answers.Count; index++)
        {
            sum += Run(answers[index], predictions.Count > 0 ? predictions[index] : [], policy);
        }

        return sum;
    }

    /// <summary>
    /// The oracle: it knows every run length, and drafts argmax over k of (1 + k) - rho (1 + k (c + v)), rho its own tokens per pass, found by iterating.
    /// </summary>
    public static (ReplayResult Result, double TokensPerPass) Oracle(IReadOnlyList<AnswerRoots> answers, double draftCost, double verifyCost)
    {
        double rho = 1;
        ReplayResult result = default;
        for (int iteration = 0; iteration < 20; iteration++)
        {
            bool isWorth = rho * (draftCost + verifyCost) < 1; // linear costs: all of the run, or nothing
            result = Run(answers, [], new ReplayPolicy("oracle", (root, _) => isWorth ? root.Label : 0));
            double next = result.TokensPerPass(draftCost, verifyCost);
            if (Math.Abs(next - rho) < 1e-9)
            {
                break;
            }

            rho = next;
        }

        return (result, rho);
    }
}
