using System.CommandLine;
using System.Text.Json.Nodes;
using AdaEagle.Cli.Arguments;

namespace AdaEagle.Cli.Inspect;

/// <summary><c>adaeagle inspect PATH</c>: what a file or folder holds, without running it.</summary>
internal static class InspectCommand
{
    public static Command Create(Terminal terminal)
    {
        var path = new Argument<string>("PATH") { Description = "A file or a folder." };
        var json = Values.Flag("--json", "Prints the description as JSON.");
        var command = new CommandWithExamples("inspect", $"Describes a file or folder: {Inspector.Readable}.")
        {
            Examples = ["adaeagle inspect models/default", "adaeagle inspect model.gguf", "adaeagle inspect --json models/default/eagle/model.safetensors", "adaeagle inspect bench.jsonl"],
        };
        command.Arguments.Add(path);
        command.Options.Add(json);
        command.SetAction(arguments =>
        {
            JsonObject description = Inspector.Describe(arguments.GetRequiredValue(path));
            terminal.Out.WriteLine(arguments.GetValue(json) ? description.ToJsonString(Json.Page.Options) : DescriptionText.Of(description));
            return CommandLine.Done;
        });
        return command;
    }
}
