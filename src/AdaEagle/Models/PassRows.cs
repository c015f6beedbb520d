namespace AdaEagle.Models;

/// <summary>
/// The rows of a pass: (sequence, token, position, parent). A row sees its sequence's committed positions, its ancestors among the rows, and itself.
/// Rows of several sequences may share a pass; parents come before their children. Reused from pass to pass.
/// </summary>
public sealed class PassRows
{
    private readonly KvCache[] _caches;
    private readonly int[] _tokens;
    private readonly int[] _positions;
    private readonly int[] _parents;
    private readonly int[] _slots;

    /// <summary>Room for <paramref name="capacity"/> rows.</summary>
    public PassRows(int capacity)
    {
        Capacity = capacity;
        _caches = new KvCache[capacity];
        _tokens = new int[capacity];
        _positions = new int[capacity];
        _parents = new int[capacity];
        _slots = new int[capacity];
    }

    /// <summary>The most rows of a pass.</summary>
    public int Capacity { get; }

    /// <summary>Rows so far.</summary>
    public int Count { get; private set; }

    /// <summary>The first row that the next pass runs: rows before it ran in earlier passes, and are still staged as ancestors.</summary>
    public int Start { get; private set; }

    /// <summary>Rows that the next pass runs; its results are numbered from 0 = <see cref="Start"/>.</summary>
    public int Active => Count - Start;

    /// <summary>Takes all rows away; the caches keep what was staged.</summary>
    public void Clear() => Count = Start = 0;

    /// <summary>Keeps the rows so far as ancestors of the rows to come: a draft grows so, pass by pass.</summary>
    public void Continue() => Start = Count;

    /// <summary>
    /// Adds a row and stages it in its sequence's cache.
    /// </summary>
    /// <param name="cache">The sequence.</param>
    /// <param name="token">The token that the row reads.</param>
    /// <param name="parent">The row it follows, or -1 if it follows the committed positions.</param>
    /// <returns>The row's index.</returns>
    public int Add(KvCache cache, int token, int parent = -1)
    {
        ArgumentNullException.ThrowIfNull(cache);
        if (Count == Capacity)
        {
            throw new InvalidOperationException($"A pass holds {Capacity} rows.");
        }

        if (parent < -1 || parent >= Count || (parent >= 0 && _caches[parent] != cache))
        {
            throw new ArgumentException("The parent must be an earlier row of the same sequence.", nameof(parent));
        }

        int row = Count;
        _slots[row] = cache.Stage();
        _caches[row] = cache;
        _tokens[row] = token;
        _parents[row] = parent;
        _positions[row] = parent < 0 ? cache.Length : _positions[parent] + 1;
        Count++;
        return row;
    }

    /// <summary>The row's sequence.</summary>
    public KvCache Cache(int row) => _caches[row];

    /// <summary>The row's token.</summary>
    public int Token(int row) => _tokens[row];

    /// <summary>The row's position in its sequence, from 0.</summary>
    public int Position(int row) => _positions[row];

    /// <summary>The row it follows, or -1.</summary>
    public int Parent(int row) => _parents[row];

    internal int Slot(int row) => _slots[row];

    /// <summary>Positions of the row's path that lie in slots of the same numbers, from the first on: all of a chain's, and before a branch those up to it.</summary>
    internal int InPlace(int row)
    {
        // Slots are given in order: a row in its own position's slot has none but its ancestors before it.
        int at = row;
        while (at >= 0 && _slots[at] != _positions[at])
        {
            at = _parents[at];
        }

        return at < 0 ? _caches[row].Length : _positions[at] + 1;
    }

    /// <summary>Writes the slots of the row's path, oldest ancestor first, the row itself last; returns their number.</summary>
    internal int Path(int row, Span<int> slots)
    {
        int depth = _positions[row] - _caches[row].Length + 1;
        for (int i = depth - 1, at = row; i >= 0; i--, at = _parents[at])
        {
            slots[i] = _slots[at];
        }

        return depth;
    }
}
