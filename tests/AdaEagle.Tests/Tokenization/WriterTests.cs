using AdaEagle.Tests.Formats;
using AdaEagle.Formats;
using AdaEagle.Tokenization;

namespace AdaEagle.Tests.Tokenization;

public class WriterTests
{
    private const string Split = @"(?i:'s|'t)|\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+";

    private static readonly string[] _vocabulary =
        [.. Enumerable.Range(0, 256).Select(value => ByteAlphabet.ToText([(byte)value])), "th", "the", ByteAlphabet.ToText("é"u8), ByteAlphabet.ToText(" \""u8)];

    private static readonly (string, string)[] _merges = [("t", "h"), ("th", "e"), ("Ã", "©"), ("Ġ", "\"")];

    [Fact]
    public void What_is_written_is_loaded_as_what_was_meant()
    {
        using var folder = new TemporaryFolder();
        TokenizerJson.Write(folder.File("tokenizer.json"), _vocabulary, _merges, Split, ["<|im_start|>", "<\"\\é>"]);
        HuggingFaceTokenizer tokenizer = HuggingFaceTokenizer.Load(folder.Path);
        Assert.Equal(262, tokenizer.VocabularySize);
        Assert.Equal([260, 257, 'e', 258, 261], tokenizer.Encode("<|im_start|>theeé<\"\\é>"));
        Assert.Equal([260, 261], Enumerable.Range(0, 262).Where(tokenizer.IsSpecial));
        Assert.Equal("\"é\" the\n", tokenizer.Decode(tokenizer.Encode("\"é\" the\n")));
        Assert.Equal(" \""u8, tokenizer.TokenBytes(259));
        Assert.Equal(HuggingFaceTokenizer.FromMerges(_vocabulary, _merges, Split, ["<|im_start|>", "<\"\\é>"]).Fingerprint, tokenizer.Fingerprint);
    }

    [Fact]
    public void Merges_of_unknown_tokens_and_broken_patterns_are_refused()
    {
        Assert.Throws<ModelFormatException>(() => HuggingFaceTokenizer.FromMerges(_vocabulary, [("x", "y")], Split, []));
        Assert.Throws<ModelFormatException>(() => HuggingFaceTokenizer.FromMerges(_vocabulary, _merges, "(", []));
    }

    [Fact]
    public void Every_byte_has_a_character_of_its_own()
    {
        string alphabet = ByteAlphabet.ToText([.. Enumerable.Range(0, 256).Select(value => (byte)value)]);
        Assert.Equal(256, alphabet.Distinct().Count());
        for (int value = 0; value < 256; value++)
        {
            Assert.True(ByteAlphabet.TryGetByte(alphabet[value], out byte back));
            Assert.Equal(value, back);
        }

        Assert.Equal("Ġ", ByteAlphabet.ToText(" "u8));
        Assert.Equal("Ċ", ByteAlphabet.ToText("\n"u8));
        Assert.Equal("Ń", ByteAlphabet.ToText([0xAD]));
        Assert.False(ByteAlphabet.TryGetByte(' ', out _));
    }
}
