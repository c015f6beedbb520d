namespace AdaEagle.Training.Tokenizers;

/// <summary>
/// The distinct pieces of a corpus as token ids, with the count of every pair of neighbours kept up to date: a merge touches only the pieces
/// that contain its pair. The commonest pair comes from a heap whose stale entries are corrected when they surface.
/// </summary>
internal sealed class BpeWords
{
    private readonly List<Word> _words = [];
    private readonly Dictionary<(int Left, int Right), Pair> _pairs = [];
    private readonly HashSet<(int Left, int Right)> _grown = [];
    private readonly PriorityQueue<(int Left, int Right), Priority> _heap = new();

    public BpeWords(IEnumerable<(int[] Tokens, long Count)> pieces)
    {
        foreach ((int[] tokens, long count) in pieces)
        {
            if (tokens.Length > 1)
            {
                _words.Add(new Word { Tokens = tokens, Length = tokens.Length, Count = count });
                for (int i = 1; i < tokens.Length; i++)
                {
                    Gain((tokens[i - 1], tokens[i]), _words.Count - 1);
                }
            }
        }

        PushGrown();
    }

    /// <summary>The pair with the highest count, the smaller ids among equals; false if none occurs <paramref name="minimumCount"/> times.</summary>
    public bool TryTakeCommonest(long minimumCount, out (int Left, int Right) pair)
    {
        while (_heap.TryDequeue(out pair, out Priority priority))
        {
            long count = _pairs[pair].Count;
            if (count == priority.Count)
            {
                return count >= minimumCount;
            }

            // What grew was pushed again when it grew, so only an entry that promises too much is still needed.
            if (count > 0 && count < priority.Count)
            {
                _heap.Enqueue(pair, new Priority(count, pair));
            }
        }

        return false;
    }

    /// <summary>Replaces the pair by a token in every piece, from left to right.</summary>
    public void Merge((int Left, int Right) pair, int merged)
    {
        Pair state = _pairs[pair];
        int[] places = [.. state.Words];
        state.Words.Clear();
        foreach (int place in places)
        {
            MergeIn(place, pair, merged);
        }

        PushGrown();
    }

    private void MergeIn(int place, (int Left, int Right) pair, int merged)
    {
        Word word = _words[place];
        int[] tokens = word.Tokens;
        int written = 0;
        for (int read = 0; read < word.Length; read++)
        {
            if (tokens[read] != pair.Left || read + 1 == word.Length || tokens[read + 1] != pair.Right)
            {
                tokens[written++] = tokens[read];
                continue;
            }

            Lose(pair, word.Count);
            if (written > 0)
            {
                Lose((tokens[written - 1], pair.Left), word.Count);
                Gain((tokens[written - 1], merged), place);
            }

            if (read + 2 < word.Length)
            {
                Lose((pair.Right, tokens[read + 2]), word.Count);
                Gain((merged, tokens[read + 2]), place);
            }

            tokens[written++] = merged;
            read++;
        }

        word.Length = written;
    }

    private void Lose((int Left, int Right) pair, long count) => _pairs[pair].Count -= count;

    private void Gain((int Left, int Right) pair, int place)
    {
        if (!_pairs.TryGetValue(pair, out Pair? state))
        {
            _pairs.Add(pair, state = new Pair());
        }

        state.Count += _words[place].Count;
        if (state.Words.Count == 0 || state.Words[^1] != place)
        {
            state.Words.Add(place);
        }

        _grown.Add(pair);
    }

    private void PushGrown()
    {
        foreach ((int Left, int Right) pair in _grown)
        {
            if (_pairs[pair].Count is var count and > 0)
            {
                _heap.Enqueue(pair, new Priority(count, pair));
            }
        }

        _grown.Clear();
    }

    /// <summary>A distinct piece: its tokens so far (the first <see cref="Length"/>), and how often it occurs.</summary>
    private sealed class Word
    {
        public required int[] Tokens { get; init; }
        public required int Length { get; set; }
        public required long Count { get; init; }
    }

    /// <summary>A pair: how often it occurs, and the pieces where it may be found (each that has it, some that had it).</summary>
    private sealed class Pair
    {
        public long Count { get; set; }
        public List<int> Words { get; } = [];
    }

    private readonly record struct Priority(long Count, (int Left, int Right) Pair) : IComparable<Priority>
    {
        public int CompareTo(Priority other) => Count != other.Count ? other.Count.CompareTo(Count) : Pair.CompareTo(other.Pair);
    }
}
