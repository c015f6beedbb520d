using System.Buffers.Binary;
using System.IO.Compression;
using System.Text;

namespace AdaEagle.Tests.Formats;

/// <summary>Assembles pickles opcode by opcode, good and bad ones, and files of <c>torch.save</c>'s layout around them.</summary>
internal sealed class PickleBuilder
{
    private readonly List<byte> _bytes = [];

    public PickleBuilder() => Op(0x80, 2);

    /// <summary>Raw bytes.</summary>
    public PickleBuilder Op(params byte[] bytes)
    {
        _bytes.AddRange(bytes);
        return this;
    }

    /// <summary>An opcode of one character.</summary>
    public PickleBuilder Op(char opcode) => Op((byte)opcode);

    public PickleBuilder Text(string text)
    {
        byte[] utf8 = Encoding.UTF8.GetBytes(text);
        return Op('X').Op(BitConverter.GetBytes(utf8.Length)).Op(utf8);
    }

    public PickleBuilder Int(long value)
    {
        if (value is >= int.MinValue and <= int.MaxValue)
        {
            return Op('J').Op(BitConverter.GetBytes((int)value));
        }

        byte[] bytes = new byte[8];
        BinaryPrimitives.WriteInt64LittleEndian(bytes, value);
        return Op(0x8a, 8).Op(bytes);
    }

    public PickleBuilder Global(string module, string name) => Op('c').Op(Encoding.UTF8.GetBytes($"{module}\n{name}\n"));

    /// <summary>A tuple of whole numbers.</summary>
    public PickleBuilder Ints(params long[] values)
    {
        Op('(');
        foreach (long value in values)
        {
            Int(value);
        }

        return Op('t');
    }

    /// <summary>A storage, as a persistent id.</summary>
    public PickleBuilder Storage(string kind, string key, long count) =>
        Op('(').Text("storage").Global("torch", kind).Text(key).Text("cpu").Int(count).Op('t').Op('Q');

    /// <summary>The arguments of <c>_rebuild_tensor_v2</c>, as a tuple.</summary>
    public PickleBuilder TensorArguments(string kind, string key, long count, long offset, long[] shape, long[] strides) =>
        Op('(').Storage(kind, key, count).Int(offset).Ints(shape).Ints(strides).Op(0x89).Global("collections", "OrderedDict").Op(')').Op('R').Op('t');

    /// <summary>A tensor.</summary>
    public PickleBuilder Tensor(string kind, string key, long count, long offset, long[] shape, long[] strides) =>
        Global("torch._utils", "_rebuild_tensor_v2").TensorArguments(kind, key, count, offset, shape, strides).Op('R');

    /// <summary>One item of a dict on the stack.</summary>
    public PickleBuilder Item(string name, Action<PickleBuilder> value)
    {
        Text(name);
        value(this);
        return Op('s');
    }

    /// <summary>The pickle, ended.</summary>
    public byte[] End() => [.. Op('.')._bytes];

    /// <summary>A file of torch's layout, stored by another zip writer than ours would be.</summary>
    public static byte[] File(byte[] pickle, params (string Name, byte[] Bytes)[] others) => Zip([("archive/data.pkl", pickle), .. others]);

    /// <summary>A zip file.</summary>
    public static byte[] Zip(IEnumerable<(string Name, byte[] Bytes)> entries, CompressionLevel compression = CompressionLevel.NoCompression)
    {
        using MemoryStream stream = new();
        using (ZipArchive zip = new(stream, ZipArchiveMode.Create, leaveOpen: true))
        {
            foreach ((string name, byte[] bytes) in entries)
            {
                using Stream entry = zip.CreateEntry(name, compression).Open();
                entry.Write(bytes);
            }
        }

        return stream.ToArray();
    }
}
