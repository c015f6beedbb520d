using System.Buffers.Binary;
using System.Text;

namespace AdaEagle.Training.Torch;

/// <summary>
/// Loosens one symbol version that an ELF library asks of another (System V ABI, "Symbol Versioning": section <c>.gnu.version_r</c>,
/// a chain of <c>Elf64_Verneed</c>, each with a chain of <c>Elf64_Vernaux</c>). With <c>VER_FLG_WEAK</c> set in its <c>vna_flags</c> the dynamic
/// linker loads the library although the version is missing; right only where no relocation needs a symbol of that version.
/// </summary>
internal static class ElfVersions
{
    private const uint VersionNeedsSection = 0x6ffffffe;
    private const ushort WeakFlag = 2;

    /// <summary>
    /// Sets the weak flag of every entry that asks for <paramref name="version"/> in the little-endian 64-bit ELF file <paramref name="image"/>.
    /// Returns how many there were.
    /// </summary>
    /// <exception cref="InvalidDataException">The bytes are no such file, or its tables point outside it.</exception>
    public static int Weaken(Span<byte> image, string version)
    {
        if (image.Length < 64 || !image.StartsWith("\u007fELF"u8) || image[4] != 2 || image[5] != 1)
        {
            throw new InvalidDataException("The library is not a little-endian 64-bit ELF file.");
        }

        ulong headers = U64(image, 0x28);
        ushort headerSize = U16(image, 0x3a);
        ushort headerCount = U16(image, 0x3c);
        byte[] wanted = Encoding.ASCII.GetBytes(version);
        int found = 0;
        for (ulong index = 0; index < headerCount; index++)
        {
            ulong header = checked(headers + index * headerSize);
            if (U32(image, header + 4) == VersionNeedsSection)
            {
                ulong strings = U64(image, checked(headers + U32(image, header + 40) * (ulong)headerSize) + 24);
                found += WeakenSection(image, U64(image, header + 24), U32(image, header + 44), strings, wanted);
            }
        }

        return found;
    }

    private static int WeakenSection(Span<byte> image, ulong need, uint needCount, ulong strings, ReadOnlySpan<byte> version)
    {
        int found = 0;
        for (uint file = 0; file < needCount; file++)
        {
            ulong entry = checked(need + U32(image, need + 8));
            for (int left = U16(image, need + 2); left > 0; left--)
            {
                ulong name = checked(strings + U32(image, entry + 8));
                if (Slice(image, name, version.Length + 1) is var text && text[..^1].SequenceEqual(version) && text[^1] == 0)
                {
                    BinaryPrimitives.WriteUInt16LittleEndian(Slice(image, entry + 4, 2), (ushort)(U16(image, entry + 4) | WeakFlag));
                    found++;
                }

                if (U32(image, entry + 12) is var next && next == 0)
                {
                    break;
                }

                entry = checked(entry + next);
            }

            if (U32(image, need + 12) is var nextNeed && nextNeed == 0)
            {
                break;
            }

            need = checked(need + nextNeed);
        }

        return found;
    }

    private static ushort U16(Span<byte> image, ulong offset) => BinaryPrimitives.ReadUInt16LittleEndian(Slice(image, offset, 2));

    private static uint U32(Span<byte> image, ulong offset) => BinaryPrimitives.ReadUInt32LittleEndian(Slice(image, offset, 4));

    private static ulong U64(Span<byte> image, ulong offset) => BinaryPrimitives.ReadUInt64LittleEndian(Slice(image, offset, 8));

    private static Span<byte> Slice(Span<byte> image, ulong offset, int length) => offset <= (ulong)image.Length && image.Length - (int)offset >= length
        ? image.Slice((int)offset, length)
        : throw new InvalidDataException("The library's version table points outside the file.");
}
