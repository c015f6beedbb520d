using System.Runtime.CompilerServices;

namespace AdaEagle.Kernels;

#pragma warning disable CA1707 // The field's names.

/// <summary>
/// Q4_K: 256 weights, (d * s) * q - (dmin * m), with s and m of six bits for each 32. Stored: d, dmin as halves; s and m in 12 bytes; four times 32 bytes, byte i of
/// which holds weight i of a block of 32 in its lower four bits, of the next block in its upper. Packed, s and m take a byte each.
/// </summary>
internal readonly unsafe struct Q4_KFormat : IBlockFormat
{
    public static int StoredLength => 256;

    public static int StoredBytes => 144;

    public static int CommonBytes => 4;

    public static int CodeBits => 4;

    public static int Offset => 0;

    public static bool HasFactors => false;

    public static bool HasMinimum => true;

    public static void ReadCodes(byte* stored, byte* codes) => ReadLowCodes(stored + 16, codes);

    public static void PackScales(byte* stored, byte* common, byte* scales, int lanes, int lane)
    {
        ((short*)common)[lane] = ((short*)stored)[0];
        ((short*)common)[lanes + lane] = ((short*)stored)[1];
        byte* packed = stored + 4;
        for (int block = 0; block < 8; block++)
        {
            // The first four have six bits to themselves; the others' upper two bits are those that are left there.
            byte* at = scales + (block * 2 * lanes);
            at[lane] = (byte)(block < 4 ? packed[block] & 63 : (packed[block + 4] & 0xF) | (packed[block - 4] >> 6 << 4));
            at[lanes + lane] = (byte)(block < 4 ? packed[block + 4] & 63 : (packed[block + 4] >> 4) | (packed[block] >> 6 << 4));
        }
    }

    public static BlockScales ReadScales(byte* common, byte* scales, int lanes, int lane) => new(
        (float)((Half*)common)[lane] * scales[lane], Minimum: (float)((Half*)common)[lanes + lane] * scales[lanes + lane]);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static void LoadCommon<TRegister>(byte* common, out TRegister scale, out TRegister minimum)
        where TRegister : struct, IRegister<TRegister>
    {
        scale = TRegister.LoadHalves(common);
        minimum = TRegister.LoadHalves(common + (2 * TRegister.Lanes));
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static void LoadScales<TRegister>(TRegister commonScale, TRegister commonMinimum, byte* scales, out TRegister scale, out TRegister minusMinimum)
        where TRegister : struct, IRegister<TRegister>
    {
        scale = TRegister.Multiply(commonScale, TRegister.ToFloat(TRegister.LoadBytes(scales)));
        minusMinimum = TRegister.Negate(TRegister.Multiply(commonMinimum, TRegister.ToFloat(TRegister.LoadBytes(scales + TRegister.Lanes))));
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static TRegister Finish<TRegister>(TRegister sum, TRegister products, TRegister scale, TRegister minusMinimum, byte* tail)
        where TRegister : struct, IRegister<TRegister> => TRegister.FusedMultiplyAdd(
            minusMinimum, (float*)(tail + 4), TRegister.ScaleAndAdd(products, scale, (float*)tail, sum));

    /// <summary>The lower four bits of 256 codes.</summary>
    internal static void ReadLowCodes(byte* stored, byte* codes)
    {
        for (int i = 0; i < 256; i += 64)
        {
            for (int k = 0; k < 32; k++)
            {
                codes[i + k] = (byte)(stored[k] & 0xF);
                codes[i + 32 + k] = (byte)(stored[k] >> 4);
            }

            stored += 32;
        }
    }
}
