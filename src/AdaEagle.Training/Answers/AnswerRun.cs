using System.Diagnostics;
using System.Globalization;
using AdaEagle.Training.Data;

namespace AdaEagle.Training.Answers;

/// <summary>Fills an <see cref="AnswerStore"/> with a target's answers to the prompts of a corpus.</summary>
internal static class AnswerRun
{
    /// <summary>
    /// Opens or goes on with the answers in <paramref name="folder"/> until there are <paramref name="count"/>, the prompts are used up or the time is.
    /// </summary>
    /// <param name="target">Who answers.</param>
    /// <param name="corpus">Paths of the documents.</param>
    /// <param name="settings">Everything else that the answers depend on; <c>Target</c>, <c>Vocabulary</c> and <c>HiddenSize</c> are the target's.</param>
    /// <param name="folder">Where they are kept.</param>
    /// <param name="count">The most answers.</param>
    /// <param name="threads">Threads.</param>
    /// <param name="limit">The most time; null for as long as it takes.</param>
    /// <param name="stopping">Ends the run; what is there stays.</param>
    public static AnswerStore Make(
        AnsweringTarget target, IEnumerable<string> corpus, AnswerSettings settings, string folder, int count, int threads, TimeSpan? limit = null, CancellationToken stopping = default)
    {
        AnswerStore store = AnswerStore.Open(folder, settings);
        if (store.Count >= count)
        {
            return store;
        }

        List<AnswerJob> jobs = AnswerPrompts.Jobs(
            Corpus.Read(corpus), settings.Prompts, target.Tokenizer, target.Template, target.Model.Config.BosToken, settings.Seed, settings.SampledShare);
        HashSet<int> done = [.. store.Answers.Select(answer => answer.Job)];
        AnswerJob[] wanted = [.. jobs.Take(count).Where(job => !done.Contains(job.Job))];
        if (wanted.Length == 0)
        {
            return store;
        }

        var watch = Stopwatch.StartNew();
        long tokens = 0;
        using (var progress = new TrainingProgress($"answers ({settings.Prompts})", store.Count + wanted.Length))
        {
            new AnswerGenerator(target.Model, settings, target.EndTokens).Run(wanted, threads, (answer, features) =>
            {
                store.Add(answer, features.Span);
                tokens += answer.Length;
                progress.Report(store.Count, double.NaN, answer.Length);
                return !stopping.IsCancellationRequested && (limit is null || watch.Elapsed < limit);
            });
            store.Flush();
            progress.Log(string.Create(CultureInfo.InvariantCulture, $"{store.Count} answers ({settings.Prompts}) of {jobs.Count} prompts, {tokens / watch.Elapsed.TotalSeconds:N0} tokens/s; {Describe(store)}"));
        }

        stopping.ThrowIfCancellationRequested();
        return store;
    }

    private static string Describe(AnswerStore store)
    {
        double all = Math.Max(1, store.Count);
        return string.Create(CultureInfo.InvariantCulture,
            $"{store.Answers.Average(answer => answer.Length):0} tokens an answer, {store.Answers.Count(answer => answer.IsCut) / all:P0} cut, {store.Answers.Count(answer => answer.IsLooping) / all:P0} loop");
    }
}
