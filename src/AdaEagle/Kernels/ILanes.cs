namespace AdaEagle.Kernels;

/// <summary>
/// Sixteen float lanes. Kernels are written once over this interface and compiled for each instruction set:
/// one 512-bit register, two of 256 bits or four of 128 bits. Every operation is lane by lane or reduces in one fixed order,
/// so the result has the same bits on all of them.
/// </summary>
internal unsafe interface ILanes<TSelf>
    where TSelf : struct, ILanes<TSelf>
{
    /// <summary>How many pairs of accumulators a tile may hold without spilling: the shape of matrix tiles follows from it.</summary>
    static abstract int TileCells { get; }

    static abstract TSelf Zero { get; }

    static abstract TSelf Broadcast(float value);

    static abstract TSelf Load(float* source);

    static abstract void Store(TSelf value, float* destination);

    /// <summary>Sixteen pairs of 16-bit values: the low half of each 32-bit word, moved to the top.</summary>
    static abstract TSelf LoadLow16(byte* pairs);

    /// <summary>Sixteen pairs of 16-bit values: the high half of each 32-bit word, the rest cleared.</summary>
    static abstract TSelf LoadHigh16(byte* pairs);

    /// <summary>Turns a half-precision number in the top 16 bits of a lane into a float. Finite numbers only.</summary>
    static abstract TSelf WidenHalf(TSelf top16);

    /// <summary>What <see cref="F16WeightCodec"/> keeps in the top 16 bits, divided by its <see cref="IWeightCodec.InputScale"/>; the others may hold anything.</summary>
    static abstract TSelf WidenBiasedHalf(TSelf top16);

    static abstract TSelf Add(TSelf left, TSelf right);

    static abstract TSelf Subtract(TSelf left, TSelf right);

    static abstract TSelf Multiply(TSelf left, TSelf right);

    static abstract TSelf Divide(TSelf left, TSelf right);

    /// <summary>left * right + addend, rounded once.</summary>
    static abstract TSelf FusedMultiplyAdd(TSelf left, TSelf right, TSelf addend);

    static abstract TSelf Max(TSelf left, TSelf right);

    static abstract TSelf Min(TSelf left, TSelf right);

    /// <summary>value * 2^round(exponent); the exponent within -126 … 127.</summary>
    static abstract TSelf ScaleByPowerOfTwo(TSelf value, TSelf roundedExponent);

    /// <summary>The nearest integer, ties to even, as a float.</summary>
    static abstract TSelf Round(TSelf value);

    /// <summary>Sum of the lanes in the fixed order ((i, i+8), (i, i+4), (i, i+2), (i, i+1)).</summary>
    static abstract float Sum(TSelf value);

    static abstract float MaxOfLanes(TSelf value);
}
