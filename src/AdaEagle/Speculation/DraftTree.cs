namespace AdaEagle.Speculation;

/// <summary>
/// Proposed tokens of one round as a tree: the <em>pool</em> of all candidates that the drafter made, or the <em>draft</em>, those of them that are
/// verified. Nodes are numbered from 0, parents before children; -1 is the root, the token sampled last, which is not a node. A chain is a tree whose
/// node i has parent i - 1. Reused from round to round.
/// </summary>
/// <remarks>
/// A node is <em>expanded</em> when the drafter has run it, and so has its output and the distribution that its children come from. Expansions are
/// numbered in the order in which they ran; the root's is the first.
/// </remarks>
public sealed class DraftTree
{
    private readonly int[] _tokens;
    private readonly int[] _parents;
    private readonly int[] _depths;
    private readonly int[] _ranks;
    private readonly float[] _logProbabilities;
    private readonly float[] _sums;

    // By node + 1, so that the root has a place.
    private readonly int[] _children;
    private readonly int[] _expansions;

    // By expansion.
    private readonly DraftSignals[] _signals;
    private readonly bool[] _hasSignals;
    private readonly bool[] _hasHidden;
    private float[] _hidden = [];
    private int _hiddenSize;

    /// <summary>Room for <paramref name="capacity"/> nodes.</summary>
    public DraftTree(int capacity)
    {
        Capacity = capacity;
        _tokens = new int[capacity];
        _parents = new int[capacity];
        _depths = new int[capacity];
        _ranks = new int[capacity];
        _logProbabilities = new float[capacity];
        _sums = new float[capacity];
        _children = new int[capacity + 1];
        _expansions = new int[capacity + 1];
        _signals = new DraftSignals[capacity + 1];
        _hasSignals = new bool[capacity + 1];
        _hasHidden = new bool[capacity + 1];
        Clear();
    }

    /// <summary>The most nodes.</summary>
    public int Capacity { get; }

    /// <summary>Nodes so far.</summary>
    public int Count { get; private set; }

    /// <summary>Nodes expanded so far, the root among them.</summary>
    public int Expanded { get; private set; }

    /// <summary>Depth of the deepest node.</summary>
    public int LongestPath { get; private set; }

    /// <summary>Takes all nodes away.</summary>
    public void Clear()
    {
        Count = Expanded = LongestPath = 0;
        (_children[0], _expansions[0]) = (0, -1);
    }

    /// <summary>Adds a node and returns its number. <paramref name="logProbability"/> is the drafter's ln p of the token alone; siblings come best first.</summary>
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
        LongestPath = Math.Max(LongestPath, _depths[node]);
        _ranks[node] = _children[parent + 1]++;
        _logProbabilities[node] = logProbability;
        _sums[node] = logProbability + CumulativeLogProbability(parent);
        _children[node + 1] = 0;
        _expansions[node + 1] = -1;
        return node;
    }

    /// <summary>
    /// Orders nodes that are to be kept, ascending at first, for verification: the chain of best children from the root comes first, the others follow in their order. So the
    /// rows of a chain lie where they stay if it is accepted, whatever siblings stand beside it.
    /// </summary>
    /// <exception cref="InvalidOperationException">The nodes are not ascending ones of this tree.</exception>
    public void PutChainFirst(Span<int> nodes)
    {
        for (int i = 0; i < nodes.Length; i++)
        {
            if ((uint)nodes[i] >= (uint)Count || (i > 0 && nodes[i] <= nodes[i - 1]))
            {
                throw new InvalidOperationException($"Node {nodes[i]} of {Count} cannot be kept here: kept nodes are ascending.");
            }
        }

        int chain = 0, last = -1;
        for (int i = 0; i < nodes.Length; i++)
        {
            int node = nodes[i];
            if (_parents[node] == last)
            {
                nodes[chain..i].CopyTo(nodes[(chain + 1)..]);
                nodes[chain++] = last = node;
            }
        }
    }

    /// <summary>
    /// Becomes the part of <paramref name="pool"/> that these nodes are, renumbered in their order, each after its parent.
    /// Their log-probabilities stay; what was noted of expansions does not.
    /// </summary>
    /// <exception cref="InvalidOperationException">The nodes are no such part.</exception>
    public void Take(DraftTree pool, ReadOnlySpan<int> nodes)
    {
        ArgumentNullException.ThrowIfNull(pool);
        Clear();
        for (int i = 0; i < nodes.Length; i++)
        {
            int node = nodes[i];
            if ((uint)node >= (uint)pool.Count || nodes[..i].Contains(node))
            {
                throw new InvalidOperationException($"Node {node} of {pool.Count} cannot be kept here: it is not there, or kept already.");
            }

            int poolParent = pool._parents[node];
            int parent = poolParent < 0 ? -1 : nodes[..i].IndexOf(poolParent);
            if (parent < 0 && poolParent >= 0)
            {
                throw new InvalidOperationException($"Node {node} was kept without its parent {poolParent}.");
            }

            int taken = Add(pool._tokens[node], parent, pool._logProbabilities[node]);
            _ranks[taken] = pool._ranks[node];
        }
    }

    /// <summary>The node's token.</summary>
    public int Token(int node) => _tokens[node];

    /// <summary>The node it follows, -1 for the root.</summary>
    public int Parent(int node) => _parents[node];

    /// <summary>Tokens from the root to the node, 1 for the root's children; 0 for the root itself.</summary>
    public int Depth(int node) => node < 0 ? 0 : _depths[node];

    /// <summary>Its place among its siblings in the drafter's order, 0 for the best.</summary>
    public int Rank(int node) => _ranks[node];

    /// <summary>The drafter's ln p of the token alone.</summary>
    public float LogProbability(int node) => _logProbabilities[node];

    /// <summary>Sum of ln p over the path from the root, S_i for a chain; 0 for the root itself (node -1).</summary>
    public float CumulativeLogProbability(int node) => node < 0 ? 0 : _sums[node];

    /// <summary>True for the root and for nodes that are there, whose parent was expanded, and which were not.</summary>
    public bool CanExpand(int node) => node >= -1 && node < Count && _expansions[node + 1] < 0 && (node < 0 || _expansions[_parents[node] + 1] >= 0);

    /// <summary>Notes that the drafter runs a node, each at most once; returns the expansion's number.</summary>
    public int Expand(int node)
    {
        if (node < -1 || node >= Count)
        {
            throw new InvalidOperationException($"There is no node {node} to expand among {Count}.");
        }

        if (_expansions[node + 1] >= 0)
        {
            throw new InvalidOperationException($"Node {node} is expanded already.");
        }

        int expansion = Expanded++;
        _expansions[node + 1] = expansion;
        _hasSignals[expansion] = _hasHidden[expansion] = false;
        return expansion;
    }

    /// <summary>The number of the node's expansion, -1 for a node that was not expanded.</summary>
    public int Expansion(int node) => _expansions[node + 1];

    /// <summary>What the distribution looked like that the children of an expanded node come from; there if the policy <see cref="DraftNeeds.Signals"/>.</summary>
    public DraftSignals Signals(int node)
    {
        int expansion = Expansion(node);
        return expansion >= 0 && _hasSignals[expansion] ? _signals[expansion] : throw Missing(node, "signals");
    }

    /// <summary>The draft head's output for an expanded node, its guess of the feature there; there if the policy needs it (<see cref="DraftNeeds.Hidden"/>). [hidden]</summary>
    public ReadOnlySpan<float> Hidden(int node)
    {
        int expansion = Expansion(node);
        return expansion >= 0 && _hasHidden[expansion] ? _hidden.AsSpan(expansion * _hiddenSize, _hiddenSize) : throw Missing(node, "hidden state");
    }

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

    /// <summary>Puts another token in a node's place, before it is expanded: what a drafter proposed, overridden.</summary>
    internal void SetToken(int node, int token) => _tokens[node] = token;

    internal void SetSignals(int node, in DraftSignals signals)
    {
        int expansion = Expansion(node);
        _signals[expansion] = signals;
        _hasSignals[expansion] = true;
    }

    internal void SetHidden(int node, ReadOnlySpan<float> hidden)
    {
        int expansion = Expansion(node);
        _hiddenSize = hidden.Length;
        int needed = (expansion + 1) * _hiddenSize;
        if (_hidden.Length < needed)
        {
            Array.Resize(ref _hidden, Math.Max(2 * _hidden.Length, needed));
        }

        hidden.CopyTo(_hidden.AsSpan(expansion * _hiddenSize));
        _hasHidden[expansion] = true;
    }

    private static InvalidOperationException Missing(int node, string what) =>
        new($"Node {node} has no {what}: it was not expanded, the policy's needs don't name it, or the drafter has none.");
}
