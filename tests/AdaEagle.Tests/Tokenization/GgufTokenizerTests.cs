using AdaEagle.Formats;
using AdaEagle.Tokenization;

namespace AdaEagle.Tests.Tokenization;

/// <summary>Tokenizers from GGUF vocabularies made here: what no fixture shows, and hostile ones.</summary>
public sealed class GgufTokenizerTests
{
    private static readonly string[] _bytes = [.. Enumerable.Range(0, 256).Select(value => ByteAlphabet.ToText([(byte)value]))];

    [Fact]
    public void The_longest_special_token_counts_first_wherever_it_stands()
    {
        GgufTokenizer tokenizer = GgufTokenizer.Create(Bytes(("<a", 3), ("a><b", 3)), "test.gguf");
        Assert.Equal(['<', 257, '>'], tokenizer.Encode("<a><b>").Select(id => id < 256 ? tokenizer.TokenBytes(id)[0] : id));
        Assert.Equal("<a><b>", tokenizer.Decode(tokenizer.EncodeOrdinary("<a><b>")));
        Assert.DoesNotContain(tokenizer.EncodeOrdinary("<a><b>"), tokenizer.IsSpecial);
    }

    [Fact]
    public void User_defined_tokens_are_found_in_ordinary_text_too()
    {
        GgufTokenizer tokenizer = GgufTokenizer.Create(Bytes(("<tool>", 4), ("<|im_end|>", 4)), "test.gguf");
        Assert.Equal(256, Assert.Single(tokenizer.EncodeOrdinary("<tool>")));
        Assert.False(tokenizer.IsSpecial(256));
        Assert.True(tokenizer.IsSpecial(257));
        Assert.Equal([257], tokenizer.EndTokens);
        Assert.Equal(10, tokenizer.EncodeOrdinary("<|im_end|>").Length);
    }

    [Fact]
    public void Unused_tokens_are_none()
    {
        GgufTokenizer tokenizer = GgufTokenizer.Create(Bytes(("[PAD256]", 5)), "test.gguf");
        Assert.Equal(256, tokenizer.VocabularySize);
        Assert.False(tokenizer.TryGetId("[PAD256]", out _));
    }

    [Fact]
    public void Scores_decide_and_bytes_stand_for_what_has_no_token()
    {
        GgufTokenizer tokenizer = GgufTokenizer.Create(Scored(), "test.gguf");
        Assert.True(tokenizer.TryGetId("\u2581ab", out int word));
        Assert.Equal([1, word], tokenizer.Encode("ab", addSpecialTokens: true));
        Assert.Equal("ab", tokenizer.Decode([word]));
        Assert.Equal(" ab", tokenizer.Decode([1, word], skipSpecialTokens: true));
        Assert.Equal("é中", tokenizer.Decode(tokenizer.Encode("é中")));
        Assert.Equal("ab<s> ab", tokenizer.Decode(tokenizer.EncodeOrdinary("ab<s> ab")));
    }

    [Theory]
    [InlineData(" .", ".")]
    [InlineData("  !", " !")]
    [InlineData("a ' b", "a'b")]
    [InlineData("it 's we 're I 'd", "it's we're I 'd")]
    [InlineData("a . ' s", "a.'s")]
    public void Only_detokenizing_cleans_spaces_up(string text, string cleaned)
    {
        GgufTokenizer tokenizer = GgufTokenizer.Create(Bytes() with { Pre = "gpt-2" }, "test.gguf");
        Assert.Equal(cleaned, tokenizer.Detokenize(tokenizer.Encode(text)));
        Assert.Equal(text, tokenizer.Decode(tokenizer.Encode(text)));
        Assert.Equal(text, GgufTokenizer.Create(Bytes(), "test.gguf").Detokenize(tokenizer.Encode(text)));
    }

    [Fact]
    public void What_is_not_supported_is_said_with_what_is()
    {
        Refused(Bytes() with { Pre = "kimi-k2" }, "'kimi-k2' is not supported", "llama-bpe", "qwen2", "smollm", "deepseek-v3", "gpt-2", "default");
        Refused(Bytes() with { Model = "t5" }, "'t5' is not supported", "gpt2", "llama");
    }

    [Fact]
    public void What_is_wrong_is_said()
    {
        Refused(Bytes() with { Merges = null }, "merges", "missing");
        Refused(Bytes() with { Merges = ["ab"] }, "not of two tokens");
        Refused(Bytes() with { Merges = [""] }, "not of two tokens");
        Refused(Bytes() with { Merges = ["a b"] }, "names 'ab'");
        Refused(Bytes() with { Tokens = [] }, "types for 0 tokens");
        Refused(Bytes() with { Tokens = [], Types = null }, "no tokens");
        Refused(Bytes() with { Types = [1] }, "1 types for 256 tokens");
        Refused(Bytes(("a", 1)), "'a' has the ids");
        Refused(Bytes((new string('x', 300), 3)), "256 are the most");
        Refused(Bytes() with { AddsBegin = true }, "bos_token_id");
        Refused(Bytes() with { AddsEnd = true, EndToken = 9999 }, "eos_token_id");
        Refused(Scored() with { Scores = [1] }, "finite scores");
        Refused(Scored() with { Scores = [.. Scored().Scores!.Select(_ => float.NaN)] }, "finite scores");
    }

    [Fact]
    public void Every_pre_tokenizer_keeps_text()
    {
        string list = Assert.Throws<ModelFormatException>(() => GgufTokenizer.Create(Bytes() with { Pre = "?" }, "test.gguf")).Message;
        string[] names = list[(list.IndexOf("Supported are ", StringComparison.Ordinal) + 14)..].TrimEnd('.').Split(", ");
        Assert.True(names.Length > 20);
        const string Text = "It's 12345 wörds,\r\n\n  if (x) { Y_2(); } // 中文テスト 한국어 \ud835\udcb3 <tag> DON'T\t§ \u00a0…";
        foreach (string name in names)
        {
            GgufTokenizer tokenizer = GgufTokenizer.Create(Bytes() with { Pre = name, AddsBegin = false }, "test.gguf");
            Assert.Equal(Text, tokenizer.Decode(tokenizer.Encode(Text)));
        }
    }

    [Fact]
    public void A_word_of_a_million_characters_takes_no_square_of_time()
    {
        GgufTokenizer scored = GgufTokenizer.Create(Scored(), "test.gguf");
        GgufTokenizer bytes = GgufTokenizer.Create(Bytes(("aa", 1)) with { Merges = ["a a"] }, "test.gguf");
        Patience.Run(() => Assert.NotEmpty(scored.Encode(new string('a', 1_000_000))));
        Patience.Run(() => Assert.Equal(500_000, bytes.Encode(new string('a', 1_000_000)).Length));
        Patience.Run(() => Assert.NotEmpty(scored.Encode(string.Concat(Enumerable.Repeat("<s>", 300_000)))));
    }

    private static GgufVocabulary Bytes(params (string Text, int Type)[] more) => new()
    {
        Model = "gpt2",
        Pre = "qwen2",
        Tokens = [.. _bytes, .. more.Select(token => token.Text)],
        Types = [.. _bytes.Select(_ => 1), .. more.Select(token => token.Type)],
        Merges = [],
    };

    private static GgufVocabulary Scored()
    {
        (string Text, float Score, int Type)[] tokens =
        [
            ("<unk>", 0, 2), ("<s>", 0, 3), ("</s>", 0, 3),
            .. Enumerable.Range(0, 256).Select(value => ($"<0x{value:X2}>", 0f, 6)),
            ("\u2581", -9, 1), ("a", -10, 1), ("b", -11, 1), ("ab", -1, 1), ("\u2581ab", -2, 1), ("aa", -3, 1), ("aaaa", -4, 1),
        ];
        return new GgufVocabulary
        {
            Model = "llama",
            Tokens = [.. tokens.Select(token => token.Text)],
            Scores = [.. tokens.Select(token => token.Score)],
            Types = [.. tokens.Select(token => token.Type)],
        };
    }

    private static void Refused(GgufVocabulary vocabulary, params string[] problems)
    {
        string message = Assert.Throws<ModelFormatException>(() => GgufTokenizer.Create(vocabulary, "hostile.gguf")).Message;
        Assert.StartsWith("hostile.gguf", message, StringComparison.Ordinal);
        Assert.All(problems, problem => Assert.Contains(problem, message, StringComparison.Ordinal));
    }
}
