using System.Runtime.Intrinsics;
using static TorchSharp.torch;

namespace AdaEagle.Training.Torch;

/// <summary>
/// Logits and mean cross-entropy in one operation, a piece of the rows at a time, so that no more than a piece's logits exist; the gradients are
/// made on the way forward, in place of the logits. Takes hidden rows [rows, width] and the LM head [vocabulary, width] in one
/// storage type and the targets I64 [rows]; gives the mean loss in nats, F32 [].
/// </summary>
internal sealed class HeadLossOperation : autograd.SingleTensorFunction<HeadLossOperation>
{
    private const long PieceElements = 1 << 24;

    public override string Name => nameof(HeadLossOperation);

    public override Tensor forward(autograd.AutogradContext context, params object[] arguments)
    {
        (var hidden, var head, var targets) = ((Tensor)arguments[0], (Tensor)arguments[1], (Tensor)arguments[2]);
        Tensor hiddenGradient = empty_like(hidden);
        Tensor headGradient = zeros(head.shape, ScalarType.Float32);
        double total = 0;
        ForPieces(hidden, head, targets, withGradient: true, (start, logits, losses) =>
        {
            hiddenGradient.narrow(0, start, logits.shape[0]).copy_(logits.mm(head));
            headGradient.add_(logits.t().mm(hidden.narrow(0, start, logits.shape[0])));
            total += Sum(losses);
        });
        context.save_for_backward([hiddenGradient, headGradient.to(head.dtype)]);
        return tensor((float)(total / hidden.shape[0]));
    }

    public override List<Tensor> backward(autograd.AutogradContext context, Tensor gradient)
    {
        List<Tensor> saved = context.get_saved_variables();
        float factor = gradient.item<float>();
        return factor == 1 ? [saved[0], saved[1], null!] : [saved[0] * factor, saved[1] * factor, null!];
    }

    /// <summary>The loss of every row in nats, without gradients.</summary>
    public static float[] Losses(Tensor hidden, Tensor head, Tensor targets)
    {
        var all = new float[hidden.shape[0]];
        ForPieces(hidden, head, targets, withGradient: false, (start, _, losses) => losses.CopyTo(all, start));
        return all;
    }

    private static void ForPieces(Tensor hidden, Tensor head, Tensor targets, bool withGradient, Action<long, Tensor, float[]> use)
    {
        long rows = hidden.shape[0], piece = Math.Max(1, PieceElements / head.shape[0]);
        float weight = 1f / rows;
        for (long start = 0; start < rows; start += piece)
        {
            using var scope = NewDisposeScope();
            long count = Math.Min(piece, rows - start);
            Tensor logits = hidden.narrow(0, start, count).mm(head.t());
            var losses = new float[count];
            long[] wanted = targets.narrow(0, start, count).data<long>().ToArray();
            if (logits.dtype == ScalarType.BFloat16)
            {
                CrossEntropy<BF16>(logits, wanted, losses, withGradient ? weight : 0);
            }
            else
            {
                CrossEntropy<F32>(logits, wanted, losses, withGradient ? weight : 0);
            }

            use(start, logits, losses);
        }
    }

    /// <summary>Losses of the rows; with a weight the logits become weight * (probabilities - target).</summary>
    private static void CrossEntropy<T>(Tensor logits, long[] targets, float[] losses, float weight)
        where T : struct, IStorage
    {
        (long rows, int width) = (logits.shape[0], checked((int)logits.shape[1]));
        nint data = Elements.Address(logits, logits.dtype, rows * width);
        Elements.ForRows(rows, width, (from, to) =>
        {
            for (long row = from; row < to; row++)
            {
                long first = row * width;
                long target = targets[row];
                ArgumentOutOfRangeException.ThrowIfGreaterThanOrEqual((ulong)target, (ulong)width, nameof(targets));
                Vector512<float> greatest = Vector512.Create(float.NegativeInfinity);
                for (int column = 0; column < width; column += Elements.Width)
                {
                    greatest = Vector512.Max(greatest, T.Load(data, first + column));
                }

                float shift = float.NegativeInfinity;
                for (int lane = 0; lane < Elements.Width; lane++)
                {
                    shift = MathF.Max(shift, greatest[lane]);
                }

                Vector512<float> total = Vector512<float>.Zero;
                for (int column = 0; column < width; column += Elements.Width)
                {
                    total += Exponential.Of(T.Load(data, first + column) - Vector512.Create(shift));
                }

                float sum = Vector512.Sum(total);
                long vector = target / Elements.Width * Elements.Width;
                losses[row] = shift + MathF.Log(sum) - T.Load(data, first + vector)[(int)(target - vector)];
                if (weight == 0)
                {
                    continue;
                }

                Vector512<float> factor = Vector512.Create(weight / sum);
                for (int column = 0; column < width; column += Elements.Width)
                {
                    Vector512<float> gradient = Exponential.Of(T.Load(data, first + column) - Vector512.Create(shift)) * factor;
                    if (column == vector)
                    {
                        gradient -= Vector512.ConditionalSelect(
                            Vector512.Equals(Vector512<int>.Indices, Vector512.Create((int)(target - vector))).AsSingle(), Vector512.Create(weight), Vector512<float>.Zero);
                    }

                    T.Store(data, first + column, gradient);
                }
            }
        });
    }

    private static double Sum(float[] values)
    {
        double sum = 0;
        foreach (float value in values)
        {
            sum += value;
        }

        return sum;
    }
}
