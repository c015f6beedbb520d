namespace AdaEagle.Speculation.Policies;

/// <summary>
/// What a draft is worth, and the decisions that follow: expected tokens minus rho x expected time, rho the long-run tokens per second. By renewal-reward
/// a policy that maximises this in every round, for the rho that it then has, maximises tokens per second (docs/adaeagle.md derives it). Costs are given
/// in tokens, which is rho x seconds; so this class knows neither clock nor model.
/// </summary>
/// <remarks>
/// With a_i = P(d_i is right | those before it are) and A_i = a_1 … a_i, verifying the first m of a draft is worth A_1 + … + A_m - verify(m + 1).
/// One more draft step pays if what is then best is worth more, in expectation, by more than the step costs. After the step a_(i+1) is known better than
/// before: it is taken to become p + s (1 - p) with probability p and p - s p otherwise, whose mean is p and whose variance is the share s² of p (1 - p)
/// that the step estimator resolves. s = 0 plans once and for all; s = 1 knows after each step whether its token is right. Not thread-safe.
/// </remarks>
public sealed class DraftObjective
{
    private const int Grid = 24;

    private readonly double[] _verify;
    private readonly double[][] _future;
    private readonly double[] _hazards;
    private readonly double[] _siblings = new double[SurvivalWeights.Siblings];
    private double _allSiblings;
    private double _step;
    private double _spread;
    private int _most;

    /// <summary>Room for drafts of <paramref name="maxDraft"/> steps and passes over <paramref name="maxRows"/> rows.</summary>
    public DraftObjective(int maxDraft, int maxRows)
    {
        ArgumentOutOfRangeException.ThrowIfNegative(maxDraft);
        ArgumentOutOfRangeException.ThrowIfLessThan(maxRows, maxDraft + 1);
        MaxDraft = maxDraft;
        MaxRows = maxRows;
        _verify = new double[maxRows + 1];
        _hazards = new double[maxDraft + 1];
        _future = new double[maxDraft + 1][];
        for (int i = 0; i <= maxDraft; i++)
        {
            _future[i] = new double[Grid + 2];
        }
    }

    /// <summary>The most draft steps.</summary>
    public int MaxDraft { get; }

    /// <summary>The most rows of a verification.</summary>
    public int MaxRows { get; }

    /// <summary>Sets the costs.</summary>
    /// <param name="rate">rho, tokens per second.</param>
    /// <param name="step">Seconds of a draft step.</param>
    /// <param name="verify">Seconds of a verification, by rows from 1; what is beyond costs as much as the last. At least one.</param>
    public void SetCosts(double rate, double step, ReadOnlySpan<double> verify)
    {
        _step = rate * step;
        for (int rows = 1; rows <= MaxRows; rows++)
        {
            _verify[rows] = rate * verify[Math.Min(rows, verify.Length) - 1];
        }
    }

    /// <summary>
    /// Before a draft: works out what each state is worth, backwards from the longest draft.
    /// </summary>
    /// <param name="hazards">P(d_i is right | those before it are), i = 1 …; no more are drafted.</param>
    /// <param name="resolved">s², the share of the variance that an estimate after the step resolves.</param>
    /// <param name="siblings">Expected P(the child of rank 2 … 4 is right | the best is wrong); empty where chains alone are verified.</param>
    /// <returns>The length that is best if nothing more became known.</returns>
    public int Plan(ReadOnlySpan<double> hazards, double resolved, ReadOnlySpan<double> siblings)
    {
        _most = Math.Min(hazards.Length, MaxDraft);
        _spread = Math.Sqrt(Math.Clamp(resolved, 0, 1));
        hazards[.._most].CopyTo(_hazards.AsSpan(1));
        _siblings.AsSpan().Clear();
        siblings.CopyTo(_siblings);
        _allSiblings = _siblings.Sum();
        for (int i = _most; i >= 1; i--)
        {
            double row = _verify[i + 1] - _verify[i];
            Span<double> values = _future[i];
            int at = Grid;
            for (double worth = 1; at >= 0 && worth > 0; at--)
            {
                double reach = (double)at / Grid;
                worth = Math.Max(reach - row, 0);
                if (i < _most)
                {
                    worth = Math.Max(worth, reach - row - _step + Step(i + 1, reach, _hazards[i + 1], 0, []));
                }

                values[at] = worth;
            }

            // Worth nothing where the token is less likely still. What lies beyond 1 is for what is exactly 1.
            values[..(at + 1)].Clear();
            values[Grid + 1] = values[Grid];
        }

        return Best(hazards[.._most]);
    }

    /// <summary>After <paramref name="drafted"/> steps: whether one more pays.</summary>
    /// <param name="right">a_1 … a_i, as they are estimated now, and on with what could be verified without a step.</param>
    /// <param name="drafted">i.</param>
    /// <param name="next">P(d_(i+1) would be right | those before it are).</param>
    /// <param name="after">P(d is right | those before it are) of what could be verified without a step behind d_(i+1), if that is what it is hoped to be.</param>
    public bool GoesOn(ReadOnlySpan<double> right, int drafted, double next, ReadOnlySpan<double> after = default)
    {
        if (drafted >= _most)
        {
            return false;
        }

        // Against what stopping gives, beyond verifying what was drafted: the best length may be less than that, or more.
        double reach = 1, tokens = 0, best = double.NegativeInfinity, all = 0, reached = 1;
        for (int i = 0; i <= right.Length; i++)
        {
            tokens += i > 0 ? reach *= right[i - 1] : 0;
            best = Math.Max(best, tokens - _verify[i + 1]);
            (all, reached) = i == drafted ? (tokens - _verify[i + 1], reach) : (all, reached);
        }

        double stop = best - all;
        return Step(drafted + 1, reached, next, stop, after) - _step > stop;
    }

    /// <summary>How many leading tokens of a chain are to be verified: argmax over m of A_1 + … + A_m - verify(m + 1); of equals the fewer.</summary>
    public int Keep(ReadOnlySpan<double> right)
    {
        int best = 0;
        double value = -_verify[1], most = value, tokens = 0, reach = 1;
        for (int i = 1; i <= right.Length; i++)
        {
            tokens += reach *= right[i - 1];
            value = tokens - _verify[i + 1];
            if (value > most)
            {
                (best, most) = (i, value);
            }
        }

        return best;
    }

    /// <summary>
    /// How many leading tokens of a chain are to be verified, and which siblings: of all choices the one with the most expected tokens minus cost. A
    /// sibling ends its path, and its token's parent is verified with it.
    /// </summary>
    /// <param name="right">a_1 … a_i.</param>
    /// <param name="leaves">The siblings there are; reordered, those chosen first, and their shares made probabilities of being accepted.</param>
    /// <param name="chosen">How many of them.</param>
    public int Select(ReadOnlySpan<double> right, Span<DraftLeaf> leaves, out int chosen)
    {
        double reach = 1;
        for (int i = 1; i <= right.Length; i++)
        {
            foreach (ref DraftLeaf leaf in leaves)
            {
                if (leaf.Depth == i)
                {
                    leaf.Share *= reach * (1 - right[i - 1]);
                }
            }

            reach *= right[i - 1];
        }

        SortByShare(leaves);
        int kept = 0;
        chosen = 0;
        double most = double.NegativeInfinity, tokens = 0;
        reach = 1;
        for (int length = 0; length <= right.Length; length++)
        {
            tokens += length > 0 ? reach *= right[length - 1] : 0;
            double value = tokens;
            for (int added = 0, at = 0; ; added++)
            {
                if (value - _verify[length + added + 1] > most)
                {
                    (kept, chosen, most) = (length, added, value - _verify[length + added + 1]);
                }

                while (at < leaves.Length && leaves[at].Depth > length + 1)
                {
                    at++;
                }

                if (at == leaves.Length || length + added + 2 > MaxRows)
                {
                    break;
                }

                value += leaves[at++].Share;
            }
        }

        // Those chosen come first, in their order.
        for (int at = 0, to = 0; to < chosen; at++)
        {
            if (leaves[at].Depth <= kept + 1)
            {
                DraftLeaf leaf = leaves[at];
                leaves[to..at].CopyTo(leaves[(to + 1)..]);
                leaves[to++] = leaf;
            }
        }

        return kept;
    }

    /// <summary>argmax over k of A_1 + … + A_k - steps(k) - verify(k + 1): the length that is best on these probabilities; of equals the shorter.</summary>
    public int Best(ReadOnlySpan<double> right)
    {
        int best = 0;
        double most = -_verify[1], tokens = 0, reach = 1, steps = 0;
        for (int i = 1; i <= right.Length; i++)
        {
            tokens += reach *= right[i - 1];
            steps += _step;
            double value = tokens - steps - _verify[i + 1];
            if (value > most)
            {
                (best, most) = (i, value);
            }
        }

        return best;
    }

    // Largest first; insertion, since there are few, and nothing is allocated.
    private static void SortByShare(Span<DraftLeaf> leaves)
    {
        for (int i = 1; i < leaves.Length; i++)
        {
            DraftLeaf leaf = leaves[i];
            int at = i;
            for (; at > 0 && leaves[at - 1].Share < leaf.Share; at--)
            {
                leaves[at] = leaves[at - 1];
            }

            leaves[at] = leaf;
        }
    }

    /// <summary>What step <paramref name="i"/> gains from its token on: expected over what the estimator may say of it; <paramref name="least"/> is what stopping before gives, <paramref name="after"/> what can follow it without a step.</summary>
    private double Step(int i, double reach, double probability, double least, ReadOnlySpan<double> after)
    {
        double good = probability + (_spread * (1 - probability)), bad = probability * (1 - _spread);
        double best = after.IsEmpty ? Outcome(i, reach, good) : Math.Max(Outcome(i, reach, good), Free(i, reach * good, after));
        return (probability * Math.Max(best, least)) + ((1 - probability) * Math.Max(Outcome(i, reach, bad), least));
    }

    private double Outcome(int i, double reach, double right) => Future(i, reach * right) + Leaves(i, reach * (1 - right));

    /// <summary>The value of a draft whose token i is right with probability <paramref name="reach"/>, beyond that of verifying the i - 1 before it.</summary>
    private double Future(int i, double reach)
    {
        double at = reach * Grid;
        int below = (int)at;
        double[] values = _future[i];
        return values[below] + ((at - below) * (values[below + 1] - values[below]));
    }

    /// <summary>The same where nothing more is drafted, and what follows is verified as far as that pays.</summary>
    private double Free(int i, double reach, ReadOnlySpan<double> after)
    {
        double value = reach - (_verify[i + 1] - _verify[i]), best = value;
        foreach (double right in after[..Math.Min(after.Length, MaxDraft - i)])
        {
            reach *= right;
            value += reach - (_verify[i + 2] - _verify[i + 1]);
            best = Math.Max(best, value);
            i++;
        }

        return best;
    }

    /// <summary>What the best siblings of token i add, where it is wrong with probability <paramref name="miss"/>.</summary>
    private double Leaves(int i, double miss)
    {
        // Mostly all of them together are not worth the first one's row.
        return i + 2 > MaxRows || miss * _allSiblings <= _verify[i + 2] - _verify[i + 1] ? 0 : BestLeaves(i, miss);
    }

    private double BestLeaves(int i, double miss)
    {
        double best = 0, tokens = 0;
        for (int rank = 0; rank < _siblings.Length && i + rank + 2 <= MaxRows; rank++)
        {
            tokens += miss * _siblings[rank];
            best = Math.Max(best, tokens - (_verify[i + rank + 2] - _verify[i + 1]));
        }

        return best;
    }
}

/// <summary>A sibling of a chain's token, which may be verified beside it.</summary>
/// <param name="Depth">The token's depth, 1 for the root's children.</param>
/// <param name="Rank">Its rank among the children, 1 for the second best.</param>
/// <param name="Share">Probability that it is right where the best child is wrong and what comes before is right; <see cref="DraftObjective.Select"/> makes it that of being accepted.</param>
public record struct DraftLeaf(int Depth, int Rank, double Share);
