using System.Text.Json;
using System.Text.Json.Nodes;
using AdaEagle.Tokenization;

namespace AdaEagle.Tests.Tokenization;

/// <summary>A folder with <c>tokenizer.json</c> and what Hugging Face's library makes of some texts (<c>expected.json</c>).</summary>
internal sealed class TokenizerFixture(string folder)
{
    /// <summary>A tokenizer of our own making, with the library's answers, that comes with the tests.</summary>
    public static TokenizerFixture Tiny { get; } =
        new(Path.Combine(Fixtures.RepositoryRoot, "tests", "AdaEagle.Tests", "Tokenization", "Cases", "tiny"));

    public string Folder { get; } = folder;

    public JsonNode Json => JsonNode.Parse(File.ReadAllText(Path.Combine(Folder, "tokenizer.json")))!;

    /// <summary>True if it is of a kind that must load, judged by the file alone: BPE over bytes or characters.</summary>
    public bool IsSupported => (string?)Json["model"]?["type"] == "BPE";

    /// <summary>True if it is BPE over bytes.</summary>
    public bool IsByteLevel => IsSupported && Json["pre_tokenizer"]?.ToJsonString().Contains("\"ByteLevel\"", StringComparison.Ordinal) == true;

    /// <summary>Whether text comes back as it was: nothing normalises it or puts a space in front, and no white space is taken or dropped.</summary>
    public bool KeepsText => Json is var json && json["normalizer"] is null
        && !json["pre_tokenizer"]!.ToJsonString().Contains("\"add_prefix_space\":true", StringComparison.Ordinal)
        && !json["pre_tokenizer"]!.ToJsonString().Contains("\"Removed\"", StringComparison.Ordinal)
        && !json["added_tokens"]!.AsArray().Any(token => (bool)token!["lstrip"]! || (bool)token["rstrip"]!);

    public static IEnumerable<TokenizerFixture> All(string root) =>
        Directory.GetDirectories(root).Order(StringComparer.Ordinal)
            .Where(folder => File.Exists(Path.Combine(folder, "tokenizer.json")) && File.Exists(Path.Combine(folder, "expected.json")))
            .Select(folder => new TokenizerFixture(folder));

    /// <summary>All byte-level ones: the one that comes with the tests, and the shared ones where they are there.</summary>
    public static IEnumerable<TokenizerFixture> AllByteLevel()
    {
        string? root = Fixtures.Root is null ? null : Path.Combine(Fixtures.Root, "tokenizers");
        return (Directory.Exists(root) ? All(root) : []).Where(fixture => fixture.IsByteLevel).Prepend(Tiny);
    }

    public HuggingFaceTokenizer Load() => HuggingFaceTokenizer.Load(Folder);

    /// <summary>Checks every case; returns how many there were.</summary>
    public int Check()
    {
        HuggingFaceTokenizer tokenizer = Load();
        using JsonDocument expected = JsonDocument.Parse(File.ReadAllText(Path.Combine(Folder, "expected.json")));
        int count = 0;
        foreach (JsonElement item in expected.RootElement.GetProperty("cases").EnumerateArray())
        {
            string text = item.GetProperty("text").GetString()!;
            int[] ids = Ids(item, "ids");
            int[] withSpecial = Ids(item, "ids_with_special");
            string where = $"{Folder}, case {count}";
            Assert.True(ids.SequenceEqual(tokenizer.Encode(text)), where);
            Assert.True(withSpecial.SequenceEqual(tokenizer.Encode(text, addSpecialTokens: true)), where);
            Assert.True(item.GetProperty("decoded").GetString() == tokenizer.Decode(ids), where);
            Assert.True(item.GetProperty("decoded_skip_special").GetString() == tokenizer.Decode(withSpecial, skipSpecialTokens: true), where);
            count++;
        }

        return count;
    }

    public override string ToString() => Path.GetFileName(Folder);

    private static int[] Ids(JsonElement item, string name) => [.. item.GetProperty(name).EnumerateArray().Select(id => id.GetInt32())];
}
