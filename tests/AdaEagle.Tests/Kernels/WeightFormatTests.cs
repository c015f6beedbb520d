using AdaEagle.Formats;
using AdaEagle.Kernels;

namespace AdaEagle.Tests.Kernels;

/// <summary>Every finite number of the 16-bit formats, on every instruction set, in even and odd columns.</summary>
public unsafe class WeightFormatTests
{
    public static TheoryData<KernelPath> Paths => [.. KernelPaths.Available];

    [Theory]
    [MemberData(nameof(Paths))]
    public void Every_finite_F16_number_is_widened_exactly(KernelPath path)
    {
        float[] numbers = [.. Enumerable.Range(0, 1 << 16).Select(bits => (float)BitConverter.UInt16BitsToHalf((ushort)bits)).Where(float.IsFinite)];
        Assert.Equal(63488, numbers.Length);
        CheckExact(WeightFormat.F16, path, numbers);
    }

    [Theory]
    [MemberData(nameof(Paths))]
    public void Every_F16_number_below_128_is_widened_exactly_by_the_faster_codec(KernelPath path)
    {
        float[] numbers = [.. Enumerable.Range(0, 1 << 16).Select(bits => (float)BitConverter.UInt16BitsToHalf((ushort)bits)).Where(value => MathF.Abs(value) < 128)];
        Assert.Equal(2 * 22 * 1024, numbers.Length);
        CheckExact(WeightFormat.F16, path, numbers);

        // It has no place for larger ones, which is what sends their matrix to the other.
        ulong block = 0;
        F16WeightCodec.Encode(127.9375f, (byte*)&block, 0, 0);
        Assert.Throws<HalfRangeException>(() => { ulong other = 0; F16WeightCodec.Encode(128, (byte*)&other, 0, 0); });
        Assert.Equal(127.9375f, F16WeightCodec.DecodeScalar((byte*)&block, 0, 0));
    }

    [Theory]
    [MemberData(nameof(Paths))]
    public void Every_finite_BF16_number_is_widened_exactly(KernelPath path)
    {
        float[] numbers = [.. Enumerable.Range(0, 1 << 16).Select(bits => BitConverter.Int32BitsToSingle(bits << 16)).Where(float.IsFinite)];
        Assert.Equal(65280, numbers.Length);
        CheckExact(WeightFormat.BF16, path, numbers);
    }

    [Fact]
    public void Packing_rounds_to_the_nearest_and_ties_to_even()
    {
        var random = new Random(1);
        float[] numbers =
        [
            .. Enumerable.Range(0, 20_000).Select(_ => BitConverter.UInt32BitsToSingle((uint)random.NextInt64(1L << 32))).Where(value => float.IsFinite(value) && MathF.Abs(value) < 3e38f),
            .. Enumerable.Range(0, 2_000).Select(_ => BitConverter.UInt32BitsToSingle(((uint)random.Next(0x7F00) << 16) | 0x8000)),
        ];
        using var matrix = WeightMatrix.Create(WeightFormat.BF16, numbers.Length, 1, KernelPaths.Best, (row, values) => values[0] = numbers[row]);
        for (int row = 0; row < numbers.Length; row++)
        {
            float packed;
            matrix.UnpackRow(row, &packed);
            Assert.Equal(FloatConversion.FromBF16(FloatConversion.ToBF16(numbers[row])), packed);
            Assert.Equal((double)numbers[row], packed, Math.Max(Math.Abs((double)numbers[row]) / 256, 1e-40));
        }
    }

    private static void CheckExact(WeightFormat format, KernelPath path, float[] numbers)
    {
        // Column 0 holds the number, column 1 its negative: both halves of a word.
        using var matrix = WeightMatrix.Create(format, numbers.Length, 2, path, (row, values) => (values[0], values[1]) = (numbers[row], -numbers[row]));
        int width = 16 * matrix.GroupCount;
        using var inputs = new Floats([1, 0, 0, 1]);
        using NativeBuffer prepared = inputs.Prepare(matrix, 2, 2);
        using var outputs = new Floats(2 * width);
        matrix.Multiply(0, matrix.GroupCount, new ProductInput(inputs.Pointer, 2, 2, prepared.Bytes), outputs.Pointer, width);
        float* row = stackalloc float[2];
        for (int i = 0; i < numbers.Length; i++)
        {
            // A sum that begins at +0 does not keep a -0.
            if (outputs.Span[i] != numbers[i] || outputs.Span[width + i] != -numbers[i])
            {
                Assert.Fail($"{numbers[i]:R} became {outputs.Span[i]:R} and {outputs.Span[width + i]:R}.");
            }

            matrix.UnpackRow(i, row);
            Assert.Equal(BitConverter.SingleToInt32Bits(numbers[i]), BitConverter.SingleToInt32Bits(row[0]));
            Assert.Equal(BitConverter.SingleToInt32Bits(-numbers[i]), BitConverter.SingleToInt32Bits(row[1]));
        }
    }
}
