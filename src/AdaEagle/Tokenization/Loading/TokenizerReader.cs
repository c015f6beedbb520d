using AdaEagle.Formats;
using AdaEagle.Tokenization.Merging;
using AdaEagle.Tokenization.Normalization;
using AdaEagle.Tokenization.PreTokenization;

namespace AdaEagle.Tokenization.Loading;

/// <summary>
/// Reads a <c>tokenizer.json</c> (the format of Hugging Face's tokenizers library) into the parts of a tokenizer, everything checked.
/// Truncation and padding, which the file may carry, are not a tokenizer's business here and are left out.
/// </summary>
internal static class TokenizerReader
{
    /// <summary>The longest file; the largest known ones have some 35 MB.</summary>
    public const int LongestFile = 256 << 20;

    /// <summary>Reads the text of a file.</summary>
    /// <exception cref="ModelFormatException">It is broken, or of a kind that is not supported.</exception>
    public static TokenizerParts Read(string json, string file)
    {
        JsonConfig root = JsonConfig.Parse(json, file);
        JsonConfig model = root.Object("model") ?? throw root.Fault("model", "the key is missing", "Give a tokenizer.json of Hugging Face's tokenizers library");
        Normalizer normalizer = NormalizerReader.Read(root);
        IReadOnlyList<PreTokenizer> preTokenizers = PreTokenizerReader.Read(root);
        VocabularyReader.CheckModel(model);
        DecoderReader decoder = DecoderReader.Read(root);
        if (decoder.IsByteLevel != preTokenizers.Any(step => step is ByteLevelPreTokenizer))
        {
            throw root.Fault("decoder", "of pre-tokenizer and decoder one is ByteLevel, the other is not", "Give the tokenizer.json as its makers published it");
        }

        IReadOnlyList<AddedToken> added = VocabularyReader.ReadAdded(root);
        Vocabulary vocabulary = VocabularyReader.ReadVocabulary(root, model, added, decoder);
        (int[] prefix, int[] suffix) = PostProcessorReader.Read(root, vocabulary);
        MergeModel merges = VocabularyReader.ReadMergeModel(model, vocabulary);
        PieceEncoder pieces = decoder.IsByteLevel ? new BytePieceEncoder(merges) : new CharacterPieceEncoder(merges, model.Flag("byte_fallback") ?? false);
        return new TokenizerParts
        {
            File = file,
            Vocabulary = vocabulary,
            Merges = merges.Merges,
            AddedTokens = added,
            Normalizer = normalizer,
            Model = new CuttingEncoder(file, preTokenizers, pieces),
            Decoding = decoder.Rules,
            Prefix = prefix,
            Suffix = suffix,
        };
    }

    /// <summary>An error that says what is not supported, and what is.</summary>
    public static ModelFormatException Unsupported(JsonConfig at, string what, string name, string supported) => at.Fault(
        "type",
        $"the {what} '{name}' is not supported",
        $"Supported are {supported}, as BPE tokenizers have them (byte-level: GPT-2, Llama 3, Qwen, DeepSeek; SentencePiece-like: Llama 2, Mistral, Gemma); WordPiece and Unigram tokenizers are not");
}
