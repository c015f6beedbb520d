using AdaEagle.Tokenization;

namespace AdaEagle.Tests.Tokenization;

/// <summary>What a tokenizer.json can hold beside a pre-tokenizer: added tokens, post-processors, options of the model.</summary>
public class ConstructTests
{
    private const int First = TinyJson.ModelTokens;

    [Fact]
    public void Of_added_tokens_the_leftmost_counts_and_of_those_the_longest() =>
        Assert.Equal("x|<aa>|a>", Pieces("x<aa>a>", ("<a", ""), ("<aa>", ""), ("aa>", "")));

    [Fact]
    public void White_space_belongs_to_tokens_that_strip() =>
        Assert.Equal("a| \n<l>| b|<r>  |c", Pieces("a \n<l> b<r>  c", ("<l>", "lstrip"), ("<r>", "rstrip")));

    [Theory]
    [InlineData("at", "at")]
    [InlineData("cat", "cat")]
    [InlineData("at1", "at1")]
    [InlineData("at\u0301", "at\u0301")]
    [InlineData("(at)", "(|at|)")]
    [InlineData("\ud835\udcb3at", "\ud835\udcb3at")]
    public void A_single_word_counts_only_alone(string text, string pieces) => Assert.Equal(pieces, Pieces(text, ("at", "single_word")));

    [Fact]
    public void A_normalised_token_is_found_in_normalised_text_and_others_in_the_text_itself()
    {
        HuggingFaceTokenizer tokenizer = TinyJson.Load(json =>
        {
            json["normalizer"]!["type"] = "NFKC";
            json["added_tokens"] = TinyJson.AddedTokens(("fi", "normalized"), ("\ud835\udcb3", ""));
            json["post_processor"] = null;
        });
        Assert.Equal([First, First + 1], tokenizer.Encode("\uFB01\ud835\udcb3"));
        Assert.Equal("X", tokenizer.Decode(tokenizer.Encode("\ud835\udcb4")).Replace('Y', 'X'));
    }

    [Fact]
    public void Special_tokens_in_ordinary_text_are_text_and_other_added_tokens_still_count()
    {
        HuggingFaceTokenizer tokenizer = TokenizerFixture.Tiny.Load();
        Assert.True(tokenizer.TryGetId("<|begin|>", out int begin));
        Assert.True(tokenizer.TryGetId("<tool>", out int tool));
        Assert.Equal([begin, tool], tokenizer.Encode("<|begin|><tool>"));
        int[] ordinary = tokenizer.EncodeOrdinary("<|begin|><tool>");
        Assert.DoesNotContain(begin, ordinary);
        Assert.Equal(tool, ordinary[^1]);
        Assert.Equal("<|begin|><tool>", tokenizer.Decode(ordinary));
        Assert.True(tokenizer.IsSpecial(begin));
        Assert.False(tokenizer.IsSpecial(tool));
        Assert.Equal("<tool>", tokenizer.Decode([begin, tool], skipSpecialTokens: true));
    }

    [Theory]
    [InlineData("""{"type":"BertProcessing","sep":["b",66],"cls":["a",65]}""", "65 x 66")]
    [InlineData("""{"type":"RobertaProcessing","sep":["b",66],"cls":["a",65],"trim_offsets":true,"add_prefix_space":true}""", "65 x 66")]
    [InlineData("""{"type":"ByteLevel","add_prefix_space":true,"trim_offsets":true,"use_regex":true}""", "x")]
    [InlineData("""{"type":"TemplateProcessing","single":[{"SpecialToken":{"id":"s","type_id":0}},{"Sequence":{"id":"A","type_id":0}},{"SpecialToken":{"id":"t","type_id":0}},{"SpecialToken":{"id":"s","type_id":0}}],"pair":[],"special_tokens":{"s":{"id":"s","ids":[1,2],"tokens":["a","b"]},"t":{"id":"t","ids":[3],"tokens":["c"]}}}""", "1 2 x 3 1 2")]
    [InlineData("""{"type":"Sequence","processors":[{"type":"ByteLevel"},{"type":"BertProcessing","sep":["b",66],"cls":["a",65]},{"type":"BertProcessing","sep":["b",68],"cls":["a",67]}]}""", "67 65 x 66 68")]
    [InlineData("null", "x")]
    public void Post_processors_add_their_tokens_only_when_asked(string processor, string expected)
    {
        HuggingFaceTokenizer tokenizer = TinyJson.Load(json => json["post_processor"] = processor == "null" ? null : TinyJson.Node(processor));
        int[] ids = tokenizer.Encode("the eagle");
        Assert.DoesNotContain(tokenizer.Encode("the eagle"), id => id is < 4 or (>= 65 and <= 68));
        string text = string.Join(' ', tokenizer.Encode("the eagle", addSpecialTokens: true));
        Assert.Equal(expected.Replace("x", string.Join(' ', ids), StringComparison.Ordinal), text);
    }

    [Fact]
    public void A_piece_that_is_a_token_wins_over_merges_only_if_the_model_says_so()
    {
        void Change(System.Text.Json.Nodes.JsonNode json, bool ignore)
        {
            json["model"]!["ignore_merges"] = ignore;
            json["model"]!["vocab"]!["zzz"] = 400;
        }

        Assert.Equal([400], TinyJson.Load(json => Change(json, ignore: true)).Encode("zzz"));
        Assert.Equal(3, TinyJson.Load(json => Change(json, ignore: false)).Encode("zzz").Length);
    }

    [Fact]
    public void An_added_token_is_never_the_result_of_merging()
    {
        HuggingFaceTokenizer tokenizer = TinyJson.Load(json =>
        {
            json["model"]!["ignore_merges"] = true;
            json["added_tokens"] = TinyJson.AddedTokens(("zzz", "single_word"));
            json["post_processor"] = null;
        });
        Assert.Equal([First], tokenizer.Encode("zzz"));
        Assert.Equal(4, tokenizer.Encode("zzzz").Length);
        Assert.DoesNotContain(First, tokenizer.Encode("é.zzz\u0301"));
    }

    [Fact]
    public void Bytes_without_a_token_are_dropped_or_unknown()
    {
        HuggingFaceTokenizer With(string? unknown, bool fuse) => TinyJson.Load(json =>
        {
            json["model"]!["vocab"]!.AsObject().Remove("z");
            json["model"]!["unk_token"] = unknown;
            json["model"]!["fuse_unk"] = fuse;
        });

        int[] plain = TokenizerFixture.Tiny.Load().Encode("a");
        Assert.Equal([.. plain, .. plain], With(null, fuse: false).Encode("azza"));
        Assert.Equal([.. plain, 0, 0, .. plain], With("\u0100", fuse: false).Encode("azza"));
        Assert.Equal([.. plain, 0, .. plain], With("\u0100", fuse: true).Encode("azza"));
    }

    [Fact]
    public void Merges_may_be_spelt_as_pairs_or_as_text()
    {
        HuggingFaceTokenizer text = TokenizerFixture.Tiny.Load();
        HuggingFaceTokenizer pairs = TinyJson.Load(json =>
        {
            string[][] merges = [.. json["model"]!["merges"]!.AsArray().Select(merge => ((string)merge!).Split(' '))];
            json["model"]!["merges"] = new System.Text.Json.Nodes.JsonArray([.. merges.Select(merge => new System.Text.Json.Nodes.JsonArray(merge[0], merge[1]))]);
        });
        Assert.Equal(text.Fingerprint, pairs.Fingerprint);
        Assert.Equal(text.Encode("the eagle drafts"), pairs.Encode("the eagle drafts"));
    }

    [Fact]
    public void Lone_surrogates_count_as_replacement_characters()
    {
        HuggingFaceTokenizer tokenizer = TokenizerFixture.Tiny.Load();
        Assert.Equal(tokenizer.Encode("a\uFFFDb\uFFFD"), tokenizer.Encode("a\ud835b\udcb3"));
    }

    /// <summary>The text cut into added tokens and what is between them.</summary>
    private static string Pieces(string text, params (string Content, string Flags)[] tokens)
    {
        HuggingFaceTokenizer tokenizer = TinyJson.Load(json =>
        {
            json["added_tokens"] = TinyJson.AddedTokens(tokens);
            json["post_processor"] = null;
            json["normalizer"] = null;
        });
        var added = new AddedTokens(
            tokens.Select((token, i) => new AddedToken(
                First + i, token.Content, false, token.Flags == "single_word", token.Flags == "lstrip", token.Flags == "rstrip", false)),
            content => content);
        (Piece Piece, AddedToken? Token)[] cut = [.. added.Cut(text, recogniseSpecial: true)];
        Assert.Equal(
            cut.Where(part => part.Token is not null).Select(part => part.Token!.Id),
            tokenizer.Encode(text).Where(id => id >= First));
        return string.Join('|', cut.Select(part => text.Substring(part.Piece.Start, part.Piece.Length)));
    }
}
