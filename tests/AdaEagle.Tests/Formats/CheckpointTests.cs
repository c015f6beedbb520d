using AdaEagle.Formats;

namespace AdaEagle.Tests.Formats;

public sealed class CheckpointTests : IDisposable
{
    private readonly TemporaryFolder _folder = new();

    public void Dispose() => _folder.Dispose();

    [Fact]
    public void Shards_appear_as_one()
    {
        WriteShards();
        using ITensorSource source = Checkpoint.Open(_folder.Path);
        Assert.Equal(["a", "b", "c"], source.Tensors.Keys.Order());
        Assert.Equal([1f, 2f], source.ReadF32("a", 2));
        Assert.Equal([3f], source.ReadF32("b", 1));
        Assert.Equal([4f], source.ReadF32("c", 1));
        Assert.Equal("pt", source.Metadata["format"]);
        Assert.Equal("16", source.Metadata["total_size"]);
        Assert.Equal("d", Assert.Throws<ModelFormatException>(() => source.Read("d", 0, new byte[1])).Item);
        Assert.Throws<ModelFormatException>(() => source.Read("a", 5, new byte[4]));
    }

    [Fact]
    public void Shards_of_torch_appear_as_one()
    {
        byte[] One(string name) => PickleBuilder.File(
            new PickleBuilder().Op('}').Item(name, p => p.Tensor("FloatStorage", "0", 1, 0, [1], [1])).End(), ("archive/data/0", BitConverter.GetBytes(2.5f)));
        _folder.Write("pytorch_model-1.bin", One("x"));
        _folder.Write("pytorch_model-2.bin", One("y"));
        _folder.Write("pytorch_model.bin.index.json", """{"weight_map":{"x":"pytorch_model-1.bin","y":"pytorch_model-2.bin"}}""");
        using ITensorSource source = Checkpoint.Open(_folder.Path);
        Assert.Equal([2.5f], source.ReadF32("x", 1));
        Assert.Equal([2.5f], source.ReadF32("y", 1));
    }

    [Fact]
    public void The_layouts_are_looked_for_in_order()
    {
        WriteShards();
        _folder.Write("pytorch_model.bin", "not read"u8.ToArray());
        using (ITensorSource sharded = Checkpoint.Open(_folder.Path))
        {
            Assert.Equal(3, sharded.Tensors.Count);
        }

        SafeTensors.Write(_folder.File("model.safetensors"), [TensorData.FromF32("only", [1], [1f], TensorType.F32)]);
        using ITensorSource single = Checkpoint.Open(_folder.Path);
        Assert.Equal(["only"], single.Tensors.Keys);
    }

    [Fact]
    public void A_folder_without_weights_is_told_what_was_looked_for()
    {
        string message = Assert.Throws<ModelFormatException>(() => Checkpoint.Open(_folder.Path)).Message;
        foreach (string file in new[] { "model.safetensors", "model.safetensors.index.json", "pytorch_model.bin", "pytorch_model.bin.index.json" })
        {
            Assert.Contains(file, message, StringComparison.Ordinal);
        }

        Assert.Contains("no such folder", Assert.Throws<ModelFormatException>(() => Checkpoint.Open(_folder.File("absent"))).Message, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("")]
    [InlineData("[]")]
    [InlineData("{}")]
    [InlineData("""{"weight_map":[]}""")]
    [InlineData("""{"weight_map":{"a":1}}""")]
    [InlineData("""{"weight_map":{"a":null}}""")]
    [InlineData("""{"weight_map":{"a":{"b":"1.safetensors"}}}""")]
    [InlineData("""{"weight_map":{"a":"1.safetensors","a":"1.safetensors"}}""")]
    [InlineData("""{"weight_map":{"a":"1.safetensors"},"metadata":3}""")]
    [InlineData("""{"weight_map":{"a":"2.safetensors"}}""")]
    [InlineData("""{"weight_map":{"x":"1.safetensors"}}""")]
    [InlineData("""{"weight_map":{"a":"3.safetensors"}}""")]
    [InlineData("""{"weight_map":{"a":""}}""")]
    [InlineData("""{"weight_map":{"a":"."}}""")]
    [InlineData("""{"weight_map":{"a":"model.safetensors.index.json"}}""")]
    [InlineData("""{"weight_map":{"a":"../1.safetensors"}}""")]
    [InlineData("""{"weight_map":{"a":"./1.safetensors"}}""")]
    [InlineData("""{"weight_map":{"a":"sub/../1.safetensors"}}""")]
    [InlineData("""{"weight_map":{"a":"..\\1.safetensors"}}""")]
    [InlineData("""{"weight_map":{"a":"/etc/1.safetensors"}}""")]
    [InlineData("""{"weight_map":{"a":"C:1.safetensors"}}""")]
    [InlineData("""{"weight_map":{"a":"\u0000.safetensors"}}""")]
    [InlineData("""{"weight_map":{"a":"\ud800.safetensors"}}""")]
    [InlineData("""{"weight_map":{"\ud800":"1.safetensors"}}""")]
    public void A_bad_index_is_refused(string index)
    {
        WriteShards();
        _folder.Write("model.safetensors.index.json", index);
        Assert.False(Mutation.Survives(() => Checkpoint.Open(_folder.Path).Dispose(), index));
    }

    [Fact]
    public void A_shard_outside_the_folder_is_not_read_even_if_it_is_there()
    {
        Directory.CreateDirectory(_folder.File("model"));
        SafeTensors.Write(_folder.File("secret.safetensors"), [TensorData.FromF32("a", [1], [1f], TensorType.F32)]);
        _folder.Write("model/model.safetensors.index.json", """{"weight_map":{"a":"../secret.safetensors"}}""");
        Assert.Equal("weight_map.a", Assert.Throws<ModelFormatException>(() => Checkpoint.Open(_folder.File("model"))).Item);
    }

    [Fact]
    public void A_broken_shard_is_named()
    {
        WriteShards();
        string shard = _folder.Write("2.safetensors", [1, 2, 3]);
        Assert.Equal(shard, Assert.Throws<ModelFormatException>(() => Checkpoint.Open(_folder.Path)).File);
    }

    [Fact]
    public void An_index_of_endless_files_is_refused_before_any_is_opened()
    {
        string map = string.Join(',', Enumerable.Range(0, 2049).Select(i => $"\"x{i}\":\"{i}.safetensors\""));
        _folder.Write("model.safetensors.index.json", $"{{\"weight_map\":{{{map}}}}}");
        ModelFormatException e = Assert.Throws<ModelFormatException>(() => Checkpoint.Open(_folder.Path));
        Assert.Contains("2049 files", e.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void Sharded_fixtures_hold_what_their_indexes_say()
    {
        int count = 0;
        foreach (string kind in new[] { "hf", "eagle" })
        {
            foreach (string index in Directory.EnumerateFiles(Fixtures.Folder(kind), "*.index.json", SearchOption.AllDirectories))
            {
                using System.Text.Json.JsonDocument json = System.Text.Json.JsonDocument.Parse(File.ReadAllText(index));
                using ITensorSource source = Checkpoint.Open(Path.GetDirectoryName(index)!);
                Assert.Equal(json.RootElement.GetProperty("weight_map").EnumerateObject().Select(p => p.Name).Order(), source.Tensors.Keys.Order());
                Assert.Equal(json.RootElement.GetProperty("metadata").GetProperty("total_size").GetInt64(), source.Tensors.Values.Sum(t => t.ByteLength));
                count++;
            }
        }

        Fixtures.RequireCases("hf and eagle, sharded", count);
    }

    private void WriteShards()
    {
        Dictionary<string, string> format = new() { ["format"] = "pt" };
        SafeTensors.Write(_folder.File("1.safetensors"), [TensorData.FromF32("a", [2], [1f, 2f], TensorType.F32), TensorData.FromF32("b", [1], [3f], TensorType.F32)], format);
        SafeTensors.Write(_folder.File("2.safetensors"), [TensorData.FromF32("c", [1], [4f], TensorType.F32)], format);
        _folder.Write("model.safetensors.index.json", """{"metadata":{"total_size":16},"weight_map":{"a":"1.safetensors","b":"1.safetensors","c":"2.safetensors"}}""");
    }
}
