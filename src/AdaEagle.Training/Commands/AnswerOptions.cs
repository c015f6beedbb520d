using System.CommandLine;
using AdaEagle.Training.Answers;

namespace AdaEagle.Training.Commands;

/// <summary>Options of the commands that let a target answer prompts.</summary>
internal static class AnswerOptions
{
    public static Option<DirectoryInfo> Target() => new("--target") { Description = "Folder of the finished target: config.json, model.safetensors, tokenizer.json.", HelpName = "DIR", Required = true };

    public static Option<FileInfo[]> Validation() => new("--validation")
    {
        Description = "Documents that give the prompts of the validation answers (greedy).",
        HelpName = "FILE",
        AllowMultipleArgumentsPerToken = true,
    };

    public static Option<int> Count(int usual) => CommonOptions.Whole("--answers", "The most answers to generate.", usual, 1, 10_000_000);

    public static Option<double?> Minutes() => new("--answer-minutes") { Description = "The most minutes to generate answers; what there is then is used.", HelpName = "N" };

    public static Option<int> MaxTokens() => CommonOptions.Whole("--max-tokens", "The most tokens of an answer.", 128, 16, 1 << 16);

    public static Option<double> Sampled(double usual) => Share("--sampled", "Share of the answers that is sampled at --temperature; the others are greedy.", usual);

    public static Option<double> Temperature() => new("--temperature") { Description = "Temperature of sampled answers.", HelpName = "X", DefaultValueFactory = _ => 0.7 };

    public static Option<int> Threads() => CommonOptions.Whole("--threads", "Threads.", Environment.ProcessorCount, 1, 1024);

    public static Option<double> Share(string name, string description, double usual)
    {
        var option = new Option<double>(name) { Description = description, HelpName = "SHARE", DefaultValueFactory = _ => usual };
        option.Validators.Add(result =>
        {
            if (result.Tokens.Count > 0 && result.GetValueOrDefault<double>() is not (>= 0 and <= 1))
            {
                result.AddError($"{name} is a number from 0 to 1.");
            }
        });
        return option;
    }

    public static AnswerSettings Settings(AnsweringTarget target, PromptChoice prompts, int maxTokens, int seed) => new()
    {
        Target = target.Fingerprint,
        Vocabulary = target.Tokenizer.Fingerprint,
        Prompts = prompts,
        HiddenSize = target.Model.Config.HiddenSize,
        MaxTokens = maxTokens,
        Seed = seed,
    };

    public static Option<string?> Boundaries(string description) => new("--boundaries") { Description = description, HelpName = "B,B,…" };

    /// <summary>The boundaries that were asked for, or the reference's, checked against the target.</summary>
    public static int[] Boundaries(string? given, AnsweringTarget target)
    {
        int layers = target.Model.Config.LayerCount;
        int[] boundaries = given is null
            ? Formats.Eagle3Config.DefaultBoundaries(layers)
            : [.. given.Split(',').Select(part => int.TryParse(part, System.Globalization.CultureInfo.InvariantCulture, out int boundary) ? boundary : -1)];
        return Array.TrueForAll(boundaries, boundary => boundary >= 0 && boundary <= layers)
            ? boundaries
            : throw new CommandException($"The target has boundaries 0 to {layers}, not {given ?? string.Join(", ", boundaries)}. Give some with --boundaries, for example --boundaries 0,1,{layers}.");
    }

    public static string[] Paths(FileInfo[]? files) => [.. (files ?? []).Select(file => file.FullName)];

    /// <summary>A token that is cancelled by SIGTERM and SIGINT, for runs that save as they go.</summary>
    public static StopSignal Stopping() => new();
}

/// <summary>Turns SIGTERM and SIGINT into a cancellation until it is disposed.</summary>
internal sealed class StopSignal : IDisposable
{
    private readonly CancellationTokenSource _source = new();
    private readonly List<System.Runtime.InteropServices.PosixSignalRegistration> _registrations = [];

    public StopSignal()
    {
        foreach (var signal in (System.Runtime.InteropServices.PosixSignal[])[System.Runtime.InteropServices.PosixSignal.SIGTERM, System.Runtime.InteropServices.PosixSignal.SIGINT])
        {
            _registrations.Add(System.Runtime.InteropServices.PosixSignalRegistration.Create(signal, context =>
            {
                context.Cancel = true;
                _source.Cancel();
            }));
        }
    }

    public CancellationToken Token => _source.Token;

    public void Dispose()
    {
        _registrations.ForEach(registration => registration.Dispose());
        _source.Dispose();
    }
}
