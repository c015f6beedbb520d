using System.Runtime.CompilerServices;

namespace AdaEagle.Kernels;

/// <summary>bfloat16: a 32-bit word per row holds the even column below and the odd one above, so widening is a shift and a mask.</summary>
internal readonly unsafe struct Bf16Codec : IWeightCodec
{
    public static int PairBytes => 2 * MatrixKernel.GroupRows * sizeof(ushort);

    public static float InputScale => 1;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static void Decode<TLanes>(byte* block, out TLanes even, out TLanes odd)
        where TLanes : struct, ILanes<TLanes>
    {
        even = TLanes.LoadLow16(block);
        odd = TLanes.LoadHigh16(block);
    }

    public static void Encode(float value, byte* block, int lane, int parity)
    {
        uint bits = BitConverter.SingleToUInt32Bits(value);
        bits = float.IsNaN(value) ? bits | 0x00400000 : bits + 0x7FFF + ((bits >> 16) & 1);
        ((ushort*)block)[(2 * lane) + parity] = (ushort)(bits >> 16);
    }

    public static float DecodeScalar(byte* block, int lane, int parity) =>
        BitConverter.UInt32BitsToSingle((uint)((ushort*)block)[(2 * lane) + parity] << 16);
}
