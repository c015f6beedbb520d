using System.Text;
using AdaEagle.Tokenization;

namespace AdaEagle.Training.Tokenizers;

/// <summary>
/// Trains byte-level BPE (Sennrich et al., arXiv 1508.07909, over bytes): starting from single bytes, again and again the commonest pair of
/// neighbouring tokens within a piece becomes a token. Ties go to the pair with the smaller left, then right id, so the result depends on
/// the texts alone, not on their order or the number of processors.
/// </summary>
public static class BpeTrainer
{
    /// <summary>A pair must occur this often to be merged: what occurs once is no regularity.</summary>
    public const int MinimumCount = 2;

    /// <summary>Trains a vocabulary of exactly <paramref name="vocabularySize"/> tokens, special tokens included.</summary>
    /// <exception cref="ArgumentOutOfRangeException">The vocabulary cannot hold the special tokens and the 256 bytes.</exception>
    /// <exception cref="InvalidDataException">The texts have too few repeated pairs for that many tokens.</exception>
    public static BpeVocabulary Train(IEnumerable<string> texts, int vocabularySize, IReadOnlyList<string> specialTokens)
    {
        ArgumentOutOfRangeException.ThrowIfLessThan(vocabularySize, specialTokens.Count + 256);
        byte[] alphabet = [.. Enumerable.Range(0, 256).Select(value => (byte)value).OrderBy(ByteAlphabet.ToCharacter)];
        List<string> tokens = [.. specialTokens, .. alphabet.Select(value => ByteAlphabet.ToText([value]))];
        var idOfByte = new int[256];
        for (int i = 0; i < alphabet.Length; i++)
        {
            idOfByte[alphabet[i]] = specialTokens.Count + i;
        }

        var words = new BpeWords(PieceCounter.Count(texts).Select(piece =>
            (Encoding.UTF8.GetBytes(piece.Key).Select(value => idOfByte[value]).ToArray(), piece.Value)));
        var idOfToken = new Dictionary<string, int>(tokens.Select((token, id) => KeyValuePair.Create(token, id)));
        var idOfPair = new Dictionary<(int, int), int>();
        var merges = new List<BpeMerge>();
        while (tokens.Count < vocabularySize)
        {
            if (!words.TryTakeCommonest(MinimumCount, out (int Left, int Right) pair))
            {
                throw new InvalidDataException(
                    $"The texts give {tokens.Count} tokens, not {vocabularySize}: no other pair occurs {MinimumCount} times. Ask for a smaller vocabulary, or give more text.");
            }

            // Two pairs may spell one token ("ab" + "c", "a" + "bc"); and a pair may come back when another merge spells its half.
            if (!idOfPair.TryGetValue(pair, out int merged))
            {
                string token = tokens[pair.Left] + tokens[pair.Right];
                if (!idOfToken.TryGetValue(token, out merged))
                {
                    merged = tokens.Count;
                    tokens.Add(token);
                    idOfToken.Add(token, merged);
                }

                idOfPair.Add(pair, merged);
                merges.Add(new BpeMerge(pair.Left, pair.Right, merged));
            }

            words.Merge(pair, merged);
        }

        return new BpeVocabulary(specialTokens, tokens, merges);
    }
}
