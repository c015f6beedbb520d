using System.Runtime.Intrinsics;
using AdaEagle.Training.Torch;
using static TorchSharp.torch;

namespace AdaEagle.Training.Eagle;

/// <summary>The rows of one answer in a packed step of a head's training.</summary>
/// <param name="FirstRow">First of its rows among the step's.</param>
/// <param name="Rows">Number of them; they follow each other.</param>
/// <param name="FirstPosition">Position of the first one in the answer's sequence.</param>
/// <param name="FirstPair">Where the sequence's pairs begin among those of the true prefix (step 0).</param>
internal readonly record struct PackedSpan(int FirstRow, int Rows, int FirstPosition, int FirstPair);

/// <summary>
/// The attention of a draft's step k over packed answers (training-time test, EAGLE-3 section 3; HASS): the row at position i sees the true prefix
/// up to position i - k with the keys of step 0, then its own chain, the rows of steps 1 … k at positions i - k + 1 … i; never another answer.
/// With no chain (k = 0) it is causal attention. Arguments: queries [key heads, rows * group, dimension], keys and values of
/// step 0 [key heads, pairs, dimension], then keys and values of steps 1 … k [key heads, rows, dimension] in turn, last the spans.
/// Gives [key heads, rows * group, dimension].
/// </summary>
internal sealed class ChainAttentionOperation : autograd.SingleTensorFunction<ChainAttentionOperation>
{
    public override string Name => nameof(ChainAttentionOperation);

    /// <summary>The operation with typed arguments.</summary>
    public static Tensor Apply(Tensor queries, Tensor keys, Tensor values, IReadOnlyList<(Tensor Keys, Tensor Values)> chain, PackedSpan[] spans) =>
        apply([queries, keys, values, .. chain.SelectMany(step => (object[])[step.Keys, step.Values]), spans]);

    public override Tensor forward(autograd.AutogradContext context, params object[] arguments)
    {
        Tensor[] tensors = [.. arguments.OfType<Tensor>()];
        var spans = (PackedSpan[])arguments[^1];
        Tensor output = empty(tensors[0].shape, tensors[0].dtype);
        int steps = (tensors.Length - 3) / 2;
        long group = GroupOf(tensors[0], spans);
        var weights = new List<Tensor>();
        Tensor chainWeights = empty(tensors[0].shape[0], tensors[0].shape[1], Math.Max(1, steps), dtype: ScalarType.Float32);
        foreach (PackedSpan span in spans)
        {
            (long firstRow, long rows, long columns) = (span.FirstRow * group, span.Rows * group, Columns(span, steps));
            Tensor scores = tensors[0].narrow(1, firstRow, rows).bmm(tensors[1].narrow(1, span.FirstPair, columns).transpose(1, 2));
            var pass = new ChainPass(tensors, steps, span, group);
            pass.SoftMax(scores, chainWeights);
            output.narrow(1, firstRow, rows).copy_(scores.bmm(tensors[2].narrow(1, span.FirstPair, columns)));
            pass.AddChainValues(chainWeights, output);
            weights.Add(scores);
        }

        context.save_for_backward([.. tensors, chainWeights, .. weights]);
        context.save_data("spans", spans);
        return output;
    }

    public override List<Tensor> backward(autograd.AutogradContext context, Tensor gradient)
    {
        List<Tensor> saved = context.get_saved_variables();
        var spans = (PackedSpan[])context.get_data("spans");
        Tensor[] tensors = [.. saved.Take(saved.Count - spans.Length - 1)];
        Tensor chainWeights = saved[tensors.Length];
        gradient = gradient.contiguous();
        int steps = (tensors.Length - 3) / 2;
        long group = GroupOf(tensors[0], spans);
        Tensor[] gradients = [.. tensors.Select(tensor => zeros_like(tensor))];
        for (int index = 0; index < spans.Length; index++)
        {
            PackedSpan span = spans[index];
            (long firstRow, long rows, long columns) = (span.FirstRow * group, span.Rows * group, Columns(span, steps));
            Tensor weights = saved[tensors.Length + 1 + index];
            Tensor incoming = gradient.narrow(1, firstRow, rows), asked = tensors[0].narrow(1, firstRow, rows);
            gradients[2].narrow(1, span.FirstPair, columns).add_(weights.transpose(1, 2).bmm(incoming));
            Tensor scores = incoming.bmm(tensors[2].narrow(1, span.FirstPair, columns).transpose(1, 2));
            var pass = new ChainPass(tensors, steps, span, group);
            pass.Backward(weights, scores, chainWeights, gradient, gradients, inner =>
            {
                gradients[0].narrow(1, firstRow, rows).copy_(inner.bmm(tensors[1].narrow(1, span.FirstPair, columns)));
                gradients[1].narrow(1, span.FirstPair, columns).add_(inner.transpose(1, 2).bmm(asked));
            });
        }

        return [.. gradients, null!];
    }

    private static long GroupOf(Tensor queries, PackedSpan[] spans) => queries.shape[1] / (spans[^1].FirstRow + spans[^1].Rows);

    /// <summary>Pairs of the true prefix that the span's last row sees; the rows before it see fewer. At least one, possibly seen by nobody.</summary>
    private static long Columns(PackedSpan span, int steps) => Math.Max(1, span.FirstPosition + span.Rows - steps);
}

/// <summary>The part of <see cref="ChainAttentionOperation"/> that is no matrix product, for one span.</summary>
internal readonly struct ChainPass(Tensor[] tensors, int steps, PackedSpan span, long group)
{
    private bool IsBF16 => tensors[0].dtype == ScalarType.BFloat16;

    private int Dimension => (int)tensors[0].shape[2];

    /// <summary>Scores over the prefix [heads, rows * group, columns] become weights in place, together with the chain's, which are written to their tensor.</summary>
    public void SoftMax(Tensor scores, Tensor chainWeights)
    {
        if (IsBF16)
        {
            SoftMax<BF16>(scores, chainWeights);
        }
        else
        {
            SoftMax<F32>(scores, chainWeights);
        }
    }

    public void AddChainValues(Tensor chainWeights, Tensor output)
    {
        if (steps == 0)
        {
            return;
        }

        if (IsBF16)
        {
            AddChainValues<BF16>(chainWeights, output);
        }
        else
        {
            AddChainValues<F32>(chainWeights, output);
        }
    }

    /// <summary>
    /// <paramref name="scores"/>, the gradient of the prefix' weights, becomes that of the scores; <paramref name="products"/> makes the prefix' part
    /// of the gradients from it, then the chain's part is added.
    /// </summary>
    public void Backward(Tensor weights, Tensor scores, Tensor chainWeights, Tensor incoming, Tensor[] gradients, Action<Tensor> products)
    {
        if (IsBF16)
        {
            Backward<BF16>(weights, scores, chainWeights, incoming, gradients, products);
        }
        else
        {
            Backward<F32>(weights, scores, chainWeights, incoming, gradients, products);
        }
    }

    private int Visible(long row) => (int)Math.Max(0, span.FirstPosition + row / group - steps + 1);

    /// <summary>The row of step m's keys that the span's row <paramref name="row"/> (query heads apart) sees; negative: none.</summary>
    private long ChainRow(long row, int m) => row - steps + m;

    private unsafe void SoftMax<T>(Tensor scores, Tensor chainWeights)
        where T : struct, IStorage
    {
        (long spanRows, int width, int dimension, int m, PackedSpan s, long g) = (scores.shape[1], (int)scores.shape[2], Dimension, steps, span, group);
        long heads = scores.shape[0], allRows = tensors[0].shape[1], chainRows = m > 0 ? tensors[3].shape[1] : 0;
        int chainWidth = Math.Max(1, m);
        nint data = Elements.Address(scores, scores.dtype, scores.numel());
        nint query = Elements.Address(tensors[0], scores.dtype, tensors[0].numel());
        float* extra = (float*)Elements.Address(chainWeights, ScalarType.Float32, chainWeights.numel());
        nint[] keys = ChainAddresses(3);
        ChainPass self = this;
        float scale = 1 / MathF.Sqrt(dimension);
        Elements.ForRows(heads * spanRows, width, (from, to) =>
        {
            for (long row = from; row < to; row++)
            {
                (long head, long inSpan) = Math.DivRem(row, spanRows);
                int visible = self.Visible(inSpan);
                long first = row * width, at = head * allRows + s.FirstRow * g + inSpan;
                float* chain = extra + at * chainWidth;
                float greatest = float.NegativeInfinity;
                for (int step = 1; step <= m; step++)
                {
                    long key = self.ChainRow(inSpan / g, step);
                    chain[step - 1] = key < 0
                        ? float.NegativeInfinity
                        : scale * Dot<T>(query, at * dimension, keys[step - 1], (head * chainRows + s.FirstRow + key) * dimension, dimension);
                    greatest = MathF.Max(greatest, chain[step - 1]);
                }

                for (int column = 0; column < visible; column++)
                {
                    greatest = MathF.Max(greatest, scale * One<T>(data, first + column));
                }

                float total = 0;
                for (int step = 0; step < m; step++)
                {
                    total += chain[step] = MathF.Exp(chain[step] - greatest);
                }

                total += SumOfExponentials<T>(data, first, visible, scale, greatest);
                Write<T>(data, first, visible, width, scale, greatest, 1 / total);
                for (int step = 0; step < m; step++)
                {
                    chain[step] /= total;
                }
            }
        });
    }

    private unsafe void AddChainValues<T>(Tensor chainWeights, Tensor output)
        where T : struct, IStorage
    {
        (int dimension, int m, PackedSpan s, long g) = (Dimension, steps, span, group);
        long heads = output.shape[0], allRows = output.shape[1], chainRows = tensors[3].shape[1], spanRows = s.Rows * g;
        nint target = Elements.Address(output, output.dtype, output.numel());
        float* weights = (float*)Elements.Address(chainWeights, ScalarType.Float32, chainWeights.numel());
        nint[] values = ChainAddresses(4);
        ChainPass self = this;
        Elements.ForRows(heads * spanRows, dimension, (from, to) =>
        {
            for (long row = from; row < to; row++)
            {
                (long head, long inSpan) = Math.DivRem(row, spanRows);
                long at = head * allRows + s.FirstRow * g + inSpan;
                for (int step = 1; step <= m; step++)
                {
                    long key = self.ChainRow(inSpan / g, step);
                    if (key >= 0)
                    {
                        AddScaled<T>(target, at * dimension, values[step - 1], (head * chainRows + s.FirstRow + key) * dimension, weights[at * m + step - 1], dimension);
                    }
                }
            }
        });
    }

    private unsafe void Backward<T>(Tensor weights, Tensor scores, Tensor chainWeights, Tensor incoming, Tensor[] gradients, Action<Tensor> products)
        where T : struct, IStorage
    {
        (long spanRows, int width, int dimension, int m, PackedSpan s, long g) = (scores.shape[1], (int)scores.shape[2], Dimension, steps, span, group);
        long heads = scores.shape[0], allRows = tensors[0].shape[1], chainRows = m > 0 ? tensors[3].shape[1] : 0;
        nint known = Elements.Address(weights, scores.dtype, scores.numel()), data = Elements.Address(scores, scores.dtype, scores.numel());
        nint coming = Elements.Address(incoming, scores.dtype, incoming.numel()), query = Elements.Address(tensors[0], scores.dtype, tensors[0].numel());
        nint queryGradient = Elements.Address(gradients[0], scores.dtype, gradients[0].numel());
        float* chain = (float*)Elements.Address(chainWeights, ScalarType.Float32, chainWeights.numel());
        nint[] keys = ChainAddresses(3), values = ChainAddresses(4), keyGradients = ChainAddresses(3, gradients), valueGradients = ChainAddresses(4, gradients);
        float[] scoreGradients = new float[heads * spanRows * m];
        ChainPass self = this;
        float scale = 1 / MathF.Sqrt(dimension);
        Elements.ForRows(heads * spanRows, width, (from, to) =>
        {
            for (long row = from; row < to; row++)
            {
                (long head, long inSpan) = Math.DivRem(row, spanRows);
                int visible = self.Visible(inSpan);
                long first = row * width, at = head * allRows + s.FirstRow * g + inSpan;
                float mean = Dot<T>(known, first, data, first, width); // the weights beyond what is visible are zero
                for (int step = 1; step <= m; step++)
                {
                    long key = self.ChainRow(inSpan / g, step);
                    float gradient = key < 0 ? 0 : Dot<T>(coming, at * dimension, values[step - 1], (head * chainRows + s.FirstRow + key) * dimension, dimension);
                    scoreGradients[row * m + step - 1] = gradient;
                    mean += chain[at * m + step - 1] * gradient;
                }

                for (int step = 0; step < m; step++)
                {
                    scoreGradients[row * m + step] = scale * chain[at * m + step] * (scoreGradients[row * m + step] - mean);
                }

                WriteGradient<T>(known, data, first, width, scale, mean);
            }
        });
        products(scores);
        if (m == 0)
        {
            return;
        }

        // A row of a step's keys is seen by one position (and its query heads): positions don't write over each other.
        Elements.ForRows(heads * s.Rows, dimension * m, (from, to) =>
        {
            for (long row = from; row < to; row++)
            {
                (long head, long position) = Math.DivRem(row, s.Rows);
                for (long member = position * g; member < (position + 1) * g; member++)
                {
                    long at = head * allRows + s.FirstRow * g + member;
                    for (int step = 1; step <= m; step++)
                    {
                        long key = self.ChainRow(position, step);
                        if (key < 0)
                        {
                            continue;
                        }

                        long place = (head * chainRows + s.FirstRow + key) * dimension;
                        float gradient = scoreGradients[(head * spanRows + member) * m + step - 1];
                        AddScaled<T>(queryGradient, at * dimension, keys[step - 1], place, gradient, dimension);
                        AddScaled<T>(keyGradients[step - 1], place, query, at * dimension, gradient, dimension);
                        AddScaled<T>(valueGradients[step - 1], place, coming, at * dimension, chain[at * m + step - 1], dimension);
                    }
                }
            }
        });
    }

    private nint[] ChainAddresses(int first, Tensor[]? from = null)
    {
        Tensor[] all = from ?? tensors;
        ScalarType type = tensors[0].dtype;
        return [.. Enumerable.Range(0, steps).Select(step => Elements.Address(all[first + 2 * step], type, all[first + 2 * step].numel()))];
    }

    // Widths of the prefix are no multiples of the vector's: what is left over goes element by element.
    private static float Dot<T>(nint left, long leftAt, nint right, long rightAt, int length)
        where T : struct, IStorage
    {
        Vector512<float> sum = Vector512<float>.Zero;
        int i = 0;
        for (; i + Elements.Width <= length; i += Elements.Width)
        {
            sum = Vector512.FusedMultiplyAdd(T.Load(left, leftAt + i), T.Load(right, rightAt + i), sum);
        }

        float total = Vector512.Sum(sum);
        for (; i < length; i++)
        {
            total += One<T>(left, leftAt + i) * One<T>(right, rightAt + i);
        }

        return total;
    }

    private static float SumOfExponentials<T>(nint data, long first, int visible, float scale, float greatest)
        where T : struct, IStorage
    {
        Vector512<float> total = Vector512<float>.Zero;
        int i = 0;
        for (; i + Elements.Width <= visible; i += Elements.Width)
        {
            total += Exponential.Of(T.Load(data, first + i) * scale - Vector512.Create(greatest));
        }

        float sum = Vector512.Sum(total);
        for (; i < visible; i++)
        {
            sum += MathF.Exp(scale * One<T>(data, first + i) - greatest);
        }

        return sum;
    }

    private static void Write<T>(nint data, long first, int visible, int width, float scale, float greatest, float factor)
        where T : struct, IStorage
    {
        int i = 0;
        for (; i + Elements.Width <= visible; i += Elements.Width)
        {
            T.Store(data, first + i, Exponential.Of(T.Load(data, first + i) * scale - Vector512.Create(greatest)) * factor);
        }

        for (; i < visible; i++)
        {
            SetOne<T>(data, first + i, MathF.Exp(scale * One<T>(data, first + i) - greatest) * factor);
        }

        for (; i < width; i++)
        {
            SetOne<T>(data, first + i, 0);
        }
    }

    private static void WriteGradient<T>(nint weights, nint gradients, long first, int width, float scale, float mean)
        where T : struct, IStorage
    {
        int i = 0;
        for (; i + Elements.Width <= width; i += Elements.Width)
        {
            T.Store(gradients, first + i, T.Load(weights, first + i) * scale * (T.Load(gradients, first + i) - Vector512.Create(mean)));
        }

        for (; i < width; i++)
        {
            SetOne<T>(gradients, first + i, One<T>(weights, first + i) * scale * (One<T>(gradients, first + i) - mean));
        }
    }

    private static void AddScaled<T>(nint target, long targetAt, nint source, long sourceAt, float factor, int length)
        where T : struct, IStorage
    {
        for (int i = 0; i < length; i += Elements.Width)
        {
            T.Store(target, targetAt + i, Vector512.FusedMultiplyAdd(T.Load(source, sourceAt + i), Vector512.Create(factor), T.Load(target, targetAt + i)));
        }
    }

    private static unsafe float One<T>(nint data, long index)
        where T : struct, IStorage =>
        typeof(T) == typeof(BF16) ? BitConverter.UInt32BitsToSingle((uint)((ushort*)data)[index] << 16) : ((float*)data)[index];

    private static unsafe void SetOne<T>(nint data, long index, float value)
        where T : struct, IStorage
    {
        if (typeof(T) == typeof(BF16))
        {
            ((ushort*)data)[index] = Formats.FloatConversion.ToBF16(value);
        }
        else
        {
            ((float*)data)[index] = value;
        }
    }
}
