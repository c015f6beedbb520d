using System.Text;
using System.Text.Json;
using AdaEagle.Formats;

namespace AdaEagle.Tests.Formats;

public sealed class SafeTensorsHostileTests : IDisposable
{
    private readonly TemporaryFolder _folder = new();

    /// <summary>Headers in which one thing is wrong; each is followed by 16 bytes of data.</summary>
    public static TheoryData<string, string> BadHeaders => new()
    {
        { "nothing", "" },
        { "only spaces", "   " },
        { "space first", """ {"a":{"dtype":"F32","shape":[4],"data_offsets":[0,16]}}""" },
        { "not an object", """["a"]""" },
        { "cut", """{"a":{"dtype":"F32","shape":[4],"data_offsets":[0,16]}""" },
        { "cut in a string", """{"a":{"dtype":"F3""" },
        { "two objects", """{"a":{"dtype":"F32","shape":[4],"data_offsets":[0,16]}}{}""" },
        { "zero byte after it", "{\"a\":{\"dtype\":\"F32\",\"shape\":[4],\"data_offsets\":[0,16]}}\0" },
        { "comment", """{/**/"a":{"dtype":"F32","shape":[4],"data_offsets":[0,16]}}""" },
        { "trailing comma", """{"a":{"dtype":"F32","shape":[4],"data_offsets":[0,16]},}""" },
        { "name twice", """{"a":{"dtype":"U8","shape":[8],"data_offsets":[0,8]},"a":{"dtype":"U8","shape":[8],"data_offsets":[8,16]}}""" },
        { "name twice, once escaped", """{"a":{"dtype":"U8","shape":[8],"data_offsets":[0,8]},"\u0061":{"dtype":"U8","shape":[8],"data_offsets":[8,16]}}""" },
        { "half a surrogate pair", """{"\ud800":{"dtype":"F32","shape":[4],"data_offsets":[0,16]}}""" },
        { "field twice", """{"a":{"dtype":"F32","dtype":"F32","shape":[4],"data_offsets":[0,16]}}""" },
        { "shape twice", """{"a":{"dtype":"F32","shape":[1],"shape":[4],"data_offsets":[0,16]}}""" },
        { "offsets twice", """{"a":{"dtype":"F32","shape":[4],"data_offsets":[0,1],"data_offsets":[0,16]}}""" },
        { "no dtype", """{"a":{"shape":[4],"data_offsets":[0,16]}}""" },
        { "no shape", """{"a":{"dtype":"F32","data_offsets":[0,16]}}""" },
        { "entry is a number", """{"a":1}""" },
        { "entry is null", """{"a":null}""" },
        { "dtype is a number", """{"a":{"dtype":32,"shape":[4],"data_offsets":[0,16]}}""" },
        { "dtype unknown", """{"a":{"dtype":"F128","shape":[1],"data_offsets":[0,16]}}""" },
        { "dtype of eight bits that is not read", """{"a":{"dtype":"F8_E4M3","shape":[16],"data_offsets":[0,16]}}""" },
        { "shape is a number", """{"a":{"dtype":"F32","shape":4,"data_offsets":[0,16]}}""" },
        { "shape of strings", """{"a":{"dtype":"F32","shape":["4"],"data_offsets":[0,16]}}""" },
        { "shape nested", """{"a":{"dtype":"F32","shape":[[4]],"data_offsets":[0,16]}}""" },
        { "dimension 4e0", """{"a":{"dtype":"F32","shape":[4e0],"data_offsets":[0,16]}}""" },
        { "dimension -4 times -1", """{"a":{"dtype":"F32","shape":[-4,-1],"data_offsets":[0,16]}}""" },
        { "product wraps to 4", """{"a":{"dtype":"F32","shape":[4611686018427387905,4],"data_offsets":[0,16]}}""" },
        { "bytes wrap to 16", """{"a":{"dtype":"F32","shape":[4611686018427387908],"data_offsets":[0,16]}}""" },
        { "huge, then zero", """{"a":{"dtype":"F32","shape":[9223372036854775807,9223372036854775807,0],"data_offsets":[0,0]},"b":{"dtype":"U8","shape":[16],"data_offsets":[0,16]}}""" },
        { "one offset", """{"a":{"dtype":"F32","shape":[4],"data_offsets":[0]}}""" },
        { "no offsets", """{"a":{"dtype":"F32","shape":[4],"data_offsets":[]}}""" },
        { "offsets an object", """{"a":{"dtype":"F32","shape":[4],"data_offsets":{}}}""" },
        { "offset 2^63", """{"a":{"dtype":"F32","shape":[4],"data_offsets":[9223372036854775792,9223372036854775808]}}""" },
        { "offset beyond the file", """{"a":{"dtype":"F32","shape":[4],"data_offsets":[9223372036854775791,9223372036854775807]}}""" },
        { "empty tensor outside", """{"a":{"dtype":"F32","shape":[4],"data_offsets":[0,16]},"e":{"dtype":"U8","shape":[0],"data_offsets":[17,17]}}""" },
        { "overlap of equal pieces", """{"a":{"dtype":"U8","shape":[16],"data_offsets":[0,16]},"b":{"dtype":"U8","shape":[16],"data_offsets":[0,16]}}""" },
        { "overlap inside", """{"a":{"dtype":"U8","shape":[16],"data_offsets":[0,16]},"b":{"dtype":"U8","shape":[1],"data_offsets":[4,5]}}""" },
        { "hole of one byte", """{"a":{"dtype":"U8","shape":[7],"data_offsets":[0,7]},"b":{"dtype":"U8","shape":[8],"data_offsets":[8,16]}}""" },
        { "one byte not covered", """{"a":{"dtype":"U8","shape":[15],"data_offsets":[0,15]}}""" },
        { "metadata an array", """{"__metadata__":[],"a":{"dtype":"F32","shape":[4],"data_offsets":[0,16]}}""" },
        { "metadata nested", """{"__metadata__":{"x":{}},"a":{"dtype":"F32","shape":[4],"data_offsets":[0,16]}}""" },
        { "metadata null", """{"__metadata__":{"x":null},"a":{"dtype":"F32","shape":[4],"data_offsets":[0,16]}}""" },
        { "metadata twice", """{"__metadata__":{},"__metadata__":{},"a":{"dtype":"F32","shape":[4],"data_offsets":[0,16]}}""" },
        { "metadata key twice", """{"__metadata__":{"x":"1","x":"2"},"a":{"dtype":"F32","shape":[4],"data_offsets":[0,16]}}""" },
        { "deep nesting in an unknown field", """{"a":{"dtype":"F32","shape":[4],"data_offsets":[0,16],"x":""" + new string('[', 5000) + new string(']', 5000) + "}}" },
        { "dimensions without end", """{"a":{"dtype":"F32","shape":[4""" + string.Concat(Enumerable.Repeat(",1", 100_000)) + """],"data_offsets":[0,16]}}""" },
    };

    public void Dispose() => _folder.Dispose();

    [Fact]
    public void The_malformed_files_of_the_fixtures_are_treated_as_their_manifest_says()
    {
        string folder = Path.Combine(Fixtures.Folder("gguf"), "hostile");
        using JsonDocument manifest = JsonDocument.Parse(File.ReadAllText(Path.Combine(folder, "manifest.json")));
        int count = 0;
        List<string> wrong = [];
        foreach (JsonElement item in manifest.RootElement.GetProperty("cases").EnumerateArray())
        {
            if (item.GetProperty("format").GetString() != "safetensors")
            {
                continue;
            }

            string file = item.GetProperty("file").GetString()!;
            string expect = item.GetProperty("expect").GetString()!;
            bool accepted = Mutation.Survives(() => ReadAll(Path.Combine(folder, file)), file);
            if (expect != "either" && accepted != (expect is "accept" or "model"))
            {
                wrong.Add($"{file} ({item.GetProperty("what").GetString()}): expected {expect}");
            }

            count++;
        }

        Fixtures.RequireCases("gguf/hostile, safetensors", count);
        Assert.Empty(wrong);
    }

    [Theory]
    [MemberData(nameof(BadHeaders))]
    public void A_bad_header_is_refused(string what, string header)
    {
        string path = Write(Encoding.UTF8.GetBytes(header), 16);
        Assert.False(Mutation.Survives(() => ReadAll(path), what), $"{what}: was accepted");
    }

    [Theory]
    [InlineData("""{"a":{"dtype":"F32","shape":[4],"data_offsets":[0,16]}}""")]
    [InlineData("""{"a":{"dtype":"F32","shape":[4],"data_offsets":[0,16],"later":{"x":[1]}}}""")]
    [InlineData("""{"__metadata__":{},"":{"dtype":"BOOL","shape":[2,8],"data_offsets":[0,16]}}    """)]
    [InlineData("""{"b":{"dtype":"I64","shape":[1],"data_offsets":[8,16]},"a":{"dtype":"F64","shape":[],"data_offsets":[0,8]},"e":{"dtype":"F16","shape":[0,7],"data_offsets":[8,8]},"f":{"dtype":"F16","shape":[0],"data_offsets":[16,16]}}""")]
    public void An_unusual_but_right_header_is_accepted(string header) => ReadAll(Write(Encoding.UTF8.GetBytes(header), 16));

    [Theory]
    [InlineData(0UL, 0)]
    [InlineData(1UL, 0)]
    [InlineData(100_000_001UL, 200)]
    [InlineData(0x7FFF_FFFF_FFFF_FFFFUL, 200)]
    [InlineData(0x8000_0000_0000_0000UL, 200)]
    [InlineData(0xFFFF_FFFF_FFFF_FFF8UL, 200)]
    [InlineData(ulong.MaxValue, 200)]
    public void A_length_of_the_header_that_cannot_be_is_refused(ulong length, int rest)
    {
        string path = _folder.Write("l.safetensors", [.. BitConverter.GetBytes(length), .. new byte[rest]]);
        Assert.False(Mutation.Survives(() => ReadAll(path), $"length {length}"));
    }

    [Fact]
    public void Every_cut_of_a_file_is_refused()
    {
        byte[] good = GoodFile();
        for (int length = 0; length < good.Length; length++)
        {
            string path = _folder.Write("cut.safetensors", good[..length]);
            Assert.False(Mutation.Survives(() => ReadAll(path), $"cut after {length} bytes"));
        }
    }

    [Fact]
    public void Random_damage_ends_in_success_or_a_clear_error()
    {
        byte[] good = GoodFile();
        Random random = new(20_26);
        int refused = 0;
        for (int i = 0; i < 3000; i++)
        {
            string path = _folder.Write("fuzz.safetensors", Mutation.Apply(good, random));
            refused += Mutation.Survives(() => ReadAll(path), $"case {i}") ? 0 : 1;
        }

        // Damage to the data alone is not seen; most else is.
        Assert.InRange(refused, 1500, 2999);
    }

    [Fact]
    public void Damage_to_the_header_alone_ends_in_success_or_a_clear_error()
    {
        byte[] good = GoodFile();
        int length = (int)BitConverter.ToUInt64(good);
        Random random = new(7);
        int refused = 0;
        for (int i = 0; i < 3000; i++)
        {
            byte[] header = Mutation.Apply(good[8..(8 + length)], random);
            string path = Write(header, good.Length - 8 - length);
            refused += Mutation.Survives(() => ReadAll(path), $"case {i}") ? 0 : 1;
        }

        Assert.InRange(refused, 1800, 2999);
    }

    [Fact]
    public void A_file_that_is_absent_or_a_folder_or_shrinks_is_named()
    {
        Assert.Contains("no such file", Assert.Throws<ModelFormatException>(() => SafeTensors.Open(_folder.File("absent"))).Message, StringComparison.Ordinal);
        Assert.Equal(_folder.Path, Assert.Throws<ModelFormatException>(() => SafeTensors.Open(_folder.Path)).File);
        Assert.Throws<ModelFormatException>(() => SafeTensors.Open("\0"));

        string path = _folder.Write("shrinks.safetensors", GoodFile());
        using ITensorSource source = SafeTensors.Open(path);
        using (FileStream stream = new(path, FileMode.Open, FileAccess.Write, FileShare.ReadWrite))
        {
            stream.SetLength(20);
        }

        Assert.Contains("shorter", Assert.Throws<ModelFormatException>(() => Mutation.ReadEverything(source)).Message, StringComparison.Ordinal);
    }

    [Fact]
    public void An_error_names_file_item_problem_and_remedy_without_control_characters()
    {
        string name = "x\u001b[31m" + new string('y', 1000);
        string path = Write(Encoding.UTF8.GetBytes("{" + JsonSerializer.Serialize(name) + """:{"dtype":"F32","shape":[5],"data_offsets":[0,16]}}"""), 16);
        ModelFormatException e = Assert.Throws<ModelFormatException>(() => SafeTensors.Open(path));
        Assert.Equal((path, name), (e.File, e.Item));
        Assert.StartsWith(path, e.Message, StringComparison.Ordinal);
        Assert.Contains("[5]", e.Message, StringComparison.Ordinal);
        Assert.Contains("fetch it again", e.Message, StringComparison.Ordinal);
        Assert.DoesNotContain(e.Message, char.IsControl);
        Assert.True(e.Message.Length < 1000);
    }

    private static void ReadAll(string path)
    {
        using ITensorSource source = SafeTensors.Open(path);
        Mutation.ReadEverything(source);
    }

    private string Write(byte[] header, int dataLength) =>
        _folder.Write("h.safetensors", [.. BitConverter.GetBytes((ulong)header.Length), .. header, .. new byte[dataLength]]);

    private byte[] GoodFile()
    {
        string path = _folder.File("good.safetensors");
        SafeTensors.Write(
            path,
            [
                TensorData.FromF32("model.embed_tokens.weight", [4, 8], new float[32], TensorType.BF16),
                TensorData.FromF32("model.norm.weight", [8], new float[8], TensorType.F32),
                new TensorData("d2t", TensorType.I64, [3], new byte[24]),
                new TensorData("empty", TensorType.F16, [0, 5], Array.Empty<byte>()),
            ],
            new Dictionary<string, string> { ["format"] = "pt" });
        return File.ReadAllBytes(path);
    }
}
