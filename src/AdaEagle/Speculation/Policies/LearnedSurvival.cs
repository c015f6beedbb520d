namespace AdaEagle.Speculation.Policies;

/// <summary>
/// Survival learnt while decoding, for a drafter without a predictor: by position, how often a token was right whose predecessors were; and by tenths of
/// the drafter's probability of its token, which is what a step tells. Counts fade, so that the run's own text counts. The prior: a position is as
/// all of them are, those with 0.7, each as if that had been seen four times; a token is right with a chance between its position's and the probability that the drafter gives it, as if seen twice; siblings are as often as usual.
/// </summary>
internal sealed class LearnedSurvival
{
    /// <summary>P(a token is right | those before it are) as long as nothing is known.</summary>
    public const double PriorHazard = 0.7;

    private const int Bins = 10;
    private const double PriorWeight = 4;
    private const double BinPriorWeight = 2;

    /// <summary>Counts of so many rounds ago weigh a third.</summary>
    private const double Memory = 500;

    private readonly double[] _right;
    private readonly double[] _seen;
    private readonly double[] _binRight = new double[Bins];
    private readonly double[] _binSeen = new double[Bins];
    private readonly double[] _siblingRight = new double[SurvivalWeights.Siblings];
    private readonly double[] _siblingSeen = new double[SurvivalWeights.Siblings];

    public LearnedSurvival(int maxDraft)
    {
        _right = new double[maxDraft];
        _seen = new double[maxDraft];
    }

    /// <summary>P(d_i is right | those before it are) before it is drafted, i from 1.</summary>
    public double Hazard(int i)
    {
        double right = 0, seen = 0;
        for (int position = 0; position < _seen.Length; position++)
        {
            (right, seen) = (right + _right[position], seen + _seen[position]);
        }

        double all = (right + (PriorWeight * PriorHazard)) / (seen + PriorWeight);
        return (_right[i - 1] + (PriorWeight * all)) / (_seen[i - 1] + PriorWeight);
    }

    /// <summary>The same of a token that the drafter gives this probability. Before anything was seen of such tokens it is half way between that and what the position has.</summary>
    public double Right(int i, double probability)
    {
        int bin = Bin(probability);
        return (_binRight[bin] + (BinPriorWeight * (probability + Hazard(i)) / 2)) / (_binSeen[bin] + BinPriorWeight);
    }

    /// <summary>P(the sibling of this rank, from 1, is right | the best child is wrong).</summary>
    public double Sibling(int rank) => (_siblingRight[rank - 1] + (PriorWeight * SurvivalWeights.UsualSiblings[rank - 1])) / (_siblingSeen[rank - 1] + PriorWeight);

    /// <summary>Takes in what became of a sibling whose best child was wrong.</summary>
    public void ObserveSibling(int rank, bool isRight)
    {
        _siblingSeen[rank - 1]++;
        _siblingRight[rank - 1] += isRight ? 1 : 0;
    }

    /// <summary>The share of a token's variance that the drafter's probability resolves.</summary>
    public double Resolved
    {
        get
        {
            double seen = 0, right = 0, explained = 0;
            for (int bin = 0; bin < Bins; bin++)
            {
                (seen, right) = (seen + _binSeen[bin], right + _binRight[bin]);
            }

            double mean = seen > 0 ? right / seen : 0;
            for (int bin = 0; bin < Bins; bin++)
            {
                double of = _binSeen[bin] > 0 ? (_binRight[bin] / _binSeen[bin]) - mean : 0;
                explained += _binSeen[bin] * of * of;
            }

            double all = seen * mean * (1 - mean);
            return all > 1 ? Math.Min(explained / all, 0.9) : 0;
        }
    }

    /// <summary>Takes in what became of a token, i from 1, that was verified and whose predecessors were right.</summary>
    public void Observe(int i, double probability, bool isRight)
    {
        int bin = Bin(probability);
        (_seen[i - 1], _binSeen[bin]) = (_seen[i - 1] + 1, _binSeen[bin] + 1);
        (_right[i - 1], _binRight[bin]) = (_right[i - 1] + (isRight ? 1 : 0), _binRight[bin] + (isRight ? 1 : 0));
    }

    /// <summary>After every round, drafted or not: a policy that has stopped drafting forgets why, and tries again some time.</summary>
    public void Fade()
    {
        const double Kept = 1 - (1 / Memory);
        foreach (double[] counts in (ReadOnlySpan<double[]>)[_right, _seen, _binRight, _binSeen, _siblingRight, _siblingSeen])
        {
            for (int i = 0; i < counts.Length; i++)
            {
                counts[i] *= Kept;
            }
        }
    }

    private static int Bin(double probability) => Math.Clamp((int)(probability * Bins), 0, Bins - 1);
}

/// <summary>
/// Keeps a predictor's probabilities honest on the run's own text: P = sigmoid(scale x logit + shift), both following what is observed by steps of
/// stochastic gradient descent on cross-entropy, and drifting back to 1 and 0. A predictor that fits is left as it is.
/// </summary>
internal sealed class OnlineCalibration
{
    private const double LeastRate = 0.01;
    private const double Pull = 2e-3;

    private double _scale = 1;
    private double _shift;
    private int _count;

    public double Probability(float logit) => 1 / (1 + Math.Exp(-((_scale * logit) + _shift)));

    /// <summary>Takes in what became of a token. Returns by how much its probability was too low.</summary>
    /// <param name="logit">What the predictor said of it.</param>
    /// <param name="isRight">Whether it is right, and all before it are.</param>
    /// <param name="before">
    /// Probability that those before it are: 1 where that is known. Otherwise what is followed is the cross-entropy of the product, whose derivative by ours is that of a known start times
    /// (1 - P) / (1 - before P).
    /// </param>
    public double Observe(float logit, bool isRight, double before = 1)
    {
        double probability = Probability(logit), survival = before * probability;
        double rate = Math.Max(LeastRate, 0.5 / (++_count + 10)), error = ((isRight ? 1 : 0) - survival) * (before < 1 ? (1 - probability) / (1 - survival) : 1);
        _shift = Math.Clamp(_shift + (rate * error), -6, 6);
        _scale = Math.Clamp(_scale + (0.3 * rate * error * Math.Clamp(logit, -4, 4)), 0, 1.5);
        return error;
    }

    /// <summary>After every round.</summary>
    public void Fade() => (_scale, _shift) = (_scale + (Pull * (1 - _scale)), _shift * (1 - Pull));
}
