using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;

namespace AdaEagle.Kernels;

/// <summary>Sixteen lanes in two 256-bit registers (AVX2 and FMA).</summary>
internal readonly unsafe struct Lanes256 : ILanes<Lanes256>
{
    private readonly Vector256<float> _a;
    private readonly Vector256<float> _b;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private Lanes256(Vector256<float> a, Vector256<float> b)
    {
        _a = a;
        _b = b;
    }

    public static int TileCells => 3;

    public static Lanes256 Zero
    {
        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        get => new(Vector256<float>.Zero, Vector256<float>.Zero);
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Lanes256 Broadcast(float value)
    {
        Vector256<float> all = Vector256.Create(value);
        return new(all, all);
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Lanes256 Load(float* source) =>
        new(Vector256.Load(source), Vector256.Load(source + 8));

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static void Store(Lanes256 value, float* destination)
    {
        value._a.Store(destination);
        value._b.Store(destination + 8);
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Lanes256 LoadLow16(byte* pairs) =>
        new((Vector256.Load((uint*)pairs) << 16).AsSingle(), (Vector256.Load((uint*)pairs + 8) << 16).AsSingle());

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Lanes256 LoadHigh16(byte* pairs) =>
        new((Vector256.Load((uint*)pairs) & Vector256.Create(0xFFFF0000u)).AsSingle(), (Vector256.Load((uint*)pairs + 8) & Vector256.Create(0xFFFF0000u)).AsSingle());

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Lanes256 WidenHalf(Lanes256 top16) =>
        new(HalfPrecision.Widen(HalfPrecision.Move(top16._a)), HalfPrecision.Widen(HalfPrecision.Move(top16._b)));

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Lanes256 WidenBiasedHalf(Lanes256 top16) =>
        new(HalfPrecision.Move(top16._a).AsSingle(), HalfPrecision.Move(top16._b).AsSingle());

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Lanes256 Add(Lanes256 left, Lanes256 right) =>
        new(left._a + right._a, left._b + right._b);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Lanes256 Subtract(Lanes256 left, Lanes256 right) =>
        new(left._a - right._a, left._b - right._b);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Lanes256 Multiply(Lanes256 left, Lanes256 right) =>
        new(left._a * right._a, left._b * right._b);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Lanes256 Divide(Lanes256 left, Lanes256 right) =>
        new(left._a / right._a, left._b / right._b);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Lanes256 FusedMultiplyAdd(Lanes256 left, Lanes256 right, Lanes256 addend) =>
        new(Vector256.FusedMultiplyAdd(left._a, right._a, addend._a), Vector256.FusedMultiplyAdd(left._b, right._b, addend._b));

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Lanes256 Max(Lanes256 left, Lanes256 right) =>
        new(Vector256.MaxNative(left._a, right._a), Vector256.MaxNative(left._b, right._b));

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Lanes256 Min(Lanes256 left, Lanes256 right) =>
        new(Vector256.MinNative(left._a, right._a), Vector256.MinNative(left._b, right._b));

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Lanes256 ScaleByPowerOfTwo(Lanes256 value, Lanes256 roundedExponent) =>
        new(value._a * ((Vector256.ConvertToInt32Native(roundedExponent._a) + Vector256.Create(127)) << 23).AsSingle(), value._b * ((Vector256.ConvertToInt32Native(roundedExponent._b) + Vector256.Create(127)) << 23).AsSingle());

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Lanes256 Round(Lanes256 value) =>
        new(Vector256.Round(value._a), Vector256.Round(value._b));

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static float Sum(Lanes256 value) =>
        SumHalves(value._a + value._b);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static float MaxOfLanes(Lanes256 value) =>
        MaxOfHalves(Vector256.MaxNative(value._a, value._b));

    // The tail of every reduction, so that all widths end in the same order.
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    internal static float SumHalves(Vector256<float> eight) =>
        Lanes128.SumQuarters(eight.GetLower() + eight.GetUpper());

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    internal static float MaxOfHalves(Vector256<float> eight) =>
        Lanes128.MaxOfQuarters(Vector128.MaxNative(eight.GetLower(), eight.GetUpper()));
}
