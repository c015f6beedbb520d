using System.Runtime.Intrinsics;

namespace AdaEagle.Kernels;

/// <summary>
/// An instruction set the kernels are compiled for. All give the same bits, but <see cref="Reference"/> for quantised weights, where the others round the inputs
/// of products to eight bits.
/// </summary>
public enum KernelPath
{
    /// <summary>One number at a time, and no input is rounded: exact, slow, what the other paths' rounding is measured against.</summary>
    Reference,

    /// <summary>One number at a time: the twin that the others are tested against.</summary>
    Scalar,

    /// <summary>128-bit vectors: portable, and what ARM runs.</summary>
    Vector128,

    /// <summary>256-bit vectors with fused multiply-add (AVX2).</summary>
    Avx2,

    /// <summary>512-bit vectors (AVX-512).</summary>
    Avx512,
}

/// <summary>Chooses the kernel path once at start.</summary>
public static class KernelPaths
{
    /// <summary>The environment variable that overrides the choice: <c>reference</c>, <c>scalar</c>, <c>vector128</c>, <c>avx2</c> or <c>avx512</c>.</summary>
    public const string Variable = "ADAEAGLE_KERNELS";

    /// <summary>The widest path that this processor runs in hardware, or what <see cref="Variable"/> names.</summary>
    public static KernelPath Best { get; } = Choose();

    /// <summary>The paths that this processor can run.</summary>
    public static IReadOnlyList<KernelPath> Available { get; } = [.. Enum.GetValues<KernelPath>().Where(IsAvailable)];

    /// <summary>True if this processor runs the path in hardware.</summary>
    public static bool IsAvailable(KernelPath path) => path switch
    {
        KernelPath.Reference or KernelPath.Scalar => true,
        KernelPath.Vector128 => Vector128.IsHardwareAccelerated,
        KernelPath.Avx2 => System.Runtime.Intrinsics.X86.Fma.IsSupported && System.Runtime.Intrinsics.X86.Avx2.IsSupported,
        KernelPath.Avx512 => System.Runtime.Intrinsics.X86.Avx512BW.IsSupported,
        _ => false,
    };

    private static KernelPath Choose()
    {
        string? named = Environment.GetEnvironmentVariable(Variable);
        if (!string.IsNullOrEmpty(named))
        {
            return Enum.TryParse(named, ignoreCase: true, out KernelPath path) && IsAvailable(path)
                ? path
                : throw new NotSupportedException(
                    $"{Variable}={named} is not a path of this processor; available: {string.Join(", ", Enum.GetValues<KernelPath>().Where(IsAvailable))}.");
        }

        return IsAvailable(KernelPath.Avx512) ? KernelPath.Avx512
            : IsAvailable(KernelPath.Avx2) ? KernelPath.Avx2
            : IsAvailable(KernelPath.Vector128) ? KernelPath.Vector128
            : KernelPath.Scalar;
    }
}
