using System.Text.Json;
using AdaEagle.Formats;

namespace AdaEagle.Tests.Formats;

/// <summary>Malformed GGUF files: those of the fixtures, the list of llama.cpp's test-gguf.cpp, and damaged copies of good ones.</summary>
public sealed class GgufHostileTests : IDisposable
{
    private const uint F32 = 0;
    private const uint F16 = 1;
    private const uint Q8_0 = 8;

    private readonly TemporaryFolder _folder = new();

    public void Dispose() => _folder.Dispose();

    [Fact]
    public void Every_file_of_the_fixtures_is_read_or_refused_as_the_manifest_says()
    {
        string folder = Path.Combine(Fixtures.Folder("gguf"), "hostile");
        using var manifest = JsonDocument.Parse(File.ReadAllBytes(Path.Combine(folder, "manifest.json")));
        int cases = 0;
        foreach (JsonElement entry in manifest.RootElement.GetProperty("cases").EnumerateArray())
        {
            if (entry.GetProperty("format").GetString() != "gguf")
            {
                continue;
            }

            string file = entry.GetProperty("file").GetString()!;
            string what = $"{file} ({entry.GetProperty("what").GetString()})";
            bool read = Mutation.Survives(() => Read(Path.Combine(folder, file)), what);
            switch (entry.GetProperty("expect").GetString())
            {
                case "accept":
                    Assert.True(read, $"{what} was refused");
                    break;
                case "reject":
                    Assert.False(read, $"{what} was read");
                    break;
                case "model":
                    Assert.True(read, $"{what}: the container was refused");
                    break;
                default:
                    break;
            }

            cases++;
        }

        Fixtures.RequireCases("gguf", cases);
    }

    public static TheoryData<string, string> Broken => new()
    {
        { "bad magic", "begin with 'GGUF'" },
        { "no bytes", "begin with 'GGUF'" },
        { "version 0", "version 0" },
        { "version 1", "version 1" },
        { "version 4", "version 4" },
        { "big-endian", "big-endian" },
        { "tensor count -1", "limit" },
        { "key count -1", "limit" },
        { "tensor count beyond the file", "left" },
        { "key count beyond the file", "left" },
        { "key length -1", "beyond the file" },
        { "key length over the limit", "limit" },
        { "empty key", "empty" },
        { "duplicate key", "twice" },
        { "key not UTF-8", "UTF-8" },
        { "value type 13", "type 13" },
        { "array of type 99", "type 99" },
        { "array longer than the file", "left" },
        { "array count overflowing", "limit" },
        { "text longer than the file", "beyond the file" },
        { "bool 7", "neither" },
        { "arrays nested", "nested" },
        { "alignment 0", "alignment" },
        { "alignment 13", "alignment" },
        { "alignment of type U64", "alignment" },
        { "alignment too large", "alignment" },
        { "tensor name too long", "limit" },
        { "tensor name empty", "empty" },
        { "duplicate tensor name", "this name" },
        { "five dimensions", "dimensions" },
        { "dimension -1", "impossible" },
        { "zero dimension", "impossible" },
        { "elements overflow", "more bytes than any file" },
        { "bytes overflow", "more bytes than any file" },
        { "sizes beyond the file", "go beyond" },
        { "tensor type 1000", "1000" },
        { "tensor type removed", "Q4_2" },
        { "tensor type not supported", "IQ2_XXS" },
        { "row of no whole blocks", "blocks" },
        { "offset off the alignment", "alignment" },
        { "offset beyond the file", "go beyond" },
        { "offset overflowing", "more bytes than any file" },
        { "offset negative", "alignment" },
        { "overlapping tensors", "overlap" },
        { "alignment inconsistent", "alignment" },
        { "not enough data", "go beyond" },
        { "no data", "go beyond" },
        { "cut in the counts", "ends in the middle" },
    };

    [Theory]
    [MemberData(nameof(Broken))]
    public void Broken_files_are_refused_with_what_is_wrong(string what, string expected)
    {
        string path = _folder.Write("x.gguf", Break(what).ToArray());
        ModelFormatException failure = Assert.Throws<ModelFormatException>(() => Read(path));
        Assert.Contains(expected, failure.Message, StringComparison.Ordinal);
        Assert.Contains("x.gguf", failure.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void Good_files_made_by_hand_are_read()
    {
        // The successes of the same list: keys only, tensors, a custom alignment, holes, data behind the last tensor.
        GgufBytes[] good =
        [
            GgufBytes.Header(0, 0),
            GgufBytes.Header(0, 1, version: 2).Key("a", 1),
            GgufBytes.Header(2, 1).Key("a", 1).Tensor("x", F32, 0, 3).Tensor("y", F16, 32, 4, 2).Data(48),
            GgufBytes.Header(2, 1).Key("general.alignment", 64).Tensor("x", F32, 0, 3).Tensor("y", F32, 64, 1).Data(68, 64),
            GgufBytes.Header(2, 0).Tensor("x", F32, 96, 3).Tensor("y", F32, 0, 1).Data(256),
            GgufBytes.Header(1, 0).Tensor("scalar", F32, 0).Data(4),
            GgufBytes.Header(1, 0).Tensor("q", Q8_0, 0, 64, 2).Data(4 * 34),
        ];
        foreach (GgufBytes file in good)
        {
            Read(_folder.Write("good.gguf", file.ToArray()));
        }

        using var opened = GgufFile.Open(_folder.Write("good.gguf", good[2].ToArray()));
        Assert.Equal([2, 4], opened.Tensors["y"].Shape);
        Assert.Equal(["x", "y"], opened.Tensors.Keys);
        Assert.Equal(1, opened.Values.Int("a", 0, 1));
    }

    [Fact]
    public void Damaged_files_are_read_or_refused_and_never_anything_else()
    {
        byte[] original = Good();
        Random random = new(20251125);
        int refused = 0;
        for (int i = 0; i < 3000; i++)
        {
            string path = _folder.Write("damaged.gguf", Mutation.Apply(original, random));
            refused += Mutation.Survives(() => Read(path), $"damage {i}") ? 0 : 1;
        }

        Assert.InRange(refused, 1000, 2999);
    }

    [Fact]
    public void Every_cut_of_a_file_is_refused()
    {
        byte[] original = Good();
        for (int length = 0; length < original.Length; length++)
        {
            string path = _folder.Write("cut.gguf", original[..length]);
            Assert.False(Mutation.Survives(() => Read(path), $"cut at {length}"), $"the first {length} of {original.Length} bytes were read");
        }
    }

    private static GgufBytes Break(string what) => what switch
    {
        "bad magic" => GgufBytes.Header(0, 0, magic: "GGML"),
        "no bytes" => new GgufBytes(),
        "version 0" => GgufBytes.Header(0, 0, version: 0),
        "version 1" => GgufBytes.Header(0, 0, version: 1),
        "version 4" => GgufBytes.Header(0, 0, version: 4),
        "big-endian" => GgufBytes.Header(0, 0, version: 0x0300_0000),
        "tensor count -1" => GgufBytes.Header(ulong.MaxValue, 0).Data(100),
        "key count -1" => GgufBytes.Header(0, ulong.MaxValue).Data(100),
        "tensor count beyond the file" => GgufBytes.Header(1000, 0).Data(100),
        "key count beyond the file" => GgufBytes.Header(0, 1000).Data(100),
        "key length -1" => GgufBytes.Header(0, 1).U64(ulong.MaxValue).Data(100),
        "key length over the limit" => GgufBytes.Header(0, 1).Text(new string('k', 70_000)).U32(4).U32(1),
        "empty key" => GgufBytes.Header(0, 1).Key("", 1).Data(8),
        "duplicate key" => GgufBytes.Header(0, 2).Key("a", 1).Key("a", 2),
        "key not UTF-8" => GgufBytes.Header(0, 1).U64(2).Raw(0xC3, 0x28).U32(4).U32(1),
        "value type 13" => GgufBytes.Header(0, 1).Text("a").U32(13).Data(100),
        "array of type 99" => GgufBytes.Header(0, 1).Text("a").U32(9).U32(99).U64(1).Data(100),
        "array longer than the file" => GgufBytes.Header(0, 1).Text("a").U32(9).U32(4).U64(1000).Data(100),
        "array count overflowing" => GgufBytes.Header(0, 1).Text("a").U32(9).U32(12).U64(1UL << 62).Data(100),
        "text longer than the file" => GgufBytes.Header(0, 1).Text("a").U32(8).U64(1000).Data(100),
        "bool 7" => GgufBytes.Header(0, 1).Text("a").U32(7).Raw(7),
        "arrays nested" => Enumerable.Range(0, 100).Aggregate(GgufBytes.Header(0, 1).Text("a").U32(9), (bytes, _) => bytes.U32(9).U64(1)).U32(4).U64(0),
        "alignment 0" => GgufBytes.Header(0, 1).Key("general.alignment", 0),
        "alignment 13" => GgufBytes.Header(0, 1).Key("general.alignment", 13),
        "alignment of type U64" => GgufBytes.Header(0, 1).Text("general.alignment").U32(10).U64(32),
        "alignment too large" => GgufBytes.Header(0, 1).Key("general.alignment", 1u << 31),
        "tensor name too long" => GgufBytes.Header(1, 0).Tensor(new string('n', 65), F32, 0, 1).Data(4),
        "tensor name empty" => GgufBytes.Header(1, 0).Tensor("", F32, 0, 1).Data(4),
        "duplicate tensor name" => GgufBytes.Header(2, 0).Tensor("x", F32, 0, 1).Tensor("x", F32, 32, 1).Data(64),
        "five dimensions" => GgufBytes.Header(1, 0).Tensor("x", F32, 0, 1, 1, 1, 1, 1).Data(4),
        "dimension -1" => GgufBytes.Header(1, 0).Tensor("x", F32, 0, ulong.MaxValue).Data(4),
        "zero dimension" => GgufBytes.Header(1, 0).Tensor("x", F32, 0, 0).Data(4),
        "elements overflow" => GgufBytes.Header(1, 0).Tensor("x", F32, 0, 1UL << 32, 1UL << 32).Data(4),
        "bytes overflow" => GgufBytes.Header(1, 0).Tensor("x", F32, 0, 1UL << 61).Data(4),
        "sizes beyond the file" => GgufBytes.Header(1, 0).Tensor("x", F32, 0, 1UL << 40).Data(4),
        "tensor type 1000" => GgufBytes.Header(1, 0).Tensor("x", 1000, 0, 1).Data(4),
        "tensor type removed" => GgufBytes.Header(1, 0).Tensor("x", 4, 0, 32).Data(64),
        "tensor type not supported" => GgufBytes.Header(1, 0).Tensor("x", 16, 0, 256).Data(256),
        "row of no whole blocks" => GgufBytes.Header(1, 0).Tensor("x", Q8_0, 0, 33, 32).Data(4096),
        "offset off the alignment" => GgufBytes.Header(1, 0).Tensor("x", F32, 8, 1).Data(64),
        "offset beyond the file" => GgufBytes.Header(1, 0).Tensor("x", F32, 4096, 1).Data(64),
        "offset overflowing" => GgufBytes.Header(1, 0).Tensor("x", F32, long.MaxValue - 31, 1).Data(64),
        "offset negative" => GgufBytes.Header(1, 0).Tensor("x", F32, ulong.MaxValue - 31, 1).Data(64),
        "overlapping tensors" => GgufBytes.Header(2, 0).Tensor("x", F32, 0, 64).Tensor("y", F32, 32, 1).Data(512),
        "alignment inconsistent" => GgufBytes.Header(2, 1).Key("general.alignment", 64).Tensor("x", F32, 0, 1).Tensor("y", F32, 32, 1).Data(128, 64),
        "not enough data" => GgufBytes.Header(2, 0).Tensor("x", F32, 0, 1).Tensor("y", F32, 32, 8).Data(63),
        "no data" => GgufBytes.Header(1, 0).Tensor("x", F32, 0, 1),
        "cut in the counts" => new GgufBytes().Raw("GGUF"u8.ToArray()).U32(3).U64(0),
        _ => throw new ArgumentOutOfRangeException(nameof(what), what, null),
    };

    private static byte[] Good() => GgufBytes.Header(3, 4).Key("a", 1).Text("texts").U32(9).U32(8).U64(2).Text("one").Text("two")
        .Key("general.alignment", 32).Text("flag").U32(7).Raw(1)
        .Tensor("x", F32, 0, 8, 2).Tensor("y", F16, 64, 16).Tensor("z", Q8_0, 96, 32).Data(96 + 34).ToArray();

    private static void Read(string path)
    {
        using var file = GgufFile.Open(path);
        Mutation.ReadEverything(file);
    }
}
