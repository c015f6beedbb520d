using System.Globalization;
using AdaEagle.Models;
using AdaEagle.Training.Answers;
using AdaEagle.Training.Commands;
using AdaEagle.Training.Eagle;

namespace AdaEagle.Training.Ldlp;

/// <summary>Which answers are made, and how the head's drafts at their roots are recorded.</summary>
internal sealed record RecordingSettings
{
    public required string Folder { get; init; }

    public required string[] Corpus { get; init; }

    public required string[] Validation { get; init; }

    public required int Answers { get; init; }

    public required int ValidationAnswers { get; init; }

    public TimeSpan? AnswerLimit { get; init; }

    public required int MaxTokens { get; init; }

    public required int MaxDraft { get; init; }

    public required double SampledShare { get; init; }

    public required float Temperature { get; init; }

    public required float[] StepTemperatures { get; init; }

    public required int Threads { get; init; }

    public required int Seed { get; init; }
}

/// <summary>
/// Answers and recorded drafts, which survival predictors and stop heads learn from. A run that was stopped goes on in its folder, and what is there already is not made again, whoever it was
/// made for.
/// </summary>
internal sealed class StepRecording(AnsweringTarget target, EagleHead head, string headFingerprint, RecordingSettings settings)
{
    /// <summary>Steps of answers to held-out prompts.</summary>
    public StepTable Training() => Steps("held-out", settings.Corpus, PromptChoice.HeldOut, settings.Answers);

    /// <summary>Steps of answers to validation prompts, drafts recorded whole; null where there are no such prompts.</summary>
    public StepTable? Validation() => settings.Validation.Length > 0 ? Steps("validation", settings.Validation, PromptChoice.All, settings.ValidationAnswers) : null;

    private StepTable Steps(string name, string[] files, PromptChoice choice, int count)
    {
        AnswerSettings answering = AnswerOptions.Settings(target, choice, settings.MaxTokens, choice == PromptChoice.HeldOut ? settings.Seed : 1) with
        {
            SampledShare = choice == PromptChoice.HeldOut ? settings.SampledShare : 0,
            Temperature = settings.Temperature,
        };
        using StopSignal signal = AnswerOptions.Stopping();
        using AnswerStore store = AnswerRun.Make(
            target, files, answering, Path.Combine(settings.Folder, name), count, settings.Threads, choice == PromptChoice.HeldOut ? settings.AnswerLimit : null, signal.Token);
        Answer[] answers = [.. store.Answers.OrderBy(answer => answer.Job).Take(count).Where(answer => RunLengths.RootCount(answer, settings.MaxDraft) > 0)];
        bool isWhole = choice == PromptChoice.All; // policies are replayed over whole drafts
        string file = Path.Combine(settings.Folder, $"{name}-steps.safetensors");
        string key = string.Create(CultureInfo.InvariantCulture,
            $"{target.Fingerprint} {headFingerprint} {settings.MaxDraft} {settings.MaxTokens} {answering.Seed} {answering.SampledShare} {answering.Temperature} {string.Join(',', settings.StepTemperatures)} {answers.Length} {isWhole}");
        if (StepFile.TryRead(file, answering.HiddenSize, key) is { } there)
        {
            return there;
        }

        var recorded = new List<AnswerSteps>();
        using (var progress = new TrainingProgress($"drafts ({name})", answers.Length))
        {
            new RunLengths(target.Model, head, settings.MaxDraft, isWhole, settings.StepTemperatures).Record(answers, settings.Threads, runs =>
            {
                signal.Token.ThrowIfCancellationRequested();
                recorded.Add(runs.Steps!);
                progress.Report(recorded.Count, double.NaN, runs.Roots.Count);
            });
        }

        var table = new StepTable(answering.HiddenSize, settings.MaxDraft, [.. recorded.OrderBy(answer => answer.Job)]);
        StepFile.Write(file, table, key);
        return table;
    }
}
