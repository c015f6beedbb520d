namespace AdaEagle.Training.Tokenizers;

/// <summary>One merge: the tokens with these two ids, side by side, become the token <paramref name="Result"/>.</summary>
public readonly record struct BpeMerge(int Left, int Right, int Result);

/// <summary>
/// A byte-level BPE vocabulary. Ids: the special tokens, the 256 bytes in the order of their byte-level characters, then what the merges made, in their order.
/// </summary>
/// <param name="SpecialTokens">Ids 0, 1, ….</param>
/// <param name="Tokens">Token text by id, in byte-level characters (special tokens as they are written).</param>
/// <param name="Merges">In order of precedence.</param>
public sealed record BpeVocabulary(IReadOnlyList<string> SpecialTokens, IReadOnlyList<string> Tokens, IReadOnlyList<BpeMerge> Merges);
