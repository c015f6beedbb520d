using System.Buffers.Binary;
using System.Security.Cryptography;
using System.Text;

namespace AdaEagle.Tokenization;

/// <summary>The tokens: text as the file spells it, id, bytes, and whether special. Immutable.</summary>
internal sealed class Vocabulary
{
    private readonly string?[] _texts;
    private readonly Dictionary<string, int> _ids;
    private readonly HashSet<int> _special;
    private readonly HashSet<int> _apart;
    private readonly HashSet<int> _byteTokens;
    private readonly byte[] _bytes;
    private readonly int[] _bounds;

    /// <param name="ids">Tokens, no id twice, none negative; the caller has checked that the highest is of the order of their number.</param>
    /// <param name="special">Ids of the special ones.</param>
    /// <param name="apart">Ids that merging never gives: added tokens that the model itself does not have.</param>
    /// <param name="toBytes">The bytes that a token decodes to.</param>
    /// <param name="bytes">Ids that stand for a byte of a character that has no token; null for none.</param>
    public Vocabulary(Dictionary<string, int> ids, HashSet<int> special, HashSet<int> apart, Func<int, string, byte[]> toBytes, HashSet<int>? bytes = null)
    {
        _byteTokens = bytes ?? [];
        _ids = ids;
        _special = special;
        _apart = apart;
        Size = ids.Count == 0 ? 0 : ids.Values.Max() + 1;
        _texts = new string?[Size];
        foreach ((string text, int id) in ids)
        {
            _texts[id] = text;
        }

        _bounds = new int[Size + 1];
        using var all = new MemoryStream();
        for (int id = 0; id < Size; id++)
        {
            all.Write(_texts[id] is { } text ? toBytes(id, text) : []);
            _bounds[id + 1] = checked((int)all.Length);
        }

        _bytes = all.ToArray();
    }

    /// <summary>The highest id + 1.</summary>
    public int Size { get; }

    /// <summary>The id of a token.</summary>
    public bool TryGetId(string text, out int id) => _ids.TryGetValue(text, out id);

    /// <summary>The id of a token that merging can give, or -1.</summary>
    public int ModelId(ReadOnlySpan<char> text) =>
        _ids.GetAlternateLookup<ReadOnlySpan<char>>().TryGetValue(text, out int id) && !_apart.Contains(id) ? id : -1;

    /// <summary>True if the id is a special token's.</summary>
    public bool IsSpecial(int id) => _special.Contains(id);

    /// <summary>True if the id is a byte's (<c>&lt;0x0A&gt;</c>).</summary>
    public bool IsByte(int id) => _byteTokens.Contains(id);

    /// <summary>True if the id stands for a token.</summary>
    public bool Contains(int id) => (uint)id < (uint)Size && _texts[id] is not null;

    /// <summary>The bytes that a token decodes to; none for an id that stands for no token.</summary>
    public ReadOnlySpan<byte> Bytes(int id) => (uint)id < (uint)Size ? _bytes.AsSpan(_bounds[id].._bounds[id + 1]) : default;

    /// <summary>
    /// The fingerprint: SHA-256, as lower case hexadecimal, of the ASCII text <c>adaeagle-vocabulary-1</c>, the number of tokens, for
    /// every token by ascending id the id, one byte 1 if special, the number of its UTF-8 bytes and these, then the number of merges and
    /// for each by rank the two ids. Numbers have 32 bits, little endian.
    /// </summary>
    public string Fingerprint(IReadOnlyList<(int Left, int Right, int Result)> merges)
    {
        using var hash = IncrementalHash.CreateHash(HashAlgorithmName.SHA256);
        hash.AppendData("adaeagle-vocabulary-1"u8);
        Append(hash, _ids.Count);
        for (int id = 0; id < Size; id++)
        {
            if (_texts[id] is { } text)
            {
                byte[] utf8 = Encoding.UTF8.GetBytes(text);
                Append(hash, id);
                hash.AppendData([(byte)(IsSpecial(id) ? 1 : 0)]);
                Append(hash, utf8.Length);
                hash.AppendData(utf8);
            }
        }

        Append(hash, merges.Count);
        foreach ((int left, int right, _) in merges)
        {
            Append(hash, left);
            Append(hash, right);
        }

        return Convert.ToHexStringLower(hash.GetHashAndReset());
    }

    private static void Append(IncrementalHash hash, int number)
    {
        Span<byte> bytes = stackalloc byte[sizeof(int)];
        BinaryPrimitives.WriteInt32LittleEndian(bytes, number);
        hash.AppendData(bytes);
    }
}
