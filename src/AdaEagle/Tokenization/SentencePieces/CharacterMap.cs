using System.Buffers.Binary;
using System.Runtime.InteropServices;
using AdaEagle.Formats;

namespace AdaEagle.Tokenization.SentencePieces;

/// <summary>
/// The precompiled rules of a normaliser (<c>precompiled_charsmap</c>): a trie as a double array (Darts-clone's layout), whose values are
/// places in a block of NUL-terminated texts. The longest rule at a place counts.
/// </summary>
/// <remarks>
/// Layout: 32-bit length of the trie in bytes, the trie's 32-bit units, the texts; all little endian. A unit: bits 0-7 label, 8 "has a value",
/// 9 and 10-31 the offset to its children; a value's unit has bit 31 set and the value in the others.
/// </remarks>
internal sealed class CharacterMap
{
    // The longest rules of NFKC have some 20 bytes, their texts some 40: what goes beyond is made to take time or memory.
    private const int LongestRule = 256;
    private const int LongestText = 256;

    private readonly uint[] _units;
    private readonly byte[] _texts;

    private CharacterMap(uint[] units, byte[] texts) => (_units, _texts) = (units, texts);

    /// <summary>Reads and checks the block. Places in the trie are checked where they are used: an unused unit may hold anything.</summary>
    /// <exception cref="ModelFormatException">It is broken.</exception>
    public static CharacterMap Read(ReadOnlySpan<byte> block, string file)
    {
        const int Header = sizeof(uint);
        uint length = block.Length >= Header ? BinaryPrimitives.ReadUInt32LittleEndian(block) : 0;
        if (length == 0 || length % sizeof(uint) != 0 || length > block.Length - Header)
        {
            throw Broken(file, $"its trie should have {length} bytes of {block.Length}");
        }

        uint[] units = new uint[length / sizeof(uint)];
        block.Slice(Header, (int)length).CopyTo(MemoryMarshal.AsBytes(units.AsSpan()));
        if (!BitConverter.IsLittleEndian)
        {
            BinaryPrimitives.ReverseEndianness(units, units);
        }

        ReadOnlySpan<byte> texts = block[(Header + (int)length)..];
        if (texts.IsEmpty || texts[^1] != 0)
        {
            throw Broken(file, "its texts have no end");
        }

        for (ReadOnlySpan<byte> rest = texts; !rest.IsEmpty; rest = rest[(rest.IndexOf((byte)0) + 1)..])
        {
            if (rest.IndexOf((byte)0) > LongestText)
            {
                throw Broken(file, $"a text in it is longer than {LongestText} bytes");
            }
        }

        return new CharacterMap(units, texts.ToArray());
    }

    /// <summary>The longest rule that the text begins with.</summary>
    /// <param name="text">UTF-8.</param>
    /// <param name="replacement">What it puts in.</param>
    /// <returns>How many bytes it takes, 0 if there is none.</returns>
    public int Longest(ReadOnlySpan<byte> text, out ReadOnlySpan<byte> replacement)
    {
        int longest = 0;
        uint value = 0;
        uint place = Offset(_units[0]);
        for (int i = 0; i < text.Length && i < LongestRule; i++)
        {
            place ^= text[i];
            if (place >= _units.Length || Label(_units[place]) != text[i])
            {
                break;
            }

            uint unit = _units[place];
            place ^= Offset(unit);
            if ((unit >> 8 & 1) != 0 && place < _units.Length && (_units[place] & 0x7FFFFFFF) < _texts.Length)
            {
                (longest, value) = (i + 1, _units[place] & 0x7FFFFFFF);
            }
        }

        replacement = longest == 0 ? default : _texts.AsSpan((int)value);
        replacement = longest == 0 ? default : replacement[..replacement.IndexOf((byte)0)];
        return longest;
    }

    private static uint Offset(uint unit) => (unit >> 10) << (int)((unit & (1 << 9)) >> 6);

    private static uint Label(uint unit) => unit & ((1u << 31) | 0xFF);

    private static ModelFormatException Broken(string file, string problem) =>
        new(file, "precompiled_charsmap", problem, "Give the .model file as SentencePiece wrote it");
}
