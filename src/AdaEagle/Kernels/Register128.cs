using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;
using System.Runtime.Intrinsics.Arm;
using System.Runtime.Intrinsics.X86;

namespace AdaEagle.Kernels;

/// <summary>128 bits: portable, with ARM's dot product (four products a lane) and SSE's pair products where the processor has them.</summary>
internal readonly unsafe struct Register128 : IRegister<Register128>
{
    private readonly Vector128<int> _v;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private Register128(Vector128<int> v)
    {
        _v = v;
    }

    public static int Lanes => 4;

    public static bool SignedCodesAreWide => !Dp.IsSupported;

    public static bool SignedCodesAreBiased => false;

    public static Register128 Zero
    {
        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        get => new(Vector128<int>.Zero);
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Register128 Load(byte* source) => new(Vector128.Load((int*)source));

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static void Store(Register128 value, float* destination) => value._v.AsSingle().Store(destination);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Register128 Broadcast(int* source) => new(Vector128.Create(*source));

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Register128 Constant(int value) => new(Vector128.Create(value));

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Register128 LoadHalves(byte* source)
    {
        Vector128<int> top = Vector128.WidenLower(Vector128.CreateScalar(*(long*)source).AsInt16()) << 13;
        return new(HalfPrecision.Widen(top & Vector128.Create(unchecked((int)0x8FFFE000))).AsInt32());
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Register128 LoadBytes(byte* source) =>
        new(Vector128.WidenLower(Vector128.WidenLower(Vector128.CreateScalar(*(int*)source).AsByte())).AsInt32());

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Register128 LoadSignedBytes(byte* source) =>
        new(Vector128.WidenLower(Vector128.WidenLower(Vector128.CreateScalar(*(int*)source).AsSByte())));

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Register128 And(Register128 left, Register128 right) => new(left._v & right._v);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Register128 Or(Register128 left, Register128 right) => new(left._v | right._v);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Register128 ShiftLeft(Register128 value, int bits) => new(value._v << bits);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Register128 ShiftRight(Register128 value, int bits) => new(value._v >>> bits);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Register128 AddIntegers(Register128 left, Register128 right) => new(left._v + right._v);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Register128 SubtractIntegers(Register128 left, Register128 right) => new(left._v - right._v);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Register128 ToFloat(Register128 integers) => new(Vector128.ConvertToSingle(integers._v).AsInt32());

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Register128 Multiply(Register128 left, Register128 right) => new((left._v.AsSingle() * right._v.AsSingle()).AsInt32());

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Register128 Negate(Register128 value) => new(value._v ^ Vector128.Create(int.MinValue));

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Register128 FusedMultiplyAdd(Register128 left, float* factor, Register128 addend) =>
        new(Vector128.FusedMultiplyAdd(left._v.AsSingle(), Vector128.Create(*factor), addend._v.AsSingle()).AsInt32());

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Register128 ScaleAndAdd(Register128 integers, Register128 scale, float* factor, Register128 addend) =>
        new(Vector128.FusedMultiplyAdd(Vector128.ConvertToSingle(integers._v), scale._v.AsSingle() * Vector128.Create(*factor), addend._v.AsSingle()).AsInt32());

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Register128 Dot(Register128 narrow, Register128 first, Register128 second, byte* codes) => Dp.IsSupported
        // Codes up to 63 are positive as signed bytes too.
        ? new(Dp.DotProduct(Dp.DotProduct(narrow._v, first._v.AsSByte(), Codes(codes)), second._v.AsSByte(), Codes(codes + 4)))
        : new((narrow._v.AsInt16() + Products(first._v, codes) + Products(second._v, codes + 4)).AsInt32());

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Register128 Dot(Register128 first, Register128 second, byte* codes) => Dp.IsSupported
        ? Dot(Zero, first, second, codes)
        : new((Products(first._v, codes) + Products(second._v, codes + 4)).AsInt32());

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Register128 Widen(Register128 narrow) => Dp.IsSupported ? narrow : DotPairs(narrow, new(Vector128.Create((short)1).AsInt32()));

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Register128 WidenScaled(Register128 narrow, Register128 pairs) =>
        Dp.IsSupported ? new(narrow._v * (pairs._v >> 16)) : DotPairs(narrow, pairs);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Register128 DotPairs(Register128 left, Register128 right) => Sse2.IsSupported
        ? new(Sse2.MultiplyAddAdjacent(left._v.AsInt16(), right._v.AsInt16()))
        : new((((left._v << 16) >> 16) * ((right._v << 16) >> 16)) + ((left._v >> 16) * (right._v >> 16)));

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static void SplitSigned(Register128 bytes, out Register128 first, out Register128 second)
    {
        if (Dp.IsSupported)
        {
            first = bytes;
            second = bytes;
            return;
        }

        first = new(((bytes._v.AsInt16() << 8) >> 8).AsInt32());
        second = new((bytes._v.AsInt16() >> 8).AsInt32());
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Register128 DotSigned(Register128 sum, Register128 first, Register128 second, byte* codes)
    {
        if (Dp.IsSupported)
        {
            return new(Dp.DotProduct(sum._v, first._v.AsSByte(), Codes(codes)));
        }

        if (Sse2.IsSupported)
        {
            return new(sum._v
                + Sse2.MultiplyAddAdjacent(first._v.AsInt16(), Vector128.Create(*(int*)codes).AsInt16())
                + Sse2.MultiplyAddAdjacent(second._v.AsInt16(), Vector128.Create(*(int*)(codes + 4)).AsInt16()));
        }

        return AddIntegers(AddIntegers(sum, DotPairs(first, Broadcast((int*)codes))), DotPairs(second, Broadcast((int*)(codes + 4))));
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Register128 StartSigned(int* correction) => Zero;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static Vector128<sbyte> Codes(byte* codes) => Vector128.Create(*(int*)codes).AsSByte();

    // Sums of two products: at most 2 * 63 * 127, half of what 16 bits hold.
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static Vector128<short> Products(Vector128<int> unsigned, byte* codes)
    {
        if (Ssse3.IsSupported)
        {
            return Ssse3.MultiplyAddAdjacent(unsigned.AsByte(), Codes(codes));
        }

        Vector128<short> left = unsigned.AsInt16(), right = Codes(codes).AsInt16();
        return ((left & Vector128.Create((short)0xFF)) * ((right << 8) >> 8)) + ((left >>> 8) * (right >> 8));
    }
}
