using System.Globalization;

namespace AdaEagle.Speculation.Drafting;

/// <summary>
/// Prompt lookup: the last tokens are looked for earlier in the sequence, prompt and output, and what followed them there is proposed. No model, no cost
/// worth naming; right where the output repeats what was said before.
/// </summary>
/// <remarks>
/// The rules are those of Hugging Face's <c>prompt_lookup_num_tokens</c> (transformers, <c>PromptLookupCandidateGenerator</c>), after Saxena's "Prompt Lookup
/// Decoding": the longest n-gram that occurs earlier decides, its first occurrence from the left is taken, and the draft ends before an end token.
/// It is a chain: a node has one continuation at most. It has no probabilities: what it proposes counts as certain.
/// </remarks>
public sealed class NgramDrafter : IDrafter
{
    /// <summary>N where none is named, Hugging Face's example.</summary>
    public const int UsualTokens = 10;

    /// <summary>M where none is named, Hugging Face's <c>max_matching_ngram_size</c>.</summary>
    public const int UsualLongestNgram = 2;

    private readonly int _most;
    private readonly int _longestNgram;
    private readonly int[] _endTokens;
    private int[] _tokens = [];
    private int _count;
    private int _from;
    private int _length;

    /// <summary>Makes a drafter.</summary>
    /// <param name="most">N: the most tokens it proposes in a round.</param>
    /// <param name="longestNgram">M: the longest n-gram it looks for; shorter ones follow down to one token.</param>
    /// <param name="endTokens">Tokens that end an output: a draft ends before them.</param>
    public NgramDrafter(int most = UsualTokens, int longestNgram = UsualLongestNgram, IReadOnlyList<int>? endTokens = null)
    {
        ArgumentOutOfRangeException.ThrowIfNegativeOrZero(most);
        ArgumentOutOfRangeException.ThrowIfNegativeOrZero(longestNgram);
        (_most, _longestNgram) = (most, longestNgram);
        _endTokens = [.. endTokens ?? []];
        Name = (most, longestNgram) == (UsualTokens, UsualLongestNgram) ? "ngram" : string.Create(CultureInfo.InvariantCulture, $"ngram:{most},{longestNgram}");
    }

    /// <inheritdoc/>
    public string Name { get; }

    /// <inheritdoc/>
    public int MaxExpanded => _most + 1;

    /// <inheritdoc/>
    public void Reset(int capacity, int firstToken)
    {
        if (_tokens.Length < capacity + 1)
        {
            _tokens = new int[capacity + 1];
        }

        _tokens[0] = firstToken;
        _count = 1;
    }

    /// <inheritdoc/>
    public void Commit(ReadOnlySpan<float> state, int nextToken) => _tokens[_count++] = nextToken;

    /// <inheritdoc/>
    public void Expand(DraftTree draft, ReadOnlySpan<Expansion> nodes, DraftNeeds needs)
    {
        ArgumentNullException.ThrowIfNull(draft);
        foreach (Expansion expansion in nodes)
        {
            int node = expansion.Node;
            if (node < 0)
            {
                Look();
            }

            draft.Expand(node);
            if ((needs & DraftNeeds.Signals) != 0)
            {
                draft.SetSignals(node, new DraftSignals(1, 0, 0));
            }

            int index = draft.Depth(node);
            if (index < _length)
            {
                draft.Add(_tokens[_from + index], node, 0);
            }
        }
    }

    /// <inheritdoc/>
    public void EndRound() => _length = 0;

    /// <inheritdoc/>
    public void CheckIntegrity(int positions)
    {
        if (_count != positions + 1)
        {
            throw new InvalidOperationException($"The drafter knows {_count} tokens, {positions} positions and the root are {positions + 1}.");
        }
    }

    /// <inheritdoc/>
    public void Dispose()
    {
    }

    // Sets where the continuation lies and how long it is; 0 where there is none.
    private void Look()
    {
        ReadOnlySpan<int> tokens = _tokens.AsSpan(0, _count);
        _length = 0;
        for (int size = Math.Min(_longestNgram, _count - 1); size > 0 && _length == 0; size--)
        {
            // Without the last token, so that an occurrence has a token after it.
            int at = tokens[..^1].IndexOf(tokens[^size..]);
            if (at < 0)
            {
                continue;
            }

            _from = at + size;
            _length = Math.Min(_most, _count - _from);
            int end = tokens.Slice(_from, _length).IndexOfAny(_endTokens);
            _length = end < 0 ? _length : end;
            // The first size that occurs decides, also where an end token leaves nothing of it.
            return;
        }
    }
}
