using System.Text;

namespace AdaEagle.Tokenization.SentencePieces;

/// <summary>
/// The unigram model (arXiv 1804.10959): of all ways to take a text apart the one with the best sum of scores, by dynamic programming.
/// In 32-bit numbers, like SentencePiece, since paths are often nearly equal. Immutable.
/// </summary>
internal sealed class UnigramPath
{
    private const float UnknownPenalty = 10;
    private const double UserDefinedLoss = 0.1;

    private readonly SentencePieceModel _model;
    private readonly PieceTrie _trie;
    private readonly float _unknownScore;
    private readonly float _bestScore;

    public UnigramPath(SentencePieceModel model)
    {
        _model = model;
        _trie = new PieceTrie(model.Pieces
            .Select((piece, id) => (piece.Text, Id: id))
            .Where(piece => model.Pieces[piece.Id].Type is PieceType.Normal or PieceType.UserDefined));
        float[] scores = [.. model.Pieces.Where(piece => piece.Type == PieceType.Normal).Select(piece => piece.Score)];
        _bestScore = scores.Length == 0 ? 0 : scores.Max();
        _unknownScore = (scores.Length == 0 ? 0 : scores.Min()) - UnknownPenalty;
    }

    /// <summary>The pieces of a normalised text: where each begins and ends in its UTF-8, and its id, -1 for a character that has none.</summary>
    public List<(int Start, int End, int Id)> Find(ReadOnlySpan<byte> text)
    {
        // For every place: the best path that ends there, by its last piece.
        float[] scores = new float[text.Length + 1];
        int[] starts = new int[text.Length + 1];
        int[] ids = new int[text.Length + 1];
        Array.Fill(starts, -1);
        for (int start = 0; start < text.Length;)
        {
            Rune.DecodeFromUtf8(text[start..], out _, out int character);
            bool known = false;
            int node = 0;
            for (int end = start + 1; end <= text.Length && _trie.Step(ref node, text[end - 1], out int id); end++)
            {
                if (id >= 0)
                {
                    float score = _model.Pieces[id].Type == PieceType.UserDefined
                        ? (float)(((end - start) * _bestScore) - UserDefinedLoss)
                        : _model.Pieces[id].Score;
                    Offer(end, start, id, score + scores[start]);
                    known |= end - start == character;
                }
            }

            if (!known)
            {
                Offer(start + character, start, -1, _unknownScore + scores[start]);
            }

            start += character;
        }

        List<(int, int, int)> path = [];
        for (int end = text.Length; end > 0; end = starts[end])
        {
            path.Add((starts[end], end, ids[end]));
        }

        path.Reverse();
        return path;

        void Offer(int end, int start, int id, float score)
        {
            if (starts[end] < 0 || score > scores[end])
            {
                (scores[end], starts[end], ids[end]) = (score, start, id);
            }
        }
    }
}
