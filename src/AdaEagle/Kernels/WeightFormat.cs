namespace AdaEagle.Kernels;

/// <summary>How the weights of a matrix are kept in memory.</summary>
public enum WeightFormat
{
    /// <summary>32-bit floats.</summary>
    F32,

    /// <summary>bfloat16.</summary>
    BF16,

    /// <summary>IEEE half precision.</summary>
    F16,
}

/// <summary>The kernels of each format and path: a new format is a file and a line here.</summary>
internal static class MatrixKernels
{
    private static readonly Dictionary<(WeightFormat, KernelPath), MatrixKernel> s_kernels = new()
    {
        [(WeightFormat.F32, KernelPath.Scalar)] = new ScalarMatrixKernel<F32Codec>(),
        [(WeightFormat.F32, KernelPath.Vector128)] = new FloatMatrixKernel<Lanes128, F32Codec>(),
        [(WeightFormat.F32, KernelPath.Avx2)] = new FloatMatrixKernel<Lanes256, F32Codec>(),
        [(WeightFormat.F32, KernelPath.Avx512)] = new FloatMatrixKernel<Lanes512, F32Codec>(),
        [(WeightFormat.BF16, KernelPath.Scalar)] = new ScalarMatrixKernel<Bf16Codec>(),
        [(WeightFormat.BF16, KernelPath.Vector128)] = new FloatMatrixKernel<Lanes128, Bf16Codec>(),
        [(WeightFormat.BF16, KernelPath.Avx2)] = new FloatMatrixKernel<Lanes256, Bf16Codec>(),
        [(WeightFormat.BF16, KernelPath.Avx512)] = new FloatMatrixKernel<Lanes512, Bf16Codec>(),
        [(WeightFormat.F16, KernelPath.Scalar)] = new ScalarMatrixKernel<F16Codec>(),
        [(WeightFormat.F16, KernelPath.Vector128)] = new FloatMatrixKernel<Lanes128, F16Codec>(),
        [(WeightFormat.F16, KernelPath.Avx2)] = new FloatMatrixKernel<Lanes256, F16Codec>(),
        [(WeightFormat.F16, KernelPath.Avx512)] = new FloatMatrixKernel<Lanes512, F16Codec>(),
    };

    public static MatrixKernel For(WeightFormat format, KernelPath path) =>
        s_kernels.TryGetValue((format, path), out MatrixKernel? kernel)
            ? kernel
            : throw new NotSupportedException($"No kernel for {format} on {path}; there are kernels for {string.Join(", ", s_kernels.Keys.Select(key => $"{key.Item1}/{key.Item2}"))}.");
}
