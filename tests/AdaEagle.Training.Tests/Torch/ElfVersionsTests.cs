using System.Buffers.Binary;
using System.Text;
using AdaEagle.Training.Torch;

namespace AdaEagle.Training.Tests.Torch;

public class ElfVersionsTests
{
    private const int NeedsAt = 64, StringsAt = 256, HeadersAt = 512;

    [Fact]
    public void Only_the_named_version_becomes_weak()
    {
        byte[] image = Library("GLIBCXX_3.4", "GLIBCXX_3.4.32", "GLIBCXX_3.4.3");
        byte[] before = [.. image];

        Assert.Equal(1, ElfVersions.Weaken(image, "GLIBCXX_3.4.32"));

        int flags = NeedsAt + 16 + 16 + 4; // the second entry of the only library
        Assert.Equal(2, BinaryPrimitives.ReadUInt16LittleEndian(image.AsSpan(flags)));
        image[flags] = before[flags];
        Assert.Equal(before, image);
    }

    [Fact]
    public void Doing_it_twice_changes_nothing_more()
    {
        byte[] once = Library("A", "B");
        ElfVersions.Weaken(once, "B");
        byte[] twice = [.. once];

        Assert.Equal(1, ElfVersions.Weaken(twice, "B"));
        Assert.Equal(once, twice);
    }

    [Fact]
    public void A_library_without_the_version_stays_as_it_is()
    {
        byte[] image = Library("A", "B");
        byte[] before = [.. image];

        Assert.Equal(0, ElfVersions.Weaken(image, "C"));
        Assert.Equal(before, image);
    }

    [Fact]
    public void Other_files_are_refused()
    {
        Assert.Throws<InvalidDataException>(() => ElfVersions.Weaken("MZ"u8.ToArray(), "A"));
        Assert.Throws<InvalidDataException>(() => ElfVersions.Weaken(new byte[200], "A"));
    }

    [Fact]
    public void Damaged_files_are_refused_or_read_but_nothing_worse()
    {
        byte[] whole = Library("A", "B");
        var random = new Random(7);
        for (int round = 0; round < 3000; round++)
        {
            byte[] image = whole[..(round % 4 == 0 ? random.Next(whole.Length) : whole.Length)];
            for (int i = 0; i < 3 && image.Length > 6; i++)
            {
                image[random.Next(6, image.Length)] = (byte)random.Next(256);
            }

            Exception? thrown = Record.Exception(() => ElfVersions.Weaken(image, "B"));
            Assert.True(thrown is null or InvalidDataException or OverflowException, thrown?.ToString());
        }
    }

    [Fact]
    public void The_binding_that_is_shipped_asks_for_the_needless_version_once()
    {
        byte[] image = File.ReadAllBytes(Path.Combine(AppContext.BaseDirectory, "runtimes", "linux-x64", "native", "libLibTorchSharp.so"));
        byte[] before = [.. image];

        Assert.Equal(1, ElfVersions.Weaken(image, "GLIBCXX_3.4.32"));
        Assert.Equal(1, image.Zip(before).Count(pair => pair.First != pair.Second));
    }

    /// <summary>The least of an ELF file that the loosening looks at: header, a table of needed versions of one library, its strings, two section headers.</summary>
    private static byte[] Library(params string[] versions)
    {
        byte[] image = new byte[HeadersAt + 2 * 64];
        "\u007fELF"u8.CopyTo(image);
        (image[4], image[5]) = (2, 1);
        U64(0x28, HeadersAt);
        U16(0x3a, 64);
        U16(0x3c, 2);

        U32(HeadersAt + 4, 0x6ffffffe);
        U64(HeadersAt + 24, NeedsAt);
        U32(HeadersAt + 40, 1);
        U32(HeadersAt + 44, 1);
        U64(HeadersAt + 64 + 24, StringsAt);

        U16(NeedsAt, 1);
        U16(NeedsAt + 2, versions.Length);
        U32(NeedsAt + 8, 16);
        int name = 1;
        for (int i = 0; i < versions.Length; i++)
        {
            int entry = NeedsAt + 16 + i * 16;
            U32(entry + 8, (uint)name);
            U32(entry + 12, i + 1 < versions.Length ? 16u : 0u);
            name += Encoding.ASCII.GetBytes(versions[i], image.AsSpan(StringsAt + name)) + 1;
        }

        return image;

        void U16(int at, int value) => BinaryPrimitives.WriteUInt16LittleEndian(image.AsSpan(at), (ushort)value);
        void U32(int at, uint value) => BinaryPrimitives.WriteUInt32LittleEndian(image.AsSpan(at), value);
        void U64(int at, ulong value) => BinaryPrimitives.WriteUInt64LittleEndian(image.AsSpan(at), value);
    }
}
