namespace AdaEagle.Tokenization.Merging;

/// <summary>
/// Byte pair encoding: neighbouring tokens become one by the merge of the lowest rank, the leftmost first, until none applies
/// (arXiv 1508.07909). It knows ids alone, so what the first tokens of a piece are (bytes, characters) is up to the caller.
/// </summary>
internal sealed class MergeTable
{
    /// <summary>Up to this length looking at all pairs each time is faster than a heap.</summary>
    private const int Short = 40;

    private const int NoMerge = int.MaxValue;

    private readonly Dictionary<(int Left, int Right), (int Rank, int Result)> _merges;

    /// <param name="merges">By rank. A pair named twice has the later rank, as in Hugging Face's library.</param>
    public MergeTable(IReadOnlyList<(int Left, int Right, int Result)> merges)
    {
        _merges = new(merges.Count);
        for (int rank = 0; rank < merges.Count; rank++)
        {
            (int left, int right, int result) = merges[rank];
            _merges[(left, right)] = (rank, result);
        }
    }

    /// <summary>Merges in place; returns how many ids are left, at the front.</summary>
    public int Merge(Span<int> ids) => ids.Length <= Short ? MergeShort(ids) : MergeLong(ids);

    /// <summary>Takes time with the square of the length.</summary>
    internal int MergeShort(Span<int> ids)
    {
        int count = ids.Length;
        Span<int> ranks = count <= Short ? stackalloc int[Short] : new int[count];
        Span<int> results = count <= Short ? stackalloc int[Short] : new int[count];
        for (int i = 0; i + 1 < count; i++)
        {
            (ranks[i], results[i]) = Find(ids[i], ids[i + 1]);
        }

        while (count > 1)
        {
            int best = LeftmostLowest(ranks[..(count - 1)]);
            if (ranks[best] == NoMerge)
            {
                break;
            }

            ids[best] = results[best];
            ids[(best + 2)..count].CopyTo(ids[(best + 1)..]);
            count--;
            ranks[(best + 1)..count].CopyTo(ranks[best..]);
            results[(best + 1)..count].CopyTo(results[best..]);
            if (best + 1 < count)
            {
                (ranks[best], results[best]) = Find(ids[best], ids[best + 1]);
            }

            if (best > 0)
            {
                (ranks[best - 1], results[best - 1]) = Find(ids[best - 1], ids[best]);
            }
        }

        return count;
    }

    /// <summary>Takes time with the length times its logarithm: a heap of possible merges over a linked list.</summary>
    internal int MergeLong(Span<int> ids)
    {
        int end = ids.Length;
        int[] previous = new int[end];
        int[] next = new int[end];
        var heap = new PriorityQueue<(int Place, int Left, int Right), long>(end);
        for (int i = 0; i < end; i++)
        {
            (previous[i], next[i]) = (i - 1, i + 1);
            Offer(heap, ids, i, i + 1);
        }

        const int Gone = -1;
        while (heap.TryDequeue(out (int Place, int Left, int Right) merge, out _))
        {
            int place = merge.Place;
            int right = next[place];
            if (ids[place] != merge.Left || right == end || ids[right] != merge.Right)
            {
                // One of the two has been merged with another neighbour since.
                continue;
            }

            ids[place] = Find(merge.Left, merge.Right).Result;
            ids[right] = Gone;
            next[place] = next[right];
            if (next[place] < end)
            {
                previous[next[place]] = place;
                Offer(heap, ids, place, next[place]);
            }

            if (previous[place] >= 0)
            {
                Offer(heap, ids, previous[place], place);
            }
        }

        int count = 0;
        for (int i = 0; i < end; i = next[i])
        {
            ids[count++] = ids[i];
        }

        return count;
    }

    private static int LeftmostLowest(ReadOnlySpan<int> ranks)
    {
        int best = 0;
        for (int i = 1; i < ranks.Length; i++)
        {
            best = ranks[i] < ranks[best] ? i : best;
        }

        return best;
    }

    private void Offer(PriorityQueue<(int Place, int Left, int Right), long> heap, ReadOnlySpan<int> ids, int left, int right)
    {
        if (right < ids.Length && Find(ids[left], ids[right]) is var (rank, _) && rank != NoMerge)
        {
            heap.Enqueue((left, ids[left], ids[right]), ((long)rank << 32) | (uint)left);
        }
    }

    private (int Rank, int Result) Find(int left, int right) =>
        _merges.TryGetValue((left, right), out (int Rank, int Result) merge) ? merge : (NoMerge, 0);
}
