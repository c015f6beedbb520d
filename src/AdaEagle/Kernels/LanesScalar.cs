using System.Runtime.CompilerServices;

namespace AdaEagle.Kernels;

/// <summary>Sixteen lanes one after the other: the scalar twin of the vector lanes, operation by operation.</summary>
internal unsafe struct LanesScalar : ILanes<LanesScalar>
{
    private Sixteen _values;

    public static int TileCells => 1;

    public static LanesScalar Zero => default;

    public static LanesScalar Broadcast(float value) => Each(_ => value);

    public static LanesScalar Load(float* source)
    {
        LanesScalar lanes = default;
        for (int i = 0; i < 16; i++)
        {
            lanes._values[i] = source[i];
        }

        return lanes;
    }

    public static void Store(LanesScalar value, float* destination)
    {
        for (int i = 0; i < 16; i++)
        {
            destination[i] = value._values[i];
        }
    }

    public static LanesScalar LoadLow16(byte* pairs)
    {
        LanesScalar lanes = default;
        for (int i = 0; i < 16; i++)
        {
            lanes._values[i] = BitConverter.UInt32BitsToSingle(((uint*)pairs)[i] << 16);
        }

        return lanes;
    }

    public static LanesScalar LoadHigh16(byte* pairs)
    {
        LanesScalar lanes = default;
        for (int i = 0; i < 16; i++)
        {
            lanes._values[i] = BitConverter.UInt32BitsToSingle(((uint*)pairs)[i] & 0xFFFF0000u);
        }

        return lanes;
    }

    public static LanesScalar WidenHalf(LanesScalar top16) =>
        Each(i => (float)BitConverter.UInt16BitsToHalf((ushort)(BitConverter.SingleToUInt32Bits(top16._values[i]) >> 16)));

    public static LanesScalar WidenBiasedHalf(LanesScalar top16) => Each(i => F16WeightCodec.DecodeUnscaled((ushort)(BitConverter.SingleToUInt32Bits(top16._values[i]) >> 16)));

    public static LanesScalar Add(LanesScalar left, LanesScalar right) => Each(i => left._values[i] + right._values[i]);

    public static LanesScalar Subtract(LanesScalar left, LanesScalar right) => Each(i => left._values[i] - right._values[i]);

    public static LanesScalar Multiply(LanesScalar left, LanesScalar right) => Each(i => left._values[i] * right._values[i]);

    public static LanesScalar Divide(LanesScalar left, LanesScalar right) => Each(i => left._values[i] / right._values[i]);

    public static LanesScalar FusedMultiplyAdd(LanesScalar left, LanesScalar right, LanesScalar addend) =>
        Each(i => MathF.FusedMultiplyAdd(left._values[i], right._values[i], addend._values[i]));

    public static LanesScalar Max(LanesScalar left, LanesScalar right) => Each(i => MathF.Max(left._values[i], right._values[i]));

    public static LanesScalar Min(LanesScalar left, LanesScalar right) => Each(i => MathF.Min(left._values[i], right._values[i]));

    public static LanesScalar ScaleByPowerOfTwo(LanesScalar value, LanesScalar roundedExponent) =>
        Each(i => value._values[i] * BitConverter.Int32BitsToSingle(((int)roundedExponent._values[i] + 127) << 23));

    public static LanesScalar Round(LanesScalar value) => Each(i => MathF.Round(value._values[i]));

    public static float Sum(LanesScalar value)
    {
        for (int half = 8; half > 0; half /= 2)
        {
            for (int i = 0; i < half; i++)
            {
                value._values[i] += value._values[i + half];
            }
        }

        return value._values[0];
    }

    public static float MaxOfLanes(LanesScalar value)
    {
        float most = value._values[0];
        for (int i = 1; i < 16; i++)
        {
            most = MathF.Max(most, value._values[i]);
        }

        return most;
    }

    private static LanesScalar Each(Func<int, float> value)
    {
        LanesScalar lanes = default;
        for (int i = 0; i < 16; i++)
        {
            lanes._values[i] = value(i);
        }

        return lanes;
    }

    [InlineArray(16)]
    private struct Sixteen
    {
        private float _first;
    }
}
