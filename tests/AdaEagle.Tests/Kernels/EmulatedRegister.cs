using AdaEagle.Kernels;

namespace AdaEagle.Tests.Kernels;

/// <summary>
/// A register of four lanes on a processor that sums four products at once, one number at a time: what kernels do with AVX-VNNI or ARM's dot product,
/// on processors that have neither. <typeparamref name="TBiased"/> says whose way to signed weights it takes.
/// </summary>
internal unsafe struct EmulatedRegister<TBiased> : IRegister<EmulatedRegister<TBiased>>
    where TBiased : struct, IBiased
{
    private fixed int _lanes[4];

    public static int Lanes => 4;

    public static bool SignedCodesAreWide => false;

    public static bool SignedCodesAreBiased => TBiased.Value;

    public static EmulatedRegister<TBiased> Zero => default;

    public static EmulatedRegister<TBiased> Load(byte* source) => Each(i => ((int*)source)[i]);

    public static void Store(EmulatedRegister<TBiased> value, float* destination)
    {
        for (int i = 0; i < Lanes; i++)
        {
            ((int*)destination)[i] = value._lanes[i];
        }
    }

    public static EmulatedRegister<TBiased> Broadcast(int* source) => Constant(*source);

    public static EmulatedRegister<TBiased> Constant(int value) => Each(_ => value);

    public static EmulatedRegister<TBiased> LoadHalves(byte* source) => Each(i => Bits((float)((Half*)source)[i]));

    public static EmulatedRegister<TBiased> LoadBytes(byte* source) => Each(i => source[i]);

    public static EmulatedRegister<TBiased> LoadSignedBytes(byte* source) => Each(i => (sbyte)source[i]);

    public static EmulatedRegister<TBiased> And(EmulatedRegister<TBiased> left, EmulatedRegister<TBiased> right) => Both(left, right, (a, b) => a & b);

    public static EmulatedRegister<TBiased> Or(EmulatedRegister<TBiased> left, EmulatedRegister<TBiased> right) => Both(left, right, (a, b) => a | b);

    public static EmulatedRegister<TBiased> ShiftLeft(EmulatedRegister<TBiased> value, int bits) => Both(value, value, (a, _) => a << bits);

    public static EmulatedRegister<TBiased> ShiftRight(EmulatedRegister<TBiased> value, int bits) => Both(value, value, (a, _) => a >>> bits);

    public static EmulatedRegister<TBiased> AddIntegers(EmulatedRegister<TBiased> left, EmulatedRegister<TBiased> right) => Both(left, right, (a, b) => a + b);

    public static EmulatedRegister<TBiased> SubtractIntegers(EmulatedRegister<TBiased> left, EmulatedRegister<TBiased> right) => Both(left, right, (a, b) => a - b);

    public static EmulatedRegister<TBiased> ToFloat(EmulatedRegister<TBiased> integers) => Both(integers, integers, (a, _) => Bits(a));

    public static EmulatedRegister<TBiased> Multiply(EmulatedRegister<TBiased> left, EmulatedRegister<TBiased> right) => Both(left, right, (a, b) => Bits(Float(a) * Float(b)));

    public static EmulatedRegister<TBiased> Negate(EmulatedRegister<TBiased> value) => Both(value, value, (a, _) => Bits(-Float(a)));

    public static EmulatedRegister<TBiased> FusedMultiplyAdd(EmulatedRegister<TBiased> left, float* factor, EmulatedRegister<TBiased> addend)
    {
        float by = *factor;
        return Both(left, addend, (a, b) => Bits(MathF.FusedMultiplyAdd(Float(a), by, Float(b))));
    }

    public static EmulatedRegister<TBiased> ScaleAndAdd(EmulatedRegister<TBiased> integers, EmulatedRegister<TBiased> scale, float* factor, EmulatedRegister<TBiased> addend) =>
        FusedMultiplyAdd(ToFloat(integers), scale, factor, addend);

    public static EmulatedRegister<TBiased> Dot(EmulatedRegister<TBiased> narrow, EmulatedRegister<TBiased> first, EmulatedRegister<TBiased> second, byte* codes) =>
        AddIntegers(narrow, Dot(first, second, codes));

    public static EmulatedRegister<TBiased> Dot(EmulatedRegister<TBiased> first, EmulatedRegister<TBiased> second, byte* codes) =>
        AddIntegers(Products(first, codes, signed: false), Products(second, codes + 4, signed: false));

    public static EmulatedRegister<TBiased> Widen(EmulatedRegister<TBiased> narrow) => narrow;

    public static EmulatedRegister<TBiased> WidenScaled(EmulatedRegister<TBiased> narrow, EmulatedRegister<TBiased> pairs) => Both(narrow, pairs, (a, b) => a * (b >> 16));

    public static EmulatedRegister<TBiased> DotPairs(EmulatedRegister<TBiased> left, EmulatedRegister<TBiased> right) =>
        Both(left, right, (a, b) => ((short)a * (short)b) + ((a >> 16) * (b >> 16)));

    public static void SplitSigned(EmulatedRegister<TBiased> bytes, out EmulatedRegister<TBiased> first, out EmulatedRegister<TBiased> second) =>
        first = second = TBiased.Value ? Both(bytes, bytes, (a, _) => a ^ unchecked((int)0x80808080)) : bytes;

    public static EmulatedRegister<TBiased> DotSigned(EmulatedRegister<TBiased> sum, EmulatedRegister<TBiased> first, EmulatedRegister<TBiased> second, byte* codes) =>
        AddIntegers(sum, Products(first, codes, signed: !TBiased.Value));

    public static EmulatedRegister<TBiased> StartSigned(int* correction) => TBiased.Value ? Broadcast(correction) : Zero;

    private static EmulatedRegister<TBiased> FusedMultiplyAdd(EmulatedRegister<TBiased> left, EmulatedRegister<TBiased> scale, float* factor, EmulatedRegister<TBiased> addend)
    {
        EmulatedRegister<TBiased> result = default;
        for (int i = 0; i < Lanes; i++)
        {
            result._lanes[i] = Bits(MathF.FusedMultiplyAdd(Float(left._lanes[i]), Float(scale._lanes[i]) * *factor, Float(addend._lanes[i])));
        }

        return result;
    }

    private static EmulatedRegister<TBiased> Products(EmulatedRegister<TBiased> weights, byte* codes, bool signed) => Both(weights, weights, (a, _) =>
    {
        int sum = 0;
        for (int i = 0; i < 4; i++)
        {
            byte weight = (byte)(a >>> (8 * i));
            sum += (signed ? (sbyte)weight : weight) * (sbyte)codes[i];
        }

        return sum;
    });

    private static EmulatedRegister<TBiased> Each(Func<int, int> lane)
    {
        EmulatedRegister<TBiased> result = default;
        for (int i = 0; i < Lanes; i++)
        {
            result._lanes[i] = lane(i);
        }

        return result;
    }

    private static EmulatedRegister<TBiased> Both(EmulatedRegister<TBiased> left, EmulatedRegister<TBiased> right, Func<int, int, int> lane)
    {
        EmulatedRegister<TBiased> result = default;
        for (int i = 0; i < Lanes; i++)
        {
            result._lanes[i] = lane(left._lanes[i], right._lanes[i]);
        }

        return result;
    }

    private static int Bits(float value) => BitConverter.SingleToInt32Bits(value);

    private static float Float(int bits) => BitConverter.Int32BitsToSingle(bits);
}

/// <summary>Whether signed weights are made unsigned by adding 128 (AVX-VNNI), or multiplied as they are (ARM).</summary>
internal interface IBiased
{
    static abstract bool Value { get; }
}

internal readonly struct Biased : IBiased
{
    public static bool Value => true;
}

internal readonly struct Unbiased : IBiased
{
    public static bool Value => false;
}

/// <summary>Kernels on registers that sum four products at once.</summary>
public unsafe class EmulatedRegisterTests
{
    [Fact]
    public void Kernels_with_four_products_an_instruction_have_the_bits_of_the_scalar_twin()
    {
        Check(new SignedBytesKernel<EmulatedRegister<Biased>, Q8_0Format>(), WeightFormat.Q8_0);
        Check(new SignedBytesKernel<EmulatedRegister<Unbiased>, Q8_0Format>(), WeightFormat.Q8_0);
        Check(new FourBitKernel<EmulatedRegister<Biased>, Q4_0Format>(), WeightFormat.Q4_0);
        Check(new FourBitKernel<EmulatedRegister<Biased>, Q4_KFormat>(), WeightFormat.Q4_K);
        Check(new FiveBitKernel<EmulatedRegister<Biased>, Q5_KFormat>(), WeightFormat.Q5_K);
        Check(new SixBitKernel<EmulatedRegister<Biased>, Q6_KFormat>(), WeightFormat.Q6_K);
    }

    private static void Check(MatrixKernel kernel, WeightFormat format)
    {
        const int Columns = 512, Outputs = 32;
        var random = new Random(1);
        foreach (StoredBlocks stored in (StoredBlocks[])[StoredBlocks.Random(random, format, Outputs, Columns), StoredBlocks.Filled(format, Outputs, Columns, 0xFF), StoredBlocks.Filled(format, Outputs, Columns, 0x80)])
        {
            using WeightMatrix twin = stored.Matrix(KernelPath.Scalar);
            byte[] rows = [.. Enumerable.Range(0, Outputs).SelectMany(row => stored.Row(row).ToArray())];
            using var packed = new NativeBuffer(2 * kernel.GroupBytes(Columns));
            for (int group = 0; group < 2; group++)
            {
                kernel.Pack(rows.AsSpan(group * rows.Length / 2, rows.Length / 2), Columns, packed.Bytes + (group * kernel.GroupBytes(Columns)));
            }

            foreach (int count in (int[])[1, 5, 8, 11])
            {
                using var inputs = new Floats(Floats.Random(random, count * Columns, 2));
                using var prepared = new NativeBuffer((long)count * kernel.Preparation!.RowBytes(Columns));
                for (int row = 0; row < count; row++)
                {
                    kernel.Preparation.Prepare(inputs.Pointer + (row * Columns), 0, Columns, Columns, row, count, prepared.Bytes);
                }

                using var outputs = new Floats(count * Outputs);
                kernel.Multiply(packed.Bytes, 2, Columns, new ProductInput(inputs.Pointer, Columns, count, prepared.Bytes), outputs.Pointer, Outputs);
                Assert.Equal(Floats.Bits(StoredBlocks.Multiply(twin, inputs.Span.ToArray(), count)), Floats.Bits(outputs.Span));
            }
        }
    }
}
