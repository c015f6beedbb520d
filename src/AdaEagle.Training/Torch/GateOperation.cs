using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;
using static TorchSharp.torch;

namespace AdaEagle.Training.Torch;

/// <summary>SwiGLU: [rows, gate width | up width] gives silu(gate) * up, [rows, width], in the type it came in.</summary>
internal sealed class GateOperation : autograd.SingleTensorFunction<GateOperation>
{
    public override string Name => nameof(GateOperation);

    public override Tensor forward(autograd.AutogradContext context, params object[] arguments)
    {
        var both = (Tensor)arguments[0];
        Tensor result = empty(both.shape[0], both.shape[1] / 2, both.dtype);
        if (both.dtype == ScalarType.BFloat16)
        {
            Forward<BF16>(both, result);
        }
        else
        {
            Forward<F32>(both, result);
        }

        context.save_for_backward([both]);
        return result;
    }

    public override List<Tensor> backward(autograd.AutogradContext context, Tensor gradient)
    {
        Tensor both = context.get_saved_variables()[0];
        Tensor result = empty(both.shape, both.dtype);
        if (both.dtype == ScalarType.BFloat16)
        {
            Backward<BF16>(both, gradient.contiguous(), result);
        }
        else
        {
            Backward<F32>(both, gradient.contiguous(), result);
        }

        return [result];
    }

    private static void Forward<T>(Tensor both, Tensor result)
        where T : struct, IStorage
    {
        long rows = result.shape[0];
        int width = checked((int)result.shape[1]);
        nint source = Elements.Address(both, result.dtype, 2 * result.numel());
        nint target = Elements.Address(result, result.dtype, result.numel());
        Elements.ForRows(rows, 2 * width, (from, to) =>
        {
            for (long row = from; row < to; row++)
            {
                for (int column = 0; column < width; column += Elements.Width)
                {
                    Vector512<float> gate = T.Load(source, 2 * row * width + column);
                    Vector512<float> up = T.Load(source, (2 * row + 1) * width + column);
                    T.Store(target, row * width + column, gate * Sigmoid(gate) * up);
                }
            }
        });
    }

    /// <summary>silu'(x) = s (1 + x (1 - s)) with s = sigmoid(x).</summary>
    private static void Backward<T>(Tensor both, Tensor gradient, Tensor result)
        where T : struct, IStorage
    {
        long rows = both.shape[0];
        int width = checked((int)(both.shape[1] / 2));
        nint source = Elements.Address(both, both.dtype, 2 * rows * width);
        nint gradients = Elements.Address(gradient, both.dtype, rows * width);
        nint target = Elements.Address(result, both.dtype, 2 * rows * width);
        Elements.ForRows(rows, 2 * width, (from, to) =>
        {
            for (long row = from; row < to; row++)
            {
                for (int column = 0; column < width; column += Elements.Width)
                {
                    long gateAt = 2 * row * width + column, upAt = gateAt + width;
                    Vector512<float> gate = T.Load(source, gateAt), up = T.Load(source, upAt);
                    Vector512<float> incoming = T.Load(gradients, row * width + column);
                    Vector512<float> sigmoid = Sigmoid(gate);
                    T.Store(target, gateAt, incoming * up * sigmoid * (Vector512<float>.One + gate * (Vector512<float>.One - sigmoid)));
                    T.Store(target, upAt, incoming * gate * sigmoid);
                }
            }
        });
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static Vector512<float> Sigmoid(Vector512<float> x) => Vector512<float>.One / (Vector512<float>.One + Exponential.Of(-x));
}
