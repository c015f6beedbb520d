using System.CommandLine;
using AdaEagle.Generation;
using AdaEagle.Kernels;
using AdaEagle.Models;
using AdaEagle.Speculation.Drafting;
using AdaEagle.Speculation.Policies;

namespace AdaEagle.Cli.Arguments;

/// <summary>Which model, and how it is kept: options of every command that runs one.</summary>
internal sealed class ModelArguments
{
    private readonly Option<string?> _model = new("--model")
    {
        Description = "Model folder in Hugging Face's layout, with eagle/ and ldlp/ as its draft head and draft length predictor, or a .gguf file. Default: models/default.",
        HelpName = "PATH",
    };

    private readonly Option<string?> _drafter = new("--drafter")
    {
        Description = $"What drafts: {string.Join(", ", Drafters.Supported.Select(kind => $"{kind.Form} ({kind.What})"))}. It changes speed, never output. Default: the draft head, if there is one.",
        HelpName = "D",
    };

    private readonly Option<string?> _draft = new("--draft")
    {
        Description = $"Folder of the EAGLE draft head, if not eagle/ in the model's; with --drafter {Drafters.Model} the draft model's folder or .gguf file.", HelpName = "PATH",
    };

    private readonly Option<string?> _predictor = new("--predictor") { Description = "Folder of the draft length predictor, if not ldlp/ in the model's.", HelpName = "DIR" };

    private readonly Option<string?> _survival = new("--survival") { Description = "Folder of the survival predictor, which auto asks, if not survival/ in the model's.", HelpName = "DIR" };

    private readonly Option<string?> _stopHead = new("--stop-head") { Description = "Folder of the stop head, which specdec++ asks, if not stop/ in the model's.", HelpName = "DIR" };

    private readonly Option<string?> _costs = new("--costs")
    {
        Description = "What auto takes draft steps and verifications to cost: read from a file, then never measured; a file that is not there is written at the end.", HelpName = "FILE",
    };

    private readonly Option<WeightChoice> _weights = Values.Choice("--weights", "How weights are kept; auto is what decodes faster.", WeightChoice.Auto);

    private readonly Option<WeightFormat?> _quantize = Values.OptionalChoice(
        "--quantize", "Format that the matrices of target, LM head and draft head are brought to; not given, they stay as they are.", WeightFormats.Quantized);

    private readonly Option<WeightFormat?> _quantizeDraft = Values.OptionalChoice(
        "--quantize-draft", "The same for the draft head and its LM head alone: it changes drafts, never the output.", WeightFormats.Quantized);

    private readonly Option<CacheFormat> _cache = Values.Choice("--cache", "How keys and values are kept; f16 halves what a long context costs.", CacheFormat.F32);

    private readonly Option<int> _threads = Values.Whole("--threads", "Threads; 0 is one for each processor.", 0, 0, 1024);

    public ModelArguments(Command command)
    {
        foreach (Option option in (Option[])[_model, _drafter, _draft, _predictor, _survival, _stopHead, _costs, _weights, _quantize, _quantizeDraft, _cache, _threads])
        {
            command.Options.Add(option);
        }
    }

    /// <summary>The option that says what drafts.</summary>
    public Option Drafter => _drafter;

    /// <summary>Loads it; what doesn't fit together is said once. A drafter and its folder that are named here come before those of the command line.</summary>
    public LanguageModel Load(ParseResult arguments, Terminal terminal, string? drafter = null, string? draft = null)
    {
        LanguageModel model = LanguageModel.Load(arguments.GetValue(_model) ?? DefaultModel.Find(), new LoadOptions
        {
            Drafter = drafter ?? arguments.GetValue(_drafter),
            DraftFolder = draft ?? arguments.GetValue(_draft),
            PredictorFolder = arguments.GetValue(_predictor),
            SurvivalFolder = arguments.GetValue(_survival),
            StopFolder = arguments.GetValue(_stopHead),
            CostsFile = arguments.GetValue(_costs) is { } costs && File.Exists(costs) ? costs : null,
            Weights = arguments.GetValue(_weights),
            Quantize = arguments.GetValue(_quantize),
            QuantizeDraft = arguments.GetValue(_quantizeDraft),
            Cache = arguments.GetValue(_cache),
            Threads = arguments.GetValue(_threads),
        });
        foreach (string warning in model.Warnings)
        {
            terminal.Note($"warning: {warning}");
        }

        return model;
    }

    /// <summary>Says once that <c>auto</c> has no predictor here, if it is among the policies.</summary>
    public static void NoteLearning(LanguageModel model, Terminal terminal, params IEnumerable<string> policies)
    {
        if (model.Survival is null && policies.Any(AutoPolicy.IsName))
        {
            terminal.Note("note: the model has no survival predictor (survival/); auto learns while it runs, from a prior of 0.7 a token");
        }
    }

    /// <summary>Throws where a file of costs is named that is not there, and so would be written.</summary>
    public void RequireCosts(ParseResult arguments, string why)
    {
        if (arguments.GetValue(_costs) is { } file && !File.Exists(file))
        {
            throw new ArgumentException($"--costs {file}: there is no such file, and it is not written {why}: leave it out, or name one that is there.");
        }
    }

    /// <summary>After the run: writes the measured costs, if a file was named that was not there.</summary>
    public void KeepCosts(ParseResult arguments, LanguageModel model)
    {
        if (arguments.GetValue(_costs) is { } file && !File.Exists(file) && model.Costs is { } costs)
        {
            costs.Write(file);
        }
    }
}
