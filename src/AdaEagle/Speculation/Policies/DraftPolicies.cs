using System.Globalization;

namespace AdaEagle.Speculation.Policies;

/// <summary>What policies are made from: a session's predictor, if its model has one, and the longest draft.</summary>
/// <param name="Predictor">The LDLP, or null.</param>
/// <param name="MaxDraft">k_max of policies that have none of their own, and the longest path of a tree.</param>
/// <param name="MaxNodes">The most tokens of a tree that are verified.</param>
/// <param name="MaxPool">The most candidates that a tree is chosen from.</param>
public sealed record PolicyResources(DraftLengthPredictor? Predictor, int MaxDraft, int MaxNodes = 63, int MaxPool = 1024)
{
    /// <summary>Tokens that end an output: a draft has no use for what follows one.</summary>
    public IReadOnlyList<int> EndTokens { get; init; } = [];

    /// <summary>The survival predictor, or null.</summary>
    public SurvivalPredictor? Survival { get; init; }

    /// <summary>The stop head, or null.</summary>
    public StopHead? StopHead { get; init; }

    /// <summary>What parts of a round cost; null: a policy that asks measures for itself.</summary>
    public DraftCosts? Costs { get; init; }

    /// <summary>False where only the drafter's tokens may be drafted.</summary>
    public bool MayCopy { get; init; } = true;

    /// <summary>The clock of policies that measure; null takes the system's.</summary>
    public TimeProvider? Clock { get; init; }
}

/// <summary>Policies by name. A new one is a file and a line here.</summary>
public static class DraftPolicies
{
    /// <summary>The name of plain decoding: no drafter at all.</summary>
    public const string Plain = "ar";

    private static readonly (string Form, string What, Func<string, PolicyResources, IDraftPolicy?> Make)[] s_kinds =
    [
        ("fixed:K", "always K tokens, K from 0", MakeFixed),
        ("threshold:T", "while the draft's cumulative log-probability is at least T", MakeThreshold),
        ("ldlp", "the length that the draft length predictor says", (name, resources) => name == "ldlp" ? new LdlpPolicy(Predictor(name, resources), null) : null),
        ("ldlp+threshold:T", "that, and on while the cumulative log-probability is at least T", MakeLdlpThreshold),
        ("p-min:P", "while the drafter's token has probability P (llama.cpp)", PMinPolicy.Make),
        ("svip:H", "until the root of 0.15 times the entropy is above H (SVIP)", SvipPolicy.Make),
        ("adaedl:L:A", "until a lower bound of acceptance is below a threshold that moves from L, for a share A of accepted tokens (AdaEDL)", AdaEdlPolicy.Make),
        ("specdec++:H", "until a stop head thinks that some token is rejected with a chance above H (SpecDec++)", SpecDecPolicy.Make),
        ("hf-heuristic:N:P", "N tokens, +2 after full success, else -1; confidence threshold P (Hugging Face)", HuggingFacePolicy.Make),
        ("hf-confidence:P:N", "until a token has less probability than P, at most N tokens (Hugging Face)", HuggingFacePolicy.Make),
        ("hf-adaptive:P:N", "the same, P fitted to what was accepted (Hugging Face)", HuggingFacePolicy.Make),
        ("ema-tiers:A-B-C", "a tier by the moving average of accepted lengths (SGLang)", EmaTiersPolicy.Make),
        ("bucket:F", "a length from F on, moved by a bucket of surplus tokens (llama.cpp)", BucketPolicy.Make),
        ("ucb:W", "a bandit over lengths (UCB1, as BanditSpec and TapOut)", UcbPolicy.Make),
        ("position-argmax:S", "most expected tokens per second, by acceptance per position and measured times", PositionArgmaxPolicy.Make),
        ("survival-rank:K", "K tokens, of which as many are verified as give the most expected tokens per second (DSpark in vLLM)", SurvivalRankPolicy.Make),
        (AutoPolicy.PolicyName, "what is worth most by expected tokens, measured costs and the run's own speed; siblings beside the chain, and what the text said before in place of the drafter's tokens, where they pay", MakeAuto),
        (AutoPolicy.ChainName, "the same with chains alone", MakeAuto),
        (AutoPolicy.HeadName, "the same with the drafter's tokens alone", MakeAuto),
        ("eagle2:TOTAL,DEPTH,TOPK", "EAGLE-2's dynamic tree: TOTAL nodes with the root, DEPTH + 1 levels, grown TOPK wide", MakeEagle2),
        ("opt-tree:N,D,K:DELTA", "the N likeliest paths, deepened while a level adds DELTA expected tokens (OPT-Tree)", OptTreePolicy.Make),
        ("cape:K", "a chain of K tokens, with more siblings where the drafter is less sure (CaPE)", CapePolicy.Make),
        ("comb:K,S", "a chain of K tokens with S siblings beside each", MakeComb),
        ("tree:PATHS", "always the same tree: paths of ranks such as 0,1,00, or eagle1", MakeTree),
    ];

    /// <summary>The forms that <see cref="Create"/> knows, with what they do.</summary>
    public static IEnumerable<(string Form, string What)> Supported => s_kinds.Select(kind => (kind.Form, kind.What));

    /// <summary>Makes a policy from its name.</summary>
    /// <exception cref="MissingPartException">The model lacks what it needs.</exception>
    /// <exception cref="ArgumentException">No policy has that name; the message says what is supported.</exception>
    public static IDraftPolicy Create(string name, PolicyResources resources)
    {
        ArgumentNullException.ThrowIfNull(name);
        ArgumentNullException.ThrowIfNull(resources);
        foreach ((string Form, string What, Func<string, PolicyResources, IDraftPolicy?> Make) kind in s_kinds)
        {
            if (kind.Make(name, resources) is { } policy)
            {
                return policy;
            }
        }

        throw new ArgumentException($"There is no policy '{name}'. Supported: {Plain}, {string.Join(", ", s_kinds.Select(kind => kind.Form))}.", nameof(name));
    }

    /// <summary>Checks a name before there is a model; whether that has what the policy needs, <see cref="Create"/> says.</summary>
    /// <exception cref="ArgumentException">No policy has that name, or a number in it is out of range.</exception>
    public static void Check(string name, PolicyResources resources)
    {
        try
        {
            Create(name, resources);
        }
        catch (MissingPartException)
        {
            // Then the name itself is all right: parts are looked for last.
        }
    }

    /// <summary>The names of a list with commas between them; a part that begins with a digit belongs to the name before it (<c>eagle2:60,5,10</c>).</summary>
    public static IEnumerable<string> Split(string list)
    {
        ArgumentNullException.ThrowIfNull(list);
        string[] parts = list.Split(',', StringSplitOptions.TrimEntries);
        for (int i = 0; i < parts.Length;)
        {
            int first = i++;
            while (i < parts.Length && parts[i].Length > 0 && char.IsAsciiDigit(parts[i][0]))
            {
                i++;
            }

            yield return string.Join(',', parts[first..i]);
        }
    }

    private static FixedLengthPolicy? MakeFixed(string name, PolicyResources resources)
    {
        if (Argument(name, "fixed:") is not { } argument)
        {
            return null;
        }

        if (!int.TryParse(argument, NumberStyles.None, CultureInfo.InvariantCulture, out int length) || length > resources.MaxDraft)
        {
            throw new ArgumentException($"'{name}': K must be a whole number from 0 to {resources.MaxDraft}.", nameof(name));
        }

        return new FixedLengthPolicy(length);
    }

    private static ThresholdPolicy? MakeThreshold(string name, PolicyResources resources) =>
        Argument(name, "threshold:") is { } argument ? new ThresholdPolicy(Threshold(name, argument), resources.MaxDraft) : null;

    private static LdlpPolicy? MakeLdlpThreshold(string name, PolicyResources resources)
    {
        if (Argument(name, "ldlp+threshold:") is not { } argument)
        {
            return null;
        }

        float threshold = Threshold(name, argument);
        return new LdlpPolicy(Predictor(name, resources), threshold);
    }

    private static AutoPolicy? MakeAuto(string name, PolicyResources resources) => AutoPolicy.IsName(name)
        ? new AutoPolicy(resources.Survival, resources.Costs ?? new DraftCosts(resources.MaxNodes + 1), resources.MaxDraft, resources.MaxNodes, name != AutoPolicy.ChainName, name != AutoPolicy.HeadName && resources.MayCopy, resources.Clock)
        : null;

    private static Eagle2Policy? MakeEagle2(string name, PolicyResources resources)
    {
        if (Argument(name, "eagle2:") is not { } argument)
        {
            return null;
        }

        int[]? numbers = Numbers(argument, 3);
        if (numbers is not [int total and >= 2, int depth, int width and >= 1] || total > resources.MaxNodes + 1 || depth >= resources.MaxDraft || width > resources.MaxPool
            || width + ((long)depth * width * width) > resources.MaxPool)
        {
            throw new ArgumentException(
                $"'{name}': TOTAL must be a whole number from 2 to {resources.MaxNodes + 1}, DEPTH from 0 to {resources.MaxDraft - 1}, TOPK from 1, and TOPK + DEPTH x TOPK x TOPK at most {resources.MaxPool}, as in eagle2:60,5,10.",
                nameof(name));
        }

        return new Eagle2Policy(total, depth, width);
    }

    private static StaticTreePolicy? MakeComb(string name, PolicyResources resources)
    {
        if (Argument(name, "comb:") is not { } argument)
        {
            return null;
        }

        if (Numbers(argument, 2) is not [int length, int siblings] || length > resources.MaxDraft || length * (siblings + 1L) > resources.MaxNodes)
        {
            throw new ArgumentException($"'{name}': K must be a whole number from 0 to {resources.MaxDraft}, S from 0, and K x (S + 1) at most {resources.MaxNodes}, as in comb:4,2.", nameof(name));
        }

        return StaticTreePolicy.Comb(name, length, siblings);
    }

    private static StaticTreePolicy? MakeTree(string name, PolicyResources resources)
    {
        if (Argument(name, "tree:") is not { } argument)
        {
            return null;
        }

        StaticTreePolicy policy;
        try
        {
            policy = StaticTreePolicy.Parse(name, argument);
        }
        catch (ArgumentException failure)
        {
            throw new ArgumentException($"'{name}': {failure.Message}", nameof(name), failure);
        }

        return policy.MaxDraft <= resources.MaxNodes && policy.MaxPool <= resources.MaxPool && policy.LongestPath <= resources.MaxDraft
            ? policy
            : throw new ArgumentException(
                $"'{name}': a tree has at most {resources.MaxNodes} nodes, and {resources.MaxPool} with the ranks that it leaves out, and its paths at most {resources.MaxDraft}.", nameof(name));
    }

    private static int[]? Numbers(string argument, int count)
    {
        string[] parts = argument.Split(',');
        int[] numbers = new int[count];
        return parts.Length == count && parts.Select((part, i) => int.TryParse(part, NumberStyles.None, CultureInfo.InvariantCulture, out numbers[i])).All(parsed => parsed) ? numbers : null;
    }

    private static string? Argument(string name, string prefix) => name.StartsWith(prefix, StringComparison.Ordinal) ? name[prefix.Length..] : null;

    private static float Threshold(string name, string argument) =>
        float.TryParse(argument, NumberStyles.Float, CultureInfo.InvariantCulture, out float threshold) && float.IsFinite(threshold)
            ? threshold
            : throw new ArgumentException($"'{name}': T must be a number, a sum of natural-log probabilities such as -0.6.", nameof(name));

    private static DraftLengthPredictor Predictor(string name, PolicyResources resources) =>
        resources.Predictor ?? throw new MissingPartException(
            $"'{name}' needs a draft length predictor, and the model has none: name one with --predictor, or train one with adaeagle-train ldlp.", nameof(name));
}
