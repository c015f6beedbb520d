using AdaEagle.Kernels;

namespace AdaEagle.Sampling;

/// <summary>The one pipeline from logits to a token; see <see cref="SamplingOptions"/> for the order of its filters. Not thread-safe: it holds scratch.</summary>
public sealed unsafe class Sampler : ISampler
{
    // A candidate this much less probable than the best is looked at only if the likelier ones don't fill top-p.
    private const float LikelyShare = 1e-4f;

    // Below it, logits divided by the temperature may overflow.
    private const float LeastTemperature = 1e-5f;

    private readonly SamplingOptions _options;
    private readonly VectorKernels _vector;
    private float[] _weights = [];
    private float[] _sorted = [];
    private int[] _tokens = [];

    /// <summary>Makes a sampler; the options are validated.</summary>
    public Sampler(SamplingOptions options, KernelPath? path = null)
    {
        ArgumentNullException.ThrowIfNull(options);
        options.Validate();
        _options = options;
        _vector = VectorKernels.For(path ?? KernelPaths.Best);
    }

    /// <inheritdoc/>
    public bool IsGreedy => _options.Temperature < LeastTemperature;

    /// <inheritdoc/>
    public int Sample(ReadOnlySpan<float> logits, int index)
    {
        fixed (float* values = logits)
        {
            int best = _vector.ArgMax(values, logits.Length);
            if (IsGreedy)
            {
                return best;
            }

            int padded = (logits.Length + 15) & ~15;
            if (_weights.Length < padded)
            {
                _weights = GC.AllocateUninitializedArray<float>(padded);
                _sorted = new float[padded];
                _tokens = new int[padded];
            }

            // Weights relative to the most probable token, whose own is 1.
            fixed (float* weights = _weights)
            {
                logits.CopyTo(_weights);
                _vector.Exponentiate(weights, logits.Length, 1 / _options.Temperature);
            }

            double uniform = CounterRandom.Uniform(_options.Seed, _options.Sequence, index);
            bool filtered = _options.TopK > 0 || _options.TopP < 1 || _options.MinP > 0;
            return filtered ? ChooseFiltered(logits.Length, uniform, best) : Choose(_weights.AsSpan(0, logits.Length), uniform, best);
        }
    }

    /// <summary>The probability of every token under the options, for tests and for policies' targets: what <see cref="Sample"/> draws from.</summary>
    internal double[] Probabilities(ReadOnlySpan<float> logits)
    {
        double[] probabilities = new double[logits.Length];
        if (IsGreedy)
        {
            probabilities[Sample(logits, 0)] = 1;
            return probabilities;
        }

        Sample(logits, 0);
        bool filtered = _options.TopK > 0 || _options.TopP < 1 || _options.MinP > 0;
        int kept = filtered ? Filter(logits.Length) : logits.Length;
        double total = 0;
        for (int i = 0; i < kept; i++)
        {
            int token = filtered ? _tokens[i] : i;
            total += probabilities[token] = filtered ? _sorted[i] : _weights[i];
        }

        for (int i = 0; i < probabilities.Length; i++)
        {
            probabilities[i] /= total;
        }

        return probabilities;
    }

    // The inverse of the distribution function over the tokens in the order given.
    private static int Choose(ReadOnlySpan<float> weights, double uniform, int fallback)
    {
        double total = 0;
        foreach (float weight in weights)
        {
            total += weight;
        }

        double threshold = uniform * total;
        double sum = 0;
        for (int i = 0; i < weights.Length; i++)
        {
            sum += weights[i];
            if (sum > threshold)
            {
                return i;
            }
        }

        return fallback;
    }

    private int ChooseFiltered(int length, double uniform, int fallback)
    {
        int kept = Filter(length);
        int chosen = Choose(_sorted.AsSpan(0, kept), uniform, -1);
        return chosen < 0 ? fallback : _tokens[chosen];
    }

    /// <summary>Puts the tokens that pass the filters, most probable first, into the scratch arrays and returns their number.</summary>
    private int Filter(int length)
    {
        int kept = SortedAbove(length, LikelyShare, out double keptWeight);
        double total = 0;
        foreach (float weight in _weights.AsSpan(0, length))
        {
            total += weight;
        }

        // Top-p is a share of what top-k leaves, so unlikely tokens can be left out only if they don't matter to either.
        bool enoughForTopK = _options.TopK > 0 && kept >= _options.TopK;
        bool enoughForTopP = _options.TopK == 0 && keptWeight >= _options.TopP * total;
        bool enoughForMinP = _options.TopK == 0 && _options.TopP == 1 && _options.MinP > LikelyShare;
        if (!enoughForTopK && !enoughForTopP && !enoughForMinP)
        {
            kept = SortedAbove(length, 0, out _);
        }

        if (_options.TopK > 0 && kept > _options.TopK)
        {
            kept = _options.TopK;
            total = Sum(kept);
        }

        if (_options.TopP < 1)
        {
            double sum = 0;
            for (int i = 0; i < kept; i++)
            {
                sum += _sorted[i];
                if (sum >= _options.TopP * total)
                {
                    kept = i + 1;
                }
            }
        }

        while (kept > 1 && _sorted[kept - 1] < _options.MinP)
        {
            kept--;
        }

        return kept;
    }

    private double Sum(int count)
    {
        double sum = 0;
        for (int i = 0; i < count; i++)
        {
            sum += _sorted[i];
        }

        return sum;
    }

    private int SortedAbove(int length, float least, out double weight)
    {
        int count = 0;
        weight = 0;
        for (int token = 0; token < length; token++)
        {
            if (_weights[token] >= least && _weights[token] > 0)
            {
                _sorted[count] = -_weights[token];
                _tokens[count++] = token;
                weight += _weights[token];
            }
        }

        // Ascending negatives: most probable first; the sort is not stable, so equal weights are put in order of id.
        Array.Sort(_sorted, _tokens, 0, count);
        for (int i = 0; i < count; i++)
        {
            _sorted[i] = -_sorted[i];
        }

        for (int start = 0; start < count;)
        {
            int end = start + 1;
            while (end < count && _sorted[end] == _sorted[start])
            {
                end++;
            }

            if (end - start > 1)
            {
                Array.Sort(_tokens, start, end - start);
            }

            start = end;
        }

        return count;
    }
}
