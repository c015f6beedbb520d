using AdaEagle.Formats;
using AdaEagle.Tokenization.Patterns;
using AdaEagle.Tokenization.PreTokenization;

namespace AdaEagle.Tokenization.Loading;

/// <summary>Reads <c>pre_tokenizer</c> into steps, sequences laid flat; none leaves the text in one piece.</summary>
internal static class PreTokenizerReader
{
    /// <summary>Steps at most: each goes over the whole text.</summary>
    private const int MostSteps = 16;

    public static IReadOnlyList<PreTokenizer> Read(JsonConfig root)
    {
        List<PreTokenizer> steps = [];
        if (root.Object("pre_tokenizer") is { } preTokenizer)
        {
            Add(preTokenizer, steps);
        }

        return steps;
    }

    private static void Add(JsonConfig preTokenizer, List<PreTokenizer> steps)
    {
        if (preTokenizer.Text("type") == "Sequence")
        {
            foreach (JsonConfig item in preTokenizer.Objects("pretokenizers"))
            {
                Add(item, steps);
            }

            return;
        }

        steps.Add(ReadOne(preTokenizer));
        if (steps.Count > MostSteps)
        {
            throw preTokenizer.Fault("type", $"there are more than {MostSteps} pre-tokenizers", "Give the tokenizer.json as its makers published it");
        }
    }

    private static PreTokenizer ReadOne(JsonConfig step) => step.Text("type") switch
    {
        "Split" => Split(step),
        "ByteLevel" => new ByteLevelPreTokenizer(step.Flag("add_prefix_space") ?? true, step.Flag("use_regex") ?? true),
        "Digits" => new SplitPreTokenizer(
            Pattern.Parse(@"\p{N}"), step.Flag("individual_digits") ?? false ? SeparatorBehavior.Isolated : SeparatorBehavior.Contiguous, invert: false),
        "Punctuation" => new SplitPreTokenizer(
            Pattern.Parse(@"[\p{P}$+<=>^`|~]"), Behavior(step, step.Text("behavior") ?? nameof(SeparatorBehavior.Isolated)), invert: false),
        "Metaspace" => new MetaspacePreTokenizer(Literals.Mark(step), Literals.Prepends(step), step.Flag("split") ?? true),
        var other => throw TokenizerReader.Unsupported(step, "pre-tokenizer", other ?? "", "Split, ByteLevel, Metaspace, Digits, Punctuation and Sequence"),
    };

    private static SplitPreTokenizer Split(JsonConfig step)
    {
        JsonConfig pattern = step.Object("pattern") ?? throw step.Fault("pattern", "the key is missing", "A Split has a pattern {\"Regex\": …} or {\"String\": …}");
        try
        {
            Pattern compiled = pattern.Text("Regex") is { } regex ? Pattern.Parse(regex)
                : pattern.Text("String") is { } text ? Pattern.Literal(text)
                : throw step.Fault("pattern", "there is neither Regex nor String in it", "A Split has a pattern {\"Regex\": …} or {\"String\": …}");
            return new SplitPreTokenizer(compiled, Behavior(step, step.Text("behavior") ?? ""), step.Flag("invert") ?? false);
        }
        catch (PatternException e)
        {
            throw step.Fault("pattern", e.Message, "Use a tokenizer with a simpler pattern");
        }
    }

    private static SeparatorBehavior Behavior(JsonConfig step, string name) =>
        Enum.TryParse(name, out SeparatorBehavior behavior) && Enum.IsDefined(behavior) && behavior.ToString() == name
            ? behavior
            : throw step.Fault("behavior", $"the behaviour '{name}' is not known", $"Known are {string.Join(", ", Enum.GetNames<SeparatorBehavior>())}");
}
