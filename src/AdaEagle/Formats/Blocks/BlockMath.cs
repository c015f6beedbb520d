using System.Buffers.Binary;
using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;
using System.Runtime.Intrinsics;

namespace AdaEagle.Formats;

/// <summary>What the block formats have in common: ranges, rounding, packing of codes. All lengths are multiples of 16.</summary>
internal static class BlockMath
{
    public static float ReadHalf(ReadOnlySpan<byte> bytes) => (float)BinaryPrimitives.ReadHalfLittleEndian(bytes);

    /// <summary>To the nearest, ties to even.</summary>
    public static void WriteHalf(Span<byte> bytes, float value) => BinaryPrimitives.WriteHalfLittleEndian(bytes, (Half)value);

    /// <summary>1 / scale, or 0 where the scale is 0.</summary>
    public static float Inverse(float scale) => scale == 0 ? 0 : 1 / scale;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector256<float> Load(ReadOnlySpan<float> values, int index) =>
        Vector256.LoadUnsafe(ref MemoryMarshal.GetReference(values), (nuint)index);

    public static (float Min, float Max) Range(ReadOnlySpan<float> values)
    {
        Vector256<float> min = Load(values, 0);
        Vector256<float> max = min;
        for (int i = 8; i < values.Length; i += 8)
        {
            Vector256<float> x = Load(values, i);
            min = Vector256.Min(min, x);
            max = Vector256.Max(max, x);
        }

        (float least, float most) = (min[0], max[0]);
        for (int lane = 1; lane < 8; lane++)
        {
            least = MathF.Min(least, min[lane]);
            most = MathF.Max(most, max[lane]);
        }

        return (least, most);
    }

    public static float LargestMagnitude(ReadOnlySpan<float> values)
    {
        (float min, float max) = Range(values);
        return MathF.Max(-min, max);
    }

    /// <summary>The value that is furthest from zero, with its sign; the first of equals.</summary>
    public static float Furthest(ReadOnlySpan<float> values)
    {
        (float min, float max) = Range(values);
        return -min == max ? values[values.IndexOfAny(min, max)] : -min > max ? min : max;
    }

    /// <summary>To the nearest whole number, ties away from zero.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector256<int> RoundAway(Vector256<float> x)
    {
        Vector256<float> whole = Vector256.Truncate(x);
        Vector256<float> rest = Vector256.Abs(x - whole);
        Vector256<float> one = Vector256.CopySign(Vector256.Create(1f), x);
        return Vector256.ConvertToInt32(whole + (one & Vector256.GreaterThanOrEqual(rest, Vector256.Create(0.5f))));
    }

    /// <summary>The lowest byte of sixteen numbers.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector128<byte> Bytes(Vector256<int> low, Vector256<int> high)
    {
        Vector256<short> shorts = Vector256.Narrow(low, high);
        return Vector128.Narrow(shorts.GetLower(), shorts.GetUpper()).AsByte();
    }
}
