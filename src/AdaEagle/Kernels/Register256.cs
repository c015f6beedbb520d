using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;
using System.Runtime.Intrinsics.X86;

namespace AdaEagle.Kernels;

/// <summary>256 bits (AVX2), with four products a lane in one instruction where the processor has the VEX form of VNNI.</summary>
internal readonly unsafe struct Register256 : IRegister<Register256>
{
    private readonly Vector256<int> _v;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private Register256(Vector256<int> v)
    {
        _v = v;
    }

    public static int Lanes => 8;

    public static bool SignedCodesAreWide => !AvxVnni.IsSupported;

    public static bool SignedCodesAreBiased => AvxVnni.IsSupported;

    public static Register256 Zero
    {
        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        get => new(Vector256<int>.Zero);
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Register256 Load(byte* source) => new(Vector256.Load((int*)source));

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static void Store(Register256 value, float* destination) => value._v.AsSingle().Store(destination);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Register256 Broadcast(int* source) => new(Vector256.Create(*source));

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Register256 Constant(int value) => new(Vector256.Create(value));

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Register256 LoadHalves(byte* source)
    {
        Vector256<int> top = Avx2.ConvertToVector256Int32(Vector128.Load((short*)source)) << 13;
        return new(HalfPrecision.Widen(top & Vector256.Create(unchecked((int)0x8FFFE000))).AsInt32());
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Register256 LoadBytes(byte* source) => new(Avx2.ConvertToVector256Int32(source));

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Register256 LoadSignedBytes(byte* source) => new(Avx2.ConvertToVector256Int32((sbyte*)source));

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Register256 And(Register256 left, Register256 right) => new(left._v & right._v);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Register256 Or(Register256 left, Register256 right) => new(left._v | right._v);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Register256 ShiftLeft(Register256 value, int bits) => new(value._v << bits);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Register256 ShiftRight(Register256 value, int bits) => new(value._v >>> bits);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Register256 AddIntegers(Register256 left, Register256 right) => new(left._v + right._v);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Register256 SubtractIntegers(Register256 left, Register256 right) => new(left._v - right._v);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Register256 ToFloat(Register256 integers) => new(Vector256.ConvertToSingle(integers._v).AsInt32());

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Register256 Multiply(Register256 left, Register256 right) => new((left._v.AsSingle() * right._v.AsSingle()).AsInt32());

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Register256 Negate(Register256 value) => new(value._v ^ Vector256.Create(int.MinValue));

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Register256 FusedMultiplyAdd(Register256 left, float* factor, Register256 addend) =>
        new(Vector256.FusedMultiplyAdd(left._v.AsSingle(), Vector256.Create(*factor), addend._v.AsSingle()).AsInt32());

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Register256 ScaleAndAdd(Register256 integers, Register256 scale, float* factor, Register256 addend) =>
        new(Vector256.FusedMultiplyAdd(Vector256.ConvertToSingle(integers._v), scale._v.AsSingle() * Vector256.Create(*factor), addend._v.AsSingle()).AsInt32());

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Register256 Dot(Register256 narrow, Register256 first, Register256 second, byte* codes) => AvxVnni.IsSupported
        ? new(AvxVnni.MultiplyWideningAndAdd(
            AvxVnni.MultiplyWideningAndAdd(narrow._v, first._v.AsByte(), Codes(codes)), second._v.AsByte(), Codes(codes + 4)))
        : new((narrow._v.AsInt16() + Avx2.MultiplyAddAdjacent(first._v.AsByte(), Vector256.Create(*(int*)codes).AsSByte()) + Avx2.MultiplyAddAdjacent(second._v.AsByte(), Vector256.Create(*(int*)(codes + 4)).AsSByte())).AsInt32());

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Register256 Dot(Register256 first, Register256 second, byte* codes) => AvxVnni.IsSupported
        ? Dot(Zero, first, second, codes)
        : new((Avx2.MultiplyAddAdjacent(first._v.AsByte(), Vector256.Create(*(int*)codes).AsSByte()) + Avx2.MultiplyAddAdjacent(second._v.AsByte(), Vector256.Create(*(int*)(codes + 4)).AsSByte())).AsInt32());

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Register256 Widen(Register256 narrow) => AvxVnni.IsSupported
        ? narrow
        : new(Avx2.MultiplyAddAdjacent(narrow._v.AsInt16(), Vector256.Create((short)1)));

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Register256 WidenScaled(Register256 narrow, Register256 pairs) => AvxVnni.IsSupported
        ? new(narrow._v * (pairs._v >> 16))
        : DotPairs(narrow, pairs);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Register256 DotPairs(Register256 left, Register256 right) => new(Avx2.MultiplyAddAdjacent(left._v.AsInt16(), right._v.AsInt16()));

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static void SplitSigned(Register256 bytes, out Register256 first, out Register256 second)
    {
        if (AvxVnni.IsSupported)
        {
            // w + 128 is unsigned; what StartSigned begins with takes the 128s off.
            first = new(bytes._v ^ Vector256.Create((byte)0x80).AsInt32());
            second = first;
            return;
        }

        first = new(((bytes._v.AsInt16() << 8) >> 8).AsInt32());
        second = new((bytes._v.AsInt16() >> 8).AsInt32());
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Register256 DotSigned(Register256 sum, Register256 first, Register256 second, byte* codes) => AvxVnni.IsSupported
        ? new(AvxVnni.MultiplyWideningAndAdd(sum._v, first._v.AsByte(), Codes(codes)))
        : new(sum._v
            + Avx2.MultiplyAddAdjacent(first._v.AsInt16(), Vector256.Create(*(int*)codes).AsInt16())
            + Avx2.MultiplyAddAdjacent(second._v.AsInt16(), Vector256.Create(*(int*)(codes + 4)).AsInt16()));

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Register256 StartSigned(int* correction) => AvxVnni.IsSupported ? Broadcast(correction) : Zero;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static Vector256<sbyte> Codes(byte* codes) => Vector256.Create(*(int*)codes).AsSByte();
}
