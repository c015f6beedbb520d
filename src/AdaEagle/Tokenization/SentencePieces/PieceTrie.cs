using System.Text;

namespace AdaEagle.Tokenization.SentencePieces;

/// <summary>Pieces by their beginnings, in UTF-8: finds all that a text has at a place in one walk.</summary>
internal sealed class PieceTrie
{
    private readonly Dictionary<(int Node, byte Next), int> _children = [];
    private readonly List<int> _ids = [-1];

    public PieceTrie(IEnumerable<(string Text, int Id)> pieces)
    {
        foreach ((string text, int id) in pieces)
        {
            int node = 0;
            foreach (byte next in Encoding.UTF8.GetBytes(text))
            {
                if (!_children.TryGetValue((node, next), out int child))
                {
                    child = _ids.Count;
                    _children.Add((node, next), child);
                    _ids.Add(-1);
                }

                node = child;
            }

            _ids[node] = id;
        }
    }

    /// <summary>Goes one byte on from <paramref name="node"/> (0 at first); false if no piece goes on so. <paramref name="id"/> is -1 where none ends.</summary>
    public bool Step(ref int node, byte next, out int id)
    {
        if (!_children.TryGetValue((node, next), out node))
        {
            id = -1;
            return false;
        }

        id = _ids[node];
        return true;
    }

    /// <summary>The length in bytes of the longest piece that the text begins with, 0 if there is none.</summary>
    public int Longest(ReadOnlySpan<byte> text, out int id)
    {
        id = -1;
        int node = 0;
        int longest = 0;
        for (int i = 0; i < text.Length && Step(ref node, text[i], out int ending); i++)
        {
            if (ending >= 0)
            {
                (longest, id) = (i + 1, ending);
            }
        }

        return longest;
    }
}
