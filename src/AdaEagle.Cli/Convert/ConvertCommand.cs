using System.CommandLine;
using System.CommandLine.Parsing;
using System.Text.Json.Nodes;
using AdaEagle.Cli.Arguments;
using AdaEagle.Cli.Bench;
using AdaEagle.Cli.Inspect;
using AdaEagle.Formats;

namespace AdaEagle.Cli.Convert;

/// <summary>Formats of weights that can be written.</summary>
internal enum ConvertType
{
    F32,
    F16,
    BF16,
    Q8_0,
    Q4_0,
    Q4_K,
    Q5_K,
    Q6_K,
}

/// <summary><c>adaeagle convert FOLDER --out FILE.gguf</c>: a Hugging Face folder as one GGUF file.</summary>
internal sealed class ConvertCommand
{
    private const int ProgressSteps = 100;

    private readonly Terminal _terminal;
    private readonly Argument<string> _folder = new("FOLDER") { Description = "Model folder in Hugging Face's layout: config.json, weights, tokenizer.json." };
    private readonly Option<ConvertType> _type = Values.Choice("--type", "Format of the matrices; what rows do not fit takes the next better one.", ConvertType.Q8_0);
    private readonly Option<string> _out = new("--out") { Description = "The file to write.", HelpName = "FILE.gguf", Required = true };
    private readonly Option<bool> _force = Values.Flag("--force", "Replaces a file that exists.");
    private readonly Option<bool> _json = Values.Flag("--json", "Prints the result as JSON.");

    private ConvertCommand(Terminal terminal, Command command)
    {
        _terminal = terminal;
        command.Arguments.Add(_folder);
        foreach (Option option in (Option[])[_type, _out, _force, _json])
        {
            command.Options.Add(option);
        }

        command.SetAction(Run);
    }

    public static Command Create(Terminal terminal)
    {
        var command = new CommandWithExamples("convert", "Writes a model folder as one GGUF file, with its tokenizer and chat template, quantised if asked; llama.cpp and its kin load it too.")
        {
            Remarks =
            [
                "Architectures: llama, mistral, qwen2, qwen3, with a byte-level BPE tokenizer. Vectors stay F32; the output matrix is Q6_K in files of fewer bits.",
                "Draft heads and draft length predictors stay folders: name them with --draft and --predictor.",
            ],
            Examples = ["adaeagle convert models/default --type q8_0 --out default-q8_0.gguf", "adaeagle generate --model default-q8_0.gguf \"How do I list hidden files?\""],
        };
        _ = new ConvertCommand(terminal, command);
        return command;
    }

    private int Run(ParseResult arguments)
    {
        string folder = arguments.GetRequiredValue(_folder);
        string path = arguments.GetRequiredValue(_out);
        Check(folder, path, arguments.GetValue(_force));
        TensorType type = Enum.Parse<TensorType>(arguments.GetValue(_type).ToString());
        GgufExportResult result = _terminal.Interrupts.Run(cancellation => BenchProgress.Run(_terminal, begin =>
        {
            Action step = begin($"{Path.GetFileName(path)}, {type}", ProgressSteps);
            long shown = 0;
            return GgufExport.Write(folder, path, type, (done, total) =>
            {
                for (; shown * total < done * ProgressSteps; shown++)
                {
                    step();
                }
            }, cancellation);
        }));
        JsonObject description = Describe(result, type);
        _terminal.Out.WriteLine(arguments.GetValue(_json) ? description.ToJsonString(Json.Page.Options) : DescriptionText.Of(description));
        return CommandLine.Done;
    }

    // What is wrong with the names is said before anything is read.
    private static void Check(string folder, string path, bool force)
    {
        if (!Directory.Exists(folder))
        {
            throw new ModelFormatException(folder, null, GgufFile.IsGguf(folder) ? "this is a GGUF file already" : "there is no such folder", "Name a folder with config.json, weights and tokenizer.json");
        }

        if (!GgufFile.IsGguf(path))
        {
            throw new ArgumentException($"--out is '{path}'; the file's name must end in .gguf.");
        }

        if (Directory.Exists(path) || (File.Exists(path) && !force))
        {
            throw new IOException($"{path} exists. --force replaces a file; or choose another name.");
        }

        if (Path.GetDirectoryName(Path.GetFullPath(path)) is { } parent && !Directory.Exists(parent))
        {
            throw new IOException($"There is no folder {parent} to write {Path.GetFileName(path)} into. Make it first.");
        }
    }

    private static JsonObject Describe(GgufExportResult result, TensorType type) => new()
    {
        ["kind"] = "converted model",
        ["path"] = result.Path,
        ["type"] = type.ToString(),
        ["bytes"] = result.ByteLength,
        ["formats"] = new JsonArray([.. result.Tensors.OrderBy(pair => pair.Key).Select(pair => new JsonObject { ["type"] = pair.Key.ToString(), ["tensors"] = pair.Value })]),
        ["notes"] = new JsonArray([.. result.Notes.Select(note => new JsonObject { ["note"] = note })]),
    };
}
