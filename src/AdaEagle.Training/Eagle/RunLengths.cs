using AdaEagle.Kernels;
using AdaEagle.Models;
using AdaEagle.Training.Answers;

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
internal sealed record AnswerRuns(Answer Answer, IReadOnlyList<RunRoot> Roots, float[] Features);

/// <summary>
/// Records run lengths with the engine: the very drafts that decoding makes (law 1). Several answers share the head's passes.
/// </summary>
internal sealed class RunLengths(LlamaModel target, EagleHead head, int maxDraft, bool wholeDrafts)
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
        using var engine = new LlamaTarget(target, pool, PrefillRows, 1);
        using var runner = new EagleHeadRunner(head, pool, PrefillRows);
        var rows = new PassRows(Math.Max(PrefillRows, Lanes * maxDraft));
        var lanes = new List<Lane>();
        try
        {
            while (true)
            {
                while (lanes.Count < Lanes && next() is { } answer)
                {
                    var lane = new Lane(answer, RootCount(answer, maxDraft), Features(engine, rows, answer), runner.CreateCache(answer.Tokens.Length + maxDraft));
                    lane.Prefill(runner, rows);
                    lanes.Add(lane);
                }

                if (lanes.Count == 0)
                {
                    return;
                }

                foreach (Lane done in lanes.Where(lane => lane.IsDone).ToArray())
                {
                    finish(new AnswerRuns(done.Answer, done.Roots, done.Features));
                    done.Dispose();
                    lanes.Remove(done);
                }

                if (lanes.Count > 0)
                {
                    Draft(runner, rows, lanes);
                }
            }
        }
        finally
        {
            lanes.ForEach(lane => lane.Dispose());
        }
    }

    /// <summary>The target's features of all tokens but the last, whose feature no draft needs.</summary>
    private static float[] Features(LlamaTarget engine, PassRows rows, Answer answer)
    {
        int count = answer.Tokens.Length - 1, hidden = engine.HiddenSize;
        float[] features = new float[count * hidden];
        using KvCache cache = engine.CreateCache(count);
        for (int done = 0; done < count;)
        {
            int chunk = Math.Min(PrefillRows, count - done);
            rows.Clear();
            for (int i = 0; i < chunk; i++)
            {
                rows.Add(cache, answer.Tokens[done + i], i - 1);
            }

            engine.Forward(rows, PassRequest.FeaturesOnly);
            cache.CommitFirst(chunk);
            for (int i = 0; i < chunk; i++)
            {
                engine.Feature(i).CopyTo(features.AsSpan((done + i) * hidden));
            }

            done += chunk;
        }

        rows.Clear();
        return features;
    }

    /// <summary>A draft from the next root of every lane.</summary>
    private void Draft(EagleHeadRunner runner, PassRows rows, List<Lane> lanes)
    {
        rows.Clear();
        foreach (Lane lane in lanes)
        {
            lane.StagePair(runner, rows);
        }

        runner.Forward(rows, rows.Active);
        Lane[] drafting = [.. lanes];
        for (int depth = 1; ; depth++)
        {
            var going = new List<Lane>();
            for (int row = 0; row < drafting.Length; row++)
            {
                int token = runner.ArgMax(row);
                float logit = runner.Logits(row)[token];
                bool fits = drafting[row].Take(token, wholeDrafts ? logit - runner.LogSumExp(row, logit) : 0);
                if (depth < maxDraft && (fits || wholeDrafts))
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
            lane.EndDraft(wholeDrafts);
        }

        rows.Clear();
    }

    private sealed class Lane(Answer answer, int rootCount, float[] features, KvCache cache) : IDisposable
    {
        private readonly List<RunRoot> _roots = [];
        private readonly List<float> _sums = [];
        private int _lastToken, _lastRow, _drafted, _run;

        public Answer Answer => answer;

        public float[] Features => features;

        public IReadOnlyList<RunRoot> Roots => _roots;

        public bool IsDone => _roots.Count == rootCount;

        public float[] Output { get; } = new float[features.Length / (answer.Tokens.Length - 1)];

        private int Root => answer.PromptLength + _roots.Count;

        /// <summary>Commits the pairs of the prompt: (f_i, t_(i+1)) up to the one before the first root's.</summary>
        public void Prefill(EagleHeadRunner runner, PassRows rows)
        {
            int hidden = Output.Length;
            for (int done = 0; done < answer.PromptLength - 1;)
            {
                int chunk = Math.Min(PrefillRows, answer.PromptLength - 1 - done);
                rows.Clear();
                for (int i = 0; i < chunk; i++)
                {
                    rows.Add(cache, answer.Tokens[done + i + 1], i - 1);
                    features.AsSpan((done + i) * hidden, hidden).CopyTo(runner.FeatureInput(i));
                }

                runner.Forward(rows, 0);
                cache.CommitFirst(chunk);
                done += chunk;
            }

            rows.Clear();
        }

        /// <summary>The pair (f_j, t_(j+1)) whose output starts the draft.</summary>
        public void StagePair(EagleHeadRunner runner, PassRows rows)
        {
            int row = rows.Add(cache, answer.Tokens[Root]);
            features.AsSpan((Root - 1) * Output.Length, Output.Length).CopyTo(runner.FeatureInput(row));
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

        public void EndDraft(bool keepSums)
        {
            cache.Discard();
            _roots.Add(new RunRoot(Root, _run, keepSums ? [.. _sums] : []));
        }

        public void Dispose() => cache.Dispose();
    }
}
