using System.Runtime.Intrinsics;
using static TorchSharp.torch;

namespace AdaEagle.Training.Torch;

/// <summary>
/// Causal attention over the layout of <see cref="RotaryOperation"/>, as plain matrix products a block of positions at a time (libtorch's own
/// fused attention takes twice the time here, on processors with BF16 products). A block sees the columns up to its own end, so that most of
/// the masked half is never computed. Gives [groups, positions * group size, dimension].
/// </summary>
internal sealed class AttentionOperation : autograd.SingleTensorFunction<AttentionOperation>
{
    /// <summary>Positions a block: the least work of 64 to 512 at 512 positions.</summary>
    private const int UsualBlock = 128;

    public override string Name => nameof(AttentionOperation);

    /// <summary>The operation with typed arguments; <paramref name="block"/> is the number of positions a block.</summary>
    public static Tensor Apply(Tensor queries, Tensor keys, Tensor values, int block = UsualBlock) => apply(queries, keys, values, block);

    public override Tensor forward(autograd.AutogradContext context, params object[] arguments)
    {
        (var queries, var keys, var values) = ((Tensor)arguments[0], (Tensor)arguments[1], (Tensor)arguments[2]);
        int block = (int)arguments[3];
        long positions = keys.shape[1], group = queries.shape[1] / positions;
        float scale = 1 / MathF.Sqrt(keys.shape[2]);
        var saved = new List<Tensor> { queries, keys, values };
        var outputs = new List<Tensor>();
        for (long start = 0; start < positions; start += block)
        {
            long length = Math.Min(block, positions - start), seen = start + length;
            Tensor weights = queries.narrow(1, start * group, length * group).bmm(keys.narrow(1, 0, seen).transpose(1, 2));
            SoftMax(weights, start, group, scale);
            outputs.Add(weights.bmm(values.narrow(1, 0, seen)));
            saved.Add(weights);
        }

        context.save_for_backward(saved);
        context.save_data("block", block);
        return outputs.Count == 1 ? outputs[0] : cat(outputs, 1);
    }

    public override List<Tensor> backward(autograd.AutogradContext context, Tensor gradient)
    {
        List<Tensor> saved = context.get_saved_variables();
        (Tensor queries, Tensor keys, Tensor values) = (saved[0], saved[1], saved[2]);
        int blockLength = (int)context.get_data("block");
        long positions = keys.shape[1], group = queries.shape[1] / positions;
        float scale = 1 / MathF.Sqrt(keys.shape[2]);
        var queryGradients = new List<Tensor>();
        Tensor keyGradient = zeros_like(keys), valueGradient = zeros_like(values);

        // From the last block, which sees every column, backwards.
        for (int block = saved.Count - 4; block >= 0; block--)
        {
            long start = (long)block * blockLength, length = Math.Min(blockLength, positions - start), seen = start + length;
            Tensor weights = saved[block + 3];
            Tensor incoming = gradient.narrow(1, start * group, length * group);
            Tensor asked = queries.narrow(1, start * group, length * group);
            valueGradient.narrow(1, 0, seen).add_(weights.transpose(1, 2).bmm(incoming));
            Tensor scores = incoming.bmm(values.narrow(1, 0, seen).transpose(1, 2));
            SoftMaxGradient(weights, scores, start, group, scale);
            queryGradients.Insert(0, scores.bmm(keys.narrow(1, 0, seen)));
            keyGradient.narrow(1, 0, seen).add_(scores.transpose(1, 2).bmm(asked));
        }

        return [queryGradients.Count == 1 ? queryGradients[0] : cat(queryGradients, 1), keyGradient, valueGradient, null!];
    }

    /// <summary>Scores to weights in place; row r of a group stands at position start + r / group and sees the columns up to it.</summary>
    private static void SoftMax(Tensor scores, long start, long group, float scale)
    {
        if (scores.dtype == ScalarType.BFloat16)
        {
            SoftMax<BF16>(scores, start, group, scale);
        }
        else
        {
            SoftMax<F32>(scores, start, group, scale);
        }
    }

    private static void SoftMax<T>(Tensor scores, long start, long group, float scale)
        where T : struct, IStorage
    {
        (long groupRows, int width) = (scores.shape[1], checked((int)scores.shape[2]));
        long rows = scores.shape[0] * groupRows;
        nint data = Elements.Address(scores, scores.dtype, rows * width);
        Elements.ForRows(rows, width, (from, to) =>
        {
            for (long row = from; row < to; row++)
            {
                int visible = (int)(start + row % groupRows / group + 1);
                long first = row * width;
                int full = visible / Elements.Width * Elements.Width;
                Vector512<float> greatest = Vector512.Create(float.NegativeInfinity);
                for (int column = 0; column < visible; column += Elements.Width)
                {
                    greatest = Vector512.Max(greatest, Masked(T.Load(data, first + column), column, visible));
                }

                Vector512<float> shift = Vector512.Create(-scale * MaxAcross(greatest));
                Vector512<float> total = Vector512<float>.Zero;
                for (int column = 0; column < full; column += Elements.Width)
                {
                    total += Exponential.Of(Vector512.FusedMultiplyAdd(T.Load(data, first + column), Vector512.Create(scale), shift));
                }

                if (full < visible)
                {
                    total += Visible(Exponential.Of(Vector512.FusedMultiplyAdd(T.Load(data, first + full), Vector512.Create(scale), shift)), full, visible);
                }

                Vector512<float> inverse = Vector512.Create(1 / Vector512.Sum(total));
                for (int column = 0; column < width; column += Elements.Width)
                {
                    Vector512<float> weight = column >= visible
                        ? Vector512<float>.Zero
                        : Visible(Exponential.Of(Vector512.FusedMultiplyAdd(T.Load(data, first + column), Vector512.Create(scale), shift)) * inverse, column, visible);
                    T.Store(data, first + column, weight);
                }
            }
        });
    }

    /// <summary>Gradient of the weights to gradient of the scores in place: scale * w (g - sum(g w)).</summary>
    private static void SoftMaxGradient(Tensor weights, Tensor gradients, long start, long group, float scale)
    {
        if (gradients.dtype == ScalarType.BFloat16)
        {
            SoftMaxGradient<BF16>(weights, gradients, start, group, scale);
        }
        else
        {
            SoftMaxGradient<F32>(weights, gradients, start, group, scale);
        }
    }

    private static void SoftMaxGradient<T>(Tensor weights, Tensor gradients, long start, long group, float scale)
        where T : struct, IStorage
    {
        (long groupRows, int width) = (weights.shape[1], checked((int)weights.shape[2]));
        long rows = weights.shape[0] * groupRows;
        nint known = Elements.Address(weights, weights.dtype, rows * width);
        nint data = Elements.Address(gradients, weights.dtype, rows * width);
        Elements.ForRows(rows, width, (from, to) =>
        {
            for (long row = from; row < to; row++)
            {
                int visible = (int)(start + row % groupRows / group + 1); // weights beyond it are zero
                long first = row * width;
                Vector512<float> products = Vector512<float>.Zero;
                for (int column = 0; column < visible; column += Elements.Width)
                {
                    products = Vector512.FusedMultiplyAdd(T.Load(known, first + column), T.Load(data, first + column), products);
                }

                Vector512<float> mean = Vector512.Create(Vector512.Sum(products));
                for (int column = 0; column < width; column += Elements.Width)
                {
                    Vector512<float> gradient = column >= visible
                        ? Vector512<float>.Zero
                        : T.Load(known, first + column) * scale * (T.Load(data, first + column) - mean);
                    T.Store(data, first + column, gradient);
                }
            }
        });
    }

    private static float MaxAcross(Vector512<float> values)
    {
        float greatest = values[0];
        for (int lane = 1; lane < Vector512<float>.Count; lane++)
        {
            greatest = MathF.Max(greatest, values[lane]);
        }

        return greatest;
    }

    private static Vector512<float> IsVisible(int column, int visible) =>
        Vector512.LessThan(Vector512<int>.Indices, Vector512.Create(visible - column)).AsSingle();

    private static Vector512<float> Masked(Vector512<float> scores, int column, int visible) =>
        Vector512.ConditionalSelect(IsVisible(column, visible), scores, Vector512.Create(float.NegativeInfinity));

    private static Vector512<float> Visible(Vector512<float> weights, int column, int visible) =>
        Vector512.ConditionalSelect(IsVisible(column, visible), weights, Vector512<float>.Zero);
}
