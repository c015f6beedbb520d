using System.Runtime.CompilerServices;

namespace AdaEagle.Kernels;

/// <summary>32-bit floats: sixteen even columns, then sixteen odd ones.</summary>
internal readonly unsafe struct F32Codec : IWeightCodec
{
    public static int PairBytes => 2 * MatrixKernel.GroupRows * sizeof(float);

    public static float InputScale => 1;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static void Decode<TLanes>(byte* block, out TLanes even, out TLanes odd)
        where TLanes : struct, ILanes<TLanes>
    {
        even = TLanes.Load((float*)block);
        odd = TLanes.Load((float*)block + MatrixKernel.GroupRows);
    }

    public static void Encode(float value, byte* block, int lane, int parity) =>
        ((float*)block)[(parity * MatrixKernel.GroupRows) + lane] = value;

    public static float DecodeScalar(byte* block, int lane, int parity) =>
        ((float*)block)[(parity * MatrixKernel.GroupRows) + lane];
}
