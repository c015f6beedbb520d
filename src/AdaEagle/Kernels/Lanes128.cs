using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;

namespace AdaEagle.Kernels;

/// <summary>Sixteen lanes in four 128-bit registers: the portable path, and the one that ARM runs.</summary>
internal readonly unsafe struct Lanes128 : ILanes<Lanes128>
{
    private readonly Vector128<float> _a;
    private readonly Vector128<float> _b;
    private readonly Vector128<float> _c;
    private readonly Vector128<float> _d;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private Lanes128(Vector128<float> a, Vector128<float> b, Vector128<float> c, Vector128<float> d)
    {
        _a = a;
        _b = b;
        _c = c;
        _d = d;
    }

    public static int TileCells => 2;

    public static Lanes128 Zero
    {
        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        get => new(Vector128<float>.Zero, Vector128<float>.Zero, Vector128<float>.Zero, Vector128<float>.Zero);
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Lanes128 Broadcast(float value)
    {
        Vector128<float> all = Vector128.Create(value);
        return new(all, all, all, all);
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Lanes128 Load(float* source) =>
        new(Vector128.Load(source), Vector128.Load(source + 4), Vector128.Load(source + 8), Vector128.Load(source + 12));

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static void Store(Lanes128 value, float* destination)
    {
        value._a.Store(destination);
        value._b.Store(destination + 4);
        value._c.Store(destination + 8);
        value._d.Store(destination + 12);
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Lanes128 LoadLow16(byte* pairs) =>
        new((Vector128.Load((uint*)pairs) << 16).AsSingle(), (Vector128.Load((uint*)pairs + 4) << 16).AsSingle(), (Vector128.Load((uint*)pairs + 8) << 16).AsSingle(), (Vector128.Load((uint*)pairs + 12) << 16).AsSingle());

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Lanes128 LoadHigh16(byte* pairs) =>
        new((Vector128.Load((uint*)pairs) & Vector128.Create(0xFFFF0000u)).AsSingle(), (Vector128.Load((uint*)pairs + 4) & Vector128.Create(0xFFFF0000u)).AsSingle(), (Vector128.Load((uint*)pairs + 8) & Vector128.Create(0xFFFF0000u)).AsSingle(), (Vector128.Load((uint*)pairs + 12) & Vector128.Create(0xFFFF0000u)).AsSingle());

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Lanes128 WidenHalf(Lanes128 top16) =>
        new(HalfPrecision.Widen(HalfPrecision.Move(top16._a)), HalfPrecision.Widen(HalfPrecision.Move(top16._b)), HalfPrecision.Widen(HalfPrecision.Move(top16._c)), HalfPrecision.Widen(HalfPrecision.Move(top16._d)));

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Lanes128 WidenBiasedHalf(Lanes128 top16) =>
        new(HalfPrecision.Move(top16._a).AsSingle(), HalfPrecision.Move(top16._b).AsSingle(), HalfPrecision.Move(top16._c).AsSingle(), HalfPrecision.Move(top16._d).AsSingle());

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Lanes128 Add(Lanes128 left, Lanes128 right) =>
        new(left._a + right._a, left._b + right._b, left._c + right._c, left._d + right._d);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Lanes128 Subtract(Lanes128 left, Lanes128 right) =>
        new(left._a - right._a, left._b - right._b, left._c - right._c, left._d - right._d);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Lanes128 Multiply(Lanes128 left, Lanes128 right) =>
        new(left._a * right._a, left._b * right._b, left._c * right._c, left._d * right._d);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Lanes128 Divide(Lanes128 left, Lanes128 right) =>
        new(left._a / right._a, left._b / right._b, left._c / right._c, left._d / right._d);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Lanes128 FusedMultiplyAdd(Lanes128 left, Lanes128 right, Lanes128 addend) =>
        new(Vector128.FusedMultiplyAdd(left._a, right._a, addend._a), Vector128.FusedMultiplyAdd(left._b, right._b, addend._b), Vector128.FusedMultiplyAdd(left._c, right._c, addend._c), Vector128.FusedMultiplyAdd(left._d, right._d, addend._d));

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Lanes128 Max(Lanes128 left, Lanes128 right) =>
        new(Vector128.MaxNative(left._a, right._a), Vector128.MaxNative(left._b, right._b), Vector128.MaxNative(left._c, right._c), Vector128.MaxNative(left._d, right._d));

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Lanes128 Min(Lanes128 left, Lanes128 right) =>
        new(Vector128.MinNative(left._a, right._a), Vector128.MinNative(left._b, right._b), Vector128.MinNative(left._c, right._c), Vector128.MinNative(left._d, right._d));

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Lanes128 ScaleByPowerOfTwo(Lanes128 value, Lanes128 roundedExponent) =>
        new(value._a * ((Vector128.ConvertToInt32Native(roundedExponent._a) + Vector128.Create(127)) << 23).AsSingle(), value._b * ((Vector128.ConvertToInt32Native(roundedExponent._b) + Vector128.Create(127)) << 23).AsSingle(), value._c * ((Vector128.ConvertToInt32Native(roundedExponent._c) + Vector128.Create(127)) << 23).AsSingle(), value._d * ((Vector128.ConvertToInt32Native(roundedExponent._d) + Vector128.Create(127)) << 23).AsSingle());

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Lanes128 Round(Lanes128 value) =>
        new(Vector128.Round(value._a), Vector128.Round(value._b), Vector128.Round(value._c), Vector128.Round(value._d));

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static float Sum(Lanes128 value) =>
        SumQuarters((value._a + value._c) + (value._b + value._d));

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static float MaxOfLanes(Lanes128 value) =>
        MaxOfQuarters(Vector128.MaxNative(Vector128.MaxNative(value._a, value._b), Vector128.MaxNative(value._c, value._d)));

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    internal static float SumQuarters(Vector128<float> four) =>
        (four.GetElement(0) + four.GetElement(2)) + (four.GetElement(1) + four.GetElement(3));

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    internal static float MaxOfQuarters(Vector128<float> four)
    {
        Vector128<float> two = Vector128.MaxNative(four, Vector128.Shuffle(four, Vector128.Create(2, 3, 0, 1)));
        return Vector128.MaxNative(two, Vector128.Shuffle(two, Vector128.Create(1, 0, 3, 2))).ToScalar();
    }
}
