using System.Runtime.InteropServices;
using AdaEagle.Formats;

namespace AdaEagle.Models;

/// <summary>Brings rows from a stored format to the blocks of another.</summary>
internal static class BlockRecoding
{
    private const int Length = 32;

    /// <summary>True if every value of the format is one of Q8_0: a half times an integer of at most eight bits.</summary>
    public static bool IsExactInQ8(TensorType type) => type is TensorType.Q5_0 or TensorType.IQ4_NL;

    /// <summary>Writes values as blocks of <paramref name="target"/>. Where they come from <paramref name="stored"/> blocks that Q8_0 holds exactly, it does.</summary>
    public static void Encode(TensorType type, ReadOnlySpan<byte> stored, ReadOnlySpan<float> values, TensorType target, Span<byte> blocks)
    {
        if (target != TensorType.Q8_0 || !IsExactInQ8(type))
        {
            FloatConversion.Narrow(target, values, blocks);
            return;
        }

        for (int at = 0; at < values.Length; at += Length)
        {
            Half scale = MemoryMarshal.Read<Half>(stored[(at / Length * type.BlockBytes())..]);
            Span<byte> block = blocks.Slice(at / Length * target.BlockBytes(), target.BlockBytes());
            MemoryMarshal.Write(block, scale);
            for (int i = 0; i < Length; i++)
            {
                // Exact: the value is the scale times the code.
                block[2 + i] = scale == default ? (byte)0 : (byte)(sbyte)MathF.Round(values[at + i] / (float)scale);
            }
        }
    }
}
