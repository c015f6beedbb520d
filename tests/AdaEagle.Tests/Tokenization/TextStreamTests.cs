using AdaEagle.Tokenization;

namespace AdaEagle.Tests.Tokenization;

public class TextStreamTests
{
    private static readonly HuggingFaceTokenizer _bytes = HuggingFaceTokenizer.FromMerges(
        [.. Enumerable.Range(0, 256).Select(value => ByteAlphabet.ToText([(byte)value]))], [], @"\S+", ["<s>"]);

    [Fact]
    public void A_character_comes_with_its_last_byte() =>
        Assert.Equal(["", "", "", "😀", "a", "", "é"], Append(0xF0, 0x9F, 0x98, 0x80, 'a', 0xC3, 0xA9));

    [Fact]
    public void What_cannot_become_a_character_comes_at_once() =>
        Assert.Equal(["\uFFFD", "", "\uFFFDa", "\uFFFD"], Append(0x80, 0xE2, 'a', 0xFF));

    [Fact]
    public void A_cut_character_ends_as_one_replacement_and_the_stream_can_go_on()
    {
        var stream = new TextStream(_bytes);
        Assert.Equal("", stream.Append(0xE2) + stream.Append(0x82));
        Assert.Equal("\uFFFD", stream.Flush());
        Assert.Equal("a", stream.Append('a'));
    }

    [Fact]
    public void Reset_forgets_what_was_kept()
    {
        var stream = new TextStream(_bytes);
        stream.Append(0xE2);
        stream.Reset();
        Assert.Equal("", stream.Flush());
    }

    [Fact]
    public void Special_tokens_are_skipped_unless_wanted_and_do_not_cut_characters()
    {
        const int Special = 256;
        Assert.True(_bytes.IsSpecial(Special));
        var skipping = new TextStream(_bytes);
        Assert.Equal("é", skipping.Append(0xC3) + skipping.Append(Special) + skipping.Append(0xA9));
        Assert.Equal("<s>", new TextStream(_bytes, skipSpecialTokens: false).Append(Special));
    }

    [Fact]
    public void Ids_without_a_token_give_nothing() => Assert.Equal(["", "", ""], Append(-1, 257, int.MaxValue));

    private static string[] Append(params int[] ids)
    {
        var stream = new TextStream(_bytes);
        return [.. ids.Select(id => stream.Append(id))];
    }
}
