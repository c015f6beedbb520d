namespace AdaEagle.Tokenization.Merging;

/// <summary>
/// Remembers the ids of short pieces of text. A fixed number of slots without locks: a reader sees an entry whole or not at all,
/// and of two writers one wins, which costs nothing but a later miss.
/// </summary>
internal sealed class PieceCache
{
    /// <summary>Longer pieces are rare and not worth the room.</summary>
    public const int LongestPiece = 32;

    /// <summary>A power of two. With pieces of usual length they take about 8 MB when all are filled.</summary>
    private const int Slots = 1 << 16;

    private readonly Entry?[] _entries = new Entry?[Slots];

    /// <summary>The ids of a piece, if remembered.</summary>
    public bool TryGet(ReadOnlySpan<char> piece, out ReadOnlySpan<int> ids)
    {
        int slot = SlotOf(piece);
        Entry? entry = Volatile.Read(ref _entries[slot]);
        if (entry is null || !piece.SequenceEqual(entry.Piece))
        {
            entry = Volatile.Read(ref _entries[slot ^ 1]);
            if (entry is null || !piece.SequenceEqual(entry.Piece))
            {
                ids = default;
                return false;
            }
        }

        ids = entry.Ids;
        return true;
    }

    /// <summary>Remembers a piece; what was in its slot moves to the slot's neighbour, whose entry is forgotten.</summary>
    public void Add(ReadOnlySpan<char> piece, ReadOnlySpan<int> ids)
    {
        int slot = SlotOf(piece);
        Volatile.Write(ref _entries[slot ^ 1], Volatile.Read(ref _entries[slot]));
        Volatile.Write(ref _entries[slot], new Entry(piece.ToString(), ids.ToArray()));
    }

    private static int SlotOf(ReadOnlySpan<char> piece) => string.GetHashCode(piece) & (Slots - 1);

    private sealed record Entry(string Piece, int[] Ids);
}
