namespace AdaEagle.Speculation;

/// <summary>
/// The proposed tokens of one round. Nodes are numbered from 0, parents before children; parent -1 is the root, the token sampled last,
/// which is not a node. A chain is a tree whose node i has parent i - 1. Reused from round to round.
/// </summary>
public sealed class DraftTree
{
    private readonly int[] _tokens;
    private readonly int[] _parents;
    private readonly int[] _depths;
    private readonly float[] _logProbabilities;

    /// <summary>Room for <paramref name="capacity"/> nodes.</summary>
    public DraftTree(int capacity)
    {
        Capacity = capacity;
        _tokens = new int[capacity];
        _parents = new int[capacity];
        _depths = new int[capacity];
        _logProbabilities = new float[capacity];
    }

    /// <summary>The most nodes.</summary>
    public int Capacity { get; }

    /// <summary>Nodes so far.</summary>
    public int Count { get; private set; }

    /// <summary>Takes all nodes away.</summary>
    public void Clear() => Count = 0;

    /// <summary>Adds a node and returns its number. <paramref name="logProbability"/> is the drafter's ln p of the token alone.</summary>
    public int Add(int token, int parent, float logProbability)
    {
        if (Count == Capacity)
        {
            throw new InvalidOperationException($"A draft holds {Capacity} tokens.");
        }

        if (parent < -1 || parent >= Count)
        {
            throw new ArgumentOutOfRangeException(nameof(parent), "A parent comes before its children.");
        }

        int node = Count++;
        _tokens[node] = token;
        _parents[node] = parent;
        _depths[node] = parent < 0 ? 1 : _depths[parent] + 1;
        _logProbabilities[node] = logProbability + (parent < 0 ? 0 : _logProbabilities[parent]);
        return node;
    }

    /// <summary>The node's token.</summary>
    public int Token(int node) => _tokens[node];

    /// <summary>The node it follows, -1 for the root.</summary>
    public int Parent(int node) => _parents[node];

    /// <summary>Tokens from the root to the node, 1 for the root's children.</summary>
    public int Depth(int node) => _depths[node];

    /// <summary>Sum of ln p over the path from the root, S_i for a chain; 0 for the root itself (node -1).</summary>
    public float CumulativeLogProbability(int node) => node < 0 ? 0 : _logProbabilities[node];

    /// <summary>The child of <paramref name="parent"/> with this token, or -1.</summary>
    public int FindChild(int parent, int token)
    {
        for (int node = parent + 1; node < Count; node++)
        {
            if (_parents[node] == parent && _tokens[node] == token)
            {
                return node;
            }
        }

        return -1;
    }
}
