using System.Buffers.Binary;
using AdaEagle.Formats;

namespace AdaEagle.Bench.Models;

/// <summary>Single elements of the floating-point formats, little endian.</summary>
internal static class Numbers
{
    /// <summary>True for the formats that this project writes.</summary>
    public static bool IsSupported(TensorType type) => type is TensorType.F32 or TensorType.F16 or TensorType.BF16;

    /// <summary>Reads one element.</summary>
    public static float Load(ReadOnlySpan<byte> bytes, int index, TensorType type) => type switch
    {
        TensorType.F32 => BinaryPrimitives.ReadSingleLittleEndian(bytes[(4 * index)..]),
        TensorType.F16 => (float)BinaryPrimitives.ReadHalfLittleEndian(bytes[(2 * index)..]),
        TensorType.BF16 => BitConverter.Int32BitsToSingle(BinaryPrimitives.ReadUInt16LittleEndian(bytes[(2 * index)..]) << 16),
        _ => throw new ArgumentOutOfRangeException(nameof(type), type, "Not a floating-point format of this project."),
    };

    /// <summary>Writes one element, rounded to the nearest, ties to even. The value is finite.</summary>
    public static void Store(Span<byte> bytes, int index, TensorType type, float value)
    {
        switch (type)
        {
            case TensorType.F32:
                BinaryPrimitives.WriteSingleLittleEndian(bytes[(4 * index)..], value);
                break;
            case TensorType.F16:
                BinaryPrimitives.WriteHalfLittleEndian(bytes[(2 * index)..], (Half)value);
                break;
            case TensorType.BF16:
                uint bits = BitConverter.SingleToUInt32Bits(value);
                BinaryPrimitives.WriteUInt16LittleEndian(bytes[(2 * index)..], (ushort)((bits + 0x7FFF + ((bits >> 16) & 1)) >> 16));
                break;
            default:
                throw new ArgumentOutOfRangeException(nameof(type), type, "Not a floating-point format of this project.");
        }
    }
}

/// <summary>
/// Random elements, evenly spread over [centre - bound, centre + bound]. They depend on seed, tensor name, and the row and column where
/// a stretch begins, so it does not matter in which chunks a tensor is written.
/// </summary>
internal sealed class RandomElements
{
    private readonly ulong _stream;
    private readonly float _centre;
    private readonly float _step;

    /// <summary>Random elements of one tensor.</summary>
    public RandomElements(ulong seed, string tensor, float bound, float centre = 0)
    {
        // FNV-1a: string.GetHashCode differs from run to run.
        ulong hash = 14695981039346656037;
        foreach (char c in tensor)
        {
            hash = (hash ^ c) * 1099511628211;
        }

        _stream = Mix(seed ^ Mix(hash));
        _centre = centre;
        _step = bound / 32768;
    }

    /// <summary>Bound that gives each output of a matrix with that many columns the variance of one input.</summary>
    public static float BoundFor(long columns) => MathF.Sqrt(3f / columns);

    /// <summary>Fills a stretch of one row that begins at a column.</summary>
    public void Fill(long row, long column, Span<byte> destination, TensorType type)
    {
        ulong state = Mix(Mix(_stream + (ulong)row) + (ulong)column);
        int count = destination.Length / type.ByteSize();
        ulong bits = 0;
        for (int i = 0; i < count; i++)
        {
            // Four elements out of each 64 random bits.
            bits = (i & 3) == 0 ? Mix(state += 0x9E3779B97F4A7C15) : bits >> 16;
            Numbers.Store(destination, i, type, _centre + ((short)bits * _step));
        }
    }

    // The finaliser of SplitMix64 (Steele, Lea, Flood 2014).
    private static ulong Mix(ulong z)
    {
        z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9;
        z = (z ^ (z >> 27)) * 0x94D049BB133111EB;
        return z ^ (z >> 31);
    }
}
