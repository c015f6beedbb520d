using System.Numerics;
using System.Runtime.InteropServices;

namespace AdaEagle.Formats;

/// <summary>Between stored floating-point formats and 32-bit floats.</summary>
internal static class FloatConversion
{
    /// <summary>True for the formats that hold floating-point numbers, blocks of them included.</summary>
    public static bool IsFloat(TensorType type) => type is TensorType.F32 or TensorType.F16 or TensorType.BF16 or TensorType.F64 || type.IsBlock();

    public static float FromBF16(ushort value) => BitConverter.UInt32BitsToSingle((uint)value << 16);

    /// <summary>To the nearest, ties to even; a NaN stays a NaN, with its upper bits where they suffice.</summary>
    public static ushort ToBF16(float value)
    {
        uint bits = BitConverter.SingleToUInt32Bits(value);
        uint upper = bits >> 16;
        if (float.IsNaN(value))
        {
            return (ushort)((upper & 0x7F) == 0 ? upper | 0x40 : upper);
        }

        return (ushort)((bits + 0x7FFF + (upper & 1)) >> 16);
    }

    /// <summary>Widens stored elements (exactly; F64 is rounded; blocks as in <see cref="BlockFormats.Decode"/>). The source holds as many elements as the destination.</summary>
    public static void Widen(TensorType type, ReadOnlySpan<byte> source, Span<float> destination)
    {
        switch (type)
        {
            case TensorType.F32:
                MemoryMarshal.Cast<byte, float>(source).CopyTo(destination);
                break;
            case TensorType.BF16:
                WidenBF16(MemoryMarshal.Cast<byte, ushort>(source), destination);
                break;
            case TensorType.F16:
                ReadOnlySpan<Half> halves = MemoryMarshal.Cast<byte, Half>(source);
                for (int i = 0; i < halves.Length; i++)
                {
                    destination[i] = (float)halves[i];
                }

                break;
            case TensorType.F64:
                ReadOnlySpan<double> doubles = MemoryMarshal.Cast<byte, double>(source);
                for (int i = 0; i < doubles.Length; i++)
                {
                    destination[i] = (float)doubles[i];
                }

                break;
            default:
                BlockFormats.Decode(type, source, destination);
                break;
        }
    }

    /// <summary>Stores floats, rounded to the nearest, ties to even (blocks as in <see cref="BlockFormats.Encode"/>). The destination has room for as many elements.</summary>
    public static void Narrow(TensorType type, ReadOnlySpan<float> source, Span<byte> destination)
    {
        switch (type)
        {
            case TensorType.F32:
                MemoryMarshal.AsBytes(source).CopyTo(destination);
                break;
            case TensorType.BF16:
                Span<ushort> brains = MemoryMarshal.Cast<byte, ushort>(destination);
                for (int i = 0; i < source.Length; i++)
                {
                    brains[i] = ToBF16(source[i]);
                }

                break;
            case TensorType.F16:
                Span<Half> halves = MemoryMarshal.Cast<byte, Half>(destination);
                for (int i = 0; i < source.Length; i++)
                {
                    halves[i] = (Half)source[i];
                }

                break;
            case TensorType.F64:
                Span<double> doubles = MemoryMarshal.Cast<byte, double>(destination);
                for (int i = 0; i < source.Length; i++)
                {
                    doubles[i] = source[i];
                }

                break;
            default:
                BlockFormats.Encode(type, source, destination);
                break;
        }
    }

    private static void WidenBF16(ReadOnlySpan<ushort> source, Span<float> destination)
    {
        int i = 0;
        for (; i <= source.Length - Vector<ushort>.Count; i += Vector<ushort>.Count)
        {
            Vector.Widen(new Vector<ushort>(source[i..]), out Vector<uint> low, out Vector<uint> high);
            Vector.AsVectorSingle(low << 16).CopyTo(destination[i..]);
            Vector.AsVectorSingle(high << 16).CopyTo(destination[(i + Vector<uint>.Count)..]);
        }

        for (; i < source.Length; i++)
        {
            destination[i] = FromBF16(source[i]);
        }
    }
}
