using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;
using static TorchSharp.torch;

namespace AdaEagle.Training.Torch;

/// <summary>A number format that activations are stored in; arithmetic is in single precision whatever the storage.</summary>
internal unsafe interface IStorage
{
    static abstract Vector512<float> Load(nint data, long index);

    static abstract void Store(nint data, long index, Vector512<float> values);
}

/// <summary>Single precision.</summary>
internal readonly unsafe struct F32 : IStorage
{
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector512<float> Load(nint data, long index) => Vector512.Load((float*)data + index);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static void Store(nint data, long index, Vector512<float> values) => values.Store((float*)data + index);
}

/// <summary>The upper half of a single-precision number; stored to the nearest, ties to even.</summary>
internal readonly unsafe struct BF16 : IStorage
{
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector512<float> Load(nint data, long index)
    {
        (Vector256<uint> lower, Vector256<uint> upper) = Vector256.Widen(Vector256.Load((ushort*)data + index));
        return (Vector512.Create(lower, upper) << 16).AsSingle();
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static void Store(nint data, long index, Vector512<float> values)
    {
        Vector512<uint> bits = values.AsUInt32();
        bits = (bits + Vector512.Create(0x7fffu) + ((bits >>> 16) & Vector512<uint>.One)) >>> 16;
        Vector256.Narrow(bits.GetLower(), bits.GetUpper()).Store((ushort*)data + index);
    }
}

/// <summary>Access to the elements of tensors, and the split of rows over threads.</summary>
internal static unsafe class Elements
{
    /// <summary>Elements that a vector of <see cref="IStorage"/> holds; every row that the kernels work on is a multiple of it.</summary>
    public const int Width = 16;

    /// <summary>Address of the first element of a contiguous CPU tensor of this type and length; it stays valid while the tensor lives.</summary>
    public static nint Address(Tensor tensor, ScalarType type, long count)
    {
        if (tensor.dtype != type || tensor.numel() != count || !tensor.is_contiguous())
        {
            throw new ArgumentException($"A contiguous {type} tensor of {count} elements was expected, not {tensor.dtype} of {tensor.numel()}.", nameof(tensor));
        }

        return (nint)Unsafe.AsPointer(ref tensor.bytes[0]);
    }

    /// <summary>Runs <paramref name="body"/> on ranges [from, to) of the rows, on as many threads as libtorch uses.</summary>
    public static void ForRows(long rows, int rowLength, Action<long, long> body)
    {
        const long Grain = 1 << 15; // elements: some ten microseconds of work, so that a thread that is held up is relieved
        long step = Math.Max(1, Grain / rowLength);
        int pieces = (int)((rows + step - 1) / step);
        int threads = Math.Min(get_num_threads(), pieces);
        if (threads <= 1)
        {
            body(0, rows);
            return;
        }

        Parallel.For(0, pieces, new ParallelOptions { MaxDegreeOfParallelism = threads }, piece => body(piece * step, Math.Min(rows, (piece + 1) * step)));
    }
}
