using AdaEagle.Formats;
using AdaEagle.Generation;
using AdaEagle.Sampling;

namespace AdaEagle.Tests.Generation;

/// <summary>
/// Trained checkpoints, the repository's own and that of other code at <c>../shared/models</c>, as far as they are present: they load, answer, and take
/// fewer passes with the same output.
/// </summary>
public class TrainedModelTests(ITestOutputHelper output)
{
    private static readonly string[] s_prompts =
    [
        "How do I list all files in a directory, hidden ones too?",
        "What does System.String.Substring do?",
        "What is 12 + 30?",
    ];

    [Fact]
    public void Trained_models_answer_and_speculation_changes_nothing()
    {
        string[] places = [Path.Combine(Fixtures.RepositoryRoot, "models"), Path.GetFullPath(Path.Combine(Fixtures.RepositoryRoot, "..", "shared", "models"))];
        string[] folders = [.. places.Where(Directory.Exists).SelectMany(Directory.GetDirectories).Where(folder => File.Exists(Path.Combine(folder, "tokenizer.json")))];
        if (folders.Length == 0)
        {
            Assert.Skip("No trained models at models/ or ../shared/models.");
        }

        foreach (string folder in folders)
        {
            if (ModelConfig.Load(folder).ModelType != "llama")
            {
                output.WriteLine($"skipped: {Path.GetFileName(folder)} is of another architecture");
                continue;
            }

            Check(folder);
        }
    }

    private void Check(string folder)
    {
        using LanguageModel model = LanguageModel.Load(folder, new LoadOptions { Threads = 1 });
        (int emitted, int passes) = (0, 0);
        foreach (string prompt in s_prompts)
        {
            foreach (SamplingOptions sampling in (SamplingOptions[])[SamplingOptions.Greedy, new SamplingOptions { Temperature = 0.8f, Seed = 7 }])
            {
                var options = new GenerationOptions { Policy = "ar", MaxTokens = 40, Sampling = sampling };
                GenerationResult plain = model.Generate(prompt, options, TestContext.Current.CancellationToken);
                output.WriteLine($"{prompt} -> {plain.Text}");
                // Sense, as far as a test can see it: text of letters; greedily without broken characters, but for one that the limit cut.
                Assert.Contains(plain.Text, char.IsLetterOrDigit);
                Assert.True(sampling.Temperature > 0 || !plain.Text.TrimEnd('\uFFFD').Contains('\uFFFD', StringComparison.Ordinal));
                if (model.Head is null)
                {
                    continue;
                }

                string[] policies = ["fixed:4", "threshold:-0.6", .. model.Predictor is null ? (string[])[] : ["ldlp", "ldlp+threshold:-0.6"]];
                foreach (string policy in policies)
                {
                    GenerationResult result = model.Generate(prompt, options with { Policy = policy }, TestContext.Current.CancellationToken);
                    Assert.Equal(plain.Tokens, result.Tokens);
                    Assert.Equal((plain.Text, plain.FinishReason), (result.Text, result.FinishReason));
                    emitted += sampling.Temperature == 0 ? result.Statistics.EmittedTokens : 0;
                    passes += sampling.Temperature == 0 ? result.Statistics.Passes : 0;
                }
            }
        }

        if (model.Head is not null)
        {
            output.WriteLine($"{Path.GetFileName(folder)}: acceptance length {(double)emitted / passes:0.00}");
            Assert.True(emitted > 1.3 * passes, $"{emitted} tokens in {passes} passes");
        }
    }
}
