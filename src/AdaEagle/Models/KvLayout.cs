using AdaEagle.Kernels;

namespace AdaEagle.Models;

/// <summary>The shape of a cache: layers that hold keys and values, key/value heads, the width of one, and the number format.</summary>
internal readonly record struct KvLayout(int Layers, int Heads, int HeadDimension, CacheFormat Format = CacheFormat.F32)
{
    /// <summary>Positions of a block.</summary>
    public const int BlockPositions = AttentionKernels.BlockPositions;

    private const float LargestHalf = 65504;

    /// <summary>A row of values, rounded up to whole vectors.</summary>
    public int ValueStride => (HeadDimension + 15) & ~15;

    /// <summary>Bytes of the keys of a head in a block; its values follow.</summary>
    public long KeyBytes => (long)HeadDimension * BlockPositions * NumberBytes;

    /// <summary>Bytes of a head of one layer in a block: keys, then values; see <see cref="AttentionKernels"/>.</summary>
    public long HeadBytes => KeyBytes + ((long)ValueStride * BlockPositions * NumberBytes);

    /// <summary>Bytes of a block of 64 positions over all layers and heads.</summary>
    public long BlockBytes => checked(Layers * Heads * HeadBytes);

    private int NumberBytes => Format == CacheFormat.F32 ? sizeof(float) : sizeof(ushort);

    /// <summary>Writes the key and the value of position <paramref name="offset"/> of a block into the head that begins at <paramref name="head"/>.</summary>
    public unsafe void Store(byte* head, int offset, float* key, float* value)
    {
        if (Format == CacheFormat.F32)
        {
            Store<F32Codec>(head, offset, key, value);
            return;
        }

        float* held = stackalloc float[2 * HeadDimension];
        for (int d = 0; d < HeadDimension; d++)
        {
            held[d] = Math.Clamp(key[d], -LargestHalf, LargestHalf);
            held[HeadDimension + d] = Math.Clamp(value[d], -LargestHalf, LargestHalf);
        }

        Store<F16Codec>(head, offset, held, held + HeadDimension);
    }

    /// <summary>Reads what <see cref="Store(byte*, int, float*, float*)"/> wrote.</summary>
    public unsafe void Load(byte* head, int offset, float* key, float* value)
    {
        if (Format == CacheFormat.F32)
        {
            Load<F32Codec>(head, offset, key, value);
        }
        else
        {
            Load<F16Codec>(head, offset, key, value);
        }
    }

    private unsafe void Store<TCodec>(byte* head, int offset, float* key, float* value)
        where TCodec : struct, IWeightCodec
    {
        byte* keys = KeyAt<TCodec>(head, offset), values = ValueAt<TCodec>(head, offset);
        for (int d = 0; d < HeadDimension; d += 2, keys += 4 * TCodec.PairBytes)
        {
            TCodec.Encode(key[d], keys, offset % 16, 0);
            TCodec.Encode(key[d + 1], keys, offset % 16, 1);
        }

        for (int d = 0; d < HeadDimension; d++)
        {
            TCodec.Encode(value[d], values + (d / 16 * TCodec.PairBytes), d % 16, offset & 1);
        }
    }

    private unsafe void Load<TCodec>(byte* head, int offset, float* key, float* value)
        where TCodec : struct, IWeightCodec
    {
        byte* keys = KeyAt<TCodec>(head, offset), values = ValueAt<TCodec>(head, offset);
        for (int d = 0; d < HeadDimension; d++)
        {
            key[d] = TCodec.DecodeScalar(keys + (d / 2 * 4 * TCodec.PairBytes), offset % 16, d & 1);
            value[d] = TCodec.DecodeScalar(values + (d / 16 * TCodec.PairBytes), d % 16, offset & 1);
        }
    }

    private static unsafe byte* KeyAt<TCodec>(byte* head, int offset)
        where TCodec : struct, IWeightCodec => head + (offset / 16 * TCodec.PairBytes);

    private unsafe byte* ValueAt<TCodec>(byte* head, int offset)
        where TCodec : struct, IWeightCodec => head + KeyBytes + (offset / 2 * (ValueStride / 16) * TCodec.PairBytes);
}
