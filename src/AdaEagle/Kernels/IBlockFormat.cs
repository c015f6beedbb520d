using System.Runtime.CompilerServices;

namespace AdaEagle.Kernels;

/// <summary>What the codes of 32 weights of a row stand for: weight = (Scale * factor) * (code - Offset) - Minimum, with a factor for each half.</summary>
internal readonly record struct BlockScales(float Scale, int FirstFactor = 1, int SecondFactor = 1, float Minimum = 0);

/// <summary>
/// A number format in blocks with common scales: how the file stores it, and its scales in packed groups. Codes are unsigned and their packed form follows from
/// their width, except those of 8 bits, which are signed. Sizes are bytes for each row.
/// </summary>
/// <remarks>
/// Packed rows come in runs of at most eight blocks of 32 weights ("a span"): what the span has in common, two bytes of scales a block, the codes. Within each
/// the rows of a register alternate.
/// </remarks>
internal unsafe interface IBlockFormat
{
    /// <summary>Weights of a stored block: 32, or 256.</summary>
    static abstract int StoredLength { get; }

    /// <summary>Bytes of a stored block.</summary>
    static abstract int StoredBytes { get; }

    /// <summary>Bytes that a span has in common.</summary>
    static abstract int CommonBytes { get; }

    /// <summary>Bits of a code: 4, 5, 6; 8 if it is signed.</summary>
    static abstract int CodeBits { get; }

    /// <summary>The code of zero.</summary>
    static abstract int Offset { get; }

    /// <summary>True if the two halves of a block have factors of their own.</summary>
    static abstract bool HasFactors { get; }

    /// <summary>True if a minimum is subtracted.</summary>
    static abstract bool HasMinimum { get; }

    /// <summary>Reads the codes of a stored block.</summary>
    static abstract void ReadCodes(byte* stored, byte* codes);

    /// <summary>Copies what row <paramref name="lane"/> of <paramref name="lanes"/> has in a stored block besides codes; <paramref name="scales"/> is that of its first 32 weights.</summary>
    static abstract void PackScales(byte* stored, byte* common, byte* scales, int lanes, int lane);

    /// <summary>What <see cref="PackScales"/> packed, for 32 weights.</summary>
    static abstract BlockScales ReadScales(byte* common, byte* scales, int lanes, int lane);

    /// <summary>Loads what a span has in common.</summary>
    static abstract void LoadCommon<TRegister>(byte* common, out TRegister scale, out TRegister minimum)
        where TRegister : struct, IRegister<TRegister>;

    /// <summary>Loads scale and negative minimum of a block.</summary>
    static abstract void LoadScales<TRegister>(TRegister commonScale, TRegister commonMinimum, byte* scales, out TRegister scale, out TRegister minusMinimum)
        where TRegister : struct, IRegister<TRegister>;

    /// <summary>Adds a block's products, exact integers, to a row's sum; <paramref name="tail"/> is what follows the codes of its inputs.</summary>
    static abstract TRegister Finish<TRegister>(TRegister sum, TRegister products, TRegister scale, TRegister minusMinimum, byte* tail)
        where TRegister : struct, IRegister<TRegister>;
}
