namespace AdaEagle.Models;

/// <summary>
/// The rows of a pass as attention takes them: sorted by sequence and cut into batches that share the read of keys and values. Made before the
/// parallel region, reused from pass to pass.
/// </summary>
internal sealed class AttentionPlan(int maxRows)
{
    /// <summary>The most queries (rows x query heads of a key/value head) of a batch, where a row has not more alone.</summary>
    public const int BatchQueries = 128;

    private readonly Row[] _rows = new Row[maxRows];
    private readonly Batch[] _batches = new Batch[maxRows];
    private int _rowCount;

    /// <summary>Rows of the pass.</summary>
    public int RowCount => _rowCount;

    /// <summary>Batches of the pass.</summary>
    public int BatchCount { get; private set; }

    /// <summary>The last position of any row.</summary>
    public int LastPosition { get; private set; }

    /// <summary>True if a key/value head's rows are stored and attended by the same worker, without a phase of their own: few rows, each sequence in one batch.</summary>
    public bool StoresInPlace { get; private set; }

    /// <summary>Rows in the order of the batches.</summary>
    public ReadOnlySpan<Row> Rows => _rows.AsSpan(0, _rowCount);

    /// <summary>A batch.</summary>
    public ref readonly Batch this[int batch] => ref _batches[batch];

    /// <summary>Takes the rows of a pass that are to run.</summary>
    public void Build(PassRows rows, int headsPerGroup)
    {
        _rowCount = BatchCount = LastPosition = 0;
        StoresInPlace = rows.Active * headsPerGroup <= BatchQueries;
        int most = StoresInPlace ? rows.Active : Math.Max(1, BatchQueries / headsPerGroup);
        for (int first = rows.Start; first < rows.Count; first++)
        {
            KvCache cache = rows.Cache(first);
            if (IsPlanned(cache))
            {
                continue;
            }

            int begin = _rowCount;
            for (int row = first; row < rows.Count; row++)
            {
                if (rows.Cache(row) == cache)
                {
                    Add(rows, row);
                }
            }

            for (int at = begin; at < _rowCount; at += most)
            {
                int count = Math.Min(most, _rowCount - at), last = 0;
                for (int i = at; i < at + count; i++)
                {
                    last = Math.Max(last, _rows[i].Position);
                }

                _batches[BatchCount++] = new Batch(cache, at, count, last);
            }
        }
    }

    private void Add(PassRows rows, int row)
    {
        int position = rows.Position(row);
        _rows[_rowCount++] = new Row(row, row - rows.Start, position, rows.InPlace(row));
        LastPosition = Math.Max(LastPosition, position);
    }

    private bool IsPlanned(KvCache cache)
    {
        for (int i = BatchCount - 1; i >= 0; i--)
        {
            if (_batches[i].Cache == cache)
            {
                return true;
            }
        }

        return false;
    }

    /// <summary>A row: its number among the pass' rows and among those that run, its position, and up to which position its path lies in the slots of the same numbers.</summary>
    public readonly record struct Row(int Number, int Active, int Position, int InPlace);

    /// <summary>Rows of one sequence: <see cref="Count"/> from <see cref="First"/> on.</summary>
    public readonly record struct Batch(KvCache Cache, int First, int Count, int LastPosition);
}
