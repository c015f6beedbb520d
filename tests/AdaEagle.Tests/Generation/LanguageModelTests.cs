using AdaEagle.Formats;
using AdaEagle.Generation;
using AdaEagle.Kernels;
using AdaEagle.Models;
using AdaEagle.Tests.Formats;
using AdaEagle.Tests.Models;
using AdaEagle.Tests.Speculation;
using AdaEagle.Tokenization;

namespace AdaEagle.Tests.Generation;

/// <summary>What a model folder is made of, what overrides its parts, and how prompts become tokens.</summary>
public class LanguageModelTests
{
    private static readonly GenerationOptions s_options = new() { MaxTokens = 20, StopAtEndToken = false };

    [Fact]
    public void Head_and_predictor_of_other_folders_override_the_models_own()
    {
        using var tiny = new TinyLanguage(1);
        using var other = new TinyLanguage(2);
        using var bare = new TinyLanguage(1, head: false, predictor: false);
        var options = new LoadOptions { DraftFolder = Path.Combine(other.Folder, "eagle"), PredictorFolder = Path.Combine(other.Folder, "ldlp"), Threads = 1 };
        using LanguageModel model = LanguageModel.Load(bare.Folder, options);
        Assert.NotNull(model.Head);
        Assert.NotNull(model.Predictor);
        int[] prompt = tiny.Prompt(new Random(1), 9);
        GenerationResult expected = bare.Generate(prompt, s_options);
        GenerationResult result = model.Generate(prompt, s_options with { Policy = "ldlp" }, cancellation: TestContext.Current.CancellationToken);
        Assert.Equal(expected.Tokens, result.Tokens);
        Assert.True(result.Statistics.Drafted > 0);
    }

    [Fact]
    public void Threads_instruction_sets_and_kept_formats_give_the_same_tokens_and_text()
    {
        using var tiny = new TinyLanguage(3);
        int[] prompt = tiny.Prompt(new Random(1), 9);
        GenerationOptions options = s_options with { Policy = "threshold:-1", Sampling = new() { Temperature = 1, Seed = 4 } };
        GenerationResult expected = tiny.Generate(prompt, options);
        foreach (KernelPath path in KernelPaths.Available)
        {
            foreach (WeightChoice weights in Enum.GetValues<WeightChoice>())
            {
                using LanguageModel model = LanguageModel.Load(tiny.Folder, new LoadOptions { Threads = 1, Path = path, Weights = weights });
                GenerationResult result = model.Generate(prompt, options, cancellation: TestContext.Current.CancellationToken);
                Assert.Equal(expected.Tokens, result.Tokens);
                Assert.Equal((expected.Text, expected.Statistics.Accepted), (result.Text, result.Statistics.Accepted));
                Assert.Equal(weights == WeightChoice.F32 ? WeightFormat.F32 : WeightFormat.BF16, model.Target.Format);
            }
        }
    }

    [Fact]
    public void Folders_that_are_not_there_are_named()
    {
        using var tiny = new TinyLanguage(1);
        string absent = Path.Combine(tiny.Folder, "absent");
        Assert.Equal(absent, Assert.Throws<ModelFormatException>(() => LanguageModel.Load(absent)).File);
        Assert.Equal(absent, Assert.Throws<ModelFormatException>(() => LanguageModel.Load(tiny.Folder, new LoadOptions { DraftFolder = absent })).File);
        Assert.Equal(absent, Assert.Throws<ModelFormatException>(() => LanguageModel.Load(tiny.Folder, new LoadOptions { PredictorFolder = absent })).File);
        using var empty = new TemporaryFolder();
        Assert.Equal(empty.Path, Assert.Throws<ModelFormatException>(() => LanguageModel.Load(empty.Path)).File);
    }

    [Fact]
    public void A_tokenizer_with_more_tokens_than_the_model_is_refused()
    {
        using var tiny = new TinyLanguage(1);
        using var folder = new TemporaryFolder();
        TinyModels.WriteInto(folder.Path, TinyModels.Config with { VocabularySize = 16 }, 1);
        File.Copy(Path.Combine(tiny.Folder, "tokenizer.json"), folder.File("tokenizer.json"));
        ModelFormatException failure = Assert.Throws<ModelFormatException>(() => LanguageModel.Load(folder.Path));
        Assert.Equal(folder.File("tokenizer.json"), failure.File);
        Assert.Contains("do not belong together", failure.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void A_predictor_of_another_width_is_refused()
    {
        using var tiny = new TinyLanguage(1);
        using var folder = new TemporaryFolder();
        TinyPredictors.Write(folder.Path, 31, 1);
        ModelFormatException failure = Assert.Throws<ModelFormatException>(() => LanguageModel.Load(tiny.Folder, new LoadOptions { PredictorFolder = folder.Path }));
        Assert.Equal((folder.File("config.json"), "hidden_size"), (failure.File, failure.Item));
    }

    [Fact]
    public void Raw_prompts_begin_with_the_begin_token_and_chat_prompts_follow_the_template()
    {
        using var tiny = new TinyLanguage(1);
        ITokenizer tokenizer = tiny.Model.Tokenizer;
        var raw = new GenerationOptions { Raw = true };
        Assert.Equal(tokenizer.Encode("ab cd"), tiny.Model.Encode("ab cd", raw));
        Assert.Equal(tokenizer.Encode("ab cd"), tiny.Model.Encode("ab cd", new GenerationOptions()));
        Assert.Throws<ArgumentException>(() => tiny.Model.Encode("", raw));

        string config = Path.Combine(tiny.Folder, "config.json");
        File.WriteAllText(config, (tiny.Model.Target.Config with { BosToken = tiny.Mark }).ToJson());
        File.WriteAllText(
            Path.Combine(tiny.Folder, "tokenizer_config.json"),
            """{"chat_template": "{% for m in messages %}<|mark|>{{ m.content }}<|end|>{% endfor %}{% if add_generation_prompt %}<|mark|>{% endif %}"}""");
        using LanguageModel model = LanguageModel.Load(tiny.Folder, new LoadOptions { Threads = 1 });
        int[] text = tokenizer.Encode("ab cd");
        Assert.Equal([tiny.Mark, .. text], model.Encode("ab cd", raw));
        Assert.Equal([tiny.Mark, .. text], model.Encode("<|mark|>ab cd", raw));
        Assert.Equal([tiny.Mark], model.Encode("", raw));
        Assert.Equal([tiny.Mark, .. text, tiny.EndToken, tiny.Mark], model.Encode("ab cd", new GenerationOptions()));
        Assert.Equal(
            [tiny.Mark, .. tokenizer.Encode("a"), tiny.EndToken, tiny.Mark, .. tokenizer.Encode("b"), tiny.EndToken, tiny.Mark],
            model.EncodeChat([new ChatMessage("user", "a"), new ChatMessage("assistant", "b")]));
        GenerationResult result = model.Generate("ab cd", s_options, TestContext.Current.CancellationToken);
        Assert.Equal((text.Length + 3, 20), (result.Statistics.PromptTokens, result.Tokens.Count));
    }
}
