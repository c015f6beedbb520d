using AdaEagle.Kernels;
using AdaEagle.Models;
using AdaEagle.Training.Answers;
using AdaEagle.Training.Ldlp;

namespace AdaEagle.Training.Eagle;

/// <summary>A root of an answer: token t_n, n = <paramref name="Index"/>, sampled and not yet run; j = n - 1 is the last position with a feature.</summary>
/// <param name="Index">n.</param>
/// <param name="RunLength">Leading tokens of the head's draft from (f_j, t_n) that equal t_(n+1) …; an end token counts like any other.</param>
/// <param name="LogProbabilities">S_1 … S_kmax of the draft; empty where only the run length was asked for.</param>
internal readonly record struct RunRoot(int Index, int RunLength, float[] LogProbabilities);

/// <summary>
/// Run lengths of an answer: what the frozen head's drafts are worth at every one of its roots, the head's cache made of target features only.
/// Roots whose run length is unknown (the last k_max ones of an answer cut by length) and a root that is the end token are left out.
/// </summary>
/// <param name="Answer">The answer.</param>
/// <param name="Roots">Its roots in order; indices follow each other from the first token of the answer.</param>
/// <param name="Features">f_0 … f_(n-2), [n - 1, hidden].</param>
/// <param name="Steps">What a survival predictor learns from; null where it was not asked for.</param>
internal sealed record AnswerRuns(Answer Answer, IReadOnlyList<RunRoot> Roots, float[] Features, AnswerSteps? Steps = null);

/// <summary>
/// Records run lengths with the engine: the very drafts that decoding makes (law 1). Several answers share the head's passes.
/// </summary>
/// <param name="target">The target.</param>
/// <param name="head">Its head.</param>
/// <param name="maxDraft">k_max.</param>
/// <param name="wholeDrafts">Drafts go on behind a wrong token.</param>
/// <param name="stepTemperatures">Steps are recorded too; the drafts of sampled answers are judged at these temperatures in turn, root by root.</param>
internal sealed class RunLengths(LlamaModel target, EagleHead head, int maxDraft, bool wholeDrafts, IReadOnlyList<float>? stepTemperatures = null)
{
    private const int Lanes = 16;
    private const int PrefillRows = 128;

    /// <summary>Number of the roots of an answer whose run length is known.</summary>
    public static int RootCount(Answer answer, int maxDraft) => Math.Max(0, answer.Length - (answer.IsCut ? maxDraft : 1));

    /// <summary>Records the answers on some threads; the results come under a lock, in the order in which they are ready.</summary>
    public void Record(IEnumerable<Answer> answers, int threads, Action<AnswerRuns> finished)
    {
        using IEnumerator<Answer> queue = answers.GetEnumerator();
        var gate = new Lock();
        Answer? Next()
        {
            lock (gate)
            {
                return queue.MoveNext() ? queue.Current : null;
            }
        }

        void Finish(AnswerRuns runs)
        {
            lock (gate)
            {
                finished(runs);
            }
        }

        EngineWork.OnThreads(threads, pool => Serve(pool, Next, Finish));
    }

    private void Serve(WorkerPool pool, Func<Answer?> next, Action<AnswerRuns> finish)
    {
        using var engine = new LlamaTarget(target, pool, PrefillRows, stepTemperatures is null ? 1 : PrefillRows);
        using var runner = new EagleHeadRunner(head, pool, PrefillRows);
        var rows = new PassRows(Math.Max(PrefillRows, Lanes * maxDraft));
        var lanes = new List<Lane>();
        try
        {
            while (true)
            {
                while (lanes.Count < Lanes && next() is { } answer)
                {
                    StepLog? log = stepTemperatures is null ? null : new StepLog(target, answer, stepTemperatures);
                    KvCache cache = runner.CreateCache(answer.Tokens.Length + maxDraft);
                    var lane = new Lane(answer, RootCount(answer, maxDraft), Read(engine, rows, answer, log), cache, runner.HiddenSize, log);
                    lane.Prefill(runner, rows);
                    lanes.Add(lane);
                }

                if (lanes.Count == 0)
                {
                    return;
                }

                foreach (Lane done in lanes.Where(lane => lane.IsDone).ToArray())
                {
                    finish(new AnswerRuns(done.Answer, done.Roots, done.Features, done.Log?.Result(done.Features, engine.HiddenSize)));
                    done.Dispose();
                    lanes.Remove(done);
                }

                if (lanes.Count > 0)
                {
                    Draft(engine, runner, rows, lanes);
                }
            }
        }
        finally
        {
            lanes.ForEach(lane => lane.Dispose());
        }
    }

    /// <summary>
    /// The target's features, and what the head reads of it, at all tokens but the last, which no draft needs; one array where they are the same. The log is told
    /// of the distributions that gave the answer.
    /// </summary>
    private (float[] Features, float[] States) Read(LlamaTarget engine, PassRows rows, Answer answer, StepLog? log)
    {
        int count = answer.Tokens.Length - 1, hidden = engine.HiddenSize, width = head.InputWidth;
        float[] features = new float[count * hidden], states = head.Inputs.Boundaries.Count > 0 ? new float[count * width] : features;
        PassRequest request = head.Inputs.In(PassRequest.FeaturesOnly);
        using KvCache cache = engine.CreateCache(count);
        for (int done = 0; done < count;)
        {
            int chunk = Math.Min(PrefillRows, count - done);
            rows.Clear();
            for (int i = 0; i < chunk; i++)
            {
                rows.Add(cache, answer.Tokens[done + i], i - 1);
            }

            int logitsFrom = log is null ? int.MaxValue : Math.Max(answer.PromptLength - 1 - done, 0);
            engine.Forward(rows, logitsFrom < chunk ? request with { LogitsFrom = logitsFrom } : request);
            cache.CommitFirst(chunk);
            for (int i = 0; i < chunk; i++)
            {
                engine.Feature(i).CopyTo(features.AsSpan((done + i) * hidden));
                if (i >= logitsFrom)
                {
                    log!.Notice(done + i, engine.Logits(i));
                }

                if (states != features)
                {
                    head.Inputs.At(engine, i, states.AsSpan((done + i) * width, width));
                }
            }

            done += chunk;
        }

        rows.Clear();
        return (features, states);
    }

    /// <summary>A draft from the next root of every lane.</summary>
    private void Draft(LlamaTarget engine, EagleHeadRunner runner, PassRows rows, List<Lane> lanes)
    {
        rows.Clear();
        foreach (Lane lane in lanes)
        {
            lane.StagePair(runner, rows);
        }

        runner.ForwardCommitted(rows, rows.Active);
        Lane[] drafting = [.. lanes];
        for (int depth = 1; ; depth++)
        {
            var going = new List<Lane>();
            for (int row = 0; row < drafting.Length; row++)
            {
                int best = runner.ArgMax(row);
                float logit = runner.Logits(row)[best];
                Lane lane = drafting[row];
                bool fits = lane.Take(head.TargetToken(best), wholeDrafts || lane.Log is not null ? logit - runner.LogSumExp(row, logit) : 0);
                lane.Log?.Step(head, runner.Logits(row), runner.Output(row), lane.Sum, lane.Expected);
                if (depth < maxDraft && (fits || wholeDrafts || lane.Log is { IsSampled: true }))
                {
                    runner.Output(row).CopyTo(drafting[row].Output);
                    going.Add(drafting[row]);
                }
            }

            if (depth == 1)
            {
                // The pair is committed; what follows is staged behind it.
                foreach (Lane lane in lanes)
                {
                    lane.CommitPair();
                }

                rows.Clear();
            }
            else
            {
                rows.Continue();
            }

            if (going.Count == 0)
            {
                break;
            }

            for (int row = 0; row < going.Count; row++)
            {
                going[row].StageDraft(rows);
                going[row].Output.CopyTo(runner.FeatureInput(row));
            }

            runner.Forward(rows, rows.Active);
            drafting = [.. going];
        }

        foreach (Lane lane in lanes)
        {
            lane.EndDraft(wholeDrafts, engine, rows);
        }

        rows.Clear();
    }

    private sealed class Lane(Answer answer, int rootCount, (float[] Features, float[] States) read, KvCache cache, int outputWidth, StepLog? log) : IDisposable
    {
        private readonly List<RunRoot> _roots = [];
        private readonly List<float> _sums = [];
        private int _lastToken, _lastRow, _drafted, _run;

        public Answer Answer => answer;

        public float[] Features => read.Features;

        public StepLog? Log => log;

        /// <summary>S_i of the draft so far.</summary>
        public float Sum => _sums[^1];

        /// <summary>The answer's token where the draft's last one stands, if the draft was right before it; otherwise -1.</summary>
        public int Expected => _run >= _drafted - 1 && Root + _drafted < answer.Tokens.Length ? answer.Tokens[Root + _drafted] : -1;

        public IReadOnlyList<RunRoot> Roots => _roots;

        public bool IsDone => _roots.Count == rootCount;

        public float[] Output { get; } = new float[outputWidth];

        private int Root => answer.PromptLength + _roots.Count;

        /// <summary>Commits the pairs of the prompt: (state at i, t_(i+1)) up to the one before the first root's.</summary>
        public void Prefill(EagleHeadRunner runner, PassRows rows)
        {
            for (int done = 0; done < answer.PromptLength - 1;)
            {
                int chunk = Math.Min(PrefillRows, answer.PromptLength - 1 - done);
                rows.Clear();
                for (int i = 0; i < chunk; i++)
                {
                    rows.Add(cache, answer.Tokens[done + i + 1], i - 1);
                    State(done + i).CopyTo(runner.TargetInput(i));
                }

                runner.ForwardCommitted(rows, 0);
                cache.CommitFirst(chunk);
                done += chunk;
            }

            rows.Clear();
        }

        /// <summary>The pair (state at j, t_(j+1)) whose output starts the draft.</summary>
        public void StagePair(EagleHeadRunner runner, PassRows rows)
        {
            int row = rows.Add(cache, answer.Tokens[Root]);
            State(Root - 1).CopyTo(runner.TargetInput(row));
            (_drafted, _run, _lastRow) = (0, 0, -1);
            _sums.Clear();
        }

        public void CommitPair() => cache.CommitFirst(1);

        /// <summary>Adds a token to the draft; true if it is part of the run.</summary>
        public bool Take(int token, float logProbability)
        {
            int position = Root + ++_drafted;
            bool fits = _run == _drafted - 1 && position < answer.Tokens.Length && answer.Tokens[position] == token;
            _run += fits ? 1 : 0;
            _sums.Add(logProbability + (_sums.Count > 0 ? _sums[^1] : 0));
            _lastToken = token;
            return fits;
        }

        public void StageDraft(PassRows rows) => _lastRow = rows.Add(cache, _lastToken, _lastRow);

        public void EndDraft(bool keepSums, LlamaTarget engine, PassRows rows)
        {
            cache.Discard();
            log?.EndDraft(engine, rows, Root, _run);
            _roots.Add(new RunRoot(Root, _run, keepSums ? [.. _sums] : []));
        }

        public void Dispose()
        {
            cache.Dispose();
            log?.Dispose();
        }

        private ReadOnlySpan<float> State(int position)
        {
            int width = read.States.Length / (answer.Tokens.Length - 1);
            return read.States.AsSpan(position * width, width);
        }
    }
}
