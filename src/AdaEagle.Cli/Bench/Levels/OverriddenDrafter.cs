using AdaEagle.Models;
using AdaEagle.Sampling;
using AdaEagle.Speculation;
using AdaEagle.Speculation.Drafting;

namespace AdaEagle.Cli.Bench.Levels;

/// <summary>
/// Lets a drafter run and cost what it costs, but has its best children be right with a set probability, whatever it says: each is replaced by the token that plain decoding puts there, or by
/// a wrong one. All other children are wrong, and so is everything behind a wrong token. Which positions are right is a hash of seed, prompt and position: every policy of a run meets the same
/// world, whenever it asks. Log-probabilities, signals and hidden states stay the drafter's own, and say nothing of what is right.
/// </summary>
/// <remarks>It knows the output, as an oracle does; the policies don't. Output is what verification makes it, as with any drafter.</remarks>
/// <param name="drafter">Who drafts; disposed with this.</param>
/// <param name="right">Probability that a best child is right whose predecessors are.</param>
/// <param name="seed">Chooses the positions.</param>
/// <param name="vocabulary">Tokens there are.</param>
internal sealed class OverriddenDrafter(IDrafter drafter, double right, ulong seed, int vocabulary) : IDrafter
{
    // Sampling draws from the same hash; what is right shall not depend on what was sampled.
    private const ulong SeedOffset = 0x6C65_7665_6C73;

    private long _sequence;
    private int _promptTokens;
    private int[] _output = [];
    private int _rootPosition;

    /// <inheritdoc/>
    public string Name => drafter.Name;

    /// <inheritdoc/>
    public int MaxExpanded => drafter.MaxExpanded;

    /// <inheritdoc/>
    public DrafterInputs Inputs => drafter.Inputs;

    /// <summary>Before a sequence: what will be said in it.</summary>
    /// <param name="sequence">The prompt's number.</param>
    /// <param name="promptTokens">Tokens of the prompt.</param>
    /// <param name="output">Plain decoding's tokens; behind them nothing is right.</param>
    public void Begin(long sequence, int promptTokens, int[] output) => (_sequence, _promptTokens, _output) = (sequence, promptTokens, output);

    /// <inheritdoc/>
    public void Reset(int capacity, int firstToken)
    {
        _rootPosition = 0;
        drafter.Reset(capacity, firstToken);
    }

    /// <inheritdoc/>
    public void Commit(ReadOnlySpan<float> state, int nextToken)
    {
        _rootPosition++;
        drafter.Commit(state, nextToken);
    }

    /// <inheritdoc/>
    public void Expand(DraftTree draft, ReadOnlySpan<Expansion> nodes, DraftNeeds needs)
    {
        ArgumentNullException.ThrowIfNull(draft);
        int first = draft.Count;
        drafter.Expand(draft, nodes, needs);
        for (int end = first; first < draft.Count; first = end)
        {
            int parent = draft.Parent(first);
            while (end < draft.Count && draft.Parent(end) == parent)
            {
                end++;
            }

            Override(draft, parent, first, end);
        }
    }

    /// <inheritdoc/>
    public void EndRound() => drafter.EndRound();

    /// <inheritdoc/>
    public void CheckIntegrity(int positions) => drafter.CheckIntegrity(positions);

    /// <inheritdoc/>
    public void Dispose() => drafter.Dispose();

    // Siblings stay distinct: none of those that are wrong is the output's, so that they are wrong for sure.
    private void Override(DraftTree draft, int parent, int first, int end)
    {
        int index = OutputIndex(draft, first);
        if (index >= _output.Length || !IsRight(draft, parent))
        {
            // Nothing can be right here: the drafter's own tokens will do.
            return;
        }

        int token = _output[index], holder = Find(draft, first, end, token);
        if (CounterRandom.Uniform(seed + SeedOffset, _sequence, index) < right)
        {
            if (holder >= 0)
            {
                draft.SetToken(holder, draft.Token(first));
            }

            draft.SetToken(first, token);
        }
        else if (holder >= 0)
        {
            draft.SetToken(holder, Absent(draft, first, end, token));
        }
    }

    // The node's place in the output.
    private int OutputIndex(DraftTree draft, int node) => _rootPosition + draft.Depth(node) - _promptTokens;

    private bool IsRight(DraftTree draft, int node)
    {
        for (; node >= 0; node = draft.Parent(node))
        {
            int index = OutputIndex(draft, node);
            if (index >= _output.Length || draft.Token(node) != _output[index])
            {
                return false;
            }
        }

        return true;
    }

    private int Absent(DraftTree draft, int first, int end, int token)
    {
        int other = token;
        do
        {
            other = (other + 1) % vocabulary;
        }
        while (other != token && Find(draft, first, end, other) >= 0);

        // A node that has all tokens for children has none left: then one is there twice.
        return other == token ? (token + 1) % vocabulary : other;
    }

    private static int Find(DraftTree draft, int first, int end, int token)
    {
        for (int node = first; node < end; node++)
        {
            if (draft.Token(node) == token)
            {
                return node;
            }
        }

        return -1;
    }
}
