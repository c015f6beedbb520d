using AdaEagle.Kernels;
using AdaEagle.Models;
using AdaEagle.Speculation;
using AdaEagle.Speculation.Drafting;
using AdaEagle.Training.Answers;

namespace AdaEagle.Training.Ldlp;

/// <summary>
/// Notes what a survival predictor learns from while an answer's drafts are made: roots, steps, the head's output rows, and how probable the target finds
/// the drafted tokens. Where the answer was sampled that takes passes of the target over the drafts.
/// </summary>
internal sealed class StepLog(LlamaModel target, Answer answer, IReadOnlyList<float> temperatures) : IDisposable
{
    private const int Children = 4;

    private readonly List<StepRoot> _roots = [];
    private readonly List<DraftStep> _steps = [];
    private readonly List<int> _children = [];
    private readonly List<ushort> _hidden = [];
    private readonly TopTokens _top = new();
    private readonly float[] _weights = new float[(target.Config.VocabularySize + 15) & ~15];
    private readonly VectorKernels _vector = VectorKernels.For(target.Path);
    private DraftSignals[] _rootSignals = [];
    private KvCache? _cache;
    private int _firstStep;

    /// <summary>True if the drafts are judged by the target's probabilities, so that no token of them is simply wrong.</summary>
    public bool IsSampled => answer.IsSampled;

    /// <summary>Notes the signals of the target's distributions at the positions from the prompt's last token on.</summary>
    public void Notice(int position, ReadOnlySpan<float> logits)
    {
        if (_rootSignals.Length == 0)
        {
            _rootSignals = new DraftSignals[answer.Length];
        }

        _rootSignals[position - (answer.PromptLength - 1)] = DraftSignals.Of(logits);
    }

    /// <summary>Notes a draft step; <paramref name="expected"/> is the answer's token there if the draft was right so far, otherwise -1.</summary>
    public void Step(EagleHead head, ReadOnlySpan<float> logits, ReadOnlySpan<float> output, float sum, int expected)
    {
        ReadOnlySpan<int> best = _top.Of(logits, Children);
        var signals = DraftSignals.Of(logits);
        float normalizer = logits[best[0]] - MathF.Log(signals.Top);
        Span<float> logProbabilities = stackalloc float[Children], truth = stackalloc float[Children];
        logProbabilities.Fill(-30);
        for (int rank = 0; rank < best.Length; rank++)
        {
            logProbabilities[rank] = logits[best[rank]] - normalizer;
            truth[rank] = head.TargetToken(best[rank]) == expected ? 1 : 0;
        }

        for (int rank = 0; rank < Children; rank++)
        {
            _children.Add(rank < best.Length ? head.TargetToken(best[rank]) : -1);
        }

        _steps.Add(new DraftStep(signals, sum, Read(logProbabilities), Read(truth)));
        foreach (float value in output)
        {
            _hidden.Add(AnswerSteps.ToBf16(value));
        }
    }

    /// <summary>Ends the draft of a root, n = <paramref name="index"/>; a sampled answer's is judged by the target.</summary>
    public void EndDraft(LlamaTarget engine, PassRows rows, int index, int run)
    {
        int number = _roots.Count;
        float temperature = answer.IsSampled ? temperatures[number % temperatures.Count] : 0;
        if (answer.IsSampled)
        {
            Judge(engine, rows, index, temperature);
        }

        _roots.Add(new StepRoot(answer.Tokens[index - 1], answer.Tokens[index], run, _rootSignals[number], temperature, _firstStep, _steps.Count - _firstStep));
        _firstStep = _steps.Count;
    }

    public AnswerSteps Result(float[] features, int hidden)
    {
        int first = answer.PromptLength - 1;
        return new AnswerSteps(
            answer.Job, answer.Category, answer.IsLooping, answer.IsCut, answer.IsSampled, [.. _roots], [.. _steps],
            features[(first * hidden)..((first + _roots.Count) * hidden)], [.. _hidden]);
    }

    public void Dispose() => _cache?.Dispose();

    // A pass over the root and its draft: the root's row is committed, the draft's rows tell how probable its tokens are.
    private void Judge(LlamaTarget engine, PassRows rows, int index, float temperature)
    {
        if (_cache is null)
        {
            _cache = engine.CreateCache(answer.Tokens.Length + 64);
            for (int done = 0; done < index;)
            {
                int count = Math.Min(engine.MaxRows, index - done);
                rows.Clear();
                for (int i = 0; i < count; i++)
                {
                    rows.Add(_cache, answer.Tokens[done + i], i - 1);
                }

                engine.Forward(rows, PassRequest.FeaturesOnly);
                _cache.CommitFirst(count);
                done += count;
            }
        }

        rows.Clear();
        rows.Add(_cache, answer.Tokens[index], -1);
        int steps = _steps.Count - _firstStep;
        for (int i = 0; i < steps - 1; i++)
        {
            rows.Add(_cache, _children[(_firstStep + i) * Children], i);
        }

        engine.Forward(rows, PassRequest.AllLogits);
        _cache.CommitFirst(1);
        rows.Clear();
        Span<float> truth = stackalloc float[Children];
        for (int i = 0; i < steps; i++)
        {
            float total = Weights(engine.Logits(i), temperature);
            for (int rank = 0; rank < Children; rank++)
            {
                int token = _children[((_firstStep + i) * Children) + rank];
                truth[rank] = token < 0 ? 0 : _weights[token] / total;
            }

            _steps[_firstStep + i] = _steps[_firstStep + i] with { Truth = Read(truth) };
        }
    }

    private unsafe float Weights(ReadOnlySpan<float> logits, float temperature)
    {
        logits.CopyTo(_weights);
        fixed (float* weights = _weights)
        {
            return _vector.Exponentiate(weights, logits.Length, 1 / temperature);
        }
    }

    private static Four Read(ReadOnlySpan<float> values) => new(values[0], values[1], values[2], values[3]);
}
