using System.IO.Compression;
using AdaEagle.Formats;

namespace AdaEagle.Tests.Formats;

public sealed class TorchHostileTests : IDisposable
{
    private readonly TemporaryFolder _folder = new();

    public static TheoryData<string> BadPickles => [.. Bad.Keys];

    // All of these come with a storage "0" of 16 bytes.
    private static readonly Dictionary<string, Func<PickleBuilder, PickleBuilder>> Bad = new()
    {
        ["calls os.system instead of a tensor"] = p => p.Op('}').Item("x", v => v.Global("os", "system").Text("touch /tmp/owned").Op(0x85).Op('R')),
        ["is the result of os.system"] = p => p.Global("posix", "system").Text("touch /tmp/owned").Op(0x85).Op('R'),
        ["calls eval on the side, then is no dict"] = p => p.Global("builtins", "eval").Text("1").Op(0x85).Op('R').Op('0').Int(1),
        ["a tensor rebuilt by a function that is not known"] = p => p.Op('}').Item("x", v => v.Global("torch._utils", "_rebuild_sparse_tensor").Op(')').Op('R')),
        ["a type rebuilt by a foreign function"] = p => p.Op('}').Item("x", v => v.Global("torch._tensor", "_rebuild_from_type_v2").Op('(').Global("os", "system").Global("torch", "Tensor").Op(')').Op('}').Op('t').Op('R')),
        ["a type rebuilt by itself"] = p => p.Op('}').Item("x", v => v.Global("torch._tensor", "_rebuild_from_type_v2").Op('(').Global("torch._tensor", "_rebuild_from_type_v2").Global("torch", "Tensor").Op(')').Op('}').Op('t').Op('R')),
        ["a parameter of no tensor"] = p => p.Op('}').Item("x", v => v.Global("torch._utils", "_rebuild_parameter").Op(')').Op('R')),
        ["calls a string"] = p => p.Text("os.system").Op(')').Op('R'),
        ["calls with no tuple"] = p => p.Global("torch._utils", "_rebuild_tensor_v2").Op(']').Op('R'),
        ["an ordered dict of a list"] = p => p.Global("collections", "OrderedDict").Op(']').Op(0x85).Op('R'),
        ["opcode INST"] = p => p.Op('(').Op('i').Op("os\nsystem\n"u8.ToArray()),
        ["opcode OBJ"] = p => p.Op('(').Global("os", "system").Text("x").Op('o'),
        ["opcode EXT1"] = p => p.Op(0x82, 1),
        ["opcode NEWOBJ_EX"] = p => p.Global("os", "system").Op(')').Op('}').Op(0x92),
        ["opcode PERSID"] = p => p.Op('P').Op("x\n"u8.ToArray()),
        ["opcode DUP"] = p => p.Op('}').Op('2'),
        ["opcode LONG4"] = p => p.Op(0x8b).Op(BitConverter.GetBytes(-1)),
        ["opcode BYTEARRAY8"] = p => p.Op(0x96).Op(BitConverter.GetBytes(long.MaxValue)),
        ["protocol 6"] = p => p.Op(0x80, 6).Op('}'),
        ["takes from an empty stack"] = p => p.Op('0'),
        ["takes below a mark"] = p => p.Op('}').Op('(').Op('0'),
        ["a mark that is not there"] = p => p.Op('t'),
        ["ends with an empty stack"] = p => p,
        ["recalls what was not stored"] = p => p.Op((byte)'h', 5),
        ["stores the top of an empty stack"] = p => p.Op((byte)'q', 0),
        ["marks without end"] = p => p.Op(Enumerable.Repeat((byte)'(', 5000).ToArray()),
        ["a string longer than the pickle"] = p => p.Op('X').Op(BitConverter.GetBytes(int.MaxValue)),
        ["a string of 2^32 - 1 bytes"] = p => p.Op('X').Op(BitConverter.GetBytes(-1)),
        ["a string of 2^64 - 1 bytes"] = p => p.Op(0x8d).Op(BitConverter.GetBytes(ulong.MaxValue)),
        ["a string of 2^63 bytes"] = p => p.Op(0x8d).Op(BitConverter.GetBytes(1UL << 63)),
        ["a string that is not UTF-8"] = p => p.Op('X').Op(BitConverter.GetBytes(1)).Op(0xFF),
        ["a global without its second line"] = p => p.Op('c').Op("os\n"u8.ToArray()),
        ["a global of numbers"] = p => p.Int(1).Int(2).Op(0x93),
        ["an integer of 255 bytes"] = p => p.Op(0x8a, 255).Op(new byte[255]),
        ["a key without value"] = p => p.Op('}').Op('(').Text("x").Op('u'),
        ["a key twice"] = p => p.Op('}').Item("x", v => v.Int(1)).Item("x", v => v.Int(2)),
        ["no tensors"] = p => p.Op('}').Item("x", v => v.Int(1)),
        ["a list at the top"] = p => p.Op(']'),
        ["a persistent id that is a string"] = p => p.Text("x").Op('Q'),
        ["a storage of a foreign class"] = p => p.Op('}').Item("x", v => v.Op('(').Text("storage").Global("os", "FloatStorage").Text("0").Text("cpu").Int(4).Op('t').Op('Q')),
        ["a storage of complex numbers"] = p => p.Op('}').Item("x", v => v.Tensor("ComplexFloatStorage", "0", 2, 0, [2], [1])),
        ["a storage of negative length"] = p => p.Op('}').Item("x", v => v.Tensor("FloatStorage", "0", -1, 0, [0], [1])),
        ["a storage that is missing"] = p => p.Op('}').Item("x", v => v.Tensor("FloatStorage", "1", 4, 0, [4], [1])),
        ["a storage elsewhere"] = p => p.Op('}').Item("x", v => v.Tensor("FloatStorage", "../data.pkl", 4, 0, [4], [1])),
        ["a storage with an endless name"] = p => p.Op('}').Item("x", v => v.Tensor("FloatStorage", new string('0', 100_000), 4, 0, [4], [1])),
        ["a storage longer than its entry"] = p => p.Op('}').Item("x", v => v.Tensor("FloatStorage", "0", 5, 0, [5], [1])),
        ["a storage whose bytes overflow"] = p => p.Op('}').Item("x", v => v.Tensor("DoubleStorage", "0", (1L << 61) + 2, 0, [2], [1])),
        ["a tensor longer than its storage"] = p => p.Op('}').Item("x", v => v.Tensor("FloatStorage", "0", 4, 0, [5], [1])),
        ["a tensor beyond by its offset"] = p => p.Op('}').Item("x", v => v.Tensor("FloatStorage", "0", 4, 1, [4], [1])),
        ["a tensor beyond by its stride"] = p => p.Op('}').Item("x", v => v.Tensor("FloatStorage", "0", 4, 0, [2], [4])),
        ["an empty tensor beyond"] = p => p.Op('}').Item("x", v => v.Tensor("FloatStorage", "0", 4, 5, [0], [1])),
        ["a negative offset"] = p => p.Op('}').Item("x", v => v.Tensor("FloatStorage", "0", 4, -1, [1], [1])),
        ["a negative dimension"] = p => p.Op('}').Item("x", v => v.Tensor("FloatStorage", "0", 4, 0, [-1], [1])),
        ["a negative stride"] = p => p.Op('}').Item("x", v => v.Tensor("FloatStorage", "0", 4, 3, [4], [-1])),
        ["an offset near 2^63"] = p => p.Op('}').Item("x", v => v.Tensor("FloatStorage", "0", 4, long.MaxValue, [2], [1])),
        ["a stride that overflows"] = p => p.Op('}').Item("x", v => v.Tensor("FloatStorage", "0", 4, 0, [3], [long.MaxValue])),
        ["strides that wrap back"] = p => p.Op('}').Item("x", v => v.Tensor("FloatStorage", "0", 4, 0, [2, 2, 2], [long.MaxValue, long.MaxValue, 2])),
        ["a shape that overflows"] = p => p.Op('}').Item("x", v => v.Tensor("FloatStorage", "0", 4, 0, [1L << 40, 1L << 40], [0, 0])),
        ["an expanded tensor"] = p => p.Op('}').Item("x", v => v.Tensor("FloatStorage", "0", 4, 0, [1_000_000_000], [0])),
        ["a shape that fits no stride"] = p => p.Op('}').Item("x", v => v.Tensor("FloatStorage", "0", 4, 0, [2, 2], [1])),
        ["a thousand dimensions"] = p => p.Op('}').Item("x", v => v.Tensor("FloatStorage", "0", 4, 0, [.. Enumerable.Repeat(1L, 1000)], [.. Enumerable.Repeat(1L, 1000)])),
        ["a dimension that is a string"] = p => p.Op('}').Item("x", v => v.Global("torch._utils", "_rebuild_tensor_v2").Op('(').Storage("FloatStorage", "0", 4).Int(0).Text("4").Op(0x85).Ints(1).Op(0x89).Op('N').Op('t').Op('R')),
        ["five arguments"] = p => p.Op('}').Item("x", v => v.Global("torch._utils", "_rebuild_tensor_v2").Op('(').Storage("FloatStorage", "0", 4).Int(0).Ints(4).Ints(1).Op(0x89).Op('t').Op('R')),
        ["more opcodes than allowed"] = p => p.Op('}').Op(Enumerable.Repeat((byte)'N', 1 << 20).Concat(Enumerable.Repeat((byte)'0', 1 << 20)).ToArray()),
    };

    public void Dispose() => _folder.Dispose();

    [Theory]
    [MemberData(nameof(BadPickles))]
    public void A_bad_pickle_is_refused(string what)
    {
        byte[] pickle = Bad[what](new PickleBuilder()).End();
        Assert.False(Opens(PickleBuilder.File(pickle, ("archive/data/0", new byte[16])), what), $"{what}: was accepted");
    }

    [Fact]
    public void A_call_beside_the_state_dict_is_data_and_nothing_happens()
    {
        string trace = _folder.File("owned");
        byte[] pickle = new PickleBuilder().Op('}')
            .Item("hook", p => p.Global("os", "system").Text($"touch {trace}").Op(0x85).Op('R'))
            .Item("state_dict", p => p.Op('}').Item("x", v => v.Tensor("FloatStorage", "0", 4, 0, [4], [1])))
            .End();
        Assert.True(Opens(PickleBuilder.File(pickle, ("archive/data/0", new byte[16])), "beside"));
        Assert.False(File.Exists(trace));
    }

    [Fact]
    public void A_small_pickle_cannot_ask_for_much_memory_or_time()
    {
        // A long name recalled again and again, as global, as maker of objects, as key of storages.
        string name = new('n', 60_000);
        PickleBuilder globals = new PickleBuilder().Op(']').Global("os", name).Op((byte)'q', 0).Op('0');
        PickleBuilder objects = new PickleBuilder().Global("os", name).Op(')').Op('R');
        PickleBuilder nested = new PickleBuilder().Op(')');
        for (int i = 0; i < 50_000; i++)
        {
            globals.Op((byte)'h', 0).Op(')').Op('R').Op('a');
            objects.Op(')').Op('R');
            nested.Op(0x85);
        }

        foreach (PickleBuilder pickle in new[] { globals, objects, nested })
        {
            Assert.False(Opens(PickleBuilder.File(pickle.End()), "amplifier"));
        }
    }

    [Fact]
    public void Tensors_far_larger_than_the_file_together_are_refused()
    {
        PickleBuilder pickle = new PickleBuilder().Op('}');
        pickle.Tensor("ByteStorage", "0", 100_000, 0, [100_000], [1]).Op((byte)'q', 0).Op('0');
        for (int i = 0; i < 20; i++)
        {
            pickle.Text($"x{i}").Op((byte)'h', 0).Op('s');
        }

        Assert.False(Opens(PickleBuilder.File(pickle.End(), ("archive/data/0", new byte[100_000])), "sharing"));
    }

    [Fact]
    public void Other_files_than_those_of_torch_are_refused()
    {
        byte[] pickle = GoodPickle();
        (string, byte[]) data = ("archive/data/0", new byte[16]);
        Refuse("empty", []);
        Refuse("one byte", "P"u8.ToArray());
        Refuse("a bare pickle", pickle, "before 1.6");
        Refuse("text", "not a zip file at all, but long enough to be one"u8.ToArray());
        Refuse("compressed", PickleBuilder.Zip([("archive/data.pkl", pickle), ("archive/data/0", new byte[16])], CompressionLevel.SmallestSize), "compressed");
        Refuse("a zip bomb", PickleBuilder.Zip([("archive/data.pkl", pickle), ("archive/data/0", new byte[50_000_000])], CompressionLevel.SmallestSize), "compressed");
        Refuse("no pickle", PickleBuilder.Zip([data]), "data.pkl");
        Refuse("two pickles", PickleBuilder.Zip([("a/data.pkl", pickle), ("b/data.pkl", pickle), data]), "data.pkl");
        Refuse("TorchScript", PickleBuilder.File(pickle, data, ("archive/constants.pkl", pickle)), "TorchScript");
        Refuse("big-endian", PickleBuilder.File(pickle, data, ("archive/byteorder", "big"u8.ToArray())), "byte order");
        Refuse("an endless byte order", PickleBuilder.File(pickle, data, ("archive/byteorder", new byte[100_000])), "byte order");
        Refuse("an entry twice", PickleBuilder.File(pickle, data, data), "twice");
        Refuse("bytes after the end", [.. PickleBuilder.File(pickle, data), 0]);
        Refuse("a long name", PickleBuilder.File(pickle, data, (new string('n', 5000), [])));
        Refuse("an endless pickle", PickleBuilder.File(new byte[(1 << 25) + 1], data), "pickle has");
    }

    [Fact]
    public void A_directory_that_lies_is_refused()
    {
        byte[] good = PickleBuilder.File(GoodPickle(), ("archive/data/0", new byte[16]));
        int end = good.Length - 22;
        int directory = BitConverter.ToInt32(good, end + 16);
        Assert.True(Opens(good, "good"));
        Lie("more entries than there are", end + 10, 3);
        Lie("fewer entries than there are", end + 10, 1);
        Lie("a directory beyond the end", end + 16, (uint)good.Length);
        Lie("a directory of 4 GB", end + 12, 0xFFFF_FFFE);
        Lie("a wide position without the zip64 record", end + 16, uint.MaxValue);
        Lie("a broken entry", directory, 0);
        Lie("two sizes", directory + 20, 1);
        Lie("a wide size without the zip64 field", directory + 24, uint.MaxValue);
        Lie("a local header elsewhere", directory + 42, 1);
        Lie("a local header beyond", directory + 42, 0xFFFF_FFF0);
        Lie("a name longer than the directory", directory + 28, 0xFFFF);
        Lie("a local name of another length", 26, 3);
        Lie("an encrypted entry", directory + 8, 1);

        void Lie(string what, int position, uint value)
        {
            byte[] bytes = [.. good];
            int width = position == end + 10 || position == directory + 28 || position == 26 || position == directory + 8 ? 2 : 4;
            BitConverter.GetBytes(value).AsSpan(0, width).CopyTo(bytes.AsSpan(position));
            Assert.False(Opens(bytes, what), $"{what}: was accepted");
        }
    }

    [Fact]
    public void Entries_that_share_bytes_are_refused()
    {
        // The names have the same length, so the second entry can claim the first one's local header.
        byte[] file = PickleBuilder.Zip([("archive/data.pkl", GoodPickle()), ("archive/data/000", new byte[16])]);
        int first = BitConverter.ToInt32(file, file.Length - 22 + 16);
        int second = first + 46 + BitConverter.ToUInt16(file, first + 28) + BitConverter.ToUInt16(file, first + 30);
        file.AsSpan(first + 20, 8).CopyTo(file.AsSpan(second + 20));
        file.AsSpan(first + 42, 4).CopyTo(file.AsSpan(second + 42));
        Refuse("overlap", file, "overlap");
    }

    [Fact]
    public void Every_cut_of_a_file_is_refused()
    {
        byte[] good = PickleBuilder.File(GoodPickle(), ("archive/data/0", new byte[16]));
        for (int length = 0; length < good.Length; length++)
        {
            Assert.False(Opens(good[..length], $"cut after {length} bytes"));
        }
    }

    [Fact]
    public void Every_cut_of_a_pickle_is_refused()
    {
        byte[] good = GoodPickle();
        for (int length = 0; length < good.Length; length++)
        {
            Assert.False(Opens(PickleBuilder.File(good[..length], ("archive/data/0", new byte[16])), $"pickle cut after {length} bytes"));
        }
    }

    [Fact]
    public void Random_damage_to_the_pickle_ends_in_success_or_a_clear_error()
    {
        byte[] good = GoodPickle();
        Random random = new(1);
        int refused = 0;
        for (int i = 0; i < 3000; i++)
        {
            byte[] file = PickleBuilder.File(Mutation.Apply(good, random), ("archive/data/0", new byte[16]), ("archive/data/1", new byte[8]));
            refused += Opens(file, $"case {i}") ? 0 : 1;
        }

        Assert.InRange(refused, 1500, 2999);
    }

    [Fact]
    public void Random_damage_to_the_file_ends_in_success_or_a_clear_error()
    {
        byte[] good = PickleBuilder.File(GoodPickle(), ("archive/data/0", new byte[16]), ("archive/data/1", new byte[8]));
        Random random = new(2);
        int refused = 0;
        for (int i = 0; i < 3000; i++)
        {
            refused += Opens(Mutation.Apply(good, random), $"case {i}") ? 0 : 1;
        }

        Assert.InRange(refused, 1500, 2999);
    }

    private static byte[] GoodPickle() => new PickleBuilder().Op('}').Op((byte)'q', 0)
        .Item("layers.0.weight", v => v.Tensor("FloatStorage", "0", 4, 0, [2, 2], [2, 1]))
        .Item("layers.0.bias", v => v.Tensor("FloatStorage", "0", 4, 1, [2], [2]))
        .Item("step", v => v.Int(7))
        .End();

    private bool Opens(byte[] file, string what)
    {
        string path = _folder.Write("x.bin", file);
        return Mutation.Survives(
            () =>
            {
                using ITensorSource source = TorchCheckpoint.Open(path);
                Mutation.ReadEverything(source);
            },
            what);
    }

    private void Refuse(string what, byte[] file, string message = "")
    {
        string path = _folder.Write("x.bin", file);
        ModelFormatException e = Assert.Throws<ModelFormatException>(() => TorchCheckpoint.Open(path).Dispose());
        Assert.True(e.File == path && e.Message.Contains(message, StringComparison.Ordinal), $"{what}: {e.Message}");
    }
}
