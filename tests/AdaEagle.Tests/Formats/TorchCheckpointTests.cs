using System.IO.Compression;
using System.Runtime.InteropServices;
using AdaEagle.Formats;

namespace AdaEagle.Tests.Formats;

public sealed class TorchCheckpointTests : IDisposable
{
    private static readonly float[] Numbers = [.. Enumerable.Range(0, 24).Select(i => i * 0.5f)];

    private readonly TemporaryFolder _folder = new();

    public void Dispose() => _folder.Dispose();

    [Fact]
    public void Every_head_of_the_fixtures_gives_the_bytes_of_its_storages()
    {
        int count = 0;
        foreach (string path in Directory.EnumerateFiles(Fixtures.Folder("eagle"), "pytorch_model*.bin", SearchOption.AllDirectories))
        {
            // The zip reader of the platform says what is in the file; each storage holds one whole tensor there.
            using ZipArchive zip = ZipFile.OpenRead(path);
            List<byte[]> storages = [.. zip.Entries.Where(e => e.FullName.Contains("/data/", StringComparison.Ordinal)).Select(Bytes)];
            using ITensorSource source = TorchCheckpoint.Open(path);
            Assert.Equal(storages.Count, source.Tensors.Count);
            foreach (TensorInfo tensor in source.Tensors.Values)
            {
                byte[] bytes = new byte[tensor.ByteLength];
                source.Read(tensor.Name, 0, bytes);
                Assert.True(storages.RemoveAll(s => s.AsSpan().SequenceEqual(bytes)) > 0, $"{path}: {tensor.Name} is no storage of the file");
            }

            count++;
        }

        Fixtures.RequireCases("eagle, pytorch_model.bin", count);
    }

    [Theory]
    [InlineData("FloatStorage", TensorType.F32)]
    [InlineData("HalfStorage", TensorType.F16)]
    [InlineData("BFloat16Storage", TensorType.BF16)]
    [InlineData("DoubleStorage", TensorType.F64)]
    [InlineData("LongStorage", TensorType.I64)]
    [InlineData("IntStorage", TensorType.I32)]
    [InlineData("ShortStorage", TensorType.I16)]
    [InlineData("CharStorage", TensorType.I8)]
    [InlineData("ByteStorage", TensorType.U8)]
    [InlineData("BoolStorage", TensorType.Bool)]
    public void Every_supported_number_format_is_read(string kind, TensorType type)
    {
        byte[] bytes = [.. Enumerable.Range(0, 6 * type.ByteSize()).Select(i => (byte)i)];
        using ITensorSource source = Open(p => p.Item("x", v => v.Tensor(kind, "0", 6, 0, [2, 3], [3, 1])), ("0", bytes));
        TensorInfo info = Assert.Single(source.Tensors.Values);
        Assert.Equal(("x", type), (info.Name, info.Type));
        Assert.Equal([2, 3], info.Shape);
        byte[] read = new byte[bytes.Length];
        source.Read("x", 0, read);
        Assert.Equal(bytes, read);
        Assert.Empty(source.Metadata);
    }

    [Fact]
    public void Views_of_a_shared_storage_are_read()
    {
        using ITensorSource source = Open(
            p => p.Item("whole", v => v.Tensor("FloatStorage", "7", 24, 0, [4, 6], [6, 1]))
                .Item("tied", v => v.Tensor("FloatStorage", "7", 24, 0, [4, 6], [6, 1]))
                .Item("rows", v => v.Tensor("FloatStorage", "7", 24, 6, [2, 6], [6, 1]))
                .Item("scalar", v => v.Tensor("FloatStorage", "7", 24, 23, [], []))
                .Item("empty", v => v.Tensor("FloatStorage", "7", 24, 24, [0, 6], [6, 1]))
                .Item("odd stride of one", v => v.Tensor("FloatStorage", "7", 24, 12, [1, 6], [999, 1])),
            ("7", MemoryMarshal.AsBytes(Numbers.AsSpan()).ToArray()));
        Assert.Equal(Numbers, source.ReadF32("whole", 4, 6));
        Assert.Equal(Numbers, source.ReadF32("tied", 4, 6));
        Assert.Equal(Numbers[6..18], source.ReadF32("rows", 2, 6));
        Assert.Equal([Numbers[23]], source.ReadF32("scalar"));
        Assert.Empty(source.ReadF32("empty", 0, 6));
        Assert.Equal(Numbers[12..18], source.ReadF32("odd stride of one", 1, 6));
        Assert.Throws<ModelFormatException>(() => source.Read("rows", 1, new byte[48]));
    }

    [Fact]
    public void Tensors_that_are_not_row_major_are_put_in_order()
    {
        using ITensorSource source = Open(
            p => p.Item("transposed", v => v.Tensor("FloatStorage", "0", 24, 0, [6, 4], [1, 6]))
                .Item("columns", v => v.Tensor("FloatStorage", "0", 24, 2, [4, 3], [6, 1]))
                .Item("every second", v => v.Tensor("FloatStorage", "0", 24, 1, [11], [2]))
                .Item("permuted", v => v.Tensor("FloatStorage", "0", 24, 0, [4, 2, 3], [1, 12, 4])),
            ("0", MemoryMarshal.AsBytes(Numbers.AsSpan()).ToArray()));
        Assert.Equal(Enumerable.Range(0, 24).Select(i => Numbers[((i % 4) * 6) + (i / 4)]), source.ReadF32("transposed", 6, 4));
        Assert.Equal(Enumerable.Range(0, 12).Select(i => Numbers[2 + ((i / 3) * 6) + (i % 3)]), source.ReadF32("columns", 4, 3));
        Assert.Equal(Enumerable.Range(0, 11).Select(i => Numbers[1 + (2 * i)]), source.ReadF32("every second", 11));
        Assert.Equal(Enumerable.Range(0, 24).Select(i => Numbers[(i / 6) + ((i / 3 % 2) * 12) + (i % 3 * 4)]), source.ReadF32("permuted", 4, 2, 3));
        float[] part = new float[2];
        source.Read("transposed", 4 * sizeof(float), MemoryMarshal.AsBytes(part.AsSpan()));
        Assert.Equal([Numbers[1], Numbers[7]], part);
        Assert.Throws<ModelFormatException>(() => source.Read("transposed", 90, new byte[8]));
    }

    [Fact]
    public void Parameters_and_tensors_with_attributes_are_tensors()
    {
        using ITensorSource source = Open(
            p => p.Item("parameter", v => v
                    .Global("torch._utils", "_rebuild_parameter").Op('(').Tensor("FloatStorage", "0", 2, 0, [2], [1]).Op(0x88)
                    .Global("collections", "OrderedDict").Op(')').Op('R').Op('t').Op('R'))
                .Item("typed", v => v
                    .Global("torch._tensor", "_rebuild_from_type_v2").Op('(').Global("torch._utils", "_rebuild_tensor_v2").Global("torch", "Tensor")
                    .TensorArguments("FloatStorage", "0", 2, 0, [2], [1]).Op('}').Op('t').Op('R')),
            ("0", new byte[8]));
        Assert.Equal(["parameter", "typed"], source.Tensors.Keys.Order());
    }

    [Fact]
    public void An_ordered_dict_with_attributes_under_state_dict_is_found_beside_other_things()
    {
        byte[] pickle = new PickleBuilder().Op('}')
            .Item("epoch", p => p.Int(3))
            .Item("args", p => p.Global("argparse", "Namespace").Op(')').Op(0x81).Op('}').Op('b'))
            .Item("state_dict", p => p.Global("collections", "OrderedDict").Op(')').Op('R')
                .Item("x", v => v.Tensor("FloatStorage", "0", 2, 0, [2], [1])).Item("steps", v => v.Int(1L << 40)).Item("lr", v => v.Op('G').Op(new byte[8]))
                .Op('}').Item("_metadata", v => v.Op('}')).Op('b'))
            .End();
        using ITensorSource source = TorchCheckpoint.Open(_folder.Write("s.bin", PickleBuilder.File(pickle, ("archive/data/0", new byte[8]), ("archive/byteorder", "little"u8.ToArray()))));
        Assert.Equal(["x"], source.Tensors.Keys);
    }

    [Fact]
    public void Newer_protocols_and_memos_are_read()
    {
        // Protocol 4: frame, short strings, memoize, global from the stack.
        PickleBuilder pickle = new PickleBuilder().Op(0x80, 4).Op(0x95).Op(new byte[8]).Op('}').Op(0x94).Op('(');
        byte[] name = [(byte)'x', 0xC3, 0xA9];
        pickle.Op(0x8c, 3).Op(name).Op(0x94)
            .Op(0x8c, 12).Op("torch._utils"u8.ToArray()).Op(0x8c, 18).Op("_rebuild_tensor_v2"u8.ToArray()).Op(0x93).Op(0x94)
            .Op('(').Storage("FloatStorage", "0", 2).Op('K').Op((byte)0).Op('K').Op((byte)2).Op(0x85).Op('q').Op((byte)9).Op('M').Op(1, 0).Op(0x85).Op(0x89).Op('N').Op('t').Op('R')
            .Op('u');
        using ITensorSource source = TorchCheckpoint.Open(_folder.Write("p4.bin", PickleBuilder.File(pickle.End(), ("archive/data/0", new byte[8]))));
        Assert.Equal(["xé"], source.Tensors.Keys);
    }

    [Fact]
    public void Several_threads_read_at_once()
    {
        using ITensorSource source = Open(
            p => p.Item("a", v => v.Tensor("FloatStorage", "0", 24, 0, [4, 6], [6, 1])).Item("b", v => v.Tensor("FloatStorage", "0", 24, 0, [6, 4], [1, 6])),
            ("0", MemoryMarshal.AsBytes(Numbers.AsSpan()).ToArray()));
        float[][] read = new float[32][];
        Parallel.For(0, 32, i => read[i] = source.ReadF32(i % 2 == 0 ? "a" : "b"));
        Assert.All(Enumerable.Range(0, 32), i => Assert.Equal(read[i % 2], read[i]));
        Assert.Equal(Numbers, read[0]);
    }

    private ITensorSource Open(Action<PickleBuilder> items, params (string Key, byte[] Bytes)[] storages)
    {
        PickleBuilder pickle = new PickleBuilder().Op('}');
        items(pickle);
        byte[] file = PickleBuilder.File(pickle.End(), [.. storages.Select(s => ($"archive/data/{s.Key}", s.Bytes))]);
        return TorchCheckpoint.Open(_folder.Write("good.bin", file));
    }

    private static byte[] Bytes(ZipArchiveEntry entry)
    {
        using Stream stream = entry.Open();
        byte[] bytes = new byte[entry.Length];
        stream.ReadExactly(bytes);
        return bytes;
    }
}
