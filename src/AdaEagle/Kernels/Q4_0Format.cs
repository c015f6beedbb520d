using System.Runtime.CompilerServices;

namespace AdaEagle.Kernels;

#pragma warning disable CA1707 // The field's names.

/// <summary>Q4_0: 32 weights d * (q - 8). Stored: d as a half; 16 bytes, weight i in the lower four bits of byte i, weight i + 16 in the upper.</summary>
internal readonly unsafe struct Q4_0Format : IBlockFormat
{
    public static int StoredLength => 32;

    public static int StoredBytes => 18;

    public static int CommonBytes => 0;

    public static int CodeBits => 4;

    public static int Offset => 8;

    public static bool HasFactors => false;

    public static bool HasMinimum => false;

    public static void ReadCodes(byte* stored, byte* codes)
    {
        for (int i = 0; i < 16; i++)
        {
            codes[i] = (byte)(stored[2 + i] & 0xF);
            codes[i + 16] = (byte)(stored[2 + i] >> 4);
        }
    }

    public static void PackScales(byte* stored, byte* common, byte* scales, int lanes, int lane) => ((short*)scales)[lane] = *(short*)stored;

    public static BlockScales ReadScales(byte* common, byte* scales, int lanes, int lane) => new((float)((Half*)scales)[lane]);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static void LoadCommon<TRegister>(byte* common, out TRegister scale, out TRegister minimum)
        where TRegister : struct, IRegister<TRegister> => scale = minimum = TRegister.Zero;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static void LoadScales<TRegister>(TRegister commonScale, TRegister commonMinimum, byte* scales, out TRegister scale, out TRegister minusMinimum)
        where TRegister : struct, IRegister<TRegister>
    {
        scale = TRegister.LoadHalves(scales);
        minusMinimum = TRegister.Zero;
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static TRegister Finish<TRegister>(TRegister sum, TRegister products, TRegister scale, TRegister minusMinimum, byte* tail)
        where TRegister : struct, IRegister<TRegister> => TRegister.ScaleAndAdd(
            TRegister.AddIntegers(products, TRegister.Broadcast((int*)(tail + 8))), scale, (float*)tail, sum);
}
