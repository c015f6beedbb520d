using System.Text;
using System.Text.Encodings.Web;
using System.Text.Json;
using AdaEagle.Formats;

namespace AdaEagle.Tokenization;

/// <summary>
/// Writes <c>tokenizer.json</c> files of byte-level BPE tokenizers, such as Hugging Face's library loads too: no normaliser, one regex
/// split, then bytes. Tokens have the ids 0, 1, … in the order given; special tokens that are not among them follow.
/// </summary>
internal static class TokenizerJson
{
    /// <summary>Writes the file, in one step.</summary>
    /// <param name="path">The file.</param>
    /// <param name="vocabulary">Tokens by id, spelt in the byte-level alphabet (see <see cref="ByteAlphabet"/>); special ones as they are written.</param>
    /// <param name="merges">Merges by rank, each the two tokens that become one.</param>
    /// <param name="splitRegex">How text is cut before merging (Oniguruma syntax); every match is a piece.</param>
    /// <param name="specialTokens">Texts of the special tokens.</param>
    public static void Write(
        string path,
        IReadOnlyList<string> vocabulary,
        IReadOnlyList<(string Left, string Right)> merges,
        string splitRegex,
        IReadOnlyList<string> specialTokens) =>
        AtomicFile.Write(path, stream => Write(stream, vocabulary, merges, splitRegex, specialTokens));

    /// <summary>The text of the file that <see cref="Write(string, IReadOnlyList{string}, IReadOnlyList{ValueTuple{string, string}}, string, IReadOnlyList{string})"/> writes.</summary>
    public static string ToText(
        IReadOnlyList<string> vocabulary,
        IReadOnlyList<(string Left, string Right)> merges,
        string splitRegex,
        IReadOnlyList<string> specialTokens)
    {
        using var stream = new MemoryStream();
        Write(stream, vocabulary, merges, splitRegex, specialTokens);
        return Encoding.UTF8.GetString(stream.GetBuffer(), 0, (int)stream.Length);
    }

    private static void Write(
        Stream stream,
        IReadOnlyList<string> vocabulary,
        IReadOnlyList<(string Left, string Right)> merges,
        string splitRegex,
        IReadOnlyList<string> specialTokens)
    {
        using var json = new Utf8JsonWriter(stream, new JsonWriterOptions { Indented = true, Encoder = JavaScriptEncoder.UnsafeRelaxedJsonEscaping });
        json.WriteStartObject();
        json.WriteString("version", "1.0");
        json.WriteNull("truncation");
        json.WriteNull("padding");
        WriteAddedTokens(json, vocabulary, specialTokens);
        json.WriteNull("normalizer");
        WritePreTokenizer(json, splitRegex);
        json.WriteNull("post_processor");
        json.WriteStartObject("decoder");
        WriteByteLevel(json);
        WriteModel(json, vocabulary, merges);
        json.WriteEndObject();
    }

    private static void WriteAddedTokens(Utf8JsonWriter json, IReadOnlyList<string> vocabulary, IReadOnlyList<string> specialTokens)
    {
        var ids = vocabulary.Select((token, id) => KeyValuePair.Create(token, id)).ToDictionary();
        int next = vocabulary.Count;
        json.WriteStartArray("added_tokens");
        foreach (string token in specialTokens)
        {
            json.WriteStartObject();
            json.WriteNumber("id", ids.TryGetValue(token, out int id) ? id : next++);
            json.WriteString("content", token);
            foreach (string flag in (ReadOnlySpan<string>)["single_word", "lstrip", "rstrip", "normalized"])
            {
                json.WriteBoolean(flag, false);
            }

            json.WriteBoolean("special", true);
            json.WriteEndObject();
        }

        json.WriteEndArray();
    }

    private static void WritePreTokenizer(Utf8JsonWriter json, string splitRegex)
    {
        json.WriteStartObject("pre_tokenizer");
        json.WriteString("type", "Sequence");
        json.WriteStartArray("pretokenizers");
        json.WriteStartObject();
        json.WriteString("type", "Split");
        json.WriteStartObject("pattern");
        json.WriteString("Regex", splitRegex);
        json.WriteEndObject();
        json.WriteString("behavior", "Isolated");
        json.WriteBoolean("invert", false);
        json.WriteEndObject();
        json.WriteStartObject();
        WriteByteLevel(json);
        json.WriteEndArray();
        json.WriteEndObject();
    }

    /// <summary>The rest of an object that was begun.</summary>
    private static void WriteByteLevel(Utf8JsonWriter json)
    {
        json.WriteString("type", "ByteLevel");
        json.WriteBoolean("add_prefix_space", false);
        json.WriteBoolean("trim_offsets", true);
        json.WriteBoolean("use_regex", false);
        json.WriteEndObject();
    }

    private static void WriteModel(Utf8JsonWriter json, IReadOnlyList<string> vocabulary, IReadOnlyList<(string Left, string Right)> merges)
    {
        json.WriteStartObject("model");
        json.WriteString("type", "BPE");
        foreach (string absent in (ReadOnlySpan<string>)["dropout", "unk_token", "continuing_subword_prefix", "end_of_word_suffix"])
        {
            json.WriteNull(absent);
        }

        foreach (string flag in (ReadOnlySpan<string>)["fuse_unk", "byte_fallback", "ignore_merges"])
        {
            json.WriteBoolean(flag, false);
        }

        json.WriteStartObject("vocab");
        for (int id = 0; id < vocabulary.Count; id++)
        {
            json.WriteNumber(vocabulary[id], id);
        }

        json.WriteEndObject();
        json.WriteStartArray("merges");
        foreach ((string left, string right) in merges)
        {
            json.WriteStartArray();
            json.WriteStringValue(left);
            json.WriteStringValue(right);
            json.WriteEndArray();
        }

        json.WriteEndArray();
        json.WriteEndObject();
    }
}
