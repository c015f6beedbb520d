using System.Text;
using AdaEagle.Formats;
using CsCheck;

namespace AdaEagle.Tests.Formats;

public sealed class SafeTensorsTests : IDisposable
{
    private readonly TemporaryFolder _folder = new();

    private static readonly Gen<TensorData> SomeTensor =
        from type in Gen.Enum<TensorType>().Where(type => !type.IsBlock())
        from shape in Gen.Long[0, 4].Array[0, 4]
        from name in Gen.String[0, 20]
        from bytes in Gen.Byte.Array[(int)shape.Aggregate(1L, (a, b) => a * b) * type.ByteSize()]
        where IsText(name) && name != "__metadata__"
        select new TensorData(name, type, shape, bytes);

    private static readonly Gen<Dictionary<string, string>> SomeMetadata =
        from pairs in Gen.Select(Gen.String[0, 10], Gen.String[0, 10]).Where((k, v) => IsText(k) && IsText(v)).Array[0, 4]
        select pairs.DistinctBy(p => p.Item1).ToDictionary(p => p.Item1, p => p.Item2);

    public void Dispose() => _folder.Dispose();

    [Fact]
    public void What_is_written_is_read_back() =>
        Gen.Select(SomeTensor.Array[0, 8], SomeMetadata).Sample(
            (some, metadata) =>
            {
                TensorData[] tensors = [.. some.DistinctBy(t => t.Name)];
                string path = _folder.File("a.safetensors");
                SafeTensors.Write(path, tensors, metadata);
                using ITensorSource source = SafeTensors.Open(path);
                Assert.Equal(metadata.OrderBy(m => m.Key), source.Metadata.OrderBy(m => m.Key));
                Assert.Equal(tensors.Length, source.Tensors.Count);
                foreach (TensorData tensor in tensors)
                {
                    TensorInfo info = source.Tensors[tensor.Name];
                    Assert.Equal((tensor.Name, tensor.Type), (info.Name, info.Type));
                    Assert.Equal(tensor.Shape, info.Shape);
                    byte[] bytes = new byte[info.ByteLength];
                    source.Read(tensor.Name, 0, bytes);
                    Assert.Equal(tensor.Bytes.ToArray(), bytes);
                }
            },
            iter: 500,
            threads: 1);

    [Fact]
    public void Floats_are_read_back_as_stored() =>
        Gen.Select(Gen.Single.Array[0, 200], Gen.Enum<TensorType>().Where(type => FloatConversion.IsFloat(type) && !type.IsBlock())).Sample(
            (values, type) =>
            {
                string path = _folder.File("f.safetensors");
                SafeTensors.Write(path, [TensorData.FromF32("x", [values.Length], values, type)]);
                using ITensorSource source = SafeTensors.Open(path);
                float[] expected = type switch
                {
                    TensorType.BF16 => [.. values.Select(v => FloatConversion.FromBF16(FloatConversion.ToBF16(v)))],
                    TensorType.F16 => [.. values.Select(v => (float)(Half)v)],
                    _ => values,
                };
                Assert.Equal(expected, source.ReadF32("x", values.Length));
            },
            iter: 300,
            threads: 1);

    [Fact]
    public void A_tensor_larger_than_the_reading_buffer_is_read_whole()
    {
        float[] values = [.. Enumerable.Range(0, 300_001).Select(i => i / 7f)];
        string path = _folder.File("big.safetensors");
        SafeTensors.Write(path, [TensorData.FromF32("x", [values.Length], values, TensorType.F32), TensorData.FromF32("y", [3, 100_000], values[..300_000], TensorType.BF16)]);
        using ITensorSource source = SafeTensors.Open(path);
        Assert.Equal(values, source.ReadF32("x"));
        Assert.Equal(values[..300_000].Select(v => FloatConversion.FromBF16(FloatConversion.ToBF16(v))), source.ReadF32("y", 3, 100_000));
    }

    [Fact]
    public void The_same_content_gives_the_same_file_with_every_tensor_aligned()
    {
        TensorData[] tensors =
        [
            new("b", TensorType.U8, [3], new byte[3]),
            new("z", TensorType.F64, [1], new byte[8]),
            new("a", TensorType.BF16, [5], new byte[10]),
            new("c", TensorType.F32, [1, 1], new byte[4]),
        ];
        SafeTensors.Write(_folder.File("1"), tensors, new Dictionary<string, string> { ["x"] = "1", ["a"] = "2" });
        SafeTensors.Write(_folder.File("2"), tensors.Reverse(), new Dictionary<string, string> { ["a"] = "2", ["x"] = "1" });
        byte[] bytes = File.ReadAllBytes(_folder.File("1"));
        Assert.Equal(bytes, File.ReadAllBytes(_folder.File("2")));
        int header = (int)BitConverter.ToUInt64(bytes);
        Assert.Equal(0, header % 8);
        string json = Encoding.UTF8.GetString(bytes, 8, header);
        Assert.StartsWith("{\"__metadata__\":{\"a\":\"2\",\"x\":\"1\"},\"z\":{\"dtype\":\"F64\",\"shape\":[1],\"data_offsets\":[0,8]},\"c\":", json, StringComparison.Ordinal);
        Assert.Equal(8 + header + 3 + 8 + 10 + 4, bytes.Length);
    }

    [Fact]
    public void Parts_of_a_tensor_are_read_and_nothing_outside_it()
    {
        string path = _folder.File("p.safetensors");
        SafeTensors.Write(path, [new("x", TensorType.U8, [4], new byte[] { 1, 2, 3, 4 }), new("y", TensorType.U8, [2], new byte[] { 5, 6 })]);
        using ITensorSource source = SafeTensors.Open(path);
        byte[] two = new byte[2];
        source.Read("x", 2, two);
        Assert.Equal([3, 4], two);
        source.Read("x", 4, []);
        foreach (long offset in new[] { -1, 3, 5, long.MaxValue, long.MinValue })
        {
            ModelFormatException e = Assert.Throws<ModelFormatException>(() => source.Read("x", offset, new byte[2]));
            Assert.Equal((path, "x"), (e.File, e.Item));
        }

        Assert.Throws<ModelFormatException>(() => source.Read("x", 0, new byte[5]));
        Assert.Equal("z", Assert.Throws<ModelFormatException>(() => source.Read("z", 0, two)).Item);
    }

    [Fact]
    public void Another_shape_or_type_than_asked_for_is_an_error_that_names_both()
    {
        string path = _folder.File("s.safetensors");
        SafeTensors.Write(path, [TensorData.FromF32("x", [2, 3], new float[6], TensorType.BF16), new("i", TensorType.I64, [1], new byte[8])]);
        using ITensorSource source = SafeTensors.Open(path);
        Assert.Equal(6, source.ReadF32("x").Length);
        Assert.Equal(6, source.ReadF32("x", 2, 3).Length);
        string message = Assert.Throws<ModelFormatException>(() => source.ReadF32("x", 3, 2)).Message;
        Assert.Contains("[2, 3]", message, StringComparison.Ordinal);
        Assert.Contains("[3, 2]", message, StringComparison.Ordinal);
        Assert.Contains("I64", Assert.Throws<ModelFormatException>(() => source.ReadF32("i")).Message, StringComparison.Ordinal);
        Assert.Throws<ModelFormatException>(() => source.ReadF32("absent"));
    }

    [Fact]
    public void Several_threads_read_at_once()
    {
        float[] values = [.. Enumerable.Range(0, 10_000).Select(i => (float)i)];
        string path = _folder.File("t.safetensors");
        SafeTensors.Write(path, Enumerable.Range(0, 4).Select(i => TensorData.FromF32($"x{i}", [10_000], [.. values.Select(v => v * i)], TensorType.F32)));
        using ITensorSource source = SafeTensors.Open(path);
        float[][] read = new float[32][];
        Parallel.For(0, 32, i => read[i] = source.ReadF32($"x{i % 4}"));
        for (int i = 0; i < 32; i++)
        {
            Assert.Equal(values.Select(v => v * (i % 4)), read[i]);
        }
    }

    [Fact]
    public void A_failed_write_leaves_the_old_file_and_nothing_else()
    {
        string path = _folder.File("old.safetensors");
        SafeTensors.Write(path, [new("x", TensorType.U8, [1], new byte[1])]);
        byte[] old = File.ReadAllBytes(path);
        Assert.Throws<InvalidOperationException>(() => AtomicFile.Write(path, stream =>
        {
            stream.Write(new byte[100]);
            throw new InvalidOperationException("the disk is full");
        }));
        Assert.Equal(old, File.ReadAllBytes(path));
        Assert.Equal([path], Directory.GetFiles(_folder.Path));
        Assert.Throws<DirectoryNotFoundException>(() => SafeTensors.Write(_folder.File("no/such/folder.safetensors"), []));
    }

    [Fact]
    public void What_cannot_be_a_file_is_not_written()
    {
        string path = _folder.File("bad.safetensors");
        TensorData good = new("x", TensorType.F32, [2], new byte[8]);
        Assert.Throws<ArgumentException>(() => SafeTensors.Write(path, [good, good]));
        Assert.Throws<ArgumentException>(() => SafeTensors.Write(path, [good with { Name = "__metadata__" }]));
        Assert.Throws<ArgumentException>(() => SafeTensors.Write(path, [good with { Shape = [3] }]));
        Assert.Throws<ArgumentException>(() => SafeTensors.Write(path, [good with { Shape = [-1, -2] }]));
        Assert.ThrowsAny<ArgumentException>(() => SafeTensors.Write(path, [good with { Name = "\ud800" }]));
        Assert.ThrowsAny<ArgumentException>(() => SafeTensors.Write(path, [good], new Dictionary<string, string> { ["x"] = "\udc00" }));
        Assert.Throws<ArgumentException>(() => TensorData.FromF32("x", [3], new float[2], TensorType.F32));
        Assert.Throws<ArgumentException>(() => TensorData.FromF32("x", [2], new float[2], TensorType.I32));
        Assert.Empty(Directory.GetFiles(_folder.Path));
    }

    // Text that has a UTF-8 form: no half surrogate pairs.
    private static bool IsText(string text) => Encoding.UTF8.GetString(Encoding.UTF8.GetBytes(text)) == text;
}
