using System.Diagnostics;
using AdaEagle.Kernels;
using AdaEagle.Models;
using AdaEagle.Speculation;
using AdaEagle.Speculation.Drafting;

namespace AdaEagle.Generation;

/// <summary>
/// Measures a loaded model's engine from inside: passes of any number of rows at any depth of context, draft steps, where a pass spends its time.
/// The tokens it decodes are the model's own, after a context that means nothing.
/// </summary>
internal sealed class EngineProbe : IDisposable
{
    // Chunks in which the context is read; any will do.
    private const int ContextRows = 64;

    private readonly LanguageModel _model;
    private readonly LlamaTarget _target;
    private readonly PassRows _rows;

    /// <summary>Makes a workspace for passes of at most <paramref name="maxRows"/> rows.</summary>
    public EngineProbe(LanguageModel model, int maxRows = 64)
    {
        _model = model;
        int rows = Math.Max(maxRows, ContextRows);
        _target = new LlamaTarget(model.Target, model.Pool, rows, maxRows);
        _rows = new PassRows(rows);
    }

    /// <summary>
    /// A sequence with <paramref name="context"/> committed positions and room for <paramref name="more"/>. Dispose it before the probe.
    /// </summary>
    /// <exception cref="ArgumentException">The model takes fewer positions.</exception>
    public KvCache Context(int context, int more)
    {
        if (context + more > _target.MaxPositions)
        {
            throw new ArgumentException($"The model takes {_target.MaxPositions} positions; {context} and {more} more are too many.");
        }

        KvCache cache = _target.CreateCache(context + more);
        for (int position = 0; position < context;)
        {
            _rows.Clear();
            int count = Math.Min(ContextRows, context - position);
            for (int row = 0; row < count; row++)
            {
                _rows.Add(cache, Token(position + row), row - 1);
            }

            _target.Forward(_rows, PassRequest.FeaturesOnly);
            cache.CommitFirst(count);
            position += count;
        }

        return cache;
    }

    /// <summary>Seconds of one pass over a chain of <paramref name="rows"/> tokens, with logits of all of them and the greedy choice of each; nothing is committed.</summary>
    public double Pass(KvCache cache, int rows)
    {
        _rows.Clear();
        for (int row = 0; row < rows; row++)
        {
            _rows.Add(cache, Token(cache.Length + row), row - 1);
        }

        long start = Stopwatch.GetTimestamp();
        _target.Forward(_rows, PassRequest.AllLogits);
        for (int row = 0; row < rows; row++)
        {
            _ = _target.ArgMax(row);
        }

        double seconds = Stopwatch.GetElapsedTime(start).TotalSeconds;
        cache.Discard();
        return seconds;
    }

    /// <summary>Seconds of greedy decoding of <paramref name="tokens"/> tokens; they are committed.</summary>
    public double Decode(KvCache cache, int tokens)
    {
        int token = Token(cache.Length);
        long start = Stopwatch.GetTimestamp();
        for (int i = 0; i < tokens; i++)
        {
            _rows.Clear();
            _rows.Add(cache, token);
            _target.Forward(_rows, PassRequest.AllLogits);
            token = _target.ArgMax(0);
            cache.CommitFirst(1);
        }

        return Stopwatch.GetElapsedTime(start).TotalSeconds;
    }

    /// <summary>Seconds of one greedy choice among the last pass' logits.</summary>
    public double Choice()
    {
        long start = Stopwatch.GetTimestamp();
        _ = _target.ArgMax(0);
        return Stopwatch.GetElapsedTime(start).TotalSeconds;
    }

    /// <summary>The parts of <paramref name="passes"/> passes of <paramref name="rows"/> rows.</summary>
    public PassProfile Profile(KvCache cache, int rows, int passes)
    {
        var profile = new PassProfile(_model.Pool.WorkerCount);
        _target.Profile = profile;
        try
        {
            for (int pass = 0; pass < passes; pass++)
            {
                Pass(cache, rows);
            }
        }
        finally
        {
            _target.Profile = null;
        }

        return profile;
    }

    /// <summary>Seconds of each of <paramref name="repetitions"/> draft steps, the median of each draft's, after <paramref name="context"/> pairs; null without a draft head.</summary>
    public double[]? DraftSteps(int context, int repetitions)
    {
        if (_model.Head is not { } head)
        {
            return null;
        }

        const int Steps = 4;
        using var drafter = new EagleDrafter(head, _model.Pool, Steps + 1);
        drafter.Reset(context + repetitions, 0);
        float[] state = new float[head.InputWidth];
        for (int pair = 0; pair < context; pair++)
        {
            drafter.Commit(state, Token(pair));
        }

        var tree = new DraftTree(Steps + 1);
        double[] seconds = new double[repetitions];
        for (int i = 0; i < repetitions; i++)
        {
            tree.Clear();
            drafter.Commit(state, Token(context + i));
            drafter.Extend(tree, DraftNeeds.LogProbabilities);
            long start = Stopwatch.GetTimestamp();
            for (int step = 0; step < Steps; step++)
            {
                drafter.Extend(tree, DraftNeeds.LogProbabilities);
            }

            seconds[i] = Stopwatch.GetElapsedTime(start).TotalSeconds / Steps;
            drafter.EndRound();
        }

        return seconds;
    }

    /// <inheritdoc/>
    public void Dispose() => _target.Dispose();

    // Any tokens will do, as long as they differ.
    private int Token(int position) => (int)((position * 7919L) % _target.VocabularySize);
}
