namespace AdaEagle.Tokenization;

/// <summary>The tokenizer that a Hugging Face <c>tokenizer.json</c> describes.</summary>
public sealed class HuggingFaceTokenizer : ITokenizer
{
    /// <inheritdoc/>
    public int VocabularySize => throw new NotImplementedException();

    /// <inheritdoc/>
    public string Fingerprint => throw new NotImplementedException();

    /// <summary>Loads <c>tokenizer.json</c> of a folder.</summary>
    /// <exception cref="Formats.ModelFormatException">The file is absent, broken, or of a kind that is not supported.</exception>
    public static HuggingFaceTokenizer Load(string folder) => LoadFile(Path.Combine(folder, "tokenizer.json"));

    /// <summary>Loads a <c>tokenizer.json</c>, whatever its name.</summary>
    /// <exception cref="Formats.ModelFormatException">The file is absent, broken, or of a kind that is not supported.</exception>
    public static HuggingFaceTokenizer LoadFile(string path) => throw new NotImplementedException();

    /// <summary>Builds the tokenizer from the text of a <c>tokenizer.json</c>; <paramref name="file"/> is its name, for messages.</summary>
    /// <exception cref="Formats.ModelFormatException">The text is broken, or of a kind that is not supported.</exception>
    public static HuggingFaceTokenizer Parse(string json, string file) => throw new NotImplementedException();

    /// <inheritdoc/>
    public int[] Encode(string text, bool addSpecialTokens = false) => throw new NotImplementedException();

    /// <inheritdoc/>
    public int[] EncodeOrdinary(string text) => throw new NotImplementedException();

    /// <inheritdoc/>
    public string Decode(ReadOnlySpan<int> ids, bool skipSpecialTokens = false) => throw new NotImplementedException();

    /// <inheritdoc/>
    public bool TryGetId(string token, out int id) => throw new NotImplementedException();

    /// <inheritdoc/>
    public bool IsSpecial(int id) => throw new NotImplementedException();

    /// <inheritdoc/>
    public ReadOnlySpan<byte> TokenBytes(int id) => throw new NotImplementedException();
}
