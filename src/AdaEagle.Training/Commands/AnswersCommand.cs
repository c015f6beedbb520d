using System.CommandLine;
using AdaEagle.Training.Answers;

namespace AdaEagle.Training.Commands;

/// <summary><c>adaeagle-train answers</c>: a target's own answers to the prompts of a corpus, for <c>eagle</c> and <c>ldlp</c> to train on.</summary>
internal static class AnswersCommand
{
    private static readonly Option<DirectoryInfo> Target = AnswerOptions.Target();
    private static readonly Option<FileInfo[]> CorpusFiles = CommonOptions.Corpus();
    private static readonly Option<string> Prompts = new("--prompts") { Description = "Whose prompts: training (documents that are not held out), held-out, or all.", HelpName = "WHICH", DefaultValueFactory = _ => "training" };
    private static readonly Option<int> Count = AnswerOptions.Count(12_000);
    private static readonly Option<double?> Minutes = AnswerOptions.Minutes();
    private static readonly Option<int> MaxTokens = AnswerOptions.MaxTokens();
    private static readonly Option<double> Sampled = AnswerOptions.Sampled(0);
    private static readonly Option<double> Temperature = AnswerOptions.Temperature();
    private static readonly Option<bool> Features = new("--features") { Description = "Keep the target's features too, as a head's training needs them." };
    private static readonly Option<bool> KeepBoundaries = new("--for-eagle3") { Description = "Keep the residual streams at some boundaries behind the features, as an EAGLE-3 head's training needs them." };
    private static readonly Option<string?> Boundaries = AnswerOptions.Boundaries("With --for-eagle3: numbers of layers after which the stream is kept; by default 2, L/2 and L-3 of L.");
    private static readonly Option<int> Threads = AnswerOptions.Threads();
    private static readonly Option<int> Seed = CommonOptions.Seed();
    private static readonly Option<DirectoryInfo> Out = CommonOptions.Out("Folder of the answers; a run that was stopped goes on in it.");

    public static Command Create()
    {
        Prompts.AcceptOnlyFromAmong("training", "held-out", "all");
        var command = new CommandWithExamples(
            "answers",
            "Lets a target answer the prompts of a corpus, many at once, with the engine.",
            "adaeagle-train answers --target target/export --corpus train.jsonl.gz --answers 12000 --sampled 0.5 --features --out answers",
            "adaeagle-train answers --target target/export --corpus train.jsonl.gz --prompts held-out --answers 4000 --out held-out")
        {
            Target, CorpusFiles, Prompts, Count, Minutes, MaxTokens, Sampled, Temperature, Features, KeepBoundaries, Boundaries, Threads, Seed, Out,
        };
        command.SetAction(Run);
        return command;
    }

    private static int Run(ParseResult arguments)
    {
        using AnsweringTarget target = AnsweringTarget.Load(arguments.GetRequiredValue(Target).FullName);
        PromptChoice choice = arguments.GetValue(Prompts) switch { "held-out" => PromptChoice.HeldOut, "all" => PromptChoice.All, _ => PromptChoice.Training };
        AnswerSettings settings = AnswerOptions.Settings(target, choice, arguments.GetValue(MaxTokens), arguments.GetValue(Seed)) with
        {
            SampledShare = arguments.GetValue(Sampled),
            Temperature = (float)arguments.GetValue(Temperature),
            KeepFeatures = arguments.GetValue(Features) || arguments.GetValue(KeepBoundaries),
            Boundaries = arguments.GetValue(KeepBoundaries) ? string.Join(',', AnswerOptions.Boundaries(arguments.GetValue(Boundaries), target)) : "",
        };
        string folder = arguments.GetRequiredValue(Out).FullName;
        using StopSignal signal = AnswerOptions.Stopping();
        using AnswerStore store = AnswerRun.Make(
            target, AnswerOptions.Paths(arguments.GetValue(CorpusFiles)), settings, folder, arguments.GetValue(Count), arguments.GetValue(Threads),
            arguments.GetValue(Minutes) is { } minutes ? TimeSpan.FromMinutes(minutes) : null, signal.Token);
        arguments.InvocationConfiguration.Output.WriteLine(folder);
        return 0;
    }
}
