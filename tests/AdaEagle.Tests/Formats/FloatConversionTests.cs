using System.Runtime.InteropServices;
using AdaEagle.Formats;

namespace AdaEagle.Tests.Formats;

/// <summary>All 65536 values of both 16-bit formats, and all the places between them where rounding decides.</summary>
public class FloatConversionTests
{
    [Fact]
    public void Every_BF16_value_survives_the_way_to_float_and_back_bit_for_bit()
    {
        for (int bits = 0; bits <= 0xFFFF; bits++)
        {
            Assert.Equal((ushort)bits, FloatConversion.ToBF16(FloatConversion.FromBF16((ushort)bits)));
        }
    }

    [Fact]
    public void Every_value_is_widened_to_what_its_bits_mean()
    {
        ushort[] all = AllBits();
        float[] halves = Widen(TensorType.F16, all);
        float[] brains = Widen(TensorType.BF16, all);
        for (int bits = 0; bits <= 0xFFFF; bits++)
        {
            Assert.Equal(Meaning(bits, exponentBits: 5, fractionBits: 10), halves[bits]);
            Assert.Equal(Meaning(bits, exponentBits: 8, fractionBits: 7), brains[bits]);
        }
    }

    [Theory]
    [InlineData(TensorType.F16)]
    [InlineData(TensorType.BF16)]
    public void Every_value_is_stored_as_itself(TensorType type)
    {
        ushort[] all = AllBits();
        float[] values = Widen(type, all);
        ushort[] stored = Narrow(type, values);
        for (int bits = 0; bits <= 0xFFFF; bits++)
        {
            if (float.IsNaN(values[bits]))
            {
                Assert.True(float.IsNaN(Widen(type, [stored[bits]])[0]));
            }
            else
            {
                Assert.Equal(all[bits], stored[bits]);
            }
        }
    }

    [Theory]
    [InlineData(TensorType.F16, 0x7C00)]
    [InlineData(TensorType.BF16, 0x7F80)]
    public void Between_two_values_the_nearer_is_taken_and_the_even_one_in_the_middle(TensorType type, int infinity)
    {
        for (int bits = 0; bits < infinity - 1; bits++)
        {
            float low = Widen(type, [(ushort)bits])[0];
            float high = Widen(type, [(ushort)(bits + 1)])[0];

            // Exact: a float has at least 13 more bits of fraction, or (BF16) as small an exponent.
            float middle = (float)(((double)low + high) / 2);
            ushort even = (ushort)((bits & 1) == 0 ? bits : bits + 1);
            ushort[] stored = Narrow(type, [middle, -middle, MathF.BitDecrement(middle), MathF.BitIncrement(middle)]);
            Assert.Equal([even, (ushort)(even | 0x8000), (ushort)bits, (ushort)(bits + 1)], stored);
        }
    }

    [Theory]
    [InlineData(TensorType.F16, 65519.996f, 0x7BFF)]
    [InlineData(TensorType.F16, 65520f, 0x7C00)]
    [InlineData(TensorType.F16, float.MaxValue, 0x7C00)]
    [InlineData(TensorType.F16, float.NegativeInfinity, 0xFC00)]
    [InlineData(TensorType.BF16, float.MaxValue, 0x7F80)]
    [InlineData(TensorType.BF16, float.NegativeInfinity, 0xFF80)]
    [InlineData(TensorType.BF16, float.Epsilon, 0)]
    public void What_is_too_large_becomes_infinite_and_what_is_too_small_zero(TensorType type, float value, int expected) =>
        Assert.Equal((ushort)expected, Narrow(type, [value])[0]);

    [Fact]
    public void A_NaN_whose_upper_bits_look_like_infinity_stays_a_NaN() =>
        Assert.True(float.IsNaN(FloatConversion.FromBF16(FloatConversion.ToBF16(BitConverter.UInt32BitsToSingle(0x7F80_0001)))));

    [Fact]
    public void Any_length_is_widened()
    {
        ushort[] all = AllBits();
        for (int length = 0; length < 100; length++)
        {
            float[] values = Widen(TensorType.BF16, all[0x3F00..(0x3F00 + length)]);
            Assert.Equal(Enumerable.Range(0x3F00, length).Select(b => FloatConversion.FromBF16((ushort)b)), values);
        }
    }

    [Fact]
    public void Doubles_are_rounded_and_floats_kept()
    {
        double[] doubles = [0.1, -1e300, 1.0000000001, double.NaN];
        float[] values = new float[4];
        FloatConversion.Widen(TensorType.F64, MemoryMarshal.AsBytes<double>(doubles), values);
        Assert.Equal([0.1f, float.NegativeInfinity, 1f, float.NaN], values);
        byte[] bytes = new byte[32];
        FloatConversion.Narrow(TensorType.F64, values, bytes);
        Assert.Equal([0.1f, double.NegativeInfinity, 1, double.NaN], MemoryMarshal.Cast<byte, double>(bytes).ToArray());
    }

    private static ushort[] AllBits() => [.. Enumerable.Range(0, 0x10000).Select(i => (ushort)i)];

    private static float[] Widen(TensorType type, ushort[] bits)
    {
        float[] values = new float[bits.Length];
        FloatConversion.Widen(type, MemoryMarshal.AsBytes<ushort>(bits), values);
        return values;
    }

    private static ushort[] Narrow(TensorType type, float[] values)
    {
        ushort[] bits = new ushort[values.Length];
        FloatConversion.Narrow(type, values, MemoryMarshal.AsBytes(bits.AsSpan()));
        return bits;
    }

    // IEEE 754's definition, in doubles.
    private static float Meaning(int bits, int exponentBits, int fractionBits)
    {
        int fraction = bits & ((1 << fractionBits) - 1);
        int exponent = (bits >> fractionBits) & ((1 << exponentBits) - 1);
        int bias = (1 << (exponentBits - 1)) - 1;
        double magnitude = exponent == (1 << exponentBits) - 1
            ? fraction == 0 ? double.PositiveInfinity : double.NaN
            : exponent == 0
                ? Math.ScaleB(fraction, 1 - bias - fractionBits)
                : Math.ScaleB((1 << fractionBits) + fraction, exponent - bias - fractionBits);
        return (float)((bits & 0x8000) == 0 ? magnitude : -magnitude);
    }
}
