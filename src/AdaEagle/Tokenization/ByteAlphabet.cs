using System.Text;

namespace AdaEagle.Tokenization;

/// <summary>
/// The byte-level alphabet of GPT-2: every byte has one printable character, so that a vocabulary of byte strings can be
/// written as text. Printable ASCII and Latin-1 stand for themselves, the other 68 bytes for U+0100 and up, in order.
/// </summary>
internal static class ByteAlphabet
{
    private const int First = 0x100;

    private static readonly char[] _characters = Build();
    private static readonly Dictionary<char, byte> _bytes = _characters
        .Select((character, value) => KeyValuePair.Create(character, (byte)value))
        .ToDictionary();

    /// <summary>The character that stands for a byte.</summary>
    public static char ToCharacter(byte value) => _characters[value];

    /// <summary>The byte that a character stands for; false if the character is not of the alphabet.</summary>
    public static bool TryGetByte(char character, out byte value) => _bytes.TryGetValue(character, out value);

    /// <summary>The text that stands for bytes.</summary>
    public static string ToText(ReadOnlySpan<byte> bytes)
    {
        Span<char> text = bytes.Length <= 256 ? stackalloc char[bytes.Length] : new char[bytes.Length];
        for (int i = 0; i < bytes.Length; i++)
        {
            text[i] = _characters[bytes[i]];
        }

        return new string(text);
    }

    /// <summary>The bytes that a token's characters stand for, or, if one stands for none, its text as it is.</summary>
    public static byte[] ToBytes(string text)
    {
        byte[] bytes = new byte[text.Length];
        for (int i = 0; i < text.Length; i++)
        {
            if (!TryGetByte(text[i], out bytes[i]))
            {
                return Encoding.UTF8.GetBytes(text);
            }
        }

        return bytes;
    }

    private static char[] Build()
    {
        char[] characters = new char[256];
        char next = (char)First;
        for (int value = 0; value < characters.Length; value++)
        {
            bool printable = value is >= '!' and <= '~' or >= 0xA1 and <= 0xAC or >= 0xAE and <= 0xFF;
            characters[value] = printable ? (char)value : next++;
        }

        return characters;
    }
}
