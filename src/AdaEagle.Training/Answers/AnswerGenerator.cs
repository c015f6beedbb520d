using AdaEagle.Kernels;
using AdaEagle.Models;
using AdaEagle.Sampling;

namespace AdaEagle.Training.Answers;

/// <summary>
/// Lets the target answer many prompts at once with the engine. Every pass holds a row of each running answer, and rows of prompts that are
/// being read; by law 1 (a row's bits don't depend on who shares its pass) every answer is the one that the target gives alone.
/// </summary>
internal sealed class AnswerGenerator
{
    /// <summary>Answers that share a pass: more hardly speed it up.</summary>
    public const int Lanes = 24;

    private const int MaxRows = 128;

    private readonly LlamaModel _model;
    private readonly AnswerSettings _settings;
    private readonly HashSet<int> _endTokens;

    public AnswerGenerator(LlamaModel model, AnswerSettings settings, IEnumerable<int> endTokens)
    {
        (_model, _settings, _endTokens) = (model, settings, [.. endTokens]);
        if (settings.MaxTokens + 1 > model.Config.MaxPositions)
        {
            throw new InvalidDataException($"Answers of {settings.MaxTokens} tokens don't fit the target's {model.Config.MaxPositions} positions.");
        }
    }

    /// <summary>
    /// Runs the jobs on some threads, each with lanes of its own. <paramref name="finished"/> is called under a lock, in the order in which answers end, with the
    /// features f_0 … f_(n-2), and boundaries behind each, as BF16 [n - 1, row width] where the settings keep them (otherwise empty); returning false ends the run.
    /// </summary>
    public void Run(IEnumerable<AnswerJob> jobs, int threads, Func<Answer, ReadOnlyMemory<ushort>, bool> finished)
    {
        using IEnumerator<AnswerJob> queue = jobs.GetEnumerator();
        var gate = new Lock();
        bool isOver = false;
        AnswerJob? Next()
        {
            lock (gate)
            {
                return !isOver && queue.MoveNext() ? queue.Current : null;
            }
        }

        bool Finish(Answer answer, ReadOnlyMemory<ushort> features)
        {
            lock (gate)
            {
                isOver = isOver || !finished(answer, features);
                return !isOver;
            }
        }

        EngineWork.OnThreads(threads, pool => Serve(pool, Next, Finish));
    }

    private void Serve(WorkerPool pool, Func<AnswerJob?> next, Func<Answer, ReadOnlyMemory<ushort>, bool> finish)
    {
        using var target = new LlamaTarget(_model, pool, MaxRows, Lanes);
        var rows = new PassRows(MaxRows);
        var lanes = new List<Lane>();
        var order = new List<Lane>(); // of the rows of a pass
        var request = new PassRequest[MaxRows + 1];
        int[] boundaries = _settings.KeptBoundaries;
        try
        {
            for (bool goesOn = true; goesOn;)
            {
                while (lanes.Count < Lanes && next() is { } job)
                {
                    lanes.Add(new Lane(job, target.CreateCache(job.Prompt.Tokens.Length + _settings.MaxTokens), Sampler(job), _settings.KeepFeatures));
                }

                if (lanes.Count == 0)
                {
                    return;
                }

                int first = Fill(rows, lanes, order);
                target.Forward(rows, request[first] ??= new PassRequest { LogitsFrom = first, Boundaries = boundaries });
                for (int row = 0; row < order.Count; row++)
                {
                    order[row].Keep(target.Feature(row));
                    foreach (int boundary in boundaries)
                    {
                        order[row].Keep(target.Boundary(boundary, row));
                    }
                }

                foreach (Lane lane in lanes)
                {
                    lane.Commit();
                }

                for (int row = first; row < order.Count && goesOn; row++)
                {
                    Lane lane = order[row];
                    int token = lane.Sampler.IsGreedy ? target.ArgMax(row) : lane.Sampler.Sample(target.Logits(row), lane.AnswerLength);
                    lane.Tokens.Add(token);
                    bool ended = _endTokens.Contains(token);
                    if (ended || lane.AnswerLength == _settings.MaxTokens)
                    {
                        goesOn = finish(lane.Result(isCut: !ended), lane.Features);
                        lane.Dispose();
                        lanes.Remove(lane);
                    }
                }
            }
        }
        finally
        {
            lanes.ForEach(lane => lane.Dispose());
        }
    }

    /// <summary>
    /// Rows of a pass: of prompts first, as many as there is room for; then those that a token follows, which get logits. Returns the first of these.
    /// </summary>
    private static int Fill(PassRows rows, List<Lane> lanes, List<Lane> order)
    {
        rows.Clear();
        order.Clear();
        int room = MaxRows - lanes.Count;
        foreach (Lane lane in lanes)
        {
            int count = Math.Min(room, lane.Tokens.Count - lane.Done - 1);
            for (int i = 0; i < count; i++)
            {
                lane.Stage(rows, order);
            }

            room -= count;
        }

        int first = rows.Count;
        foreach (Lane lane in lanes)
        {
            if (lane.Done == lane.Tokens.Count - 1)
            {
                lane.Stage(rows, order);
            }
        }

        return first;
    }

    private Sampler Sampler(AnswerJob job) => new(
        new SamplingOptions { Temperature = job.IsSampled ? _settings.Temperature : 0, Seed = (ulong)_settings.Seed, Sequence = job.Job }, _model.Path);

    /// <summary>An answer in the making.</summary>
    private sealed class Lane(AnswerJob job, KvCache cache, Sampler sampler, bool keepFeatures) : IDisposable
    {
        private readonly List<ushort> _features = [];
        private int _lastRow = -1;
        private int _staged;

        public List<int> Tokens { get; } = [.. job.Prompt.Tokens];

        public Sampler Sampler => sampler;

        /// <summary>Tokens that the cache holds, staged ones counted.</summary>
        public int Done { get; private set; }

        public int AnswerLength => Tokens.Count - job.Prompt.Tokens.Length;

        public ReadOnlyMemory<ushort> Features => _features.ToArray();

        public void Stage(PassRows rows, List<Lane> order)
        {
            _lastRow = rows.Add(cache, Tokens[Done++], _lastRow);
            _staged++;
            order.Add(this);
        }

        public void Keep(ReadOnlySpan<float> state)
        {
            if (keepFeatures)
            {
                foreach (float value in state)
                {
                    _features.Add(Formats.FloatConversion.ToBF16(value));
                }
            }
        }

        public void Commit()
        {
            cache.CommitFirst(_staged);
            (_staged, _lastRow) = (0, -1);
        }

        public Answer Result(bool isCut) => new(job.Job, job.Prompt.Category, [.. Tokens], job.Prompt.Tokens.Length, isCut, job.IsSampled);

        public void Dispose() => cache.Dispose();
    }
}
