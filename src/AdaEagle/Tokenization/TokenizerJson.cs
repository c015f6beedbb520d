namespace AdaEagle.Tokenization;

/// <summary>Writes <c>tokenizer.json</c> files.</summary>
internal static class TokenizerJson
{
    /// <summary>
    /// Writes a byte-level BPE tokenizer that Hugging Face's library loads too: no normaliser, one regex split, then bytes.
    /// The file is replaced in one step.
    /// </summary>
    /// <param name="path">The file.</param>
    /// <param name="vocabulary">Tokens by id, as the byte-level alphabet spells them (see <see cref="ByteAlphabet"/>), special ones not among them.</param>
    /// <param name="merges">Merges by rank, each the two texts that become one.</param>
    /// <param name="splitRegex">How text is cut before merging.</param>
    /// <param name="specialTokens">Texts of the special tokens; their ids follow the vocabulary's.</param>
    public static void Write(
        string path,
        IReadOnlyList<string> vocabulary,
        IReadOnlyList<(string Left, string Right)> merges,
        string splitRegex,
        IReadOnlyList<string> specialTokens) => throw new NotImplementedException();
}
