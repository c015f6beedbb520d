using AdaEagle.Formats;
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
        CheckDecoder(root.Object("decoder"), root);

        IReadOnlyList<AddedToken> added = VocabularyReader.ReadAdded(root);
        Vocabulary vocabulary = VocabularyReader.ReadVocabulary(root, model, added);
        (int[] prefix, int[] suffix) = PostProcessorReader.Read(root, vocabulary);
        return new TokenizerParts
        {
            File = file,
            Vocabulary = vocabulary,
            Merges = VocabularyReader.ReadMerges(model, vocabulary),
            AddedTokens = added,
            Normalizer = normalizer,
            PreTokenizers = preTokenizers,
            IgnoreMerges = model.Flag("ignore_merges") ?? false,
            UnknownToken = VocabularyReader.ReadUnknown(model, vocabulary),
            FuseUnknown = model.Flag("fuse_unk") ?? false,
            Prefix = prefix,
            Suffix = suffix,
        };
    }

    /// <summary>An error that says what is not supported, and what is.</summary>
    public static ModelFormatException Unsupported(JsonConfig at, string what, string name, string supported) => at.Fault(
        "type",
        $"the {what} '{name}' is not supported",
        $"Supported are {supported}, as byte-level BPE tokenizers have them (GPT-2, Llama 3, Qwen, DeepSeek); SentencePiece-like, WordPiece and Unigram tokenizers are not");

    /// <summary>A decoder must put bytes together and nothing else, so that tokens can be decoded one by one.</summary>
    private static void CheckDecoder(JsonConfig? decoder, JsonConfig root)
    {
        if (decoder is null)
        {
            throw root.Fault("decoder", "there is no decoder", "A byte-level tokenizer has the decoder ByteLevel");
        }

        List<string> kinds = [];
        Flatten(decoder, kinds);
        if (kinds.Count(kind => kind == "ByteLevel") != 1)
        {
            throw root.Fault("decoder", "a byte-level tokenizer needs the decoder ByteLevel, once", "Give the tokenizer.json as its makers published it");
        }
    }

    private static void Flatten(JsonConfig decoder, List<string> kinds)
    {
        string kind = decoder.Text("type") ?? "";
        switch (kind)
        {
            case "Sequence":
                foreach (JsonConfig item in decoder.Objects("decoders"))
                {
                    Flatten(item, kinds);
                }

                break;
            case "ByteLevel" or "Fuse":
                kinds.Add(kind);
                break;
            default:
                throw Unsupported(decoder, "decoder", kind, "ByteLevel, Fuse and Sequence");
        }
    }
}
