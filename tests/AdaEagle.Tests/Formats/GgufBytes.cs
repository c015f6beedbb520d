using System.Text;

namespace AdaEagle.Tests.Formats;

/// <summary>Writes GGUF files byte by byte, right or wrong, without the writer under test.</summary>
internal sealed class GgufBytes
{
    private readonly List<byte> _bytes = [];

    public int Length => _bytes.Count;

    /// <summary>Magic, version, counts.</summary>
    public static GgufBytes Header(ulong tensors, ulong keys, uint version = 3, string magic = "GGUF") => new GgufBytes().Raw(Encoding.ASCII.GetBytes(magic)).U32(version).U64(tensors).U64(keys);

    public GgufBytes Raw(params byte[] bytes)
    {
        _bytes.AddRange(bytes);
        return this;
    }

    public GgufBytes U32(uint value) => Raw(BitConverter.GetBytes(value));

    public GgufBytes U64(ulong value) => Raw(BitConverter.GetBytes(value));

    public GgufBytes Text(string text) => U64((ulong)Encoding.UTF8.GetByteCount(text)).Raw(Encoding.UTF8.GetBytes(text));

    /// <summary>A key with a value of type U32.</summary>
    public GgufBytes Key(string key, uint value) => Text(key).U32(4).U32(value);

    /// <summary>A tensor's entry; dimensions fastest first, as in the file.</summary>
    public GgufBytes Tensor(string name, uint type, ulong offset, params ulong[] dimensions)
    {
        Text(name).U32((uint)dimensions.Length);
        foreach (ulong dimension in dimensions)
        {
            U64(dimension);
        }

        return U32(type).U64(offset);
    }

    /// <summary>Zeros up to a multiple, then data.</summary>
    public GgufBytes Data(int bytes, int alignment = 32) => Raw(new byte[-Length & (alignment - 1)]).Raw(new byte[bytes]);

    public byte[] ToArray() => [.. _bytes];
}
