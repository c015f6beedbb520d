using System.Runtime.CompilerServices;

namespace AdaEagle.Kernels;

#pragma warning disable CA1707 // The field's names.

/// <summary>Q5_K: as <see cref="Q4_KFormat"/>, with a fifth bit; stored between the scales and the lower four: 32 bytes, bit b of byte i for weight i of block b.</summary>
internal readonly unsafe struct Q5_KFormat : IBlockFormat
{
    public static int StoredLength => 256;

    public static int StoredBytes => 176;

    public static int CommonBytes => 4;

    public static int CodeBits => 5;

    public static int Offset => 0;

    public static bool HasFactors => false;

    public static bool HasMinimum => true;

    public static void ReadCodes(byte* stored, byte* codes)
    {
        Q4_KFormat.ReadLowCodes(stored + 48, codes);
        for (int i = 0; i < 256; i++)
        {
            codes[i] |= (byte)(((stored[16 + (i % 32)] >> (i / 32)) & 1) << 4);
        }
    }

    public static void PackScales(byte* stored, byte* common, byte* scales, int lanes, int lane) => Q4_KFormat.PackScales(stored, common, scales, lanes, lane);

    public static BlockScales ReadScales(byte* common, byte* scales, int lanes, int lane) => Q4_KFormat.ReadScales(common, scales, lanes, lane);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static void LoadCommon<TRegister>(byte* common, out TRegister scale, out TRegister minimum)
        where TRegister : struct, IRegister<TRegister> => Q4_KFormat.LoadCommon(common, out scale, out minimum);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static void LoadScales<TRegister>(TRegister commonScale, TRegister commonMinimum, byte* scales, out TRegister scale, out TRegister minusMinimum)
        where TRegister : struct, IRegister<TRegister> => Q4_KFormat.LoadScales(commonScale, commonMinimum, scales, out scale, out minusMinimum);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static TRegister Finish<TRegister>(TRegister sum, TRegister products, TRegister scale, TRegister minusMinimum, byte* tail)
        where TRegister : struct, IRegister<TRegister> => Q4_KFormat.Finish(sum, products, scale, minusMinimum, tail);
}
