using System.Globalization;
using AdaEagle.Kernels;
using AdaEagle.Models;

namespace AdaEagle.Speculation.Drafting;

/// <summary>What drafters are made from: what a loaded model has.</summary>
/// <param name="Target">The model whose output counts.</param>
/// <param name="Head">Its draft head, or null.</param>
/// <param name="DraftModel">A second model of its vocabulary, or null.</param>
/// <param name="EndTokens">Tokens that end an output.</param>
/// <param name="Pool">Who computes.</param>
/// <param name="MaxExpanded">The most nodes of a draft that are expanded in a round.</param>
public sealed record DrafterResources(LlamaModel Target, EagleHead? Head, LlamaModel? DraftModel, IReadOnlyList<int> EndTokens, WorkerPool Pool, int MaxExpanded);

/// <summary>Drafters by name. A new one is a file and a line here.</summary>
public static class Drafters
{
    /// <summary>The name of drafting with the model's EAGLE head.</summary>
    public const string Eagle = "eagle";

    /// <summary>The name of drafting with a second model.</summary>
    public const string Model = "model";

    /// <summary>The name of prompt lookup, without its numbers.</summary>
    public const string Ngram = "ngram";

    private const int MostNgramTokens = 1024;

    private static readonly (string Form, string What, Func<string, DrafterResources, IDrafter?> Make)[] s_kinds =
    [
        (Eagle, "the model's EAGLE head", (name, resources) => name == Eagle ? new EagleDrafter(resources.Head ?? throw Lacks(name, "a draft head"), resources.Pool, resources.MaxExpanded) : null),
        ("ngram[:N,M]", "prompt lookup: the N tokens after an earlier occurrence of the last M or fewer", (name, resources) => MakeNgram(name, resources.EndTokens)),
        (Model, "a second model with the same vocabulary", (name, resources) => name == Model ? new ModelDrafter(resources.DraftModel ?? throw Lacks(name, "a draft model"), resources.Target, resources.Pool, resources.MaxExpanded) : null),
    ];

    /// <summary>The forms that <see cref="Create"/> knows, with what they are.</summary>
    public static IEnumerable<(string Form, string What)> Supported => s_kinds.Select(kind => (kind.Form, kind.What));

    /// <summary>Makes a drafter from its name.</summary>
    /// <exception cref="ArgumentException">No drafter has that name, or the model lacks what it needs; the message says what is supported.</exception>
    public static IDrafter Create(string name, DrafterResources resources)
    {
        ArgumentNullException.ThrowIfNull(name);
        ArgumentNullException.ThrowIfNull(resources);
        foreach ((string Form, string What, Func<string, DrafterResources, IDrafter?> Make) kind in s_kinds)
        {
            if (kind.Make(name, resources) is { } drafter)
            {
                return drafter;
            }
        }

        throw Unknown(name);
    }

    /// <summary>Checks a name before there is a model; whether that has what the drafter needs, <see cref="Create"/> says.</summary>
    /// <exception cref="ArgumentException">No drafter has that name, or a number in it is out of range.</exception>
    public static void Check(string name)
    {
        ArgumentNullException.ThrowIfNull(name);
        if (name is not (Eagle or Model) && MakeNgram(name, []) is null)
        {
            throw Unknown(name);
        }
    }

    private static NgramDrafter? MakeNgram(string name, IReadOnlyList<int> endTokens)
    {
        if (name == Ngram)
        {
            return new NgramDrafter(endTokens: endTokens);
        }

        if (!name.StartsWith(Ngram + ":", StringComparison.Ordinal))
        {
            return null;
        }

        string[] numbers = name[(Ngram.Length + 1)..].Split(',');
        return numbers.Length == 2 && Number(numbers[0], out int most) && Number(numbers[1], out int longest)
            ? new NgramDrafter(most, longest, endTokens)
            : throw new ArgumentException($"'{name}': N,M must be two whole numbers from 1 to {MostNgramTokens}, such as ngram:10,2.", nameof(name));

        static bool Number(string text, out int number) =>
            int.TryParse(text, NumberStyles.None, CultureInfo.InvariantCulture, out number) && number is >= 1 and <= MostNgramTokens;
    }

    private static ArgumentException Unknown(string name) =>
        new($"There is no drafter '{name}'. Supported: {string.Join(", ", s_kinds.Select(kind => kind.Form))}.", nameof(name));

    private static ArgumentException Lacks(string name, string what) =>
        new($"Drafter '{name}' needs {what}, and the model has none: name one with --draft (for a second model with --drafter {Model}), or draft with '{Ngram}'.", nameof(name));
}
