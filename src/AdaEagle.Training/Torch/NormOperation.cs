using System.Runtime.Intrinsics;
using static TorchSharp.torch;

namespace AdaEagle.Training.Torch;

/// <summary>
/// Residual addition and RMSNorm in one pass each way: sum = x + delta, normed = sum / sqrt(mean(sum^2) + eps), without the norm's weight
/// (which the caller multiplies into the matrix that follows: the same product, over fewer numbers).
/// Takes x F32 [rows, width], delta [rows, width] in the storage type, storage type, eps; gives sum F32 and normed in the storage type.
/// </summary>
internal sealed class NormOperation : autograd.MultiTensorFunction<NormOperation>
{
    public override string Name => nameof(NormOperation);

    /// <summary>The operation with typed arguments; without <paramref name="delta"/> the sum is x.</summary>
    public static (Tensor Sum, Tensor Normed) Apply(Tensor x, Tensor? delta, ScalarType storage, double epsilon)
    {
        List<Tensor> outputs = delta is null ? apply(x, storage, epsilon) : apply(x, delta, storage, epsilon);
        return (outputs[0], outputs[1]);
    }

    public override List<Tensor> forward(autograd.AutogradContext context, params object[] arguments)
    {
        var x = (Tensor)arguments[0];
        Tensor? delta = arguments.Length == 4 ? (Tensor)arguments[1] : null;
        var storage = (ScalarType)arguments[^2];
        var epsilon = (float)(double)arguments[^1];
        Tensor sum = empty(x.shape, ScalarType.Float32);
        Tensor normed = empty(x.shape, storage);
        Tensor scale = empty(x.shape[0], ScalarType.Float32);
        if (storage == ScalarType.BFloat16)
        {
            Forward<BF16>(x, delta, sum, normed, scale, epsilon, storage);
        }
        else
        {
            Forward<F32>(x, delta, sum, normed, scale, epsilon, storage);
        }

        context.save_for_backward([sum, scale]);
        context.save_data("storage", storage);
        context.save_data("hasDelta", delta is not null);
        return [sum, normed];
    }

    public override List<Tensor> backward(autograd.AutogradContext context, List<Tensor> gradients)
    {
        List<Tensor> saved = context.get_saved_variables();
        var storage = (ScalarType)context.get_data("storage");
        Tensor sumGradient = gradients[0].contiguous();
        Tensor normedGradient = gradients[1].contiguous();
        Tensor result = empty(saved[0].shape, ScalarType.Float32);
        Tensor? delta = (bool)context.get_data("hasDelta") ? empty(saved[0].shape, storage) : null;
        if (storage == ScalarType.BFloat16)
        {
            Backward<BF16>(saved[0], saved[1], sumGradient, normedGradient, result, delta, storage);
        }
        else
        {
            Backward<F32>(saved[0], saved[1], sumGradient, normedGradient, result, delta, storage);
        }

        return delta is null ? [result, null!, null!] : [result, delta, null!, null!];
    }

    private static unsafe void Forward<T>(Tensor x, Tensor? delta, Tensor sum, Tensor normed, Tensor scale, float epsilon, ScalarType storage)
        where T : struct, IStorage
    {
        long rows = x.shape[0], count = x.numel();
        int width = checked((int)x.shape[1]);
        nint source = Elements.Address(x, ScalarType.Float32, count);
        nint added = delta is null ? 0 : Elements.Address(delta, storage, count);
        nint sums = Elements.Address(sum, ScalarType.Float32, count);
        nint results = Elements.Address(normed, storage, count);
        nint scales = Elements.Address(scale, ScalarType.Float32, rows);
        Elements.ForRows(rows, width, (from, to) =>
        {
            for (long row = from; row < to; row++)
            {
                long start = row * width;
                Vector512<float> squares = Vector512<float>.Zero;
                for (long at = start; at < start + width; at += Elements.Width)
                {
                    Vector512<float> value = F32.Load(source, at);
                    if (added != 0)
                    {
                        value += T.Load(added, at);
                    }

                    F32.Store(sums, at, value);
                    squares = Vector512.FusedMultiplyAdd(value, value, squares);
                }

                float factor = 1 / MathF.Sqrt(Vector512.Sum(squares) / width + epsilon);
                ((float*)scales)[row] = factor;
                for (long at = start; at < start + width; at += Elements.Width)
                {
                    T.Store(results, at, F32.Load(sums, at) * factor);
                }
            }
        });
    }

    /// <summary>d sum = g_sum + s g - sum s^3 (g . sum) / width, with s the scale and g the gradient of the normed rows.</summary>
    private static unsafe void Backward<T>(Tensor sum, Tensor scale, Tensor sumGradient, Tensor normedGradient, Tensor result, Tensor? delta, ScalarType storage)
        where T : struct, IStorage
    {
        long rows = sum.shape[0], count = sum.numel();
        int width = checked((int)sum.shape[1]);
        nint sums = Elements.Address(sum, ScalarType.Float32, count);
        nint scales = Elements.Address(scale, ScalarType.Float32, rows);
        nint passed = Elements.Address(sumGradient, ScalarType.Float32, count);
        nint normed = Elements.Address(normedGradient, storage, count);
        nint results = Elements.Address(result, ScalarType.Float32, count);
        nint deltas = delta is null ? 0 : Elements.Address(delta, storage, count);
        Elements.ForRows(rows, width, (from, to) =>
        {
            for (long row = from; row < to; row++)
            {
                long start = row * width;
                Vector512<float> products = Vector512<float>.Zero;
                for (long at = start; at < start + width; at += Elements.Width)
                {
                    products = Vector512.FusedMultiplyAdd(T.Load(normed, at), F32.Load(sums, at), products);
                }

                float factor = ((float*)scales)[row];
                float inward = -Vector512.Sum(products) * factor * factor * factor / width;
                for (long at = start; at < start + width; at += Elements.Width)
                {
                    Vector512<float> gradient = F32.Load(passed, at) + T.Load(normed, at) * factor + F32.Load(sums, at) * inward;
                    F32.Store(results, at, gradient);
                    if (deltas != 0)
                    {
                        T.Store(deltas, at, gradient);
                    }
                }
            }
        });
    }
}
