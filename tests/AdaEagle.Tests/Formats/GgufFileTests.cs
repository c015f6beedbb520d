using AdaEagle.Formats;
using CsCheck;

namespace AdaEagle.Tests.Formats;

public sealed class GgufFileTests : IDisposable
{
    private static readonly Gen<string> SomeText = Gen.String[0, 12].Where(text => !text.Any(char.IsSurrogate));

    private static readonly Gen<GgufValue> SomeArray = Gen.OneOf(
        Gen.Byte.Array[0, 5].Select(v => (object)v), Gen.SByte.Array[0, 5].Select(v => (object)v), Gen.UShort.Array[0, 5].Select(v => (object)v),
        Gen.Short.Array[0, 5].Select(v => (object)v), Gen.UInt.Array[0, 5].Select(v => (object)v), Gen.Int.Array[0, 5].Select(v => (object)v),
        Gen.Float.Array[0, 5].Select(v => (object)v), Gen.Bool.Array[0, 5].Select(v => (object)v), SomeText.Array[0, 5].Select(v => (object)v),
        Gen.ULong.Array[0, 5].Select(v => (object)v), Gen.Long.Array[0, 5].Select(v => (object)v), Gen.Double.Array[0, 5].Select(v => (object)v)).Select(v => new GgufValue(v));

    private static readonly Gen<GgufValue> SomeValue = Gen.OneOf(
        Gen.OneOf(
            Gen.Byte.Select(v => (object)v), Gen.SByte.Select(v => (object)v), Gen.UShort.Select(v => (object)v), Gen.Short.Select(v => (object)v),
            Gen.UInt.Select(v => (object)v), Gen.Int.Select(v => (object)v), Gen.Float.Select(v => (object)v), Gen.Bool.Select(v => (object)v),
            SomeText.Select(v => (object)v), Gen.ULong.Select(v => (object)v), Gen.Long.Select(v => (object)v), Gen.Double.Select(v => (object)v)).Select(v => new GgufValue(v)),
        SomeArray,
        SomeArray.Array[0, 3].Select(v => new GgufValue(v)));

    private static readonly TensorType[] Types = [.. Enum.GetValues<TensorType>().Where(type => type is not (TensorType.U8 or TensorType.Bool))];

    private static readonly Gen<TensorData> SomeTensor =
        from type in Gen.Int[0, Types.Length - 1].Select(i => Types[i])
        from rows in Gen.Long[1, 4].Array[0, 3]
        from blocks in Gen.Long[1, 3]
        from name in SomeText
        let shape = (long[])[.. rows, blocks * type.BlockLength()]
        from bytes in Gen.Byte.Array[(int)new TensorInfo("", type, shape).ByteLength]
        where name.Length > 0
        select new TensorData(name, type, shape, bytes);

    private readonly TemporaryFolder _folder = new();

    public void Dispose() => _folder.Dispose();

    [Fact]
    public void What_is_written_is_read_back()
    {
        Gen.Select(Gen.Select(SomeText.Where(k => k.Length > 0), SomeValue).Array[0, 6], SomeTensor.Array[0, 5], Gen.Int[0, 8]).Sample((pairs, tensors, shift) =>
        {
            var metadata = pairs.DistinctBy(p => p.Item1).Where(p => p.Item1 != "general.alignment").Select(p => KeyValuePair.Create(p.Item1, p.Item2)).ToList();
            metadata.Add(new("general.alignment", new GgufValue(1u << shift)));
            TensorData[] distinct = [.. tensors.DistinctBy(t => t.Name)];
            string path = _folder.File("x.gguf");
            GgufWriter.Write(path, metadata, [.. distinct.Select(GgufTensor.From)]);
            using var file = GgufFile.Open(path);
            Assert.Equal((3, 1 << shift), (file.Version, file.Alignment));
            Assert.Equal(metadata.Select(m => m.Key), file.Values.Values.Keys);
            Assert.All(metadata, pair => AssertSame(pair.Value, file.Values.Values[pair.Key]));
            Assert.Equal(distinct.Select(t => t.Name), file.Tensors.Keys);
            foreach (TensorData tensor in distinct)
            {
                TensorInfo info = file.Tensors[tensor.Name];
                Assert.Equal(tensor.Type, info.Type);
                Assert.Equal(tensor.Shape, info.Shape);
                byte[] bytes = new byte[info.ByteLength];
                file.Read(tensor.Name, 0, bytes);
                Assert.Equal(tensor.Bytes.ToArray(), bytes);
            }
        }, iter: 200, threads: 1);
    }

    [Fact]
    public void Parts_of_tensors_are_read_from_several_threads_and_pages_are_given_back()
    {
        // Larger than what is read before pages are given back, several times over.
        byte[] bytes = new byte[4 << 20];
        new Random(1).NextBytes(bytes);
        string path = _folder.File("x.gguf");
        GgufWriter.Write(path, [], [new GgufTensor("x", TensorType.I8, [bytes.Length], stream => stream.Write(bytes))]);
        using var file = GgufFile.Open(path);
        Parallel.For(0, 64, part =>
        {
            byte[] read = new byte[1 << 20];
            int at = part * 49_321;
            file.Read("x", at, read);
            Assert.True(read.AsSpan().SequenceEqual(bytes.AsSpan(at, read.Length)));
        });
        Assert.True(64L << 20 > 2 * MappedFile.ReleaseEvery);
        Assert.Throws<ModelFormatException>(() => file.Read("x", bytes.Length - 1, new byte[2]));
        Assert.Throws<ModelFormatException>(() => file.Read("x", -1, new byte[2]));
        Assert.Throws<ModelFormatException>(() => file.Read("y", 0, new byte[2]));
    }

    [Fact]
    public void A_file_that_became_shorter_is_an_error_with_its_name()
    {
        string path = _folder.File("x.gguf");
        GgufWriter.Write(path, [], [new GgufTensor("x", TensorType.I8, [100_000], stream => stream.Write(new byte[100_000]))]);
        using var file = GgufFile.Open(path);
        using (FileStream stream = new(path, FileMode.Open, FileAccess.Write, FileShare.ReadWrite))
        {
            stream.SetLength(1000);
        }

        ModelFormatException failure = Assert.Throws<ModelFormatException>(() => file.Read("x", 90_000, new byte[100]));
        Assert.Contains("shorter", failure.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void Reading_after_closing_is_an_error()
    {
        string path = _folder.File("x.gguf");
        GgufWriter.Write(path, [], [new GgufTensor("x", TensorType.I8, [10], stream => stream.Write(new byte[10]))]);
        var file = GgufFile.Open(path);
        file.Dispose();
        Assert.Throws<ObjectDisposedException>(() => file.Read("x", 0, new byte[1]));
    }

    [Fact]
    public void Metadata_is_read_with_type_and_range()
    {
        string path = _folder.File("x.gguf");
        GgufWriter.Write(path, Metadata(("u8", (byte)7), ("i64", -3L), ("huge", ulong.MaxValue), ("f32", 1e-5f), ("f64", 0.25), ("flag", true), ("text", "x"), ("ints", new[] { 1, 2 }), ("texts", new[] { "a" })), []);
        using var file = GgufFile.Open(path);
        GgufMetadata values = file.Values;
        Assert.Equal(7, values.Int("u8", 0, 10));
        Assert.Equal(-3, values.Int("i64", -5, 10));
        Assert.Equal(1e-5, values.Number("f32", 0, 1));
        Assert.Equal(0.25, values.Number("f64", 0, 1));
        Assert.Equal(7, values.Number("u8", 0, 10));
        Assert.True(values.Flag("flag"));
        Assert.Equal("x", values.RequiredText("text"));
        Assert.Equal([1, 2], values.Ints("ints", 0, 2)!);
        Assert.Equal(["a"], values.Texts("texts")!);
        Assert.Null(values.Int("absent", 0, 1));
        Assert.Equal("I32[2]", file.Metadata["ints"]);
        foreach (Action wrong in (Action[])
        [
            () => values.Int("u8", 8, 9), () => values.Int("huge", 0, int.MaxValue), () => values.Int("text", 0, 1), () => values.Int("f32", 0, 1), () => values.Text("u8"),
            () => values.Flag("u8"), () => values.Number("text", 0, 1), () => values.Number("f64", 1, 2), () => values.Ints("texts", 0, 1), () => values.Ints("ints", 0, 1), () => values.Texts("ints"),
            () => values.Floats("ints"), () => values.RequiredText("absent"), () => values.RequiredInt("absent", 0, 1),
        ])
        {
            Assert.Throws<ModelFormatException>(wrong);
        }
    }

    [Fact]
    public void What_the_format_cannot_hold_is_not_written()
    {
        string path = _folder.File("x.gguf");
        GgufTensor one = new("x", TensorType.F32, [1], stream => stream.Write(new byte[4]));
        foreach (Action wrong in (Action[])
        [
            () => GgufWriter.Write(path, [], [one, one]),
            () => GgufWriter.Write(path, Metadata(("a", 1u), ("a", 2u)), []),
            () => GgufWriter.Write(path, Metadata(("", 1u)), []),
            () => GgufWriter.Write(path, Metadata(("general.alignment", 3u)), []),
            () => GgufWriter.Write(path, Metadata(("general.alignment", 32)), []),
            () => GgufWriter.Write(path, [], [one with { Name = new string('x', 65) }]),
            () => GgufWriter.Write(path, [], [one with { Type = TensorType.Bool }]),
            () => GgufWriter.Write(path, [], [one with { Shape = [2] }]),
            () => GgufWriter.Write(path, [], [one with { Shape = [0] }]),
            () => GgufWriter.Write(path, [], [one with { Shape = [1, 1, 1, 1, 1] }]),
            () => GgufWriter.Write(path, [], [one with { Type = TensorType.Q8_0 }]),
            () => _ = new GgufValue(1m),
            () => _ = new GgufValue(new GgufValue(1u)),
            () => _ = new GgufValue(new GgufValue[] { new(1u) }),
        ])
        {
            Assert.ThrowsAny<ArgumentException>(wrong);
        }

        Assert.Empty(Directory.GetFiles(_folder.Path));
    }

    private static IEnumerable<KeyValuePair<string, GgufValue>> Metadata(params (string Key, object Value)[] pairs) =>
        pairs.Select(pair => KeyValuePair.Create(pair.Key, new GgufValue(pair.Value)));

    private static void AssertSame(GgufValue expected, GgufValue actual)
    {
        Assert.Equal((expected.Type, expected.ElementType), (actual.Type, actual.ElementType));
        if (expected.Value is GgufValue[] inner)
        {
            Assert.All(inner.Zip((GgufValue[])actual.Value), pair => AssertSame(pair.First, pair.Second));
        }
        else
        {
            Assert.Equal(expected.Value, actual.Value);
        }
    }
}
