using System.Buffers.Binary;
using AdaEagle.Formats;
using AdaEagle.Tokenization;
using AdaEagle.Tokenization.SentencePieces;
using CsCheck;

namespace AdaEagle.Tests.Tokenization;

/// <summary>SentencePiece models made here: every rule by itself, and hostile files.</summary>
public sealed class SentencePieceTests
{
    [Fact]
    public void The_best_score_merges_first_and_the_leftmost_among_equals()
    {
        Assert.Equal("a|bc", Pieces(TinyModel.Of(new(), "bc", "ab", "a", "b", "c"), "abc"));
        Assert.Equal("aa|a", Pieces(TinyModel.Of(new(), "aa", "a"), "aaa"));
    }

    [Fact]
    public void Unused_pieces_are_stepping_stones_and_come_apart_again()
    {
        TinyModel model = TinyModel.Of(new(), "a", "b", "c").Add("ab", 5, PieceType.Unused).Add("abc", 4);
        Assert.Equal("abc", Pieces(model, "abc"));
        Assert.Equal("a|b", Pieces(model, "ab"));
    }

    [Fact]
    public void User_defined_symbols_are_found_by_longest_match_and_never_merge()
    {
        TinyModel model = TinyModel.Of(new(), "a", "b", "ab").Add("#", 0, PieceType.UserDefined).Add("##", 0, PieceType.UserDefined).Add("a#", 9);
        Assert.Equal("a|##|#|ab", Pieces(model, "a###ab"));
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public void Unknown_neighbours_are_one_or_their_bytes(bool unigram)
    {
        SentencePieceKind kind = unigram ? SentencePieceKind.Unigram : SentencePieceKind.Bpe;
        SentencePieceTokenizer merged = TinyModel.Of(new() { Kind = kind }, "a", "b").Load();
        Assert.Equal([3, 0, 4, 0], merged.Encode("aééb中"));
        Assert.Equal("a \u2047 b \u2047 ", merged.Decode(merged.Encode("aééb中")));
        SentencePieceTokenizer bytes = TinyModel.Of(new() { Kind = kind, ByteFallback = true }, "a", "b").Load();
        Assert.Equal([3, 5 + 0xC3, 5 + 0xA9, 4], bytes.Encode("aéb"));
        Assert.Equal("aéb", bytes.Decode(bytes.Encode("aéb")));
    }

    [Fact]
    public void The_unigram_path_has_the_best_sum_of_scores() =>
        Assert.Equal("ab|ab|c", Pieces(TinyModel.Of(new() { Kind = SentencePieceKind.Unigram }).Add("ab", -1).Add("a", -2).Add("b", -2).Add("c", -1).Add("abc", -2.5f), "ababc"));

    [Theory]
    [InlineData(true, false, false, " a  b ", "▁▁a▁▁b▁")]
    [InlineData(true, true, false, " a  b ", "▁a▁b")]
    [InlineData(false, true, false, "  a", "a")]
    [InlineData(false, false, false, " a", "▁a")]
    [InlineData(true, false, true, "a b", "a▁b▁")]
    [InlineData(true, false, false, "", "")]
    [InlineData(true, true, false, "   ", "")]
    public void Spaces_are_what_the_options_make_of_them(bool prefix, bool remove, bool suffix, string text, string normalized) => Assert.Equal(
        normalized, TinyModel.Of(new() { AddDummyPrefix = prefix, RemoveExtraSpaces = remove, SpaceAsSuffix = suffix }, "a").Load().Normalize(text));

    [Fact]
    public void Broken_bytes_are_one_replacement_each_and_normal_pieces_cut_them()
    {
        SentencePieceTokenizer tokenizer = TinyModel.Of(new() { ByteFallback = true }, "a").Load();
        Assert.Equal("\uFFFD\uFFFDaé\uFFFD", tokenizer.Decode([4 + 0xE2, 4 + 0x82, 3, 4 + 0xC3, 4 + 0xA9, 4 + 0xC3]));
        Assert.Equal("\uFFFD\uFFFD", tokenizer.Decode([4 + 0xC3, 2, 4 + 0xA9], skipSpecialTokens: true));
        var stream = new TextStream(tokenizer);
        Assert.Equal(["", "é", ""], [stream.Append(4 + 0xC3), stream.Append(4 + 0xA9), stream.Flush()]);
    }

    [Fact]
    public void The_longest_rule_of_the_map_counts()
    {
        SentencePieceTokenizer tokenizer = TinyModel.Of(new() { Map = Map() }, "x").Load();
        Assert.Equal("x1", tokenizer.Normalize("x1"));
        Assert.Equal("ONE", tokenizer.Normalize("a"));
        Assert.Equal("TWO", tokenizer.Normalize("ab"));
        Assert.Equal("ONETWOc", tokenizer.Normalize("aabc"));
    }

    [Fact]
    public void A_map_of_anything_is_refused_or_harmless()
    {
        byte[] map = Map();
        Gen.Select(Gen.Int[0, map.Length - 1], Gen.Byte, Gen.Int[0, map.Length]).Sample(
            (place, value, length) =>
            {
                byte[] damaged = [.. map];
                damaged[place] = value;
                CheckDamaged(TinyModel.Of(new() { Map = damaged }, "x", "a").ToBytes());
                CheckDamaged(TinyModel.Of(new() { Map = map[..length] }, "x", "a").ToBytes());
            },
            iter: 2000);
    }

    [Fact]
    public void Files_cut_short_or_damaged_are_refused_or_harmless()
    {
        byte[] file = TinyModel.Of(new() { ByteFallback = true, Map = Map() }, "a", "b", "ab").Add("##", 0, PieceType.UserDefined).ToBytes();
        for (int length = 0; length < 200; length++)
        {
            CheckDamaged(file[..length]);
        }

        Gen.Select(Gen.Int[0, file.Length - 1], Gen.Byte).Array[1, 4].Sample(
            changes =>
            {
                byte[] damaged = [.. file];
                Array.ForEach(changes, change => damaged[change.Item1] = change.Item2);
                CheckDamaged(damaged);
            },
            iter: 1000);
    }

    [Fact]
    public void What_is_wrong_is_said()
    {
        Refused("exactly one unknown", new TinyModel().Add("a", 0).ToBytes());
        Refused("there twice", TinyModel.Of(new(), "a", "a").ToBytes());
        Refused("is empty", TinyModel.Of(new(), "").ToBytes());
        Refused("512 are the most", TinyModel.Of(new(), new string('a', 600)).ToBytes());
        Refused("finite", TinyModel.Of(new()).Add("a", float.NaN).ToBytes());
        Refused("type 77 is not known", TinyModel.Of(new()).Add("a", 0, (PieceType)77).ToBytes());
        Refused("does not name one", TinyModel.Of(new()).Add("<0xZZ>", 0, PieceType.Byte).ToBytes());
        Refused("256 byte pieces", [.. TinyModel.Of(new(), "a").ToBytes(), .. TinyModel.Bytes(2, TinyModel.Number(35, 1))]);
        Refused("model type 3 is not supported", TinyModel.Of(new() { Kind = (SentencePieceKind)3 }, "a").ToBytes());
        Refused("rules for decoding", [.. TinyModel.Of(new(), "a").ToBytes(), .. TinyModel.Bytes(5, TinyModel.Bytes(2, [1, 2, 3]))]);
        Refused("not UTF-8", TinyModel.Bytes(1, TinyModel.Bytes(1, [0xFF])));
        Refused("only 1 are left", [0x0A, 0xFF, 0xFF, 0xFF, 0x0F, 0x00]);
        Refused("has no end", [0x0A, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0x01]);
        Refused("wire type 3", [0x33]);
        Refused("longer than 256", TinyModel.Of(new() { Map = [.. Map(), .. Enumerable.Repeat((byte)'x', 300), 0] }, "a").ToBytes());
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public void A_word_of_a_million_characters_takes_no_square_of_time(bool unigram)
    {
        SentencePieceKind kind = unigram ? SentencePieceKind.Unigram : SentencePieceKind.Bpe;
        string[] runs = [.. Enumerable.Range(0, 9).Select(power => new string('a', 1 << power))];
        SentencePieceTokenizer tokenizer = TinyModel.Of(new() { Kind = kind, AddDummyPrefix = true, Map = unigram ? [] : Map() }, [.. runs, "▁"]).Load();
        string text = new('a', 1_000_000);
        Patience.Run(() => Assert.NotEmpty(tokenizer.Encode(text)));
    }

    private static void CheckDamaged(byte[] file)
    {
        try
        {
            SentencePieceTokenizer tokenizer = SentencePieceTokenizer.Parse(file, "damaged.model");
            Assert.True(tokenizer.Encode("ab a## é中 aab").All(id => id < tokenizer.VocabularySize));
        }
        catch (ModelFormatException e)
        {
            Assert.StartsWith("damaged.model", e.Message, StringComparison.Ordinal);
        }
    }

    private static void Refused(string problem, byte[] file) =>
        Assert.Contains(problem, Assert.Throws<ModelFormatException>(() => SentencePieceTokenizer.Parse(file, "hostile.model")).Message, StringComparison.Ordinal);

    private static string Pieces(TinyModel model, string text)
    {
        SentencePieceTokenizer tokenizer = model.Load();
        return string.Join('|', tokenizer.Encode(text).Select(id => System.Text.Encoding.UTF8.GetString(tokenizer.TokenBytes(id))));
    }

    /// <summary>A map with the rules a -> ONE and ab -> TWO, as a double array laid out by hand.</summary>
    private static byte[] Map()
    {
        const uint HasValue = 1 << 8;
        const uint IsValue = 1u << 31;
        uint[] units = new uint[512];

        // A child lies at the place of its parent's children xor its byte; a value where the byte would be 0.
        const uint OfRoot = 0x100;
        const uint OfA = 0x180;
        const uint OfB = 0x1C0;
        units[0] = OfRoot << 10;
        units[OfRoot ^ 'a'] = 'a' | HasValue | ((OfRoot ^ 'a' ^ OfA) << 10);
        units[OfA] = IsValue;
        units[OfA ^ 'b'] = 'b' | HasValue | ((OfA ^ 'b' ^ OfB) << 10);
        units[OfB] = IsValue | 4;
        byte[] map = new byte[4 + (4 * units.Length)];
        BinaryPrimitives.WriteInt32LittleEndian(map, 4 * units.Length);
        for (int i = 0; i < units.Length; i++)
        {
            BinaryPrimitives.WriteUInt32LittleEndian(map.AsSpan(4 + (4 * i)), units[i]);
        }

        return [.. map, .. "ONE\0TWO\0"u8];
    }
}
