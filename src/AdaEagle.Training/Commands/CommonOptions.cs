using System.CommandLine;
using System.Globalization;

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

    /// <summary>A whole number between two others; anything else is an error of the command line.</summary>
    public static Option<int> Whole(string name, string description, int usual, int least, int most) => new(name)
    {
        Description = description,
        HelpName = "N",
        DefaultValueFactory = _ => usual,
        CustomParser = result =>
        {
            string text = result.Tokens[0].Value;
            if (int.TryParse(text, NumberStyles.AllowLeadingSign, CultureInfo.InvariantCulture, out int value) && value >= least && value <= most)
            {
                return value;
            }

            result.AddError($"{name} is {text}; it must be a whole number from {least} to {most}.");
            return 0;
        },
    };

    public static Option<int> Seed() => Whole("--seed", "Seed of everything random in the run.", usual: 1, 0, int.MaxValue);

    public static Option<bool> Json() => new("--json") { Description = "Write the result as JSON." };
}
