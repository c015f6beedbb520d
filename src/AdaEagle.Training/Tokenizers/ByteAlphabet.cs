namespace AdaEagle.Training.Tokenizers;

/// <summary>
/// The 256 characters that byte-level BPE writes bytes as (GPT-2's table): printable Latin-1 characters stand for themselves, the other
/// bytes, in order, for the characters from U+0100 on.
/// </summary>
internal static class ByteAlphabet
{
    /// <summary>The character of each byte.</summary>
    public static IReadOnlyList<char> Characters { get; } = BuildCharacters();

    /// <summary>The bytes in the order of their characters: the order in which the alphabet gets its ids.</summary>
    public static IReadOnlyList<byte> BytesByCharacter { get; } =
        [.. Enumerable.Range(0, 256).OrderBy(value => Characters[value]).Select(value => (byte)value)];

    private static char[] BuildCharacters()
    {
        var characters = new char[256];
        char next = '\u0100';
        for (int value = 0; value < 256; value++)
        {
            bool isPrintable = value is (>= '!' and <= '~') or (>= 0xA1 and <= 0xAC) or (>= 0xAE and <= 0xFF);
            characters[value] = isPrintable ? (char)value : next++;
        }

        return characters;
    }
}
