using System.Runtime.CompilerServices;

namespace AdaEagle.Kernels;

/// <summary>
/// Half precision as weights are kept: the same sixteen bits but for the exponent's bias, 25 instead of 15, so that what is subnormal in a half is an ordinary number here, and its
/// bits in a float's place are the weight by 2^-102, exactly. Inputs are multiplied by 2^102 once a pass, exactly too (those of 2^26 and more, which no model has, would be infinite), so that widening
/// is a shift and a mask. Every half below 128 has its place; larger weights are refused here, and their matrix is kept in halves (<see cref="F16Codec"/>).
/// </summary>
internal readonly unsafe struct F16WeightCodec : IWeightCodec
{
    private const int Bias = 25;
    private const int FloatBias = 127;
    private const float Limit = 128;

    /// <summary>What a number is too small by when its bits are read as a float's.</summary>
    private const float Scale = 5070602400912917605986812821504f; // 2^102

    public static int PairBytes => F16Codec.PairBytes;

    public static float InputScale => Scale;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static void Decode<TLanes>(byte* block, out TLanes even, out TLanes odd)
        where TLanes : struct, ILanes<TLanes>
    {
        even = TLanes.WidenBiasedHalf(TLanes.LoadLow16(block));
        odd = TLanes.WidenBiasedHalf(TLanes.Load((float*)block));
    }

    /// <exception cref="HalfRangeException">The number is 128 or more.</exception>
    public static void Encode(float value, byte* block, int lane, int parity)
    {
        float half = (float)(Half)value;
        if (!(MathF.Abs(half) < Limit))
        {
            throw new HalfRangeException();
        }

        uint bits = BitConverter.SingleToUInt32Bits(half);
        uint exponent = half == 0 ? 0 : ((bits >> 23) & 0xFF) - FloatBias + Bias;
        ((ushort*)block)[(2 * lane) + parity] = (ushort)((bits >> 31 << 15) | (exponent << 10) | ((bits >> 13) & 0x3FF));
    }

    public static float DecodeScalar(byte* block, int lane, int parity) => Decode(((ushort*)block)[(2 * lane) + parity]);

    /// <summary>The number of sixteen bits.</summary>
    public static float Decode(ushort bits) => DecodeUnscaled(bits) * Scale;

    /// <summary>That, divided by the scale.</summary>
    public static float DecodeUnscaled(ushort bits) => BitConverter.UInt32BitsToSingle(((uint)bits >> 15 << 31) | ((bits & 0x7FFFu) << 13));
}

/// <summary>A weight that <see cref="F16WeightCodec"/> has no place for.</summary>
internal sealed class HalfRangeException : Exception;
