using System.Runtime.Intrinsics;
using AdaEagle.Training.Torch;
using static TorchSharp.torch;

namespace AdaEagle.Training.Eagle;

/// <summary>What a draft step is compared with.</summary>
/// <param name="Teachers">Row of the teacher's features for each of the step's rows, ascending.</param>
/// <param name="Weight">Factor of each row's loss.</param>
internal sealed record DraftStepRows(int[] Teachers, float Weight);

/// <summary>
/// Soft cross-entropy of draft steps against the target's distribution, all steps in one operation: the teacher's soft-max is made once a row,
/// a piece of the rows at a time; gradients are made on the way forward, in place of the logits. Arguments: the steps' rows, one below the other
/// [rows, hidden], the teacher's features [teacher rows, hidden], the teacher's LM head [vocabulary, hidden] (frozen), the LM head that scores the rows (the same,
/// or one of as many tokens, which then gets a gradient), all of one storage type, the
/// steps' <see cref="DraftStepRows"/> and a <see cref="DraftLossParts"/> that takes the means. Gives sum over steps of weight * sum over rows of
/// -sum p ln q, F32 [].
/// </summary>
internal sealed class DraftLossOperation : autograd.SingleTensorFunction<DraftLossOperation>
{
    private const long PieceElements = 1 << 21;

    public override string Name => nameof(DraftLossOperation);

    public override Tensor forward(autograd.AutogradContext context, params object[] arguments)
    {
        (var rows, var teachers, var teacherHead, var head) = ((Tensor)arguments[0], (Tensor)arguments[1], (Tensor)arguments[2], (Tensor)arguments[3]);
        (var steps, var parts) = ((DraftStepRows[])arguments[4], (DraftLossParts)arguments[5]);
        Tensor gradient = empty_like(rows);
        Tensor? headGradient = ReferenceEquals(teacherHead, head) ? null : zeros(head.shape, ScalarType.Float32);
        (Tensor teacherHeadT, Tensor headT) = (teacherHead.t(), head.t());
        int piece = (int)Math.Max(1, PieceElements / head.shape[0]);
        int[] done = new int[steps.Length];
        for (int start = 0; start < teachers.shape[0]; start += piece)
        {
            int count = (int)Math.Min(piece, teachers.shape[0] - start);
            using var scope = NewDisposeScope();
            Tensor probabilities = teachers.narrow(0, start, count).mm(teacherHeadT);
            int[] best = new int[count];
            if (rows.dtype == ScalarType.BFloat16)
            {
                SoftMax<BF16>(probabilities, best);
            }
            else
            {
                SoftMax<F32>(probabilities, best);
            }

            for (int step = 0, offset = 0; step < steps.Length; offset += steps[step++].Teachers.Length)
            {
                int[] of = steps[step].Teachers;
                int from = done[step];
                while (done[step] < of.Length && of[done[step]] < start + count)
                {
                    done[step]++;
                }

                int length = done[step] - from;
                if (length == 0)
                {
                    continue;
                }

                Tensor own = rows.narrow(0, offset + from, length);
                Tensor logits = own.mm(headT);
                int[] teacher = [.. of.AsSpan(from, length).ToArray().Select(row => row - start)];
                if (rows.dtype == ScalarType.BFloat16)
                {
                    CrossEntropy<BF16>(logits, probabilities, teacher, best, steps[step].Weight, parts, step);
                }
                else
                {
                    CrossEntropy<F32>(logits, probabilities, teacher, best, steps[step].Weight, parts, step);
                }

                gradient.narrow(0, offset + from, length).copy_(logits.mm(head));
                headGradient?.add_(logits.t().mm(own).to(ScalarType.Float32));
            }
        }

        context.save_for_backward(headGradient is null ? [gradient] : [gradient, headGradient.to(head.dtype)]);
        return tensor((float)steps.Select((step, index) => step.Weight * parts.Losses[index]).Sum());
    }

    public override List<Tensor> backward(autograd.AutogradContext context, Tensor gradient)
    {
        float factor = gradient.item<float>();
        Tensor[] saved = [.. context.get_saved_variables().Select(made => factor == 1 ? made : made * factor)];
        return [saved[0], null!, null!, saved.Length > 1 ? saved[1] : null!, null!, null!];
    }

    /// <summary>Logits to probabilities in place; notes the most probable token of each row.</summary>
    private static void SoftMax<T>(Tensor logits, int[] best)
        where T : struct, IStorage
    {
        (long rows, int width) = (logits.shape[0], checked((int)logits.shape[1]));
        nint data = Elements.Address(logits, logits.dtype, rows * width);
        Elements.ForRows(rows, width, (from, to) =>
        {
            for (long row = from; row < to; row++)
            {
                long first = row * width;
                float greatest = Greatest<T>(data, first, width);
                best[row] = IndexOf<T>(data, first, width, greatest);
                Vector512<float> total = Vector512<float>.Zero;
                for (int column = 0; column < width; column += Elements.Width)
                {
                    total += Exponential.Of(T.Load(data, first + column) - Vector512.Create(greatest));
                }

                Vector512<float> factor = Vector512.Create(1 / Vector512.Sum(total));
                for (int column = 0; column < width; column += Elements.Width)
                {
                    T.Store(data, first + column, Exponential.Of(T.Load(data, first + column) - Vector512.Create(greatest)) * factor);
                }
            }
        });
    }

    /// <summary>Adds the rows' losses and agreements to the parts; the logits become weight * (q - p).</summary>
    private static void CrossEntropy<T>(Tensor logits, Tensor probabilities, int[] teacher, int[] best, float weight, DraftLossParts parts, int step)
        where T : struct, IStorage
    {
        (long rows, int width) = (logits.shape[0], checked((int)logits.shape[1]));
        nint data = Elements.Address(logits, logits.dtype, rows * width);
        nint known = Elements.Address(probabilities, logits.dtype, probabilities.numel());
        var losses = new float[rows];
        int agreed = 0;
        Elements.ForRows(rows, 2 * width, (from, to) =>
        {
            int agreeing = 0;
            for (long row = from; row < to; row++)
            {
                (long first, long other) = (row * width, (long)teacher[row] * width);
                float greatest = Greatest<T>(data, first, width);
                agreeing += IndexOf<T>(data, first, width, greatest) == best[teacher[row]] ? 1 : 0;
                Vector512<float> total = Vector512<float>.Zero, dot = Vector512<float>.Zero, mass = Vector512<float>.Zero;
                for (int column = 0; column < width; column += Elements.Width)
                {
                    Vector512<float> logit = T.Load(data, first + column) - Vector512.Create(greatest), p = T.Load(known, other + column);
                    total += Exponential.Of(logit);
                    dot = Vector512.FusedMultiplyAdd(p, logit, dot);
                    mass += p;
                }

                float sum = Vector512.Sum(total), all = Vector512.Sum(mass); // all is 1 but for rounding
                losses[row] = MathF.Log(sum) - Vector512.Sum(dot) / all;
                Vector512<float> factor = Vector512.Create(weight / sum), scale = Vector512.Create(weight / all);
                for (int column = 0; column < width; column += Elements.Width)
                {
                    Vector512<float> q = Exponential.Of(T.Load(data, first + column) - Vector512.Create(greatest)) * factor;
                    T.Store(data, first + column, q - T.Load(known, other + column) * scale);
                }
            }

            Interlocked.Add(ref agreed, agreeing);
        });
        parts.Add(step, losses, agreed);
    }

    private static float Greatest<T>(nint data, long first, int width)
        where T : struct, IStorage
    {
        Vector512<float> greatest = T.Load(data, first);
        for (int column = Elements.Width; column < width; column += Elements.Width)
        {
            greatest = Vector512.Max(greatest, T.Load(data, first + column));
        }

        float result = greatest[0];
        for (int lane = 1; lane < Elements.Width; lane++)
        {
            result = MathF.Max(result, greatest[lane]);
        }

        return result;
    }

    private static int IndexOf<T>(nint data, long first, int width, float value)
        where T : struct, IStorage
    {
        for (int column = 0; column < width; column += Elements.Width)
        {
            ulong equal = Vector512.ExtractMostSignificantBits(Vector512.Equals(T.Load(data, first + column), Vector512.Create(value)));
            if (equal != 0)
            {
                return column + System.Numerics.BitOperations.TrailingZeroCount(equal);
            }
        }

        return 0; // no number among them
    }
}

/// <summary>Sums over the rows of draft steps.</summary>
internal sealed class DraftLossParts(int steps)
{
    /// <summary>Cross-entropies in nats, summed over rows.</summary>
    public double[] Losses { get; } = new double[steps];

    /// <summary>Rows whose most probable token is the target's.</summary>
    public long[] Agreed { get; } = new long[steps];

    /// <summary>Rows.</summary>
    public long[] Rows { get; } = new long[steps];

    public void Add(int step, float[] losses, int agreed)
    {
        foreach (float loss in losses)
        {
            Losses[step] += loss;
        }

        Rows[step] += losses.Length;
        Agreed[step] += agreed;
    }
}
