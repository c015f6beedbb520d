using AdaEagle.Formats;
using AdaEagle.Tokenization;

namespace AdaEagle.Tests.Tokenization;

public class FixtureTests
{
    public static TheoryData<string> Names()
    {
        string? root = Fixtures.Root is null ? null : Path.Combine(Fixtures.Root, "tokenizers");
        string[] names = Directory.Exists(root) ? [.. TokenizerFixture.All(root).Select(fixture => fixture.ToString())] : [];
        return names.Length == 0 ? ["none"] : [.. names];
    }

    [Fact]
    public void The_tiny_tokenizer_gives_the_librarys_ids_and_texts() => Assert.Equal(14, TokenizerFixture.Tiny.Check());

    [Theory]
    [MemberData(nameof(Names))]
    public void Fixtures_give_the_librarys_ids_and_texts(string name)
    {
        var fixture = new TokenizerFixture(Path.Combine(Fixtures.Folder("tokenizers"), name));
        Fixtures.RequireCases("tokenizers", name == "none" ? 0 : 1);
        if (!fixture.IsSupported)
        {
            ModelFormatException refusal = Assert.Throws<ModelFormatException>(fixture.Load);
            Assert.Contains("not supported", refusal.Message, StringComparison.Ordinal);
            Assert.Skip($"{name} is of a kind that is not supported: {refusal.Message}");
        }

        Fixtures.RequireCases("tokenizers", fixture.Check());
    }

    [Fact]
    public void The_fixtures_hold_a_byte_level_tokenizer() =>
        Fixtures.RequireCases("tokenizers", TokenizerFixture.All(Fixtures.Folder("tokenizers")).Count(fixture => fixture.IsByteLevel));

    [Fact]
    public void The_seed_models_tokenizer_keeps_text()
    {
        string folder = Path.Combine(Fixtures.RepositoryRoot, "..", "shared", "models", "seed");
        Assert.SkipUnless(File.Exists(Path.Combine(folder, "tokenizer.json")), "No seed model at ../shared/models/seed.");
        var fixture = new TokenizerFixture(folder);
        Assert.True(fixture.IsByteLevel);
        HuggingFaceTokenizer tokenizer = fixture.Load();
        Assert.Equal(ModelConfig.Load(folder).VocabularySize, tokenizer.VocabularySize);
        foreach (string text in new[] { "The eagle drafts four tokens.", "für 12345 Wörter\n\n  if (x) { y(); }", "中文 😀 \ud835\udcb3" })
        {
            int[] ids = tokenizer.Encode(text);
            Assert.Equal(text, tokenizer.Decode(ids));
            Assert.InRange(ids.Length, 3, text.Length * 3);
        }
    }
}
