using System.Text.Json;
using AdaEagle.Formats;
using AdaEagle.Tokenization;

namespace AdaEagle.Tests.Tokenization;

/// <summary>SentencePiece models against what the sentencepiece library gives for them.</summary>
public sealed class SentencePieceFixtureTests
{
    private const string Kind = "sentencepiece";

    [Fact]
    public void Models_give_the_librarys_ids_texts_and_normalised_texts()
    {
        int count = 0;
        foreach (string folder in Folders("spm.model"))
        {
            SentencePieceTokenizer tokenizer = SentencePieceTokenizer.LoadFile(Path.Combine(folder, "spm.model"));
            using JsonDocument expected = Read(folder);
            foreach (JsonElement item in expected.RootElement.GetProperty("cases").EnumerateArray())
            {
                string text = item.GetProperty("text").GetString()!;
                string where = $"{Path.GetFileName(folder)}, '{text}'";
                Assert.True(item.GetProperty("normalized").GetString() == tokenizer.Normalize(text), where);
                int[] ids = Ids(item, "ids");
                int[] given = tokenizer.EncodeOrdinary(text);
                Assert.True(ids.SequenceEqual(given), $"{where}: {string.Join(' ', ids)} / {string.Join(' ', given)}");
                Assert.True(item.GetProperty("decoded").GetString() == tokenizer.Decode(ids, skipSpecialTokens: true), where);
                count++;
            }

            foreach (JsonElement item in expected.RootElement.GetProperty("decode_cases").EnumerateArray())
            {
                int[] ids = Ids(item, "ids");
                Assert.Equal(item.GetProperty("decoded").GetString(), tokenizer.Decode(ids, skipSpecialTokens: true));
                var stream = new TextStream(tokenizer);
                Assert.Equal(item.GetProperty("decoded").GetString(), string.Concat(ids.Select(stream.Append)) + stream.Flush());
                count++;
            }
        }

        Fixtures.RequireCases(Kind, count);
    }

    [Fact]
    public void Models_are_read_as_the_library_reads_them()
    {
        int count = 0;
        foreach (string folder in Folders("spm.model"))
        {
            SentencePieceTokenizer tokenizer = SentencePieceTokenizer.LoadFile(Path.Combine(folder, "spm.model"));
            using JsonDocument expected = Read(folder);
            JsonElement pieces = expected.RootElement.GetProperty("model").GetProperty("pieces");
            Assert.Equal(pieces.GetArrayLength(), tokenizer.VocabularySize);
            int id = 0;
            foreach (JsonElement piece in pieces.EnumerateArray())
            {
                Assert.True(tokenizer.TryGetId(piece[0].GetString()!, out int found) && found == id);
                Assert.Equal(piece[2].GetString() == "control", tokenizer.IsSpecial(id));
                Assert.Equal(piece[2].GetString() == "byte", tokenizer.IsByteFallback(id));
                id++;
            }

            count++;
        }

        Fixtures.RequireCases(Kind, count);
    }

    [Fact]
    public void Folders_without_tokenizer_json_give_the_librarys_ids_with_special_tokens_around()
    {
        int count = 0;
        foreach (string folder in Folders("tokenizer.model"))
        {
            ITokenizer tokenizer = Tokenizers.Load(folder);
            using JsonDocument expected = Read(folder);
            foreach (JsonElement item in expected.RootElement.GetProperty("cases").EnumerateArray())
            {
                string text = item.GetProperty("text").GetString()!;
                int[] ids = Ids(item, "sentencepiece_ids");
                int[] transformers = Ids(item, "ids");
                int[] around = Ids(item, "ids_with_special");
                Assert.Equal(ids, tokenizer.EncodeOrdinary(text));
                if (tokenizer.EncodeOrdinary(text).SequenceEqual(tokenizer.Encode(text)))
                {
                    int[] begin = around[..(around.Length - transformers.Length)];
                    Assert.Equal(begin.Concat(ids), tokenizer.Encode(text, addSpecialTokens: true));
                }

                if (!transformers.Any(id => tokenizer.IsSpecial(id) || tokenizer.TokenBytes(id).SequenceEqual(" \u2047 "u8)))
                {
                    Assert.Equal(item.GetProperty("decoded").GetString(), tokenizer.Decode(transformers));
                    Assert.Equal(item.GetProperty("decoded_skip_special").GetString(), tokenizer.Decode(around, skipSpecialTokens: true));
                }

                count++;
            }

            Assert.Equal(tokenizer.Encode("a b", addSpecialTokens: true), tokenizer.Encode("", addSpecialTokens: true).Concat(tokenizer.Encode("a b")));
            Assert.True(tokenizer.TryGetId("<s>", out int control) && tokenizer.IsSpecial(control));
            Assert.Equal(tokenizer.EncodeOrdinary("a").Append(control).Concat(tokenizer.EncodeOrdinary(" b")), tokenizer.Encode("a<s> b"));
        }

        Fixtures.RequireCases(Kind, count);
    }

    [Fact]
    public void A_folder_without_any_tokenizer_is_told_what_was_looked_for()
    {
        using var folder = new AdaEagle.Tests.Formats.TemporaryFolder();
        string message = Assert.Throws<ModelFormatException>(() => Tokenizers.Load(folder.Path)).Message;
        Assert.Contains("tokenizer.json", message, StringComparison.Ordinal);
        Assert.Contains("tokenizer.model", message, StringComparison.Ordinal);
    }

    private static IEnumerable<string> Folders(string file) => Directory.GetDirectories(Fixtures.Folder(Kind)).Order(StringComparer.Ordinal)
        .Where(folder => File.Exists(Path.Combine(folder, file)) && File.Exists(Path.Combine(folder, "expected.json")));

    private static JsonDocument Read(string folder) => JsonDocument.Parse(File.ReadAllText(Path.Combine(folder, "expected.json")));

    private static int[] Ids(JsonElement item, string name) => [.. item.GetProperty(name).EnumerateArray().Select(id => id.GetInt32())];
}
