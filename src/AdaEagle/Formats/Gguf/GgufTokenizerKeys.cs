using AdaEagle.Tokenization;
using AdaEagle.Tokenization.Gguf;
using AdaEagle.Tokenization.Loading;
using AdaEagle.Tokenization.PreTokenization;

namespace AdaEagle.Formats;

/// <summary>The tokenizer of a Hugging Face folder as GGUF metadata: byte-level BPE with a pre-tokenizer that has a name there.</summary>
internal sealed class GgufTokenizerKeys
{
    private const string Prefix = "tokenizer.ggml.";

    // Types of tokens.
    private const int Normal = 1;
    private const int Control = 3;
    private const int UserDefined = 4;
    private const int Unused = 5;

    // Names in the order of preference; several stand for the same pattern.
    private static readonly string[] s_preTokenizers = ["qwen2", "llama-bpe", "dbrx", "gpt-2", "smollm", "starcoder", "deepseek-v3", "gpt-4o", "tekken"];

    private readonly string _folder;
    private readonly string _file;
    private readonly JsonConfig _json;
    private readonly JsonConfig _model;
    private readonly List<KeyValuePair<string, GgufValue>> _keys = [];

    private GgufTokenizerKeys(string folder)
    {
        _folder = folder;
        _file = Path.Combine(folder, HuggingFaceTokenizer.FileName);
        _json = JsonConfig.Load(_file, TokenizerReader.LongestFile);
        _model = _json.Object("model")!;
    }

    /// <summary>The keys, in the order of llama.cpp's converter.</summary>
    /// <param name="folder">The folder.</param>
    /// <param name="config">The model's configuration: the vocabulary is filled up to its size with unused tokens.</param>
    /// <param name="notes">Takes what will not be quite the same.</param>
    /// <exception cref="ModelFormatException">There is no tokenizer, or one that GGUF has no name for.</exception>
    public static IReadOnlyList<KeyValuePair<string, GgufValue>> Of(string folder, ModelConfig config, ICollection<string> notes)
    {
        if (!File.Exists(Path.Combine(folder, HuggingFaceTokenizer.FileName)))
        {
            throw new ModelFormatException(folder, HuggingFaceTokenizer.FileName, "the file is missing", "Tokenizers that can be converted are byte-level BPE in a tokenizer.json (GPT-2, Llama 3, Qwen)");
        }

        // Loading it checks all of it first.
        var tokenizer = HuggingFaceTokenizer.Load(folder);
        GgufTokenizerKeys keys = new(folder);
        keys.AddTokens(tokenizer, config, notes);
        keys.AddSpecialTokens(tokenizer, config);
        if (ChatTemplate.Load(folder) is { } template)
        {
            keys.Add("tokenizer.chat_template", template.Source);
        }

        return keys._keys;
    }

    private void AddTokens(HuggingFaceTokenizer tokenizer, ModelConfig config, ICollection<string> notes)
    {
        if (tokenizer.VocabularySize > config.VocabularySize)
        {
            throw new ModelFormatException(_file, null, $"has {tokenizer.VocabularySize} tokens, the model {config.VocabularySize}", "Tokenizer and model do not belong together");
        }

        string[] tokens = [.. Enumerable.Range(0, config.VocabularySize).Select(id => $"[PAD{id}]")];
        int[] types = [.. Enumerable.Repeat(Unused, config.VocabularySize)];
        foreach ((string text, int id) in _model.Object("vocab")!.AllInts(0, config.VocabularySize - 1))
        {
            (tokens[id], types[id]) = (text, Normal);
        }

        foreach (AddedToken token in VocabularyReader.ReadAdded(_json))
        {
            (tokens[token.Id], types[token.Id]) = (token.Content, token.Special ? Control : UserDefined);
        }

        Add(Prefix + "model", GgufTokens.ByteLevel);
        Add(Prefix + "pre", PreTokenizer());
        Add(Prefix + "tokens", tokens);
        Add(Prefix + "token_type", types);
        Add(Prefix + "merges", _model.TextsOrLists("merges").Where(merge => !merge[0].StartsWith("#version", StringComparison.Ordinal)).Select(merge => string.Join(' ', merge)).ToArray());
        NoteNormalizer(notes);
    }

    private void AddSpecialTokens(HuggingFaceTokenizer tokenizer, ModelConfig config)
    {
        int? begin = Special("bos_token", tokenizer) ?? config.BosToken;
        int? end = Special("eos_token", tokenizer) ?? (config.EosTokens.Length > 0 ? config.EosTokens[0] : null);
        AddToken("bos_token_id", begin);
        AddToken("eos_token_id", end);
        AddToken("unknown_token_id", Special("unk_token", tokenizer));
        AddToken("padding_token_id", Special("pad_token", tokenizer));

        // What the tokenizer itself puts around a text.
        int[] around = tokenizer.Encode("", addSpecialTokens: true);
        bool addsBegin = around.Length > 0 && around[0] == begin;
        bool addsEnd = around.Length > (addsBegin ? 1 : 0) && around[^1] == end;
        if (around.Length != (addsBegin ? 1 : 0) + (addsEnd ? 1 : 0))
        {
            throw new ModelFormatException(_file, "post_processor", "it puts other tokens around a text than the begin and the end token", "GGUF has no key for that");
        }

        Add(Prefix + "add_bos_token", addsBegin);
        Add(Prefix + "add_eos_token", addsEnd);
    }

    private string PreTokenizer()
    {
        bool ignoresMerges = _model.Flag("ignore_merges") ?? false;
        List<string> patterns = [];
        foreach (JsonConfig step in Steps(_json.Object("pre_tokenizer")))
        {
            switch (step.Text("type"))
            {
                case "Split" when step.Object("pattern")?.Text("Regex") is { } regex && step.Text("behavior") == "Isolated" && !(step.Flag("invert") ?? false):
                    patterns.Add(regex);
                    break;
                case "Digits" when step.Flag("individual_digits") ?? false:
                    patterns.Add(@"\p{N}");
                    break;
                case "ByteLevel" when !(step.Flag("add_prefix_space") ?? true):
                    patterns.AddRange(step.Flag("use_regex") ?? true ? [ByteLevelPreTokenizer.Gpt2Pattern] : []);
                    break;
                default:
                    throw Unnamed();
            }
        }

        return s_preTokenizers.FirstOrDefault(name => GgufPreTokenizers.Find(name, _file) is var known && known.IgnoresMerges == ignoresMerges && known.Patterns.SequenceEqual(patterns)) ?? throw Unnamed();

        ModelFormatException Unnamed() => new(
            _file, "pre_tokenizer", "GGUF has no name for the way in which it cuts text", $"Known are byte-level BPE tokenizers that cut as {string.Join(", ", s_preTokenizers)}");
    }

    private static IEnumerable<JsonConfig> Steps(JsonConfig? step) => step is null ? []
        : step.Text("type") == "Sequence" ? step.Objects("pretokenizers").SelectMany(Steps)
        : [step];

    private void NoteNormalizer(ICollection<string> notes)
    {
        switch (_json.Object("normalizer")?.Text("type"))
        {
            case null:
                break;
            case "NFC":
                notes.Add("The tokenizer composes characters first (NFC); readers of GGUF do not, so texts with decomposed characters get other tokens.");
                break;
            case var other:
                throw new ModelFormatException(_file, "normalizer", $"'{other}' cannot be written to GGUF", "Supported: none, NFC");
        }
    }

    // The token of a role, from tokenizer_config.json: a string, or an object with its content.
    private int? Special(string role, HuggingFaceTokenizer tokenizer)
    {
        string path = Path.Combine(_folder, "tokenizer_config.json");
        if (!File.Exists(path))
        {
            return null;
        }

        JsonConfig config = JsonConfig.Load(path, JsonConfig.IndexLimit);
        string? text = config.Kind(role) == System.Text.Json.JsonValueKind.Object ? config.Object(role)!.Text("content") : config.Text(role);
        return text is not null && tokenizer.TryGetId(text, out int id) ? id : null;
    }

    private void AddToken(string key, int? id)
    {
        if (id is { } token)
        {
            Add(Prefix + key, (uint)token);
        }
    }

    private void Add(string key, object value) => _keys.Add(new(key, new GgufValue(value)));
}
