using AdaEagle.Kernels;

namespace AdaEagle.Models;

/// <summary>
/// Keys and values of one sequence, in blocks of 64 positions with a table. Rows of a pass are <em>staged</em> in the slots behind the
/// committed ones; they become part of the sequence only by <see cref="Commit"/>, and a chain's accepted rows then lie where they belong already.
/// </summary>
/// <remarks>Not thread-safe: a cache belongs to one session. Its blocks come from a pool that sessions share.</remarks>
public sealed unsafe class KvCache : IDisposable
{
    private readonly KvBlockPool _pool;
    private readonly NativeBuffer?[] _blocks;
    private readonly KvLayout _layout;
    private int _blockCount;

    internal KvCache(KvBlockPool pool, int capacity)
    {
        _pool = pool;
        _layout = pool.Layout;
        Capacity = capacity;
        _blocks = new NativeBuffer?[(capacity + KvLayout.BlockPositions - 1) / KvLayout.BlockPositions];
    }

    /// <summary>Positions it can hold, staged ones counted.</summary>
    public int Capacity { get; }

    /// <summary>Committed positions.</summary>
    public int Length { get; private set; }

    /// <summary>Rows staged behind them.</summary>
    public int Staged { get; private set; }

    internal KvLayout Layout => _layout;

    /// <summary>Takes the next slot for a row of a pass. Mutates: <see cref="Staged"/>, maybe a new block.</summary>
    /// <returns>The slot: <see cref="Length"/> + the number of rows staged before.</returns>
    internal int Stage()
    {
        ObjectDisposedException.ThrowIf(_disposed, this);
        int slot = Length + Staged;
        if (slot >= Capacity)
        {
            throw new InvalidOperationException($"The cache holds {Capacity} positions and is full.");
        }

        if (slot / KvLayout.BlockPositions == _blockCount)
        {
            _blocks[_blockCount++] = _pool.Rent();
        }

        Staged++;
        return slot;
    }

    /// <summary>
    /// Makes staged rows part of the sequence and drops the others. <paramref name="kept"/> are indices among the staged rows (0 is the
    /// first), ascending, along one path. Mutates: the kept rows move together, <see cref="Length"/> grows, nothing is staged afterwards.
    /// </summary>
    internal void Commit(ReadOnlySpan<int> kept)
    {
        for (int i = 0; i < kept.Length; i++)
        {
            if ((uint)kept[i] >= (uint)Staged || (i > 0 && kept[i] <= kept[i - 1]))
            {
                throw new ArgumentException("Kept rows must be staged ones in ascending order.", nameof(kept));
            }
        }

        for (int i = 0; i < kept.Length; i++)
        {
            if (kept[i] != i)
            {
                Move(Length + kept[i], Length + i);
            }
        }

        Length += kept.Length;
        Staged = 0;
        ReleaseUnused();
    }

    /// <summary>Commits the first <paramref name="count"/> staged rows and drops the others.</summary>
    internal void CommitFirst(int count)
    {
        ArgumentOutOfRangeException.ThrowIfGreaterThan((uint)count, (uint)Staged);
        Length += count;
        Staged = 0;
        ReleaseUnused();
    }

    /// <summary>Drops the staged rows.</summary>
    internal void Discard() => CommitFirst(0);

    /// <summary>Forgets committed positions from <paramref name="length"/> on, and staged rows.</summary>
    internal void Truncate(int length)
    {
        ArgumentOutOfRangeException.ThrowIfGreaterThan((uint)length, (uint)Length);
        Length = length;
        Staged = 0;
        ReleaseUnused();
    }

    /// <summary>A head's keys in a block.</summary>
    internal byte* Keys(int layer, int head, int block) => _blocks[block]!.Bytes + ((((long)layer * _layout.Heads) + head) * _layout.HeadBytes);

    /// <summary>A head's values in a block.</summary>
    internal byte* Values(int layer, int head, int block) => Keys(layer, head, block) + _layout.KeyBytes;

    /// <summary>Writes a slot's key and value.</summary>
    internal void Store(int layer, int head, int slot, float* key, float* value) =>
        _layout.Store(Keys(layer, head, slot / KvLayout.BlockPositions), slot % KvLayout.BlockPositions, key, value);

    /// <summary>Throws if the bookkeeping contradicts itself. Reads only.</summary>
    public void CheckIntegrity()
    {
        Check(Length >= 0 && Staged >= 0 && Length + Staged <= Capacity, "lengths out of range");
        Check(_blockCount >= (Length + Staged + KvLayout.BlockPositions - 1) / KvLayout.BlockPositions, "too few blocks");
        Check(_blockCount <= (Length + Staged) / KvLayout.BlockPositions + 1, "blocks kept beyond need");
        for (int i = 0; i < _blocks.Length; i++)
        {
            Check(_blocks[i] is not null == i < _blockCount, $"block {i} of {_blockCount}");
            Check(i == 0 || _blocks[i] is null || Array.IndexOf(_blocks, _blocks[i], 0, i) < 0, $"block {i} is there twice");
        }

        _pool.CheckIntegrity();

        static void Check(bool holds, string what)
        {
            if (!holds)
            {
                throw new InvalidOperationException($"KvCache: {what}.");
            }
        }
    }

    /// <summary>The keys and values of a committed position, every layer and head, for comparisons.</summary>
    internal float[] Snapshot(int position)
    {
        ArgumentOutOfRangeException.ThrowIfGreaterThanOrEqual((uint)position, (uint)Length);
        var values = new List<float>();
        float* key = stackalloc float[_layout.HeadDimension], value = stackalloc float[_layout.HeadDimension];
        for (int layer = 0; layer < _layout.Layers; layer++)
        {
            for (int head = 0; head < _layout.Heads; head++)
            {
                Load(layer, head, position, key, value);
                values.AddRange(new ReadOnlySpan<float>(key, _layout.HeadDimension));
                values.AddRange(new ReadOnlySpan<float>(value, _layout.HeadDimension));
            }
        }

        return [.. values];
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        if (!_disposed)
        {
            _disposed = true;
            Length = Staged = 0;
            while (_blockCount > 0)
            {
                ReleaseLast();
            }
        }
    }

    private bool _disposed;

    private void Load(int layer, int head, int slot, float* key, float* value) =>
        _layout.Load(Keys(layer, head, slot / KvLayout.BlockPositions), slot % KvLayout.BlockPositions, key, value);

    private void Move(int from, int to)
    {
        float* key = stackalloc float[_layout.HeadDimension], value = stackalloc float[_layout.HeadDimension];
        for (int layer = 0; layer < _layout.Layers; layer++)
        {
            for (int head = 0; head < _layout.Heads; head++)
            {
                Load(layer, head, from, key, value);
                Store(layer, head, to, key, value);
            }
        }
    }

    // One spare block stays, so that a sequence at a block's edge doesn't rent and return it every round.
    private void ReleaseUnused()
    {
        int needed = (Length / KvLayout.BlockPositions) + 1;
        while (_blockCount > needed)
        {
            ReleaseLast();
        }
    }

    private void ReleaseLast()
    {
        _pool.Return(_blocks[--_blockCount]!);
        _blocks[_blockCount] = null;
    }
}

/// <summary>Blocks for the caches of one model, kept for reuse. Thread-safe.</summary>
internal sealed class KvBlockPool(KvLayout layout) : IDisposable
{
    private readonly Stack<NativeBuffer> _free = new();
    private readonly Lock _lock = new();
    private int _made;
    private int _rented;

    public KvLayout Layout => layout;

    /// <summary>Blocks out in caches: back at zero when all caches are disposed.</summary>
    public int Rented => _rented;

    public NativeBuffer Rent()
    {
        lock (_lock)
        {
            _rented++;
            if (_free.TryPop(out NativeBuffer? block))
            {
                return block;
            }

            _made++;
            // Packed: a block alone is smaller than a huge page, and reading many costs page walks.
            return new NativeBuffer(layout.BlockBytes, packed: true);
        }
    }

    public void Return(NativeBuffer block)
    {
        lock (_lock)
        {
            _rented--;
            _free.Push(block);
        }
    }

    public void CheckIntegrity()
    {
        lock (_lock)
        {
            if (_rented < 0 || _rented + _free.Count != _made)
            {
                throw new InvalidOperationException($"KvBlockPool: {_made} blocks made, {_rented} out, {_free.Count} free.");
            }
        }
    }

    public void Dispose()
    {
        lock (_lock)
        {
            while (_free.TryPop(out NativeBuffer? block))
            {
                block.Dispose();
            }

            _made = _rented;
        }
    }
}
