using System.Runtime.InteropServices;
using AdaEagle.Sampling;
using AdaEagle.Training.Answers;
using TorchSharp;
using static TorchSharp.torch;

namespace AdaEagle.Training.Eagle;

/// <summary>
/// Answers packed one after the other for a step. Row i of an answer is the pair (state at i, t_(i+1)), i = 0 … n - 3, the state being the feature f_i or the
/// boundaries there; its teacher is f_(i+1). Steps k >= 1
/// have rows for i >= P only (P the prompt's length): the first root's pair is i = P - 1, so step k predicts something from i = P - 1 + k on.
/// </summary>
internal sealed class PackedBatch
{
    public required int AnswerTokens { get; init; }

    /// <summary>What the head reads of the target: F32 [pairs, width].</summary>
    public required Tensor States { get; init; }

    /// <summary>f_(i+1) of the rows i >= P - 1, F32 [teachers, hidden].</summary>
    public required Tensor Teachers { get; init; }

    /// <summary>t_(i+1) of all pairs, I64.</summary>
    public required long[] Tokens { get; init; }

    /// <summary>Spans of step 0, and of the later steps.</summary>
    public required PackedSpan[] Spans { get; init; }

    public required PackedSpan[] ChainSpans { get; init; }

    /// <summary>Rows of step 0 that the later steps have too (i >= P), ascending: also their angles.</summary>
    public required int[] ChainRows { get; init; }

    /// <summary>Rows of step k that count, and the teacher's row of each.</summary>
    public (int[] Rows, int[] Teachers) Counting(int step)
    {
        var rows = new List<int>();
        var teachers = new List<int>();
        int teacher = 0;
        for (int index = 0; index < Spans.Length; index++)
        {
            (PackedSpan span, PackedSpan chain) = (Spans[index], ChainSpans[index]);
            int first = chain.FirstPosition - 1, count = span.Rows - first; // teachers of this answer: positions first …
            for (int position = first + step; position < span.Rows; position++)
            {
                rows.Add(step == 0 ? span.FirstRow + position : chain.FirstRow + position - chain.FirstPosition);
                teachers.Add(teacher + position - first);
            }

            teacher += count;
        }

        return ([.. rows], [.. teachers]);
    }

    /// <summary>For each of the chain's rows the row before it, in step 0's rows or in the chain's (the first of an answer: itself, which does not count).</summary>
    public long[] Before(bool inChain)
    {
        var before = new List<long>();
        for (int index = 0; index < Spans.Length; index++)
        {
            (PackedSpan span, PackedSpan chain) = (Spans[index], ChainSpans[index]);
            for (int row = 0; row < chain.Rows; row++)
            {
                before.Add(inChain ? chain.FirstRow + Math.Max(0, row - 1) : span.FirstRow + chain.FirstPosition + row - 1);
            }
        }

        return [.. before];
    }
}

/// <summary>Endless packed batches of a store's answers, every answer once an epoch in an order that the seed decides.</summary>
internal sealed class PackedAnswers
{
    private readonly AnswerStore _store;
    private readonly (int Index, Answer Answer)[] _usable;
    private readonly int _rows;
    private readonly ulong _seed;
    private readonly bool _boundaries;
    private (int Index, Answer Answer)[] _order = [];
    private long _epoch = -1;

    /// <param name="store">The answers.</param>
    /// <param name="rows">Pairs a batch, at most.</param>
    /// <param name="seed">Seed of the order.</param>
    /// <param name="boundaries">True for the kept boundaries as states, side by side; otherwise states are the features.</param>
    public PackedAnswers(AnswerStore store, int rows, int seed, bool boundaries = false)
    {
        (_store, _rows, _seed, _boundaries) = (store, rows, (ulong)seed, boundaries);
        _usable = [.. store.Answers.Select((answer, index) => (Index: index, Answer: answer))
            .Where(item => item.Answer.Length >= 4 && item.Answer.Tokens.Length - 2 <= rows).OrderBy(item => item.Answer.Job)];
        if (_usable.Length == 0)
        {
            throw new InvalidDataException($"{store.Folder} holds no answer that a head can be trained on. Make more answers, or longer ones.");
        }
    }

    /// <summary>Answers of an epoch.</summary>
    public int Count => _usable.Length;

    public long AnswerTokens => _usable.Sum(item => (long)item.Answer.Length);

    /// <summary>The batch that begins with answer number <paramref name="start"/> of all epochs, and the number that the next one begins with.</summary>
    public (PackedBatch Batch, long Next) Read(long start)
    {
        var chosen = new List<(int Index, Answer Answer)>();
        int rows = 0;
        for (; ; start++)
        {
            (int Index, Answer Answer) item = At(start);
            if (rows + item.Answer.Tokens.Length - 2 > _rows)
            {
                return (Pack(chosen, rows), start);
            }

            chosen.Add(item);
            rows += item.Answer.Tokens.Length - 2;
        }
    }

    /// <summary>Mean of the features [hidden], and the root mean squares of the elements of features and of each kept boundary, from some answers.</summary>
    public (float[] Mean, double[] Scales) Statistics()
    {
        (int hidden, int width) = (_store.Settings.HiddenSize, _store.Settings.RowWidth);
        double[] sums = new double[hidden], squares = new double[width / hidden];
        long count = 0;
        foreach ((int index, Answer answer) in _usable.Take(128))
        {
            ushort[] kept = new ushort[(answer.Tokens.Length - 1) * width];
            _store.ReadRows(index, kept);
            for (int i = 0; i < kept.Length; i++)
            {
                float value = Formats.FloatConversion.FromBF16(kept[i]);
                int column = i % width;
                squares[column / hidden] += value * value;
                if (column < hidden)
                {
                    sums[column] += value;
                }
            }

            count += answer.Tokens.Length - 1;
        }

        return ([.. sums.Select(sum => (float)(sum / count))], [.. squares.Select(sum => Math.Sqrt(sum / (count * hidden)))]);
    }

    private (int Index, Answer Answer) At(long number)
    {
        long epoch = number / _usable.Length;
        if (epoch != _epoch)
        {
            _epoch = epoch;
            _order = [.. _usable.Select((item, place) => (item, Key: CounterRandom.Uniform(_seed, epoch, place))).OrderBy(item => item.Key).Select(item => item.item)];
        }

        return _order[number % _usable.Length];
    }

    private PackedBatch Pack(List<(int Index, Answer Answer)> chosen, int pairs)
    {
        int hidden = _store.Settings.HiddenSize, width = _store.Settings.RowWidth, pair = 0, chainRow = 0, teacher = 0;
        (int from, int stateWidth) = _boundaries ? (hidden, width - hidden) : (0, hidden);
        int teachers = chosen.Sum(item => item.Answer.Length - 1);
        float[] states = new float[pairs * stateWidth], taught = new float[teachers * hidden];
        long[] tokens = new long[pairs];
        var spans = new PackedSpan[chosen.Count];
        var chainSpans = new PackedSpan[chosen.Count];
        var chainRows = new List<int>();
        ushort[] stored = [];
        for (int number = 0; number < chosen.Count; number++)
        {
            (int index, Answer answer) = chosen[number];
            int rows = answer.Tokens.Length - 2, first = answer.PromptLength;
            Array.Resize(ref stored, (rows + 1) * width);
            _store.ReadRows(index, stored);
            for (int row = first; row <= rows; row++)
            {
                Widen(stored.AsSpan(row * width, hidden), taught.AsSpan((teacher + row - first) * hidden));
            }

            for (int row = 0; row < rows; row++)
            {
                Widen(stored.AsSpan((row * width) + from, stateWidth), states.AsSpan((pair + row) * stateWidth));
                tokens[pair + row] = answer.Tokens[row + 1];
            }

            spans[number] = new PackedSpan(pair, rows, 0, pair);
            chainSpans[number] = new PackedSpan(chainRow, rows - first, first, pair);
            chainRows.AddRange(Enumerable.Range(pair + first, rows - first));
            (pair, chainRow, teacher) = (pair + rows, chainRow + rows - first, teacher + rows - first + 1);
        }

        return new PackedBatch
        {
            AnswerTokens = teachers,
            States = tensor(states).reshape(pairs, stateWidth),
            Teachers = tensor(taught).reshape(teachers, hidden),
            Tokens = tokens,
            Spans = spans,
            ChainSpans = chainSpans,
            ChainRows = [.. chainRows],
        };
    }

    private static void Widen(ReadOnlySpan<ushort> stored, Span<float> values) =>
        Formats.FloatConversion.Widen(Formats.TensorType.BF16, MemoryMarshal.AsBytes(stored), values[..stored.Length]);
}
