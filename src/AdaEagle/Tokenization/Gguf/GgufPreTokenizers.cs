using System.Collections.Frozen;
using AdaEagle.Formats;
using AdaEagle.Tokenization.Patterns;
using AdaEagle.Tokenization.PreTokenization;

namespace AdaEagle.Tokenization.Gguf;

/// <summary>How a named pre-tokenizer cuts text, and habits that go with its name.</summary>
/// <param name="Patterns">Each is applied to the pieces of the one before; matches and what lies between are pieces.</param>
/// <param name="IgnoresMerges">A piece that is a token is that token, whatever the merges say.</param>
/// <param name="AddsBegin">A begin token is put in front unless the file says otherwise.</param>
/// <param name="CleansSpaces">llama.cpp's detokenizer drops spaces before punctuation.</param>
internal sealed record GgufPreTokenizer(string[] Patterns, bool IgnoresMerges = false, bool AddsBegin = false, bool CleansSpaces = false)
{
    /// <summary>The steps, ending in bytes.</summary>
    public IReadOnlyList<PreTokenizer> Steps() =>
    [
        .. Patterns.Select(pattern => new SplitPreTokenizer(Pattern.Parse(pattern), SeparatorBehavior.Isolated, invert: false)),
        new ByteLevelPreTokenizer(addPrefixSpace: false, useRegex: false),
    ];
}

/// <summary>
/// The pre-tokenizers that <c>tokenizer.ggml.pre</c> names. The patterns are those of the models' own <c>tokenizer.json</c> files, for the meaning
/// that llama.cpp gives each name.
/// </summary>
internal static class GgufPreTokenizers
{
    private const string Gpt2 = ByteLevelPreTokenizer.Gpt2Pattern;

    private const string Contractions = "(?i:'s|'t|'re|'ve|'m|'ll|'d)";

    // Words, signs and white space as the tokenizers of GPT-4 and after cut them.
    private const string Words = @"[^\r\n\p{L}\p{N}]?\p{L}+";
    private const string Rest = @" ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+";
    private const string RestWithSlash = @" ?[^\s\p{L}\p{N}]+[\r\n/]*|\s*[\r\n]+|\s+(?!\S)|\s+";
    private const string Llama3 = $@"{Contractions}|{Words}|\p{{N}}{{1,3}}|{Rest}";
    private const string Qwen2 = $@"{Contractions}|{Words}|\p{{N}}|{Rest}";

    // Letters that are not small (large) in ASCII: llama.cpp knows no other case.
    private const string Large = @"(?:(?=\p{L})[^a-z])";
    private const string Small = @"(?:(?=\p{L})[^A-Z])";
    private const string CasedWords = $@"[^\r\n\p{{L}}\p{{N}}]?{Large}*{Small}+";
    private const string LargeWords = $@"[^\r\n\p{{L}}\p{{N}}]?{Large}+{Small}*";

    // DeepSeek's list of letters: those with case, but for blocks that it leaves out (Georgian's small ones, Latin's late ones, mathematical ones and others).
    private const string DeepSeekLetters =
        @"\s?[\p{Lu}\p{Ll}\p{Lt}&&[^\x{560}-\x{588}\x{10C7}-\x{10FF}\x{1C80}-\x{1C8F}\x{2D00}-\x{2D2F}\x{A790}-\x{A7FF}\x{AB30}-\x{AB6F}\x{10570}-\x{105BF}\x{10D50}-\x{10D8F}\x{16E40}-\x{16EDF}\x{1D400}-\x{1DFFF}]]+";

    private const string ChineseAndHangul = @"[\x{800}-\x{9FA5}\x{AC00}-\x{D7FF}]+";
    private const string ChineseAndKana = @"[\x{4E00}-\x{9FA5}\x{3040}-\x{30FF}]+";

    private static readonly FrozenDictionary<string, GgufPreTokenizer> _all = Build();

    /// <summary>Finds one by its name; a file without a name has the default one.</summary>
    public static GgufPreTokenizer Find(string? name, string file) => _all.TryGetValue(string.IsNullOrEmpty(name) ? "default" : name, out GgufPreTokenizer? found) ? found : throw new ModelFormatException(
        file,
        "tokenizer.ggml.pre",
        $"the pre-tokenizer '{name}' is not supported",
        $"Supported are {string.Join(", ", _all.Keys.Order(StringComparer.Ordinal))}");

    private static FrozenDictionary<string, GgufPreTokenizer> Build()
    {
        Dictionary<string, GgufPreTokenizer> all = [];
        Add(new([@"[\p{P}$+<=>^~|]+", Gpt2, @"\p{N}+", "[0-9][0-9][0-9]"], CleansSpaces: true), "default");
        Add(new([@"[\p{P}$+<=>^~|`]+", Gpt2, "[0-9][0-9][0-9]"], CleansSpaces: true), "falcon");
        Add(new([Gpt2], CleansSpaces: true), "gpt-2", "phi-2", "mpt", "olmo", "jina-es", "jina-de", "jina-v2-es", "jina-v2-de", "gigachat", "a.x-4.0", "mellum", "modern-bert", "exaone4");
        Add(new([Gpt2]), "trillion", "granite-docling");
        Add(new([Llama3], IgnoresMerges: true, AddsBegin: true, CleansSpaces: true), "llama3", "llama-v3", "llama-bpe", "falcon3", "falcon-h1", "pixtral", "midm-2.0", "lfm2", "jina-v5-nano");
        Add(new([Llama3], CleansSpaces: true), "dbrx", "smaug-bpe", "glm4", "chatglm-bpe");
        Add(new([Qwen2]), "qwen2", "deepseek-r1-qwen", "kormo", "f2llmv2", "hunyuan", "solar-open", "grok-2");
        Add(new([Qwen2], CleansSpaces: true), "stablelm2", "megrez");
        Add(new([@"\p{N}", Gpt2]), "smollm", "command-r");
        Add(new([@"\p{N}", Gpt2], CleansSpaces: true), "starcoder", "refact", "codeshell", "exaone", "minerva-7b", "mellum2");
        Add(new(["[\r\n]", DeepSeekLetters, @"\s?[!-/:-~\x{FF01}-\x{FF0F}\x{FF1A}-\x{FF5E}\x{2018}-\x{201F}\x{3000}-\x{3002}]+", @"\s+$", ChineseAndHangul, @"\p{N}+"]), "deepseek-llm");
        Add(new(["[\r\n]", @"\s?\p{L}+", @"\s?\p{P}+", ChineseAndHangul, @"\p{N}"]), "deepseek-coder");
        Add(
            new(
            [
                @"\p{N}{1,3}",
                ChineseAndKana,
                @"[!""#$%&'()*+,\-./:;<=>?@\[\\\]^_`{|}~][A-Za-z]+|[^\r\n\p{L}\p{P}\p{S}]?[\p{L}\p{M}]+| ?[\p{P}\p{S}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+",
            ]),
            "deepseek-v3",
            "hunyuan-dense",
            "joyai-llm");
        Add(new([$@"{CasedWords}|{LargeWords}|\p{{N}}|{RestWithSlash}"], IgnoresMerges: true, AddsBegin: true), "tekken");
        Add(new([$@"{CasedWords}{Contractions}?|{LargeWords}{Contractions}?|\p{{N}}{{1,3}}|{RestWithSlash}"]), "gpt-4o", "llama4", "kanana2");
        return all.ToFrozenDictionary();

        void Add(GgufPreTokenizer preTokenizer, params ReadOnlySpan<string> names)
        {
            foreach (string name in names)
            {
                all.Add(name, preTokenizer);
            }
        }
    }
}
