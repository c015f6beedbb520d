using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;
using System.Runtime.Intrinsics.X86;

namespace AdaEagle.Kernels;

/// <summary>512 bits (AVX-512 F and BW). Its class for VNNI is not in .NET 10: four products a lane are two instructions.</summary>
internal readonly unsafe struct Register512 : IRegister<Register512>
{
    private readonly Vector512<int> _v;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private Register512(Vector512<int> v)
    {
        _v = v;
    }

    public static int Lanes => 16;

    public static bool SignedCodesAreWide => true;

    public static bool SignedCodesAreBiased => false;

    public static Register512 Zero
    {
        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        get => new(Vector512<int>.Zero);
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Register512 Load(byte* source) => new(Vector512.Load((int*)source));

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static void Store(Register512 value, float* destination) => value._v.AsSingle().Store(destination);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Register512 Broadcast(int* source) => new(Vector512.Create(*source));

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Register512 Constant(int value) => new(Vector512.Create(value));

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Register512 LoadHalves(byte* source)
    {
        Vector512<int> top = Avx512F.ConvertToVector512Int32(Vector256.Load((short*)source)) << 13;
        return new(HalfPrecision.Widen(top & Vector512.Create(unchecked((int)0x8FFFE000))).AsInt32());
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Register512 LoadBytes(byte* source) => new(Avx512F.ConvertToVector512Int32(Vector128.Load(source)));

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Register512 LoadSignedBytes(byte* source) => new(Avx512F.ConvertToVector512Int32(Vector128.Load((sbyte*)source)));

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Register512 And(Register512 left, Register512 right) => new(left._v & right._v);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Register512 Or(Register512 left, Register512 right) => new(left._v | right._v);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Register512 ShiftLeft(Register512 value, int bits) => new(value._v << bits);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Register512 ShiftRight(Register512 value, int bits) => new(value._v >>> bits);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Register512 AddIntegers(Register512 left, Register512 right) => new(left._v + right._v);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Register512 SubtractIntegers(Register512 left, Register512 right) => new(left._v - right._v);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Register512 ToFloat(Register512 integers) => new(Vector512.ConvertToSingle(integers._v).AsInt32());

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Register512 Multiply(Register512 left, Register512 right) => new((left._v.AsSingle() * right._v.AsSingle()).AsInt32());

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Register512 Negate(Register512 value) => new(value._v ^ Vector512.Create(int.MinValue));

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Register512 FusedMultiplyAdd(Register512 left, float* factor, Register512 addend) =>
        new(Vector512.FusedMultiplyAdd(left._v.AsSingle(), Vector512.Create(*factor), addend._v.AsSingle()).AsInt32());

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Register512 ScaleAndAdd(Register512 integers, Register512 scale, float* factor, Register512 addend) =>
        new(Vector512.FusedMultiplyAdd(Vector512.ConvertToSingle(integers._v), scale._v.AsSingle() * Vector512.Create(*factor), addend._v.AsSingle()).AsInt32());

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Register512 Dot(Register512 narrow, Register512 first, Register512 second, byte* codes) =>
        new((narrow._v.AsInt16() + Avx512BW.MultiplyAddAdjacent(first._v.AsByte(), Vector512.Create(*(int*)codes).AsSByte()) + Avx512BW.MultiplyAddAdjacent(second._v.AsByte(), Vector512.Create(*(int*)(codes + 4)).AsSByte())).AsInt32());

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Register512 Dot(Register512 first, Register512 second, byte* codes) =>
        new((Avx512BW.MultiplyAddAdjacent(first._v.AsByte(), Vector512.Create(*(int*)codes).AsSByte()) + Avx512BW.MultiplyAddAdjacent(second._v.AsByte(), Vector512.Create(*(int*)(codes + 4)).AsSByte())).AsInt32());

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Register512 Widen(Register512 narrow) => new(Avx512BW.MultiplyAddAdjacent(narrow._v.AsInt16(), Vector512.Create((short)1)));

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Register512 WidenScaled(Register512 narrow, Register512 pairs) => DotPairs(narrow, pairs);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Register512 DotPairs(Register512 left, Register512 right) => new(Avx512BW.MultiplyAddAdjacent(left._v.AsInt16(), right._v.AsInt16()));

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static void SplitSigned(Register512 bytes, out Register512 first, out Register512 second)
    {
        first = new(((bytes._v.AsInt16() << 8) >> 8).AsInt32());
        second = new((bytes._v.AsInt16() >> 8).AsInt32());
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Register512 DotSigned(Register512 sum, Register512 first, Register512 second, byte* codes) =>
        new(sum._v
            + Avx512BW.MultiplyAddAdjacent(first._v.AsInt16(), Vector512.Create(*(int*)codes).AsInt16())
            + Avx512BW.MultiplyAddAdjacent(second._v.AsInt16(), Vector512.Create(*(int*)(codes + 4)).AsInt16()));

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Register512 StartSigned(int* correction) => Zero;
}
