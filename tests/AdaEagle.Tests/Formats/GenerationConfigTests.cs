using AdaEagle.Formats;

namespace AdaEagle.Tests.Formats;

public class GenerationConfigTests
{
    [Fact]
    public void Settings_are_read()
    {
        GenerationConfig config = GenerationConfig.Parse(
            """{"bos_token_id":1,"eos_token_id":[2,3],"do_sample":true,"temperature":0.6,"top_k":20,"top_p":0.95,"min_p":0.0,"other":{}}""", "generation_config.json");
        Assert.Equal([2, 3], config.EosTokens);
        Assert.Equal((1, true, 0.6f, 20, 0.95f, 0f), (config.BosToken, config.DoSample, config.Temperature, config.TopK, config.TopP, config.MinP));
    }

    [Fact]
    public void What_is_absent_is_null()
    {
        GenerationConfig config = GenerationConfig.Parse("""{"eos_token_id":2,"temperature":null}""", "generation_config.json");
        Assert.Equal([2], config.EosTokens);
        Assert.Null(config.Temperature);
        Assert.Null(config.BosToken);
        Assert.Null(config.DoSample);
    }

    [Theory]
    [InlineData("eos_token_id", "-1")]
    [InlineData("eos_token_id", "\"2\"")]
    [InlineData("eos_token_id", "[[2]]")]
    [InlineData("bos_token_id", "[1]")]
    [InlineData("temperature", "-0.1")]
    [InlineData("temperature", "1e999")]
    [InlineData("temperature", "\"hot\"")]
    [InlineData("top_k", "-1")]
    [InlineData("top_k", "1.5")]
    [InlineData("top_p", "1.1")]
    [InlineData("min_p", "-0.5")]
    [InlineData("do_sample", "1")]
    public void A_value_that_cannot_be_is_refused_and_named(string key, string value) =>
        Assert.Equal(key, Assert.Throws<ModelFormatException>(() => GenerationConfig.Parse($"{{\"{key}\":{value}}}", "generation_config.json")).Item);

    [Fact]
    public void A_folder_without_the_file_gives_null_and_a_broken_file_an_error()
    {
        using TemporaryFolder folder = new();
        Assert.Null(GenerationConfig.Load(folder.Path));
        string path = folder.Write("generation_config.json", "{");
        Assert.Equal(path, Assert.Throws<ModelFormatException>(() => GenerationConfig.Load(folder.Path)).File);
        folder.Write("generation_config.json", [0xFF, 0xFE]);
        Assert.Contains("UTF-8", Assert.Throws<ModelFormatException>(() => GenerationConfig.Load(folder.Path)).Message, StringComparison.Ordinal);
        folder.Write("generation_config.json", [0xEF, 0xBB, 0xBF, (byte)'{', (byte)'}']);
        Assert.NotNull(GenerationConfig.Load(folder.Path));
    }

    [Fact]
    public void A_file_of_absurd_length_is_refused_before_it_is_read()
    {
        using TemporaryFolder folder = new();
        using (FileStream stream = File.Create(folder.File("generation_config.json")))
        {
            stream.SetLength(1L << 33);
        }

        Assert.False(Mutation.Survives(() => GenerationConfig.Load(folder.Path), "8 GB"));
    }

    [Fact]
    public void The_fixtures_have_end_tokens_within_the_vocabulary()
    {
        int count = 0;
        foreach (string file in Directory.EnumerateFiles(Fixtures.Folder("hf"), "generation_config.json", SearchOption.AllDirectories))
        {
            string folder = Path.GetDirectoryName(file)!;
            GenerationConfig generation = GenerationConfig.Load(folder)!;
            int vocabulary = ModelConfig.Load(folder).VocabularySize;
            Assert.NotEmpty(generation.EosTokens);
            Assert.All(generation.EosTokens, t => Assert.InRange(t, 0, vocabulary - 1));
            count++;
        }

        Fixtures.RequireCases("hf", count);
    }
}
