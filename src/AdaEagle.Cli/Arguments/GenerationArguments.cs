using System.CommandLine;
using AdaEagle.Cli.Generate;
using AdaEagle.Generation;
using AdaEagle.Sampling;
using AdaEagle.Speculation.Policies;

namespace AdaEagle.Cli.Arguments;

/// <summary>How to generate: options of every command that does.</summary>
internal sealed class GenerationArguments
{
    private readonly Option<string?> _policy = new("--policy")
    {
        Description = $"Draft policy: {DraftPolicies.Plain} (plain decoding) or one of {string.Join(", ", DraftPolicies.Supported.Select(kind => kind.Form))}. It changes speed, never output. "
            + "Default: the best that the model has the parts for.",
        HelpName = "P",
    };

    private readonly Option<float> _temperature = Values.Real(
        "--temperature", "0 takes the most probable token (greedy).", 0, value => value >= 0, "0 (greedy) or more");

    private readonly Option<int> _topK = Values.Whole("--top-k", "Keeps the N most probable tokens; 0 keeps all.", 0, 0);

    private readonly Option<float> _topP = Values.Real(
        "--top-p", "Keeps the fewest tokens whose probabilities add up to X; 1 keeps all.", 1, value => value is > 0 and <= 1, "above 0, at most 1");

    private readonly Option<float> _minP = Values.Real(
        "--min-p", "Keeps tokens at least X times as probable as the most probable one; 0 keeps all.", 0, value => value is >= 0 and <= 1, "a number from 0 to 1");

    private readonly Option<ulong> _seed = Values.Seed("--seed", "Seed of sampling; the same seed gives the same output.");

    private readonly Option<int> _maxTokens;

    private readonly Option<string[]> _stop = new("--stop")
    {
        Description = "Text that ends the output where it first appears, and is not part of it. Can be given several times.", HelpName = "TEXT", DefaultValueFactory = _ => [],
    };

    private readonly Option<bool> _raw = Values.Flag("--raw", "The prompt is a text to be continued, not a message for the chat template.");

    private readonly Option<bool> _showDraft = Values.Flag("--show-draft", "Marks accepted draft tokens, and lists what each round predicted, drafted and accepted.");

    public GenerationArguments(Command command, int maxTokens, bool raw = true)
    {
        _maxTokens = Values.Whole("--max-tokens", "The most tokens to generate.", maxTokens, 1);
        foreach (Option option in (Option[])[_policy, _temperature, _topK, _topP, _minP, _seed, _maxTokens, _stop, .. raw ? (Option[])[_raw] : [], _showDraft])
        {
            command.Options.Add(option);
        }

        command.Validators.Add(result =>
        {
            if ((result.GetValue(_stop) ?? []).Any(string.IsNullOrEmpty))
            {
                result.AddError("--stop is empty; it must be a text.");
            }
        });
    }

    /// <summary>The option that says which policy.</summary>
    public Option Policy => _policy;

    /// <summary>The option of the temperature.</summary>
    public Option Temperature => _temperature;

    /// <summary>A remark on every command's help: where unset options come from.</summary>
    public static string Remark => "Decoding is greedy unless --temperature is above 0; a model's generation_config.json gives its end tokens only.";

    public bool ShowDraft(ParseResult arguments) => arguments.GetValue(_showDraft);

    /// <summary>The options as the library takes them; what has no effect is said.</summary>
    public GenerationOptions Read(ParseResult arguments, Terminal terminal)
    {
        var sampling = new SamplingOptions
        {
            Temperature = arguments.GetValue(_temperature), TopK = arguments.GetValue(_topK), TopP = arguments.GetValue(_topP),
            MinP = arguments.GetValue(_minP), Seed = arguments.GetValue(_seed),
        };
        string[] idle = [.. ((Option[])[_topK, _topP, _minP, _seed]).Where(option => arguments.GetResult(option) is { Implicit: false }).Select(option => option.Name)];
        if (sampling.Temperature == 0 && idle.Length > 0)
        {
            terminal.Note($"note: without --temperature above 0 decoding is greedy, and {string.Join(", ", idle)} has no effect");
        }

        return new GenerationOptions
        {
            Policy = arguments.GetValue(_policy), Sampling = sampling, MaxTokens = arguments.GetValue(_maxTokens), StopStrings = arguments.GetValue(_stop) ?? [],
            Raw = arguments.CommandResult.Command.Options.Contains(_raw) && arguments.GetValue(_raw), KeepRounds = ShowDraft(arguments),
            Progress = new PromptNote(terminal),
        };
    }
}
