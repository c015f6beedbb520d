using System.Text;
using System.Text.Json.Nodes;
using AdaEagle.Formats;
using AdaEagle.Tests.Formats;
using AdaEagle.Tokenization;
using CsCheck;

namespace AdaEagle.Tests.Tokenization;

public class HostileFileTests
{
    public static TheoryData<string, string> Changes() => new()
    {
        { "model.vocab={}", "merge 0 names" },
        { "model.vocab=[1]", "expected an object" },
        { "model.vocab.a=\"x\"", "expected a whole number" },
        { "model.vocab.a=-1", "expected a whole number" },
        { "model.vocab.a=5000000000", "expected a whole number" },
        { "model.vocab.a=2147483647", "expected a whole number" },
        { "model.vocab.a=2147483646", "far too high" },
        { "model.vocab.a=1.5", "expected a whole number" },
        { "model.vocab.a=7", "of two tokens" },
        { "model.merges=[\"q q\"]", "names 'qq'" },
        { "model.merges=[\"nothere x\"]", "names 'nothere'" },
        { "model.merges=[\"a b c\"]", "not of two tokens" },
        { "model.merges=[[\"a\"]]", "not of two tokens" },
        { "model.merges=[[[\"a\"],\"b\"]]", "expected a string" },
        { "model.merges=[5]", "expected a string" },
        { "model.merges=\"a b\"", "expected an array" },
        { "model.unk_token=\"nothere\"", "not in the vocabulary" },
        { "model.dropout=0.5", "random" },
        { "model.end_of_word_suffix=\"</w>\"", "not supported" },
        { "model.continuing_subword_prefix=\"##\"", "not supported" },
        { "model.type=\"Unigram\"", "'Unigram' is not supported" },
        { "model.type=\"WordPiece\"", "'WordPiece' is not supported" },
        { "model=null", "missing" },
        { "model=[]", "expected an object" },
        { "decoder=null", "there is no decoder" },
        { "decoder.type=\"Metaspace\"", "one is ByteLevel" },
        { "decoder.type=\"WordPiece\"", "'WordPiece' is not supported" },
        { "decoder={\"type\":\"Sequence\",\"decoders\":[{\"type\":\"ByteLevel\"},{\"type\":\"ByteFallback\"}]}", "not supported at this place" },
        { "decoder={\"type\":\"Sequence\",\"decoders\":[{\"type\":\"Fuse\"},{\"type\":\"Strip\",\"content\":\"x\",\"start\":1,\"stop\":0}]}", "only spaces" },
        { "decoder={\"type\":\"Sequence\",\"decoders\":[{\"type\":\"Replace\",\"pattern\":{\"Regex\":\"a\"},\"content\":\"b\"}]}", "not supported" },
        { "decoder={\"type\":\"Metaspace\",\"replacement\":\"ab\"}", "not one character" },
        { "decoder={\"type\":\"Metaspace\",\"prepend_scheme\":\"some\"}", "'some' is not known" },
        { "decoder={\"type\":\"Sequence\",\"decoders\":[]}", "one is ByteLevel" },
        { "normalizer.type=\"Lowercase\"", "'Lowercase' is not supported" },
        { "normalizer={\"type\":\"Sequence\",\"normalizers\":[{\"type\":\"Prepend\"}]}", "missing" },
        { "normalizer={\"type\":\"Replace\",\"pattern\":{\"String\":\"\"},\"content\":\"b\"}", "is empty" },
        { "pre_tokenizer=null", "one is ByteLevel" },
        { "pre_tokenizer={\"type\":\"Metaspace\",\"replacement\":\"\u2581\"}", "one is ByteLevel" },
        { "pre_tokenizer={\"type\":\"Whitespace\"}", "'Whitespace' is not supported" },
        { "pre_tokenizer.pretokenizers.0.pattern={\"Regex\":\"(a\"}", "')'" },
        { "pre_tokenizer.pretokenizers.0.pattern={\"Regex\":\"(a)\\\\1\"}", "back reference" },
        { "pre_tokenizer.pretokenizers.0.pattern={\"Regex\":\"((a{1000}){1000}){1000}\"}", "instructions" },
        { "pre_tokenizer.pretokenizers.0.pattern={}", "neither Regex nor String" },
        { "pre_tokenizer.pretokenizers.0.behavior=\"Sideways\"", "'Sideways' is not known" },
        { "pre_tokenizer.pretokenizers.0.behavior=\"1\"", "'1' is not known" },
        { "post_processor.type=\"Other\"", "'Other' is not supported" },
        { "post_processor.single=[]", "text itself is missing" },
        { "post_processor.single=[{\"Sequence\":{\"id\":\"A\"}},{\"Sequence\":{\"id\":\"A\"}}]", "Sequence A" },
        { "post_processor.special_tokens={}", "not among them" },
        { "post_processor.special_tokens.<|begin|>.ids=[99999]", "no token has the id 99999" },
        { "post_processor={\"type\":\"BertProcessing\",\"sep\":[\"a\",99999],\"cls\":[\"b\",1]}", "no token has the id 99999" },
        { "post_processor={\"type\":\"BertProcessing\",\"sep\":[\"a\"],\"cls\":[\"b\",1]}", "string and a number" },
        { "added_tokens.0.id=3", "of two tokens" },
        { "added_tokens.0.id=2000000000", "far too high" },
        { "added_tokens.0.id=-4", "expected a whole number" },
        { "added_tokens.0.content=\"a\"", "elsewhere in the file" },
        { "added_tokens.0.content=null", "missing" },
        { "added_tokens={}", "expected an array" },
    };

    [Theory]
    [MemberData(nameof(Changes))]
    public void What_is_wrong_is_said(string change, string problem)
    {
        string[] sides = change.Split('=', 2);
        string json = TinyJson.With(root =>
        {
            string[] path = sides[0].Split('.');
            JsonNode at = root;
            foreach (string key in path[..^1])
            {
                at = at is JsonArray ? at[int.Parse(key, System.Globalization.CultureInfo.InvariantCulture)]! : at[key]!;
            }

            at[path[^1]] = JsonNode.Parse(sides[1]);
        });
        ModelFormatException e = Assert.Throws<ModelFormatException>(() => HuggingFaceTokenizer.Parse(json, "hostile.json"));
        Assert.StartsWith("hostile.json", e.Message, StringComparison.Ordinal);
        Assert.Contains(problem, e.Message, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("")]
    [InlineData("[]")]
    [InlineData("{}")]
    [InlineData("null")]
    [InlineData("{\"model\":{\"type\":\"BPE\"}}")]
    [InlineData("{\"model\":{\"vocab\":{\"a\":0,\"a\":1}}}")]
    [InlineData("{\"model\":{\"vocab\":{\"\\ud800\":0}}}")]
    [InlineData("not json")]
    public void What_is_no_tokenizer_is_refused(string json) =>
        Assert.Throws<ModelFormatException>(() => HuggingFaceTokenizer.Parse(json, "hostile.json"));

    [Theory]
    [InlineData("pre_tokenizer", "pretokenizers")]
    [InlineData("normalizer", "normalizers")]
    [InlineData("decoder", "decoders")]
    [InlineData("post_processor", "processors")]
    public void Sequences_in_sequences_without_end_are_refused(string part, string items)
    {
        const int Depth = 100_000;
        var json = new StringBuilder(TinyJson.With(root => root[part] = "here"));
        string open = $"{{\"type\":\"Sequence\",\"{items}\":[";
        json.Replace("\"here\"", string.Concat(Enumerable.Repeat(open, Depth)) + string.Concat(Enumerable.Repeat("]}", Depth)));
        Assert.Throws<ModelFormatException>(() => HuggingFaceTokenizer.Parse(json.ToString(), "hostile.json"));
    }

    [Fact]
    public void A_long_list_of_pre_tokenizers_is_refused()
    {
        JsonNode step = TinyJson.Node("""{"type":"Digits","individual_digits":true}""");
        string json = TinyJson.With(root => root["pre_tokenizer"]!["pretokenizers"] = new JsonArray([.. Enumerable.Range(0, 1000).Select(_ => step.DeepClone())]));
        Assert.Contains("more than", Assert.Throws<ModelFormatException>(() => HuggingFaceTokenizer.Parse(json, "hostile.json")).Message, StringComparison.Ordinal);
    }

    [Fact]
    public void A_high_id_takes_no_memory()
    {
        string json = TinyJson.With(root => root["model"]!["vocab"]!["zzz"] = 200_000_000);
        long before = GC.GetAllocatedBytesForCurrentThread();
        Assert.Throws<ModelFormatException>(() => HuggingFaceTokenizer.Parse(json, "hostile.json"));
        Assert.InRange(GC.GetAllocatedBytesForCurrentThread() - before, 0, 64 << 20);
    }

    [Fact]
    public void A_pattern_that_backtracks_without_end_is_an_error_that_names_the_file()
    {
        HuggingFaceTokenizer tokenizer = TinyJson.Load(root => root["pre_tokenizer"]!["pretokenizers"]![0]!["pattern"] = TinyJson.Node("""{"Regex":"(a+)+b"}"""));
        Patience.Run(() =>
        {
            ModelFormatException e = Assert.Throws<ModelFormatException>(() => tokenizer.Encode(new string('a', 10_000)));
            Assert.StartsWith("changed.json", e.Message, StringComparison.Ordinal);
        });
    }

    [Fact]
    public void Many_added_tokens_that_begin_alike_take_no_square_of_time()
    {
        (string, string)[] tokens = [.. Enumerable.Range(1, 200).Select(length => (new string('a', length) + "b", ""))];
        HuggingFaceTokenizer tokenizer = TinyJson.Load(root => root["added_tokens"] = TinyJson.AddedTokens(tokens));
        Assert.Throws<ModelFormatException>(() => TinyJson.Load(root => root["added_tokens"] = TinyJson.AddedTokens((new string('a', 1000), ""))));
        string text = string.Concat(Enumerable.Repeat("ab" + new string('a', 300), 300));
        Patience.Run(() => Assert.Equal(300, tokenizer.Encode(text).Count(id => id >= TinyJson.ModelTokens)));
    }

    [Fact]
    public void Damage_anywhere_gives_a_tokenizer_or_a_clear_error()
    {
        string file = File.ReadAllText(Path.Combine(TokenizerFixture.Tiny.Folder, "tokenizer.json"));
        Gen.Select(Gen.Int[0, file.Length - 1], Gen.Int[0, 40], Gen.OneOf(Gen.String[0, 6], RandomText.OneOf("{", "]", "\"", "9", "null", "true", "99999999999", "[]", "\\ud800"))).Sample(
            (place, length, replacement) =>
            {
                string damaged = file.Remove(place, Math.Min(length, file.Length - place)).Insert(place, replacement);
                try
                {
                    HuggingFaceTokenizer tokenizer = HuggingFaceTokenizer.Parse(damaged, "damaged.json");
                    Assert.True(tokenizer.Encode("the eagle 12 é 中").All(id => id < tokenizer.VocabularySize));
                }
                catch (ModelFormatException e)
                {
                    Assert.StartsWith("damaged.json", e.Message, StringComparison.Ordinal);
                }
            },
            iter: 2000);
    }

    [Fact]
    public void Files_that_are_absent_or_not_text_are_refused()
    {
        using var folder = new TemporaryFolder();
        Assert.Contains("tokenizer.json", Assert.Throws<ModelFormatException>(() => HuggingFaceTokenizer.Load(folder.Path)).Message, StringComparison.Ordinal);
        folder.Write("tokenizer.json", [0xFF, 0xFE, 0x00]);
        Assert.Throws<ModelFormatException>(() => HuggingFaceTokenizer.Load(folder.Path));
    }
}
