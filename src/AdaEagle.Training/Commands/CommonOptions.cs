using System.CommandLine;

namespace AdaEagle.Training.Commands;

/// <summary>Options that several commands have.</summary>
internal static class CommonOptions
{
    public static Option<FileInfo[]> Corpus() => new("--corpus")
    {
        Description = "Training documents: .jsonl, .jsonl.gz or text files.",
        HelpName = "FILE",
        Required = true,
        AllowMultipleArgumentsPerToken = true,
        Arity = ArgumentArity.OneOrMore,
    };

    public static Option<DirectoryInfo> Out(string description) => new("--out") { Description = description, HelpName = "DIR", Required = true };

    public static Option<bool> AllDocuments() => new("--all-documents")
    {
        Description = "Train on the held-out documents too (about an eighth of the subjects, kept for the draft-length predictor).",
    };

    public static Option<int> Seed() => new("--seed") { Description = "Seed of everything random in the run.", HelpName = "N", DefaultValueFactory = _ => 1 };

    public static Option<bool> Json() => new("--json") { Description = "Write the result as JSON." };
}
