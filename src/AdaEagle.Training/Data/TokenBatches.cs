namespace AdaEagle.Training.Data;

/// <summary>
/// Batches for language modelling. An epoch is a shuffle of the documents (a function of seed and epoch) read as one stream of tokens; each row of a
/// batch follows its own stretch of it, so that a long document does not fill a batch. No masks: rows run over document borders. What does not fill a
/// batch at the end is left out, other documents each epoch. A batch is a function of its index, so a run can go on where it stopped. Not for several threads at once.
/// </summary>
public sealed class TokenBatches
{
    private readonly TokenDataset _dataset;
    private readonly int _seed;
    private readonly int[] _order;
    private readonly int[] _starts;
    private long _epoch = -1;

    internal TokenBatches(TokenDataset dataset, int batchSize, int length, int seed)
    {
        ArgumentOutOfRangeException.ThrowIfNegativeOrZero(batchSize);
        ArgumentOutOfRangeException.ThrowIfNegativeOrZero(length);
        _dataset = dataset;
        _seed = seed;
        BatchSize = batchSize;
        Length = length;
        BatchesPerEpoch = dataset.RowCount(length) / batchSize;
        if (BatchesPerEpoch == 0)
        {
            throw new InvalidDataException(
                $"The corpus has {dataset.Tokens.Length} tokens, one batch of {batchSize} x {length} needs {(long)batchSize * length + 1}. Give more text, or make batch or rows smaller.");
        }

        _order = new int[dataset.Documents.Count];
        _starts = new int[dataset.Documents.Count];
    }

    /// <summary>Rows a batch.</summary>
    public int BatchSize { get; }

    /// <summary>Predictions a row.</summary>
    public int Length { get; }

    /// <summary>Batches in which every document comes once.</summary>
    public int BatchesPerEpoch { get; }

    /// <summary>Numbers to be read at once: rows of Length + 1 ids, the inputs and the last one's successor.</summary>
    public int RowStride => Length + 1;

    /// <summary>Batch number <paramref name="index"/> (0, 1, … without end), row after row, BatchSize x <see cref="RowStride"/> ids.</summary>
    public void Read(long index, Span<int> rows)
    {
        ArgumentOutOfRangeException.ThrowIfNegative(index);
        ArgumentOutOfRangeException.ThrowIfNotEqual(rows.Length, BatchSize * RowStride);
        (long epoch, long batch) = Math.DivRem(index, BatchesPerEpoch);
        Shuffle(epoch);
        for (int row = 0; row < BatchSize; row++)
        {
            long start = ((long)row * BatchesPerEpoch + batch) * Length;
            CopyStream((int)start, rows.Slice(row * RowStride, RowStride));
        }
    }

    /// <summary>As the other <see cref="Read(long, Span{int})"/>, split into inputs and their successors, each BatchSize x Length.</summary>
    public void Read(long index, Span<int> inputs, Span<int> targets)
    {
        int[] rows = new int[BatchSize * RowStride];
        Read(index, rows);
        for (int row = 0; row < BatchSize; row++)
        {
            ReadOnlySpan<int> ids = rows.AsSpan(row * RowStride, RowStride);
            ids[..Length].CopyTo(inputs.Slice(row * Length, Length));
            ids[1..].CopyTo(targets.Slice(row * Length, Length));
        }
    }

    private void Shuffle(long epoch)
    {
        if (epoch == _epoch)
        {
            return;
        }

        _epoch = epoch;
        ulong state = Mix(Mix((ulong)_seed) + (ulong)epoch);
        for (int i = 0; i < _order.Length; i++)
        {
            // Fisher-Yates; the product's high half is a number below i + 1, its bias below 2^-32.
            int other = (int)Math.BigMul(Mix(state + (ulong)i), (ulong)(i + 1), out _);
            _order[i] = _order[other];
            _order[other] = i;
        }

        int start = 0;
        for (int i = 0; i < _order.Length; i++)
        {
            _starts[i] = start;
            start += _dataset.Documents[_order[i]].Length;
        }
    }

    private void CopyStream(int start, Span<int> destination)
    {
        int document = Array.BinarySearch(_starts, start);
        document = document >= 0 ? document : ~document - 1;
        int skip = start - _starts[document];
        while (destination.Length > 0)
        {
            ReadOnlySpan<int> ids = _dataset[_dataset.Documents[_order[document++]]][skip..];
            ids = ids[..Math.Min(ids.Length, destination.Length)];
            ids.CopyTo(destination);
            destination = destination[ids.Length..];
            skip = 0;
        }
    }

    /// <summary>SplitMix64's output function: the same numbers everywhere and for ever.</summary>
    private static ulong Mix(ulong value)
    {
        value += 0x9E3779B97F4A7C15;
        value = (value ^ (value >> 30)) * 0xBF58476D1CE4E5B9;
        value = (value ^ (value >> 27)) * 0x94D049BB133111EB;
        return value ^ (value >> 31);
    }
}
