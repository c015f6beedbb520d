using System.Runtime.Intrinsics.X86;

namespace AdaEagle.Kernels;

/// <summary>How the weights of a matrix are kept in memory.</summary>
#pragma warning disable CA1707 // The field's names.
public enum WeightFormat
{
    /// <summary>32-bit floats.</summary>
    F32,

    /// <summary>bfloat16.</summary>
    BF16,

    /// <summary>IEEE half precision.</summary>
    F16,

    /// <summary>Blocks of 32: a half scale, codes of 8 bits.</summary>
    Q8_0,

    /// <summary>Blocks of 32: a half scale, codes of 4 bits.</summary>
    Q4_0,

    /// <summary>Blocks of 256: for each 32 a scale and a minimum of 6 bits, codes of 4 bits.</summary>
    Q4_K,

    /// <summary>As <see cref="Q4_K"/>, codes of 5 bits.</summary>
    Q5_K,

    /// <summary>Blocks of 256: for each 16 a scale of 8 bits, codes of 6 bits.</summary>
    Q6_K,
}

/// <summary>Groups of formats.</summary>
public static class WeightFormats
{
    /// <summary>The formats in blocks of integers with common scales.</summary>
    public static IReadOnlyList<WeightFormat> Quantized { get; } = [WeightFormat.Q8_0, WeightFormat.Q4_0, WeightFormat.Q4_K, WeightFormat.Q5_K, WeightFormat.Q6_K];
}

/// <summary>The kernels of each format and path: a new format is a file and a line here.</summary>
internal static class MatrixKernels
{
    private static readonly Dictionary<(WeightFormat, KernelPath), MatrixKernel> s_kernels = new(
    [
        .. Floats<F32Codec>(WeightFormat.F32),
        .. Floats<Bf16Codec>(WeightFormat.BF16),
        .. Floats<F16WeightCodec>(WeightFormat.F16),
        .. Blocks<Q8_0Format>(
            WeightFormat.Q8_0, new SignedBytesKernel<Register128, Q8_0Format>(), new SignedBytesKernel<Register256, Q8_0Format>(),
            AvxVnni.IsSupported ? new SignedBytesKernel<Register256, Q8_0Format>(SignedBytesKernel<Register256, Q8_0Format>.MostTileRows) : new SignedBytesKernel<Register512, Q8_0Format>()), // half the width, a quarter of the instructions
        .. Blocks<Q4_0Format>(
            WeightFormat.Q4_0, new FourBitKernel<Register128, Q4_0Format>(), new FourBitKernel<Register256, Q4_0Format>(), new FourBitKernel<Register512, Q4_0Format>()),
        .. Blocks<Q4_KFormat>(
            WeightFormat.Q4_K, new FourBitKernel<Register128, Q4_KFormat>(), new FourBitKernel<Register256, Q4_KFormat>(), new FourBitKernel<Register512, Q4_KFormat>()),
        .. Blocks<Q5_KFormat>(
            WeightFormat.Q5_K, new FiveBitKernel<Register128, Q5_KFormat>(), new FiveBitKernel<Register256, Q5_KFormat>(), new FiveBitKernel<Register512, Q5_KFormat>()),
        .. Blocks<Q6_KFormat>(
            WeightFormat.Q6_K, new SixBitKernel<Register128, Q6_KFormat>(), new SixBitKernel<Register256, Q6_KFormat>(), new SixBitKernel<Register512, Q6_KFormat>()),
    ]);

    private static readonly Dictionary<(WeightFormat, KernelPath), MatrixKernel> s_halves = new(Floats<F16Codec>(WeightFormat.F16));

    /// <summary>The kernel of matrices in half precision with weights of 128 or more.</summary>
    public static MatrixKernel ForAnyHalves(KernelPath path) => s_halves[(WeightFormat.F16, path)];

    public static MatrixKernel For(WeightFormat format, KernelPath path) =>
        s_kernels.TryGetValue((format, path), out MatrixKernel? kernel)
            ? kernel
            : throw new NotSupportedException($"No kernel for {format} on {path}; there are kernels for {string.Join(", ", s_kernels.Keys.Select(key => $"{key.Item1}/{key.Item2}"))}.");

    private static IEnumerable<KeyValuePair<(WeightFormat, KernelPath), MatrixKernel>> Floats<TCodec>(WeightFormat format)
        where TCodec : struct, IWeightCodec => PerPath(
            format, new ScalarMatrixKernel<TCodec>(), new ScalarMatrixKernel<TCodec>(),
            new FloatMatrixKernel<Lanes128, TCodec>(), new FloatMatrixKernel<Lanes256, TCodec>(), new FloatMatrixKernel<Lanes512, TCodec>());

    private static IEnumerable<KeyValuePair<(WeightFormat, KernelPath), MatrixKernel>> Blocks<TFormat>(
        WeightFormat format, MatrixKernel vector128, MatrixKernel avx2, MatrixKernel avx512)
        where TFormat : struct, IBlockFormat =>
        PerPath(format, new ReferenceBlockKernel<TFormat>(), new ScalarBlockKernel<TFormat>(), vector128, avx2, avx512);

    private static IEnumerable<KeyValuePair<(WeightFormat, KernelPath), MatrixKernel>> PerPath(
        WeightFormat format, MatrixKernel reference, MatrixKernel scalar, MatrixKernel vector128, MatrixKernel avx2, MatrixKernel avx512) =>
    [
        new((format, KernelPath.Reference), reference),
        new((format, KernelPath.Scalar), scalar),
        new((format, KernelPath.Vector128), vector128),
        new((format, KernelPath.Avx2), avx2),
        new((format, KernelPath.Avx512), avx512),
    ];
}
