using AdaEagle.Training.Data;

namespace AdaEagle.Training.Tests.Data;

/// <summary>The split on the default model's own corpus, where it lies beside the repository (<c>../shared/corpus</c>, or <c>ADAEAGLE_CORPUS</c>).</summary>
public class RealCorpusTests
{
    [Fact]
    public void A_tenth_or_more_of_every_category_is_held_out_and_every_prompt_s_subject_is_found()
    {
        string path = TrainingFile();
        CorpusDocument[] documents = [.. Corpus.Read(path)];

        foreach (var category in documents.GroupBy(document => document.Category))
        {
            double share = category.Count(Corpus.IsHeldOut) / (double)category.Count();
            Assert.True(share is >= 0.10 and <= 0.15, $"{category.Key}: {share:P1} held out");
        }

        // A prompt that is its own subject was not understood; only word problems are meant to be.
        Assert.DoesNotContain(documents, document =>
            document is { Category: not "math", Messages: [var first, ..] } && string.Equals(Corpus.Subject(document), first.Content.Trim(), StringComparison.OrdinalIgnoreCase));
    }

    private static string TrainingFile()
    {
        string? folder = Environment.GetEnvironmentVariable("ADAEAGLE_CORPUS");
        for (DirectoryInfo? up = new(AppContext.BaseDirectory); folder is null && up is not null; up = up.Parent)
        {
            folder = File.Exists(Path.Combine(up.FullName, "AdaEagle.slnx")) ? Path.Combine(up.FullName, "..", "shared", "corpus") : null;
        }

        string path = Path.Combine(folder ?? "", "train.jsonl.gz");
        Assert.SkipUnless(File.Exists(path), "No corpus: put it at ../shared/corpus or name its folder in ADAEAGLE_CORPUS.");
        return path;
    }
}
