using System.Text.Json.Nodes;
using AdaEagle.Tokenization;

namespace AdaEagle.Tests.Tokenization;

public class FingerprintTests
{
    [Fact]
    public void It_never_changes() =>
        Assert.Equal("951f60959e2ea434e8398ad67ed27edb0251ccd3bfd299efe3c630d36078d415", TokenizerFixture.Tiny.Load().Fingerprint);

    [Fact]
    public void It_is_of_ids_texts_flags_and_merges_and_of_nothing_else()
    {
        string original = TokenizerFixture.Tiny.Load().Fingerprint;
        Assert.Matches("^[0-9a-f]{64}$", original);
        Assert.Equal(original, TinyJson.Load(json => json["post_processor"] = null).Fingerprint);
        Assert.Equal(original, TinyJson.Load(json => json["normalizer"] = null).Fingerprint);

        string[] others =
        [
            TinyJson.Load(json => json["added_tokens"]![0]!["special"] = false).Fingerprint,
            TinyJson.Load(json => json["added_tokens"]![3]!["id"] = 300).Fingerprint,
            TinyJson.Load(json => json["added_tokens"]![2]!["content"] = "<toot>").Fingerprint,
            TinyJson.Load(json => Swap(json["model"]!["merges"]!.AsArray())).Fingerprint,
            TinyJson.Load(json => json["model"]!["merges"]!.AsArray().RemoveAt(0)).Fingerprint,
            TinyJson.Load(json => json["model"]!["vocab"]!["more"] = 301).Fingerprint,
        ];
        Assert.Equal(others.Length + 1, others.Append(original).Distinct().Count());
    }

    private static void Swap(JsonArray merges)
    {
        JsonNode first = merges[0]!;
        merges.RemoveAt(0);
        merges.Insert(1, first);
    }
}
