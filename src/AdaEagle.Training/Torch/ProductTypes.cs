using System.Diagnostics;
using TorchSharp;
using static TorchSharp.torch;

namespace AdaEagle.Training.Torch;

/// <summary>Finds the type that this processor multiplies matrices in fastest.</summary>
internal static class ProductTypes
{
    /// <summary>Billions of multiplications and additions a second of products like a layer's, in F32 and BF16.</summary>
    public static (double F32, double BF16) Measure() => (Rate(ScalarType.Float32), Rate(ScalarType.BFloat16));

    private static double Rate(ScalarType type)
    {
        const int Rows = 2048, Width = 256, Inner = 768;
        using var scope = NewDisposeScope();
        Tensor rows = randn(Rows, Width).to(type), matrix = randn(Inner, Width).to(type);
        long best = long.MaxValue;
        for (int attempt = 0; attempt < 8; attempt++)
        {
            long start = Stopwatch.GetTimestamp();
            using Tensor product = rows.mm(matrix.t());
            best = Math.Min(best, Stopwatch.GetTimestamp() - start);
        }

        return 2.0 * Rows * Width * Inner / Stopwatch.GetElapsedTime(0, best).TotalSeconds / 1e9;
    }
}
