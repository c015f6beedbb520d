using System.Runtime.CompilerServices;

namespace AdaEagle.Kernels;

#pragma warning disable CA1707 // The field's names.

/// <summary>
/// Q6_K: 256 weights (d * s) * (q - 32), with a signed byte s for each 16. Stored, for each 128: the lower four bits in 64 bytes; the upper two in 32 bytes; then
/// the 16 scales, and d as a half.
/// </summary>
internal readonly unsafe struct Q6_KFormat : IBlockFormat
{
    public static int StoredLength => 256;

    public static int StoredBytes => 210;

    // Two bytes would do; vectors of codes begin at whole lines with four.
    public static int CommonBytes => 4;

    public static int CodeBits => 6;

    public static int Offset => 32;

    public static bool HasFactors => true;

    public static bool HasMinimum => false;

    public static void ReadCodes(byte* stored, byte* codes)
    {
        for (int half = 0; half < 2; half++)
        {
            byte* low = stored + (64 * half), high = stored + 128 + (32 * half), to = codes + (128 * half);
            for (int i = 0; i < 32; i++)
            {
                to[i] = (byte)((low[i] & 0xF) | ((high[i] & 3) << 4));
                to[i + 32] = (byte)((low[i + 32] & 0xF) | (((high[i] >> 2) & 3) << 4));
                to[i + 64] = (byte)((low[i] >> 4) | (((high[i] >> 4) & 3) << 4));
                to[i + 96] = (byte)((low[i + 32] >> 4) | ((high[i] >> 6) << 4));
            }
        }
    }

    public static void PackScales(byte* stored, byte* common, byte* scales, int lanes, int lane)
    {
        ((short*)common)[lane] = *(short*)(stored + 208);
        for (int i = 0; i < 16; i++)
        {
            scales[(i * lanes) + lane] = stored[192 + i];
        }
    }

    public static BlockScales ReadScales(byte* common, byte* scales, int lanes, int lane) =>
        new((float)((Half*)common)[lane], (sbyte)scales[lane], (sbyte)scales[lanes + lane]);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static void LoadCommon<TRegister>(byte* common, out TRegister scale, out TRegister minimum)
        where TRegister : struct, IRegister<TRegister>
    {
        scale = TRegister.LoadHalves(common);
        minimum = TRegister.Zero;
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static void LoadScales<TRegister>(TRegister commonScale, TRegister commonMinimum, byte* scales, out TRegister scale, out TRegister minusMinimum)
        where TRegister : struct, IRegister<TRegister>
    {
        scale = commonScale;
        minusMinimum = TRegister.Zero;
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static TRegister Finish<TRegister>(TRegister sum, TRegister products, TRegister scale, TRegister minusMinimum, byte* tail)
        where TRegister : struct, IRegister<TRegister> => TRegister.ScaleAndAdd(products, scale, (float*)tail, sum);
}
