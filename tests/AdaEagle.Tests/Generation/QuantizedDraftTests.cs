using AdaEagle.Generation;
using AdaEagle.Kernels;

namespace AdaEagle.Tests.Generation;

/// <summary>The repository's own model with a draft head in a narrower format than the target.</summary>
public sealed class QuantizedDraftTests
{
    [Theory]
    [InlineData(WeightFormat.Q8_0, 0.60, 0.05)]
    [InlineData(WeightFormat.Q4_0, 0.35, 0.15)]
    public void Drafts_cost_less_and_the_output_stays(WeightFormat format, double bytes, double lost)
    {
        string folder = Path.Combine(Fixtures.RepositoryRoot, "models", "default");
        using LanguageModel whole = LanguageModel.Load(folder);
        using LanguageModel quantized = LanguageModel.Load(folder, new LoadOptions { QuantizeDraft = format });
        Assert.Equal(whole.Target.PassBytes, quantized.Target.PassBytes);
        Assert.True(quantized.Head!.StepBytes < bytes * whole.Head!.StepBytes);
        double tau = 0, tauQuantized = 0;
        foreach (string prompt in (string[])["What does String.Trim do?", "List all files larger than 10 MB.", "Tom has 3 boxes of 12 pencils. How many pencils does he have?"])
        {
            var options = new GenerationOptions { MaxTokens = 48, Policy = "fixed:3" };
            GenerationResult plain = whole.Generate(prompt, options with { Policy = "ar" }, TestContext.Current.CancellationToken);
            GenerationResult first = whole.Generate(prompt, options, TestContext.Current.CancellationToken), second = quantized.Generate(prompt, options, TestContext.Current.CancellationToken);
            Assert.Equal(plain.Tokens, first.Tokens);
            Assert.Equal(plain.Tokens, second.Tokens);
            tau += first.Statistics.AcceptanceLength;
            tauQuantized += second.Statistics.AcceptanceLength;
        }

        Assert.True(tauQuantized > (1 - lost) * tau, $"{tauQuantized} against {tau}");
    }
}
