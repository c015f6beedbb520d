using AdaEagle.Formats;
using AdaEagle.Tokenization.Merging;

namespace AdaEagle.Tokenization.Loading;

/// <summary>Reads <c>added_tokens</c> and the vocabulary and merges of <c>model</c>.</summary>
internal static class VocabularyReader
{
    /// <summary>Ids without a token allowed beside twice the number of tokens; more means a broken file, and memory for nothing.</summary>
    private const int SpareIds = 65_536;

    private const string AsPublished = "Give the tokenizer.json as its makers published it";

    /// <summary>Refuses models that are not plain BPE.</summary>
    public static void CheckModel(JsonConfig model)
    {
        // Old files do not name the type.
        string type = model.Text("type") ?? (model.Has("merges") ? "BPE" : "");
        if (type != "BPE")
        {
            throw TokenizerReader.Unsupported(model, "model", type, "BPE");
        }

        foreach (string key in (ReadOnlySpan<string>)["continuing_subword_prefix", "end_of_word_suffix"])
        {
            if (!string.IsNullOrEmpty(model.Text(key)))
            {
                throw model.Fault(key, "marks inside of words are not supported", "Supported BPE tokenizers have none (GPT-2, Llama 2 and 3, Mistral, Gemma, Qwen, DeepSeek)");
            }
        }

        if (model.Number("dropout", 0, 1) > 0)
        {
            throw model.Fault("dropout", "dropout makes ids random", "Set it to null for inference");
        }
    }

    /// <summary>The added tokens, as listed.</summary>
    public static IReadOnlyList<AddedToken> ReadAdded(JsonConfig root)
    {
        List<AddedToken> tokens = [];
        foreach (JsonConfig item in root.Objects("added_tokens"))
        {
            string content = item.Text("content") ?? throw item.Fault("content", "the key is missing", AsPublished);
            if (content.Length > AddedTokens.Longest)
            {
                throw item.Fault("content", $"an added token of {content.Length} characters; {AddedTokens.Longest} are the most", AsPublished);
            }

            bool special = item.Flag("special") ?? false;
            tokens.Add(new AddedToken(
                item.RequiredInt("id", 0, int.MaxValue - 1),
                content,
                special,
                SingleWord: item.Flag("single_word") ?? false,
                StripLeft: item.Flag("lstrip") ?? false,
                StripRight: item.Flag("rstrip") ?? false,
                Normalized: item.Flag("normalized") ?? !special));
        }

        return tokens;
    }

    /// <summary>All tokens by text and id, no id twice.</summary>
    public static Vocabulary ReadVocabulary(JsonConfig root, JsonConfig model, IReadOnlyList<AddedToken> added, DecoderReader decoder)
    {
        JsonConfig entries = model.Object("vocab") ?? throw model.Fault("vocab", "the key is missing", AsPublished);
        Dictionary<string, int> ids = [];
        Dictionary<int, string> texts = [];
        foreach ((string text, int id) in entries.AllInts(0, int.MaxValue - 1))
        {
            ids.Add(text, id);
            if (!texts.TryAdd(id, text))
            {
                throw model.Fault("vocab", $"the id {id} is of two tokens, '{texts[id]}' and '{text}'", AsPublished);
            }
        }

        HashSet<int> apart = [];
        foreach (AddedToken token in added)
        {
            if (ids.TryGetValue(token.Content, out int known) && known != token.Id)
            {
                throw root.Fault("added_tokens", $"'{token.Content}' has the id {token.Id}, and {known} elsewhere in the file", AsPublished);
            }

            if (ids.TryAdd(token.Content, token.Id) && !(texts.TryAdd(token.Id, token.Content) && apart.Add(token.Id)))
            {
                throw root.Fault("added_tokens", $"the id {token.Id} is of two tokens, '{texts[token.Id]}' and '{token.Content}'", AsPublished);
            }
        }

        CheckSize(model, texts);
        return new Vocabulary(
            ids,
            [.. added.Where(token => token.Special).Select(token => token.Id)],
            apart,
            (_, text) => decoder.ToBytes(text),
            [.. ids.Where(token => decoder.IsByte(token.Key)).Select(token => token.Value)]);
    }

    /// <summary>What merging needs.</summary>
    public static MergeModel ReadMergeModel(JsonConfig model, Vocabulary vocabulary) => new()
    {
        Vocabulary = vocabulary,
        Merges = ReadMerges(model, vocabulary),
        IgnoreMerges = model.Flag("ignore_merges") ?? false,
        UnknownToken = ReadUnknown(model, vocabulary),
        FuseUnknown = model.Flag("fuse_unk") ?? false,
    };

    /// <summary>The merges by rank, as ids.</summary>
    private static List<(int Left, int Right, int Result)> ReadMerges(JsonConfig model, Vocabulary vocabulary)
    {
        List<(int, int, int)> merges = [];
        foreach (string[] item in model.TextsOrLists("merges"))
        {
            // Either ["a", "b"] or "a b"; old files begin with a line "#version".
            string[] sides = item.Length == 1 ? item[0].Split(' ') : item;
            if (item.Length == 1 && item[0].StartsWith("#version", StringComparison.Ordinal))
            {
                continue;
            }

            merges.Add(sides.Length == 2
                ? (Find(sides[0]), Find(sides[1]), Find(sides[0] + sides[1]))
                : throw model.Fault("merges", $"merge {merges.Count} is not of two tokens", AsPublished));
        }

        return merges;

        int Find(string text) => vocabulary.ModelId(text) is var id and >= 0 ? id : throw model.Fault(
            "merges", $"merge {merges.Count} names '{text}', which is not in the vocabulary", AsPublished);
    }

    /// <summary><c>unk_token</c>'s id, if there is one.</summary>
    private static int? ReadUnknown(JsonConfig model, Vocabulary vocabulary) => model.Text("unk_token") is not { } text ? null
        : vocabulary.ModelId(text) is var id and >= 0 ? id
        : throw model.Fault("unk_token", $"'{text}' is not in the vocabulary", AsPublished);

    /// <summary>Memory is taken by the highest id, so that must be in proportion to what the file holds.</summary>
    private static void CheckSize(JsonConfig model, Dictionary<int, string> texts)
    {
        if (texts.Count == 0)
        {
            throw model.Fault("vocab", "there are no tokens", AsPublished);
        }

        int highest = texts.Keys.Max();
        if (highest > (2L * texts.Count) + SpareIds)
        {
            throw model.Fault("vocab", $"the id {highest} is far too high for {texts.Count} tokens", AsPublished);
        }
    }
}
