namespace AdaEagle.Tokenization.Merging;

/// <summary>
/// SentencePiece's BPE: neighbours whose joined text is a piece become one, the piece of the best score first, the leftmost among
/// equals. Takes time with the length of the text times its logarithm: a heap over a linked list. Immutable.
/// </summary>
internal sealed class ScoredMerger
{
    private static readonly Comparer<(float Score, int Left)> _bestFirst = Comparer<(float Score, int Left)>.Create(
        (a, b) => a.Score != b.Score ? b.Score.CompareTo(a.Score) : a.Left.CompareTo(b.Left));

    private readonly Dictionary<string, float> _scores;
    private readonly HashSet<string> _unused;
    private readonly int _longest;

    /// <param name="pieces">What merging can give, no text twice.</param>
    /// <param name="unused">Of these, the ones that are only stepping stones: a result that is one comes apart again.</param>
    public ScoredMerger(IEnumerable<(string Text, float Score)> pieces, IEnumerable<string> unused)
    {
        _scores = pieces.ToDictionary(piece => piece.Text, piece => piece.Score);
        _unused = [.. unused];
        _longest = _scores.Count == 0 ? 0 : _scores.Keys.Max(text => text.Length);
    }

    /// <summary>Merges the symbols of a text.</summary>
    /// <param name="text">The text.</param>
    /// <param name="symbols">What it is made of at first, in order and without gaps.</param>
    /// <param name="frozen">Places in <paramref name="symbols"/> that never merge; null for none.</param>
    /// <returns>What it is made of in the end.</returns>
    public List<Piece> Merge(string text, List<Piece> symbols, HashSet<int>? frozen)
    {
        var run = new Run(this, text, symbols, frozen);
        return run.Merge();
    }

    private sealed class Run
    {
        private readonly ScoredMerger _merger;
        private readonly string _text;
        private readonly int[] _starts;
        private readonly int[] _lengths;
        private readonly int[] _previous;
        private readonly int[] _next;
        private readonly HashSet<int>? _frozen;
        private readonly PriorityQueue<(int Left, int Right, int Length), (float Score, int Left)> _heap;
        private readonly Dictionary<string, int> _seams = [];

        public Run(ScoredMerger merger, string text, List<Piece> symbols, HashSet<int>? frozen)
        {
            (_merger, _text, _frozen) = (merger, text, frozen);
            int count = symbols.Count;
            _starts = [.. symbols.Select(symbol => symbol.Start)];
            _lengths = [.. symbols.Select(symbol => symbol.Length)];
            _previous = [.. Enumerable.Range(-1, count)];
            _next = [.. Enumerable.Range(1, count)];
            _heap = new(count, _bestFirst);
        }

        public List<Piece> Merge()
        {
            int end = _starts.Length;
            for (int i = 0; i + 1 < end; i++)
            {
                Offer(i, i + 1);
            }

            while (_heap.TryDequeue(out (int Left, int Right, int Length) merge, out _))
            {
                (int left, int right, int length) = merge;
                if (_lengths[left] == 0 || _lengths[right] == 0 || _lengths[left] + _lengths[right] != length)
                {
                    // One of the two has been merged with another neighbour since.
                    continue;
                }

                _lengths[left] = length;
                _lengths[right] = 0;
                _next[left] = _next[right];
                if (_next[left] < end)
                {
                    _previous[_next[left]] = left;
                    Offer(left, _next[left]);
                }

                if (_previous[left] >= 0)
                {
                    Offer(_previous[left], left);
                }
            }

            List<Piece> output = new(end);
            for (int i = 0; i < end; i = _next[i])
            {
                Give(new Piece(_starts[i], _lengths[i]), output);
            }

            return output;
        }

        private void Offer(int left, int right)
        {
            int length = _lengths[left] + _lengths[right];
            if (length > _merger._longest || (_frozen is not null && (_frozen.Contains(left) || _frozen.Contains(right))))
            {
                return;
            }

            ReadOnlySpan<char> joined = _text.AsSpan(_starts[left], length);
            if (_merger._scores.GetAlternateLookup<ReadOnlySpan<char>>().TryGetValue(joined, out float score))
            {
                _heap.Enqueue((left, right, length), (score, left));
                if (_merger._unused.Count > 0 && _merger._unused.GetAlternateLookup<ReadOnlySpan<char>>().Contains(joined))
                {
                    _seams[joined.ToString()] = _lengths[left];
                }
            }
        }

        private void Give(Piece piece, List<Piece> output)
        {
            if (_seams.Count > 0 && _seams.GetAlternateLookup<ReadOnlySpan<char>>().TryGetValue(_text.AsSpan(piece.Start, piece.Length), out int seam))
            {
                Give(new Piece(piece.Start, seam), output);
                Give(new Piece(piece.Start + seam, piece.Length - seam), output);
            }
            else
            {
                output.Add(piece);
            }
        }
    }
}
