namespace AdaEagle.Kernels;

/// <summary>
/// One vector register of 32-bit lanes, seen as floats, integers or bytes: what kernels of quantised formats are written over. A lane is an output row.
/// Integer operations are exact and the others lane by lane, so the results have the same bits on all of them.
/// </summary>
/// <remarks>
/// Dot products go through "narrow" sums, whatever form they have on the processor: pairs of 16-bit sums, or whole 32-bit ones where there is an instruction
/// for four products at once (AVX-VNNI, ARM's dot product). Users keep to what 16 bits hold.
/// </remarks>
internal unsafe interface IRegister<TSelf>
    where TSelf : struct, IRegister<TSelf>
{
    /// <summary>Rows in a register.</summary>
    static abstract int Lanes { get; }

    /// <summary>True if <see cref="DotSigned"/> reads a signed code as 16 bits, false if as 8.</summary>
    static abstract bool SignedCodesAreWide { get; }

    /// <summary>True where <see cref="SplitSigned"/> makes bytes unsigned, 128 larger.</summary>
    static abstract bool SignedCodesAreBiased { get; }

    static abstract TSelf Zero { get; }

    /// <summary>Four bytes for each lane.</summary>
    static abstract TSelf Load(byte* source);

    static abstract void Store(TSelf value, float* destination);

    /// <summary>The same 32 bits in every lane.</summary>
    static abstract TSelf Broadcast(int* source);

    static abstract TSelf Constant(int value);

    /// <summary>A half-precision number for each lane, widened.</summary>
    static abstract TSelf LoadHalves(byte* source);

    /// <summary>A byte 0 … 255 for each lane, as an integer.</summary>
    static abstract TSelf LoadBytes(byte* source);

    /// <summary>A byte -128 … 127 for each lane, as an integer.</summary>
    static abstract TSelf LoadSignedBytes(byte* source);

    static abstract TSelf And(TSelf left, TSelf right);

    static abstract TSelf Or(TSelf left, TSelf right);

    static abstract TSelf ShiftLeft(TSelf value, int bits);

    /// <summary>Shifts zeros in.</summary>
    static abstract TSelf ShiftRight(TSelf value, int bits);

    static abstract TSelf AddIntegers(TSelf left, TSelf right);

    static abstract TSelf SubtractIntegers(TSelf left, TSelf right);

    /// <summary>The nearest float of an integer.</summary>
    static abstract TSelf ToFloat(TSelf integers);

    static abstract TSelf Multiply(TSelf left, TSelf right);

    static abstract TSelf Negate(TSelf value);

    /// <summary>left * factor + addend, rounded once.</summary>
    static abstract TSelf FusedMultiplyAdd(TSelf left, float* factor, TSelf addend);

    /// <summary>The nearest float of an integer, times (scale * factor), + addend, rounded once.</summary>
    static abstract TSelf ScaleAndAdd(TSelf integers, TSelf scale, float* factor, TSelf addend);

    /// <summary>narrow + the products of four bytes 0 … 63 with four codes -127 … 127, and of four more with the next four codes.</summary>
    static abstract TSelf Dot(TSelf narrow, TSelf first, TSelf second, byte* codes);

    /// <summary>The same without a sum to begin with.</summary>
    static abstract TSelf Dot(TSelf first, TSelf second, byte* codes);

    /// <summary>Integers of narrow sums.</summary>
    static abstract TSelf Widen(TSelf narrow);

    /// <summary>Integers of narrow sums, each times an integer; <paramref name="pairs"/> holds it twice, in 16 bits.</summary>
    static abstract TSelf WidenScaled(TSelf narrow, TSelf pairs);

    /// <summary>The sum of the products of two pairs of 16-bit integers.</summary>
    static abstract TSelf DotPairs(TSelf left, TSelf right);

    /// <summary>Readies four bytes -128 … 127 a lane for <see cref="DotSigned"/>.</summary>
    static abstract void SplitSigned(TSelf bytes, out TSelf first, out TSelf second);

    /// <summary>sum + the products of four bytes -128 … 127, which were split, with four codes; where they are 16 bits wide they lie in the order 0, 2, 1, 3.</summary>
    static abstract TSelf DotSigned(TSelf sum, TSelf first, TSelf second, byte* codes);

    /// <summary>What sums by <see cref="DotSigned"/> over a block begin with: zero, or where <see cref="SignedCodesAreBiased"/>, -128 times the sum of the block's codes, which <paramref name="correction"/> points to.</summary>
    static abstract TSelf StartSigned(int* correction);
}
