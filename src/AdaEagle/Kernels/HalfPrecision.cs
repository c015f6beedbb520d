using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;

namespace AdaEagle.Kernels;

/// <summary>
/// Half precision to floats, where there is no instruction for it in .NET 10. What comes in is a half whose sign is in place and whose exponent and mantissa lie where a
/// float has them: <c>(bits &lt;&lt; 16 &gt;&gt; 3) &amp; 0x8FFFE000</c>, the shift to the right copying the sign. Finite numbers only.
/// </summary>
/// <remarks>
/// Multiplying by 2^112 would correct the exponent's bias, subnormal halves too, but these are denormal floats then, and an input that is one costs an Intel core some 150 cycles.
/// So 112 is added to the exponent: a subnormal comes out as 2^-15 (1 + m), and twice that less 2^-14 is what it means, 2^-14 m, exactly.
/// </remarks>
internal static class HalfPrecision
{
    private const int Bias = 112 << 23;
    private const int Exponent = 0x1F << 23;
    private const int LeastNormal = 113 << 23;
    private const int Places = unchecked((int)0x8FFFE000);

    /// <summary>Puts the half in the top 16 bits, whatever the others hold, where <see cref="Widen(Vector512{int})"/> wants it.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector512<int> Move(Vector512<float> top16) => Vector512.ShiftRightArithmetic(top16.AsInt32(), 3) & Vector512.Create(Places);

    /// <inheritdoc cref="Move(Vector512{float})"/>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector256<int> Move(Vector256<float> top16) => Vector256.ShiftRightArithmetic(top16.AsInt32(), 3) & Vector256.Create(Places);

    /// <inheritdoc cref="Move(Vector512{float})"/>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector128<int> Move(Vector128<float> top16) => Vector128.ShiftRightArithmetic(top16.AsInt32(), 3) & Vector128.Create(Places);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector512<float> Widen(Vector512<int> moved)
    {
        Vector512<float> value = (moved + Vector512.Create(Bias)).AsSingle();
        Vector512<float> least = ((moved & Vector512.Create(int.MinValue)) | Vector512.Create(LeastNormal)).AsSingle();
        return Vector512.ConditionalSelect(Vector512.Equals(moved & Vector512.Create(Exponent), Vector512<int>.Zero).AsSingle(), value + (value - least), value);
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector256<float> Widen(Vector256<int> moved)
    {
        Vector256<float> value = (moved + Vector256.Create(Bias)).AsSingle();
        Vector256<float> least = ((moved & Vector256.Create(int.MinValue)) | Vector256.Create(LeastNormal)).AsSingle();
        return Vector256.ConditionalSelect(Vector256.Equals(moved & Vector256.Create(Exponent), Vector256<int>.Zero).AsSingle(), value + (value - least), value);
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector128<float> Widen(Vector128<int> moved)
    {
        Vector128<float> value = (moved + Vector128.Create(Bias)).AsSingle();
        Vector128<float> least = ((moved & Vector128.Create(int.MinValue)) | Vector128.Create(LeastNormal)).AsSingle();
        return Vector128.ConditionalSelect(Vector128.Equals(moved & Vector128.Create(Exponent), Vector128<int>.Zero).AsSingle(), value + (value - least), value);
    }
}
