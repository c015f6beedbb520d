using System.Text;
using AdaEagle.Tokenization;
using CsCheck;

namespace AdaEagle.Tests.Tokenization;

public class PropertyTests
{
    private static readonly (TokenizerFixture Fixture, HuggingFaceTokenizer Tokenizer)[] _loaded =
        [.. TokenizerFixture.AllByteLevel().Select(fixture => (fixture, fixture.Load()))];

    private static readonly HuggingFaceTokenizer[] _all = [.. _loaded.Select(item => item.Tokenizer), MadeHere()];

    private static readonly HuggingFaceTokenizer[] _keepingText =
        [.. _loaded.Where(item => item.Fixture.KeepsText).Select(item => item.Tokenizer), MadeHere()];

    [Fact]
    public void Text_comes_back_where_nothing_normalises_it() => RandomText.Any.Sample(
        text =>
        {
            foreach (HuggingFaceTokenizer tokenizer in _keepingText)
            {
                Assert.Equal(RandomText.AsUtf8(text), tokenizer.Decode(tokenizer.Encode(text)));
                Assert.Equal(RandomText.AsUtf8(text), tokenizer.Decode(tokenizer.EncodeOrdinary(text)));
            }
        },
        iter: 3000);

    [Fact]
    public void Ids_are_of_the_vocabulary_and_tokens_bytes_make_up_the_text() => RandomText.Any.Sample(
        text =>
        {
            foreach (HuggingFaceTokenizer tokenizer in _all)
            {
                using var bytes = new MemoryStream();
                foreach (int id in tokenizer.Encode(text, addSpecialTokens: true))
                {
                    Assert.InRange(id, 0, tokenizer.VocabularySize - 1);
                    Assert.NotEqual(0, tokenizer.TokenBytes(id).Length);
                    bytes.Write(tokenizer.TokenBytes(id));
                }

                Assert.Equal(Encoding.UTF8.GetString(bytes.ToArray()), tokenizer.Decode(tokenizer.Encode(text, addSpecialTokens: true)));
            }
        },
        iter: 1000);

    [Fact]
    public void Ordinary_encoding_gives_no_special_token() => RandomText.Any.Sample(
        text =>
        {
            foreach (HuggingFaceTokenizer tokenizer in _all)
            {
                Assert.DoesNotContain(tokenizer.EncodeOrdinary(text), tokenizer.IsSpecial);
            }
        },
        iter: 1000);

    [Fact]
    public void A_stream_gives_the_same_text_as_decoding_at_once() => Gen.Select(Gen.Int[-1, 2300].Array[0, 60], Gen.Bool).Sample(
        (ids, skip) =>
        {
            foreach (HuggingFaceTokenizer tokenizer in _all)
            {
                Assert.Equal(tokenizer.Decode(ids, skip), Streamed(tokenizer, ids, skip, out _));
            }
        },
        iter: 2000);

    [Fact]
    public void A_stream_of_valid_text_never_gives_half_a_character() => RandomText.WellFormed.Sample(
        text =>
        {
            foreach (HuggingFaceTokenizer tokenizer in _keepingText)
            {
                string all = Streamed(tokenizer, tokenizer.Encode(text), skip: false, out List<string> parts);
                Assert.Equal(text, all);
                Assert.All(parts, part => Assert.Equal(part, RandomText.AsUtf8(part)));
                Assert.Equal(text.Count(c => c == '\uFFFD'), parts.Sum(part => part.Count(c => c == '\uFFFD')));
            }
        },
        iter: 2000);

    [Fact]
    public void Many_threads_get_the_ids_that_one_gets()
    {
        HuggingFaceTokenizer shared = TokenizerFixture.Tiny.Load();
        string[] texts = [.. Enumerable.Range(0, 400).Select(i => $"the eagle {i % 90} drafts {i * 7919} tökens \ud835\udcb3 {i}")];
        HuggingFaceTokenizer alone = TokenizerFixture.Tiny.Load();
        int[][] expected = [.. texts.Select(text => alone.Encode(text))];
        Parallel.For(0, 4000, new ParallelOptions { MaxDegreeOfParallelism = 8 }, i =>
            Assert.Equal(expected[i % texts.Length], shared.Encode(texts[i % texts.Length])));
    }

    private static string Streamed(HuggingFaceTokenizer tokenizer, int[] ids, bool skip, out List<string> parts)
    {
        var stream = new TextStream(tokenizer, skip);
        parts = [.. ids.Select(id => stream.Append(id)), stream.Flush()];
        Assert.Equal("", stream.Flush());
        return string.Concat(parts);
    }

    /// <summary>One whose tokens are single bytes, so that every character of more than one is cut.</summary>
    private static HuggingFaceTokenizer MadeHere() => HuggingFaceTokenizer.FromMerges(
        [.. Enumerable.Range(0, 256).Select(value => ByteAlphabet.ToText([(byte)value]))], [], @"\p{L}+|\s+", ["<|im_start|>", "<|endoftext|>"]);
}
