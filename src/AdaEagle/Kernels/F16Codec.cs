using System.Runtime.CompilerServices;

namespace AdaEagle.Kernels;

/// <summary>IEEE half precision, two to a word as in <see cref="Bf16Codec"/>. Finite numbers only: the loader refuses others.</summary>
internal readonly unsafe struct F16Codec : IWeightCodec
{
    public static int PairBytes => 2 * MatrixKernel.GroupRows * sizeof(ushort);

    public static float InputScale => 1;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static void Decode<TLanes>(byte* block, out TLanes even, out TLanes odd)
        where TLanes : struct, ILanes<TLanes>
    {
        even = TLanes.WidenHalf(TLanes.LoadLow16(block));
        odd = TLanes.WidenHalf(TLanes.LoadHigh16(block));
    }

    public static void Encode(float value, byte* block, int lane, int parity) =>
        ((Half*)block)[(2 * lane) + parity] = (Half)value;

    public static float DecodeScalar(byte* block, int lane, int parity) =>
        (float)((Half*)block)[(2 * lane) + parity];
}
